"""The commands as processes: what they print is waited for, and a broker can be killed and started again."""

import atexit
import json
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from tests.e2e.forked import ended, started

DEADLINE_S = 20.0
"""How long anything that is waited for may take; on a slow machine it only fails later."""


class Lines:
    """The lines of a process, read as they come, so that it never waits for its reader."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.seen: list[str] = []
        self._stream = stream
        self._arrived: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, wanted: str | Callable[[str], bool]) -> str:
        """The next line that holds `wanted`; those before it are passed over, and stay in `seen`."""
        is_wanted = (lambda line: wanted in line) if isinstance(wanted, str) else wanted
        ends_at = time.monotonic() + DEADLINE_S
        while True:
            try:
                line = self._arrived.get(timeout=max(0.0, ends_at - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{wanted!r} did not come; seen: {self.seen}") from None
            if line is None:
                raise AssertionError(f"the output ended before {wanted!r}; seen: {self.seen}")
            self.seen.append(line)
            if is_wanted(line):
                return line

    def rest(self) -> list[str]:
        """All lines that are still to come, until the end of the output."""
        found = []
        while (line := self._arrived.get(timeout=DEADLINE_S)) is not None:
            self.seen.append(line)
            found.append(line)
        return found

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                self._arrived.put(line.decode().rstrip("\n"))
        self._arrived.put(None)


class Program:
    """A `zchat` that is running, its stdin open."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self.process = started(arguments, environment)
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.stdin = self.process.stdin
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)

    def type(self, *lines: str) -> None:
        """Lines into stdin."""
        self.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.stdin.flush()

    def ended(self) -> int:
        """The exit code, once stdin is closed."""
        self.stdin.close()
        return self.process.wait(DEADLINE_S)

    def signalled(self, number: int = signal.SIGINT) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def clean(self) -> None:
        """Leaves nothing behind."""
        self.process.kill()
        self.process.wait()
        with suppress(BrokenPipeError):  # what was typed and never read
            self.stdin.close()


class Broker:
    """A `zchat broker` on a port of its own. It can be stopped or killed, and started again. `options` are
    those of the command, beyond its port and its data."""

    def __init__(self, data_dir: Path, environment: dict[str, str], *options: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self._environment = environment
        self._options = options
        self.start()

    def start(self) -> None:
        """Returns when clients can connect; the port and the key are those of before."""
        self.program = Program(
            ["broker", "-p", str(self.port), "--data-dir", str(self.data_dir), *self._options],
            self._environment,
        )
        self.process = self.program.process
        self.link = self.program.out.until("zchat://")

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        code = self.program.signalled(signal.SIGTERM)
        self.program.clean()
        return code

    def kill(self) -> None:
        """As a crash would."""
        self.program.clean()


_ONE_BY_ONE = """
import json, os, sys, tempfile
from contextlib import redirect_stderr, redirect_stdout
from zchat.__main__ import main
for line in sys.stdin:
    arguments, environment = json.loads(line)
    os.environ.clear()
    os.environ.update(environment)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main(arguments)
            except SystemExit as end:
                code = end.code
        out.seek(0)
        err.seek(0)
        print(json.dumps([code, out.read(), err.read()]), flush=True)
"""


class OneByOne:
    """A process that runs one command after another, for many that are told only that they are wrong: to
    start a process for each takes much longer than that."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ONE_BY_ONE],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin and self._process.stdout
        self._stdin = self._process.stdin
        self._out = Lines(self._process.stdout)

    def __call__(
        self, arguments: Sequence[str], environment: dict[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        """A command that reads nothing and prints text at most; its environment is this one alone."""
        self._stdin.write(json.dumps([arguments, environment]).encode() + b"\n")
        self._stdin.flush()
        code, out, err = json.loads(self._out.until("["))
        return subprocess.CompletedProcess(arguments, code, out, err)

    def close(self) -> None:
        """Leaves nothing behind."""
        self._process.kill()
        self._process.wait()
        self._stdin.close()


class Zchat:
    """Runs commands as the users of one installation each, by their nicks, at one broker. All of them have
    the account that runs the broker, unless `environment` names another ZCHAT_RUNTIME_DIR."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self._home = home
        self._environment = environment
        self._running: list[Program] = []
        self._opened: list[subprocess.Popen[bytes]] = []
        self._one_by_one: OneByOne | None = None

    def environment(self, nick: str | None) -> dict[str, str]:
        """Every nick has directories of its own."""
        home = self._home / (nick or "nobody")
        return self._environment | {
            "ZCHAT_CONFIG_DIR": str(home / "config"),
            "ZCHAT_STATE_DIR": str(home / "state"),
            "ZCHAT_DATA_DIR": str(home / "data"),
            **({"ZCHAT_NICK": nick} if nick else {}),
        }

    def __call__(
        self,
        arguments: Sequence[str],
        nick: str | None = "ann",
        input: str | bytes = b"",
        **environment: str,
    ) -> "subprocess.CompletedProcess[str]":
        """A command that ends by itself; its output as text."""
        given = input.encode() if isinstance(input, str) else input
        return ended(arguments, self.environment(nick) | environment, given, 2 * DEADLINE_S)

    def start(self, arguments: Sequence[str], nick: str | None = "ann", **environment: str) -> Program:
        """A command that goes on; ended with the test at the latest."""
        program = Program(arguments, self.environment(nick) | environment)
        self._running.append(program)
        return program

    def quick(
        self, arguments: Sequence[str], nick: str | None = "ann", **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """As a call, in a process that all of these share: `OneByOne`."""
        self._one_by_one = self._one_by_one or OneByOne(self.environment(None))
        return self._one_by_one(arguments, self.environment(nick) | environment)

    def open(
        self, arguments: Sequence[str], nick: str | None = "ann", **streams: Any
    ) -> "subprocess.Popen[bytes]":
        """A command with other streams than pipes that are read; ended with the test at the latest."""
        command = [sys.executable, "-m", "zchat", *arguments]
        process = subprocess.Popen(command, env=self.environment(nick), **streams)
        self._opened.append(process)
        return process

    def close(self) -> None:
        """Leaves nothing behind."""
        if self._one_by_one is not None:
            self._one_by_one.close()
        for program in self._running:
            program.clean()
        for process in self._opened:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()


@lru_cache(maxsize=1)
def runtime_dir() -> str:
    """A directory for the control sockets of all brokers, which are called by their keys. Its path is short,
    since a socket's has at most 103 bytes."""
    directory = tempfile.mkdtemp(prefix="zchat-", dir="/tmp")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def free_port() -> int:
    """A port that is free, as is the one after it, which the broker uses as well. Below those that outgoing
    connections get, so that none of these takes it in between."""
    for port in random.sample(range(20_000, 32_000, 2), 200):
        with socket.socket() as first, socket.socket() as second, suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port
    raise AssertionError("no two adjacent ports are free")
