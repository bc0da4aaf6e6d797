"""Processes that are measured: a broker of zchat, and what any process costs in CPU time and memory."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

_CPUS = frozenset(os.sched_getaffinity(0))  # before anything is pinned

# Limits that a benchmark does not reach; they are counted all the same.
SETTINGS = """
[broker.limits]
messages_per_second = 1000000000
messages_burst = 1000000000
text_bytes_per_second = 1000000000000
text_bytes_burst = 1000000000000
requests_per_second = 1000000000
requests_burst = 1000000000
"""


class BrokerProcess:
    """`zchat broker` on two free ports, with its files in `directory`. `link` is there when it is ready."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        command = [sys.executable, "-m", "zchat", "broker", "-p", str(free_pair()), "--data-dir"]
        command += [str(directory / "broker"), "--log-level", "error"]
        (directory / "config.toml").write_text(SETTINGS, encoding="utf-8")
        places = {f"ZCHAT_{kind}_DIR": str(directory) for kind in ("CONFIG", "RUNTIME")}
        with open(directory / "broker.log", "w") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | places
            )
        assert self._process.stdout is not None
        self.link = self._process.stdout.readline().strip()
        if not self.link:
            raise RuntimeError((directory / "broker.log").read_text())

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far."""
        return cpu_seconds(self._process.pid)

    def memory_bytes(self) -> int:
        """Its resident memory."""
        return memory_bytes(self._process.pid)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Closable(Protocol):
    """What runs until it is closed."""

    def close(self) -> None:
        """End it."""


_C = TypeVar("_C", bound=Closable)


@contextmanager
def running(started: _C) -> Iterator[_C]:
    """Ends it in the end."""
    try:
        yield started
    finally:
        started.close()


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


def pin() -> int:
    """Keep this process, and every one that it starts, on one CPU, which is returned."""
    cpu = max(_CPUS)
    os.sched_setaffinity(0, {cpu})
    return cpu


def other_cpus() -> set[int]:
    """Those that this process is not kept on, or when there are none, all."""
    return set(_CPUS - os.sched_getaffinity(0) or _CPUS)
