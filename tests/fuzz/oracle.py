"""What must hold whatever is sent: the broker is there for others, and what it needs is bounded."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from tests.processes import ROOT, BrokerProcess, broker_environment

ANSWER_S_MAX: Final = 30.0  # for the witness to say anything at all
MIB: Final = 2**20


class Broken(AssertionError):
    """Something did not hold."""


class Latency(NamedTuple):
    """What the witness saw, in milliseconds. `rounds`: messages that were sent, acknowledged and came
    back."""

    rounds: int
    acknowledged_p50: float
    acknowledged_p99: float
    delivered_p99: float
    longest: float

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, acknowledged p50 {self.acknowledged_p50:.1f}"
            f" p99 {self.acknowledged_p99:.1f}, delivered p99 {self.delivered_p99:.1f},"
            f" longest {self.longest:.1f} ms"
        )


class Witness:
    """An ordinary client in a process of its own, from the time when this is made."""

    def __init__(self, link: str, nick: str = "witness") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.witness", link, nick],
            cwd=ROOT,
            env=broker_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        try:
            self.latency()  # it has begun
        except BaseException:
            self.close()
            raise

    def latency(self) -> Latency:
        """Of all rounds since this was asked before; at least one. Raises Broken when nothing comes back."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(b"?")
        except BrokenPipeError:
            raise Broken("the witness has ended") from None
        line, ends_at = b"", time.monotonic() + ANSWER_S_MAX
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, ends_at - time.monotonic()))
            if not ready or not (part := os.read(self._process.stdout.fileno(), 2**20)):
                raise Broken(f"others had no answer for {ANSWER_S_MAX} s")
            line += part
        seen: dict[str, list[float]] = json.loads(line)
        acknowledged, delivered = (
            sorted(1000 * s for s in seen[name]) for name in ("acknowledged", "delivered")
        )
        return Latency(
            len(delivered),
            _part(acknowledged, 0.5),
            _part(acknowledged, 0.99),
            _part(delivered, 0.99),
            delivered[-1],
        )

    def close(self) -> None:
        """End it."""
        assert self._process.stdin and self._process.stdout
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _part(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Broker(NamedTuple):
    """What a broker needs at a time."""

    rss_mib: float
    descriptors: int

    @classmethod
    def of(cls, process: BrokerProcess) -> "Broker":
        """Now (Linux)."""
        return cls(process.rss_bytes / MIB, descriptors(process))


def descriptors(process: BrokerProcess) -> int:
    """How many it has open."""
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def connections(process: BrokerProcess) -> int:
    """How many of them are sockets: it opens a file of the store when that is first read."""
    found = 0
    for path in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found += path.readlink().name.startswith("socket:")
    return found


def check_alive(process: BrokerProcess) -> None:
    """It runs, and has logged no traceback."""
    if not process.is_running:
        raise Broken(f"the broker has ended: {process.log_lines()[-20:]}")
    traces = [line for line in process.log_lines() if "Traceback" in line or "Assertion" in line]
    if traces:
        raise Broken(f"the broker said: {traces}")


def wait_until(holds: Callable[[], Any], seconds: float, what: str) -> None:
    """Look again and again. Raises Broken."""
    ends_at = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends_at:
            raise Broken(f"not within {seconds} s: {what}")
        time.sleep(0.05)
