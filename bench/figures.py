"""Figures of a round, and their medians over rounds."""

from collections.abc import Iterable, Sequence
from statistics import median, quantiles


class Figures:
    """What was measured of each workload, round by round."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[str, str], list[float]] = {}

    def add(self, workload: str, **measured: float) -> None:
        """The figures of one round, each with its unit last in its name."""
        for name, value in measured.items():
            self._rounds.setdefault((workload, name), []).append(value)

    def rows(self) -> Iterable[tuple[str, str, float, float, float]]:
        """Workload, figure, median, min and max."""
        for (workload, name), values in self._rounds.items():
            yield workload, name, median(values), min(values), max(values)


def percentiles_us(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p99 in microseconds."""
    cuts = quantiles(seconds, n=100)
    return {"p50_us": cuts[49] * 1e6, "p99_us": cuts[98] * 1e6}
