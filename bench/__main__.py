"""`python -m bench`: rounds of every workload, each with a server of its own, zchat and its peers in turn."""

import gc
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from bench import machine, peers, table
from bench.barest import BARE
from bench.broker import ZCHAT
from bench.figures import Figures
from bench.plan import NAMES, Step, steps
from bench.process import pin
from bench.sizes import FULL, QUICK
from bench.targets import verdicts


@click.command(epilog="Example: python -m bench --rounds 5 --only 'durable, one at a time'")
@click.option("--rounds", type=click.IntRange(1, 100), help="5 if not given, and 1 with --quick.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="These workloads alone.")
@click.option("--peers/--no-peers", "beside", default=True, help="Other servers that are installed, too.")
@click.option("--pin/--no-pin", "pinned", default=True, help="Servers and clients on one CPU.")
@click.option("--quick", is_flag=True, help="A little of everything: to see that it works, not how fast.")
@click.option(
    "--growth", "lengths", multiple=True, type=click.IntRange(1000), metavar="MESSAGES",
    help="Growth with a log of that length, too.",
)  # fmt: skip
@click.option(
    "--cache", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Keep the long logs there for other runs.",
)  # fmt: skip
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here too.")
@click.option("--report", "report_path", type=click.Path(path_type=Path), help="Write Markdown and plots.")
def main(
    rounds: int | None,
    only: tuple[str, ...],
    beside: bool,
    pinned: bool,
    quick: bool,
    lengths: tuple[int, ...],
    cache: Path | None,
    json_path: Path | None,
    report_path: Path | None,
) -> None:
    """Measure zchat: CURVE on, every message synced before it is acknowledged, 128 bytes each.

    Servers and workloads take turns round by round, so that what else the machine does concerns all of them.
    """
    if report_path is not None:
        check_plots()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # after the servers have been ended
    cpu = pin() if pinned else None
    rounds = rounds or (1 if quick else 5)
    sizes = QUICK if quick else FULL
    sizes = sizes._replace(growth=tuple(sorted({*sizes.growth, *lengths})))
    subjects = [ZCHAT, *BARE, *(peers.installed() if beside else ())]
    with ExitStack() as stack:
        logs = cache or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zchat-bench-")))
        figures, failed = _measured(rounds, [*steps(subjects, sizes, logs, only)])
    rows, judged = [*figures.rows()], verdicts(figures, not only)
    if quick:  # so few messages tell nothing
        judged = [verdict._replace(reached=None) for verdict in judged]
    facts = machine.facts(subjects, cpu, rounds, quick)
    click.echo("\n".join(table.lines(rows, facts, judged)))
    if json_path is not None:
        table.write_json(json_path, rows, facts, judged)
    if report_path is not None:
        from bench.report import write_report

        write_report(report_path, rows, facts, judged, subjects)
    if failed:
        raise click.ClickException(f"failed: {'; '.join(failed)}")


def check_plots() -> None:
    """Before anything is measured: the plots of a report need one more package."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise click.ClickException("--report draws with matplotlib: pip install '.[bench]'") from None


def _measured(rounds: int, all_steps: list[Step]) -> tuple[Figures, list[str]]:
    """What was measured, and what failed."""
    figures, failed = Figures(), list[str]()
    for number in range(rounds):
        for workload, subject, measure in all_steps:
            click.echo(f"round {number + 1} of {rounds}: {workload}: {subject}", err=True)
            try:
                figures.add(workload, subject, measure())
            except Exception as error:  # all else that was measured is not lost for that
                click.echo(f"FAILED, and left out: {error!r}", err=True)
                failed.append(f"{workload}: {subject}")
            gc.collect()
    return figures, failed


if __name__ == "__main__":
    main()
