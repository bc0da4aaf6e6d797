"""The plots of a report, with matplotlib, which nothing else needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "zchat"  # the same figures make the same file

from matplotlib import pyplot  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from bench.figures import Row  # noqa: E402
from bench.plan import GROWTH  # noqa: E402

_ZCHAT: Final = "#c2410c"
_OTHERS: Final = "#64748b"
_BARS: Final = [
    ("Durable: server CPU a message", "durable", "cpu_us", ("durable, 1000 outstanding",)),
    (
        "Durable: from sending to the acknowledgement, p50", "durable-latency", "p50_us",
        ("durable, one at a time",),
    ),
    (
        "Fan-out, saturated: server CPU a delivery", "fan-out", "cpu_us",
        ("fan-out to 10", "fan-out to 100", "fan-out to 1000"),
    ),
    (
        "Fan-out, one in flight: server CPU a delivery", "fan-out-one", "cpu_us",
        ("fan-out to 10, one in flight", "fan-out to 100, one in flight", "fan-out to 1000, one in flight"),
    ),
    (
        "50 pairs: server CPU a message", "pairs", "cpu_us",
        ("50 pairs, direct", "50 pairs, direct, one in flight", "50 pairs, direct, in turn"),
    ),
    ("Idle client: memory of the server", "idle", "kib_per_client", ("idle clients",)),
]  # fmt: skip
_CURVES: Final = [
    ("Fifty messages of the past, p99", "history", "history_p99_us"),
    ("Start of the broker", "start", "start_ms"),
    ("Messages sent a second", "growth-send", "send_per_s"),
    ("Search for who said one thing at the beginning", "search", "search_seldom_s"),
]
_UNITS: Final = {
    "cpu_us": "µs", "p50_us": "µs", "kib_per_client": "KiB", "history_p99_us": "µs", "start_ms": "ms",
    "send_per_s": "/s", "search_seldom_s": "s",
}  # fmt: skip


def draw(directory: Path, rows: Sequence[Row]) -> list[tuple[str, Path]]:
    """Titles and files of all plots that something was measured for."""
    directory.mkdir(parents=True, exist_ok=True)
    made = []
    for title, name, figure, workloads in _BARS:
        chosen = [row for row in rows if row.figure == figure and row.workload in workloads]
        if chosen:
            made.append((title, _bars(directory / f"{name}.svg", title, chosen, workloads)))
    for title, name, figure in _CURVES:
        chosen = [row for row in rows if row.figure == figure and row.workload.startswith(GROWTH)]
        if chosen:
            made.append((title, _curve(directory / f"{name}.svg", title, chosen)))
    return made


def _bars(path: Path, title: str, rows: Sequence[Row], workloads: Sequence[str]) -> Path:
    """A panel for each workload, with a bar for each subject, and the least and most as a whisker."""
    shown = [workload for workload in workloads if any(row.workload == workload for row in rows)]
    figure, all_axes = pyplot.subplots(1, len(shown), figsize=(5 * len(shown), 3.2), squeeze=False)
    for axes, workload in zip(all_axes[0], shown, strict=True):
        own = [row for row in rows if row.workload == workload][::-1]
        spread = [[row.median - row.min for row in own], [row.max - row.median for row in own]]
        colors = [_ZCHAT if row.subject == "zchat" else _OTHERS for row in own]
        bars = axes.barh([row.subject for row in own], [row.median for row in own], xerr=spread, color=colors)
        axes.bar_label(bars, fmt="%.3g", padding=4)
        axes.margins(x=0.2)
        axes.set_title(workload, fontsize=10)
        axes.set_xlabel(_UNITS[own[0].figure])
    return _save(path, title, figure)


def _curve(path: Path, title: str, rows: Sequence[Row]) -> Path:
    figure, axes = pyplot.subplots(figsize=(6, 3.2))
    lengths = [int("".join(filter(str.isdigit, row.workload))) for row in rows]
    spread = [[row.median - row.min for row in rows], [row.max - row.median for row in rows]]
    axes.errorbar(lengths, [row.median for row in rows], yerr=spread, color=_ZCHAT, marker="o", capsize=3)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("messages in the log")
    axes.set_ylabel(_UNITS[rows[0].figure])
    return _save(path, title, figure)


def _save(path: Path, title: str, figure: Figure) -> Path:
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path
