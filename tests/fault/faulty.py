"""Processes that faults are done to: what they use, what they print, and how they are stopped."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.fault.clients import DEADLINE_S
from zchat.common.keys import KeyPair, draw


class Lines:
    """The lines of a stream, read as they come, so that whoever writes them never waits."""

    def __init__(self, stream: IO[str]) -> None:
        self.seen: list[str] = []
        self._stream = stream
        self._arrived: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def until(self, wanted: Callable[[str], bool]) -> str:
        """The next line that is wanted. All lines up to it are in `seen`."""
        ends_at = time.monotonic() + DEADLINE_S
        while True:
            try:
                line = self._arrived.get(timeout=max(0.0, ends_at - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"a line did not come; the last ones: {self.seen[-5:]}") from None
            if line is None:
                raise AssertionError(f"the output ended; the last lines: {self.seen[-5:]}")
            self.seen.append(line)
            if wanted(line):
                return line

    def drain(self) -> None:
        """Everything to the end of the stream is in `seen`."""
        while (line := self._arrived.get(timeout=DEADLINE_S)) is not None:
            self.seen.append(line)
        self._thread.join(DEADLINE_S)

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                self._arrived.put(line.rstrip("\n"))
        self._arrived.put(None)


class ClientProcess:
    """client_program.py, running. It ends with the `with` block at the latest."""

    def __init__(self, link: str, nick: str, state: Path, *options: str, key: KeyPair | None = None) -> None:
        self.key = key or draw()
        command = [sys.executable, "-m", "tests.fault.client_program", link, nick, str(state)]
        self._process = subprocess.Popen(
            [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin and self._process.stdout
        self.out = Lines(self._process.stdout)
        with self._process.stdin as stdin:
            stdin.write(self.key.secret + "\n")
        self.out.until(lambda line: line == "ready")

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self) -> list[tuple[int, str, str]]:
        """Position, conversation and text of each message that it told of in the lines seen so far."""
        told = (line.split(" ", 3) for line in self.out.seen if line.startswith("read "))
        return [(int(pos), conversation, text) for _, pos, conversation, text in told]

    def sent(self) -> list[tuple[str, int, bool]]:
        """Key, position and whether it is a duplicate, of each acknowledgement in the lines seen so far."""
        told = (line.split(" ") for line in self.out.seen if line.startswith("sent "))
        return [(key, int(pos), duplicate == "1") for _, key, pos, duplicate in told]

    def stop(self) -> None:
        """SIGSTOP; returns when no thread of it runs any more."""
        halt(self.pid)

    def go_on(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; then everything that it printed is seen."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            self.out.drain()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def halt(pid: int) -> None:
    """SIGSTOP; returns when no thread of the process runs any more."""
    os.kill(pid, signal.SIGSTOP)
    ends_at = time.monotonic() + DEADLINE_S
    while not all(_is_halted(task) for task in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < ends_at, f"process {pid} does not stop"


def _is_halted(task: Path) -> bool:
    return (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"


def peak_memory_kib(pid: int) -> int:
    """The most that was resident since `forget_peak_memory`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError(f"no VmHWM in the status of {pid}")


def forget_peak_memory(pid: int) -> None:
    """Let the peak begin anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class SmallDisk:
    """A file system that a file can fill, so that nothing else has room."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    @property
    def free_bytes(self) -> int:
        """What is left."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        """Take everything but so much."""
        with self._ballast.open("ab", buffering=0) as file:
            with suppress(OSError):
                while (room := self.free_bytes - leave_bytes) > 0:
                    file.write(bytes(room))

    def make_room(self) -> None:
        """Give back what was taken."""
        self._ballast.unlink()
