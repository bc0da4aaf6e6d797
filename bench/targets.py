"""The targets, and which of them the figures of a run reach."""

from collections.abc import Callable
from typing import Final, NamedTuple

from bench.figures import Figures
from bench.plan import ALONE, BARE, growth_of

_MANY: Final = "durable, 1000 outstanding"
_ONE: Final = "durable, one at a time"
_FAN: Final = "fan-out to 100"
_FAN_ONE: Final = "fan-out to 100, one in flight"
_PAIRS: Final = "50 pairs, direct"
_PAIRS_ONE: Final = "50 pairs, direct, one in flight"
_PAIRS_TURN: Final = "50 pairs, direct, in turn"
_SYNCED: Final = "JetStream, sync always"
_LONG, _SHORT = growth_of(10_000_000), growth_of(10_000)


class Missing(Exception):
    """A figure that a target needs was not measured."""


class Bound(NamedTuple):
    """What a figure is compared with. `words` say so, with the value in place of {}."""

    value: float
    words: str


class Target(NamedTuple):
    """A figure of zchat's in a workload, which is to be at most the bound, or with `least` at least it."""

    workload: str
    figure: str
    unit: str
    bound: Callable[["Measured"], Bound]
    least: bool = False


class Verdict(NamedTuple):
    """What became of a target; `reached` None: that cannot be told from this run."""

    what: str
    target: str
    measured: str
    reached: bool | None


class Measured:
    """The medians of a run."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def __call__(self, workload: str, figure: str, subject: str = ALONE) -> float:
        """Raises Missing."""
        found = self._figures.find(workload, subject, figure)
        if found is None:
            raise Missing(workload, subject, figure)
        return found


def verdicts(figures: Figures, everything: bool = True) -> list[Verdict]:
    """Of each target; without `everything` only of those whose workload was measured."""
    return [
        _verdict(target, Measured(figures))
        for target in TARGETS
        if everything or figures.find(target.workload, ALONE, target.figure) is not None
    ]


def _verdict(target: Target, measured: Measured) -> Verdict:
    what = f"{target.workload}: {FIGURES.get(target.figure, target.figure)}"
    try:
        value = measured(target.workload, target.figure)
    except Missing:
        value = None
    try:
        bound = target.bound(measured)
    except Missing as missing:
        return Verdict(what, f"(needs {missing.args[1]}: {missing.args[0]})", _said(value, target.unit), None)
    wanted = f"{'≥' if target.least else '≤'} {_said(bound.value, target.unit)}{bound.words}"
    if value is None:
        return Verdict(what, wanted, "not measured", None)
    reached = value >= bound.value if target.least else value <= bound.value
    return Verdict(what, wanted, _said(value, target.unit), reached)


def _said(value: float | None, unit: str) -> str:
    return "not measured" if value is None else f"{value:,.{0 if value >= 1000 else 2}f} {unit}".strip()


def _at(value: float) -> Callable[[Measured], Bound]:
    return lambda _: Bound(value, "")


def _times(factor: float, subject: str, workload: str, figure: str) -> Callable[[Measured], Bound]:
    """So many times what it is for a subject."""
    times = "" if factor == 1 else f"{factor:g} × "
    return lambda measured: Bound(factor * measured(workload, figure, subject), f" ({times}{subject})")


def _disk_and_wire(measured: Measured) -> Bound:
    commit, trip = measured("bare commit", "p50_us", BARE), measured("bare round trip", "p50_us", BARE)
    return Bound(2 * commit + trip, " (2 × a bare commit + a bare ZeroMQ round trip)")


def _short_log(measured: Measured) -> Bound:
    return Bound(0.9 * measured(_SHORT, "send_per_s"), " (0.9 × that with 10,000)")


def _ten_quiet(measured: Measured) -> Bound:
    return Bound(10 * measured("smoothness", "quiet_p99_us"), " (10 × while nothing else is said)")


FIGURES: Final = {
    "per_s": "rate",
    "cpu_us": "server CPU",
    "p50_us": "p50",
    "kib_per_client": "memory of each",
    "ready_s": "1000 ready",
    "during_p99_us": "p99 while another one floods",
    "send_cpu_us": "own CPU for a message sent",
    "read_cpu_us": "own CPU for a message read",
    "history_p99_us": "p99 of 50 messages of the past",
    "start_ms": "the broker's start",
    "send_per_s": "send rate",
}
TARGETS: Final = [
    Target(_MANY, "cpu_us", "µs", _at(2)),
    Target(_MANY, "cpu_us", "µs", _times(1, "JetStream", _MANY, "cpu_us")),
    Target(_MANY, "cpu_us", "µs", _times(1, "Redis stream, fsync always", _MANY, "cpu_us")),
    Target(_MANY, "per_s", "/s", _times(20, _SYNCED, _MANY, "per_s"), least=True),
    Target(_ONE, "p50_us", "µs", _times(1, _SYNCED, _ONE, "p50_us")),
    Target(_ONE, "p50_us", "µs", _disk_and_wire),
    Target(_FAN, "cpu_us", "µs", _at(0.25)),
    Target(_FAN, "cpu_us", "µs", _times(1, "NATS", _FAN, "cpu_us")),
    Target(_FAN_ONE, "cpu_us", "µs", _times(1.5, "bare XPUB", _FAN_ONE, "cpu_us")),
    Target(_PAIRS, "cpu_us", "µs", _at(3.5)),
    Target(_PAIRS, "cpu_us", "µs", _times(1, "mosquitto", _PAIRS, "cpu_us")),
    Target(_PAIRS_ONE, "cpu_us", "µs", _times(1.2, "bare ROUTER", _PAIRS_ONE, "cpu_us")),
    Target(_PAIRS_TURN, "cpu_us", "µs", _times(1.2, "bare ROUTER", _PAIRS_TURN, "cpu_us")),
    Target("idle clients", "kib_per_client", "KiB", _at(110)),
    Target("idle clients", "ready_s", "s", _at(5)),
    Target("smoothness", "during_p99_us", "µs", _ten_quiet),
    Target("client library", "send_cpu_us", "µs", _at(5)),
    Target("client library", "read_cpu_us", "µs", _at(5)),
    Target(_LONG, "history_p99_us", "µs", _at(5_000)),
    Target(_LONG, "start_ms", "ms", _at(1_000)),
    Target(_LONG, "send_per_s", "/s", _short_log, least=True),
]
