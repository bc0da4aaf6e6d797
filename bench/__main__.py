"""`python -m bench`: five rounds of every workload, each against a broker process of its own."""

import asyncio
import gc
import json
import platform
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
import zmq

from bench import startup, workloads
from bench.figures import Figures
from bench.process import BrokerProcess

WORKLOADS: dict[str, Callable[[BrokerProcess], Awaitable[workloads.Round]]] = {
    "durable, one at a time": workloads.durable_one,
    "durable, 1000 outstanding": workloads.durable_many,
    "50 pairs, direct": workloads.pairs,
    "fan-out to 10": workloads.fan_out(readers=10, messages=10_000),
    "fan-out to 100": workloads.fan_out(readers=100, messages=1_000),
    "idle clients": workloads.idle,
    "start-up": startup.start_up,
}


@click.command(epilog="Example: python -m bench --rounds 5 --only 'durable, one at a time'")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100))
@click.option("--only", multiple=True, type=click.Choice(list(WORKLOADS)), help="These workloads alone.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here too.")
def main(rounds: int, only: tuple[str, ...], json_path: Path | None) -> None:
    """Measure zchat: CURVE on, every message synced before it is acknowledged, 128 bytes each.

    The workloads take turns round by round, so that what else the machine does concerns all of them.
    """
    figures = Figures()
    for number in range(rounds):
        for name in only or WORKLOADS:
            click.echo(f"round {number + 1} of {rounds}: {name}", err=True)
            with BrokerProcess() as broker:
                figures.add("bare commit of this disk", **workloads.bare_commit(broker.directory))
                figures.add(name, **asyncio.run(WORKLOADS[name](broker)))  # type: ignore[arg-type]
            gc.collect()
    versions = f"Python {platform.python_version()}, libzmq {zmq.zmq_version()}, pyzmq {zmq.__version__}"
    click.echo(f"{platform.system()} {platform.machine()}, {versions}; median (min, max) of {rounds} rounds")
    for workload, name, middle, least, most in figures.rows():
        click.echo(f"{workload:27} {name:36} {middle:12,.2f} ({least:,.2f}, {most:,.2f})")
    if json_path is not None:
        rows = [
            dict(zip(("workload", "figure", "median", "min", "max"), row, strict=True))
            for row in figures.rows()
        ]
        json_path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
