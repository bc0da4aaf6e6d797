"""What is measured in a round, and in which order: each workload with zchat and, right after it, peers."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.barest import bare_commit, bare_round_trip
from bench.figures import Round
from bench.growth import growth
from bench.library import library
from bench.process import running
from bench.sizes import Sizes
from bench.smoothness import smoothness
from bench.startup import start_up
from bench.subject import Subject
from bench.workloads import WORKLOADS, Workload

ALONE: Final = "zchat"
BARE: Final = "bare"
GROWTH: Final = "growth"
_BARE: Final[dict[str, Callable[[Path, Sizes], Round]]] = {
    "bare commit": bare_commit,
    "bare round trip": bare_round_trip,
}
_OWN: Final[dict[str, Callable[[Path, Sizes], Round]]] = {
    "smoothness": smoothness,
    "client library": library,
    "start-up": start_up,
}
NAMES: Final = [*_BARE, *WORKLOADS, *_OWN, GROWTH]


class Step(NamedTuple):
    """One workload with one subject."""

    workload: str
    subject: str
    measure: Callable[[], Round]


def steps(subjects: Sequence[Subject], sizes: Sizes, logs: Path, only: Sequence[str]) -> Iterator[Step]:
    """A round. `logs` is where long logs are kept, `only` the names of the workloads that are wanted; none:
    all."""
    for name in only or NAMES:
        if name in _BARE:
            yield Step(name, BARE, partial(_in_directory, _BARE[name], sizes))
        elif name in _OWN:
            yield Step(name, ALONE, partial(_in_directory, _OWN[name], sizes))
        elif name == GROWTH:
            for messages in sizes.growth:
                long = partial(growth, messages, logs)
                yield Step(growth_of(messages), ALONE, partial(_in_directory, long, sizes))
        else:
            workload = WORKLOADS[name]
            for subject in subjects:
                if workload.kind in subject.kinds:
                    yield Step(name, subject.name, partial(_with_server, workload, subject, sizes))


def growth_of(messages: int) -> str:
    """The name of a workload with a log of that length."""
    return f"{GROWTH}, {messages:,} messages"


def _in_directory(run: Callable[[Path, Sizes], Round], sizes: Sizes) -> Round:
    with tempfile.TemporaryDirectory(prefix="zchat-bench-") as directory:
        return run(Path(directory), sizes)


def _with_server(workload: Workload, subject: Subject, sizes: Sizes) -> Round:
    with tempfile.TemporaryDirectory(prefix="zchat-bench-") as directory:
        with running(subject.start(Path(directory))) as server:
            return workload.run(server, sizes)
