"""The figures of a run as a page of the documentation, with plots beside it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.figures import Row, ratio
from bench.plan import BARE
from bench.plots import draw
from bench.subject import STORES, Subject
from bench.table import MARKS, beside, number
from bench.targets import Verdict
from bench.workloads import WORKLOADS

_HEAD = """# Performance

Made by one command, which stands in the table below; no figure and no verdict here is written by hand. Each
figure is the median of the rounds, with the least and the most beside it. Servers and workloads take turns
round by round, so that what else the machine does concerns all of them alike.

zchat encrypts everything (CURVE) and syncs every message to disk before it acknowledges it or tells anybody.
Its peers speak in plain, and keep what their row under [Who promises what](#who-promises-what) says. Messages
have 128 bytes. CPU time is that of all threads of the server, user and system, for each message or delivery.
The clients of all servers are as bare as each other: they count what comes and do not look at it.
"""
_WORDS = """
Saturated means: a thousand messages on their way, sent a hundred at once; of each pair a hundred, at once. In
a long log each message is a segment of its own, a tenth of them are in the room that is looked at, and the
file is in the memory of the kernel. A `page` is what the broker gives for fifty messages, `history` is those
fifty as a client hands them out. The search is `zchat history --from NICK`, the whole command: `often` finds
the last fifty messages of somebody who said a hundredth, `seldom` the one at the very beginning of the room.
"""


def write_report(
    path: Path,
    rows: Sequence[Row],
    facts: Mapping[str, str],
    verdicts: Sequence[Verdict],
    subjects: Sequence[Subject],
) -> None:
    """The page, and its plots in a directory of the same name."""
    plots = draw(path.with_suffix(""), rows)
    parts = [
        _HEAD,
        "## The machine\n\n" + _table(("", ""), [*facts.items(), *_bare(rows)]),
        "## Targets\n\n" + _summary(verdicts) + "\n\n" + _targets(verdicts),
        "## Who promises what\n\n" + _promises(subjects),
        "## Plots\n\n" + "\n\n".join(f"![{title}]({plot.relative_to(path.parent)})" for title, plot in plots),
        f"## Figures\n{_WORDS}\n" + _figures(rows),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(part.rstrip() + "\n" for part in parts), encoding="utf-8")


def _bare(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """What the disk and ZeroMQ alone take here."""
    return [
        (row.workload, f"{number(row.median)} µs ({number(row.min)} to {number(row.max)}), p50 of each round")
        for row in rows
        if row.subject == BARE and row.figure == "p50_us"
    ]


def _targets(verdicts: Sequence[Verdict]) -> str:
    return _table(
        ("what", "target", "measured", ""),
        ((one.what, one.target, one.measured, MARKS[one.reached]) for one in verdicts),
    )


def _summary(verdicts: Sequence[Verdict]) -> str:
    """How many were reached, and which not, in so many words."""
    count = {reached: sum(one.reached is reached for one in verdicts) for reached in MARKS}
    said = f"{count[True]} of {len(verdicts)} targets are reached"
    if count[None]:
        said += f", {count[None]} could not be judged by this run"
    behind = [one for one in verdicts if one.reached is False]
    if not behind:
        return said + "."
    return (
        said
        + ". zchat is behind in:\n\n"
        + "\n".join(f"- {one.what}: {one.measured}, where {one.target} was wanted" for one in behind)
    )


def _promises(subjects: Sequence[Subject]) -> str:
    rows = [(one.name, one.version, one.promise, "yes" if one.kinds & STORES else "no") for one in subjects]
    return _table(("", "version", "an acknowledgement means", "durable workloads"), rows)


def _figures(rows: Sequence[Row]) -> str:
    return "\n".join(
        f"### {name}\n\n{_figures_of(name, rows)}" for name in dict.fromkeys(row.workload for row in rows)
    )


def _figures_of(workload: str, rows: Sequence[Row]) -> str:
    own = [row for row in rows if row.workload == workload]
    kind = f"{WORKLOADS[workload].words}\n\n" if workload in WORKLOADS else ""
    return kind + _table(
        ("", "figure", "median", "least", "most", "× zchat"),
        (
            (
                row.subject,
                row.figure,
                number(row.median),
                number(row.min),
                number(row.max),
                beside(ratio(row, own)),
            )
            for row in own
        ),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
