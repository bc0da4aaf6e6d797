"""Commands as processes of their own that need not import the libraries again: `tests.e2e.forking` has."""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from tests.e2e.forking import LENGTH_BYTES

_ROOT = Path(__file__).parents[2]
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC")
_FORKERS_MAX = 2  # what starts in yet another way does so by itself


class Forked:
    """`zchat` with pipes, as far as `subprocess.Popen` is needed here. It is a child of another process, and
    in all else one that was started as `python -m zchat`."""

    def __init__(self, forker: "_Forker", arguments: Sequence[str], environment: dict[str, str]) -> None:
        self.args = ["zchat", *arguments]
        self.returncode: int | None = None
        ours, theirs = zip(*[os.pipe()[:: -1 if number == 0 else 1] for number in range(4)], strict=True)
        request = {
            "arguments": [os.fsdecode(one) for one in arguments],
            "environment": environment,
            "directory": os.getcwd(),
        }
        try:
            self.pid = forker.fork(json.dumps(request).encode(), theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self.stdin = os.fdopen(ours[0], "wb")
        self.stdout = os.fdopen(ours[1], "rb")
        self.stderr = os.fdopen(ours[2], "rb")
        self._code = os.fdopen(ours[3], "rb")

    def poll(self) -> int | None:
        """The exit code, or None as long as there is none."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises TimeoutExpired after so many seconds."""
        if self.returncode is None:
            ready, _, _ = select.select([self._code], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            with self._code:
                self.returncode = int(self._code.read())
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing when it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """At once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: bytes, timeout: float) -> tuple[bytes, bytes]:
        """What it prints until it has ended. Raises TimeoutExpired when that is later, and it is killed."""
        found: dict[IO[bytes], bytes] = {}

        def read(stream: IO[bytes]) -> None:
            with stream:
                found[stream] = stream.read()

        def write() -> None:
            with suppress(BrokenPipeError):
                with self.stdin:
                    self.stdin.write(input)

        tasks = [threading.Thread(target=read, args=[stream]) for stream in (self.stdout, self.stderr)]
        if len(input) > select.PIPE_BUF:
            tasks.append(threading.Thread(target=write))
        else:
            write()
        for task in tasks:
            task.start()
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait()
            raise
        finally:
            for task in tasks:
                task.join()
        return found[self.stdout], found[self.stderr]


def started(arguments: Sequence[str], environment: dict[str, str]) -> "Forked | subprocess.Popen[bytes]":
    """`zchat` with pipes, in this environment alone."""
    forker = _forker(environment)
    if forker is not None:
        return Forked(forker, arguments, environment)
    command = [sys.executable, "-m", "zchat", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, **pipes)


def ended(
    arguments: Sequence[str], environment: dict[str, str], input: bytes, timeout: float
) -> "subprocess.CompletedProcess[str]":
    """`zchat` that ends by itself. Raises TimeoutExpired when that is later than in so many seconds."""
    process = started(arguments, environment)
    try:
        out, err = process.communicate(input, timeout)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return subprocess.CompletedProcess(process.args, process.wait(), out.decode(), err.decode())


class _Forker:
    """The process that they come from."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.forking", str(theirs.fileno())],
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._lock = threading.Lock()
        atexit.register(self.close)

    def fork(self, request: bytes, descriptors: Sequence[int]) -> int:
        """The pid of a new process."""
        with self._lock:
            socket.send_fds(self._requests, [len(request).to_bytes(LENGTH_BYTES)], descriptors)
            self._requests.sendall(request)
            answer = self._requests.recv(LENGTH_BYTES)
        assert answer, "the process that others are forked from has ended"
        return int.from_bytes(answer)

    def close(self) -> None:
        """It ends, and those that it made go on."""
        self._requests.close()
        self._process.wait()


_lock = threading.Lock()  # of the next one
_forkers: dict[tuple[tuple[str, str], ...], _Forker] = {}


def _forker(environment: dict[str, str]) -> _Forker | None:
    """One for all processes that start alike, by what the interpreter and the libraries read when they do;
    None for one that has to start by itself."""
    start = tuple(sorted(item for item in environment.items() if item[0].startswith(_READ_AT_START)))
    if environment.get("PYTHONPATH") != str(_ROOT):
        return None  # it may bring modules that come before anything else
    with _lock:
        if start not in _forkers and len(_forkers) < _FORKERS_MAX:
            _forkers[start] = _Forker(environment)
    return _forkers.get(start)
