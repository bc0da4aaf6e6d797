"""The figures of a run as lines of text, and as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.figures import Row, ratio
from bench.targets import Verdict

MARKS = {True: "reached", False: "not reached", None: "not judged"}


def lines(rows: Sequence[Row], facts: Mapping[str, str], verdicts: Sequence[Verdict]) -> list[str]:
    """What is said about a run: the machine, every figure with its ratio to zchat's, and the targets."""
    said = [f"{name}: {value}" for name, value in facts.items()]
    said += ["", f"{'workload':32} {'subject':26} {'figure':18} {'median':>12} (min, max)  × zchat"]
    for row in rows:
        spread = f"({number(row.min)}, {number(row.max)})"
        said.append(
            f"{row.workload:32} {row.subject:26} {row.figure:18} {number(row.median):>12} "
            f"{spread:24} {beside(ratio(row, rows))}"
        )
    said.append("")
    said += [f"{MARKS[one.reached]:13} {one.what}: {one.measured}, target {one.target}" for one in verdicts]
    return said


def number(value: float) -> str:
    """With three digits or more."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def beside(ratio: float | None) -> str:
    """How many times zchat's."""
    return "" if ratio is None else f"{ratio:.2f}"


def write_json(
    path: Path, rows: Sequence[Row], facts: Mapping[str, str], verdicts: Sequence[Verdict]
) -> None:
    """All of it, for programs."""
    figures = [row._asdict() | {"ratio_to_zchat": ratio(row, rows)} for row in rows]
    everything = {"about": facts, "figures": figures, "targets": [verdict._asdict() for verdict in verdicts]}
    path.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
