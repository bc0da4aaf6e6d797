"""A broker process of its own, and what it costs in CPU time and memory."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

# Limits that a benchmark does not reach; they are counted all the same.
SETTINGS = """
[broker.limits]
messages_per_second = 1000000000
messages_burst = 1000000000
text_bytes_per_second = 1000000000000
text_bytes_burst = 1000000000000
"""


class BrokerProcess:
    """`zchat broker` on two free ports, with its files in a directory that is removed in the end."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="zchat-bench-")
        self.directory = Path(self._directory.name)
        command = [sys.executable, "-m", "zchat", "broker", "-p", str(free_pair()), "--data-dir"]
        command += [str(self.directory / "broker"), "--log-level", "error"]
        (self.directory / "config.toml").write_text(SETTINGS, encoding="utf-8")
        places = {f"ZCHAT_{kind}_DIR": str(self.directory) for kind in ("CONFIG", "RUNTIME")}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | places
        )  # fmt: skip
        assert self._process.stdout is not None
        self.link = self._process.stdout.readline().strip()

    @property
    def pid(self) -> int:
        """Of the broker."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far."""
        return cpu_seconds(self._process.pid)

    def memory_bytes(self) -> int:
        """Its resident memory."""
        return memory_bytes(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._directory.cleanup()


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far, user and system, from the scheduler's own clock."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def memory_bytes(pid: int) -> int:
    """The resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def free_pair() -> int:
    """A port P such that P and P+1 are free on loopback at this moment."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return int(port)
