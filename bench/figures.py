"""Figures of a round, and their medians over rounds."""

from collections.abc import Iterable, Sequence
from statistics import median, quantiles
from typing import NamedTuple

Round = dict[str, float]  # figures by their names, which have their units


class Row(NamedTuple):
    """A figure of a workload with a subject, over all rounds."""

    workload: str
    subject: str
    figure: str
    median: float
    min: float
    max: float


class Figures:
    """What was measured of each workload with each subject, round by round."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[str, str, str], list[float]] = {}

    def add(self, workload: str, subject: str, measured: Round) -> None:
        """The figures of one round, each with its unit last in its name."""
        for name, value in measured.items():
            self._rounds.setdefault((workload, subject, name), []).append(value)

    def rows(self) -> Iterable[Row]:
        """All of them, those of a workload beside each other."""
        first = {workload: place for place, (workload, _, _) in reversed([*enumerate(self._rounds)])}
        for key, values in sorted(self._rounds.items(), key=lambda item: first[item[0][0]]):
            yield Row(*key, median(values), min(values), max(values))

    def find(self, workload: str, subject: str, figure: str) -> float | None:
        """A median, if that was measured."""
        values = self._rounds.get((workload, subject, figure))
        return None if values is None else median(values)


def percentiles_us(seconds: Sequence[float]) -> Round:
    """p50 and p99 in microseconds."""
    cuts = quantiles(seconds, n=100)
    return {"p50_us": cuts[49] * 1e6, "p99_us": cuts[98] * 1e6}


def ratio(row: Row, rows: Iterable[Row]) -> float | None:
    """How many times zchat's a figure of another subject is."""
    if row.subject == "zchat":
        return None
    for other in rows:
        if other[:3] == (row.workload, "zchat", row.figure) and other.median:
            return row.median / other.median
    return None
