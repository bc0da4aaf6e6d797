"""strace on a running process: what it calls and when, and calls that are made to fail or to take long."""

import re
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.fault.clients import DEADLINE_S
from tests.fault.faulty import Lines

_LINE = re.compile(r"(?P<thread>\d+) +(?P<at>\d+\.\d+) (?P<what>.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)\b.*<(?P<took>\d+\.\d+)>")
_UNFINISHED = " <unfinished ...>"


class Call(NamedTuple):
    """A system call; the times are seconds since 1970."""

    name: str
    arguments: str
    result: int
    began: float
    ended: float


class Trace:
    """strace, attached to all threads of a process from `with` to its end. `options` are strace's."""

    def __init__(self, pid: int, output: Path, *options: str) -> None:
        self._output = output
        command = ["strace", "-f", "-ttt", "-T", "-yy", "-s", "0", "-o", str(output), *options]
        self._process = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        self._messages = Lines(self._process.stderr)

    def __enter__(self) -> Self:
        self._messages.until(lambda line: " attached" in line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(DEADLINE_S)
        self._messages.drain()

    def calls(self) -> list[Call]:
        """The calls that were finished, in the order in which they ended."""
        begun: dict[str, tuple[float, str]] = {}
        found: list[Call] = []
        for line in self._output.read_text().splitlines():
            match = _LINE.fullmatch(line)
            if match is None:
                continue
            thread, at, what = match["thread"], float(match["at"]), match["what"]
            if what.endswith(_UNFINISHED):
                begun[thread] = at, what.removesuffix(_UNFINISHED)
                continue
            began = at
            if resumed := _RESUMED.fullmatch(what):
                began, first = begun.pop(thread, (at, ""))
                what = first + resumed["rest"]
            if call := _CALL.fullmatch(what):
                ended = began + float(call["took"])
                found.append(Call(call["name"], call["arguments"], int(call["result"]), began, ended))
        return found
