"""How long whole commands take, from start to end, beside the imports that none of them could do without."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.figures import Round
from bench.process import BrokerProcess, running
from bench.sizes import Sizes

MEASURE = ("-c", "import zmq, click")  # what any of them has to load, but the help
COMMANDS = {
    "send": ("-m", "zchat", "send", "general", "hi"),
    "tail": ("-m", "zchat", "tail", "--no-follow", "general"),
    "users": ("-m", "zchat", "users"),
    "help": ("-m", "zchat", "--help"),
}


def start_up(directory: Path, sizes: Sizes) -> Round:
    """Medians in milliseconds, and the medians of the ratios to what was measured just before. The processes
    take turns, so that what else the machine does concerns all of them."""
    with running(BrokerProcess(directory)) as broker:
        return _measured(environment(broker), sizes.commands)


def _measured(environment: dict[str, str], runs: int) -> Round:
    commands = {"imports": MEASURE, **COMMANDS}
    for arguments in commands.values():  # writes the bytecode, and registers the nick
        _seconds(arguments, environment)
    rounds = [
        {name: _seconds(arguments, environment) for name, arguments in commands.items()} for _ in range(runs)
    ]
    figures = {f"{name}_ms": median(seconds[name] for seconds in rounds) * 1000 for name in commands}
    ratios = {
        f"{name}_ratio": median(seconds[name] / seconds["imports"] for seconds in rounds) for name in COMMANDS
    }
    return figures | ratios


def environment(broker: BrokerProcess) -> dict[str, str]:
    """An installation of its own, and modules as they are after `pip install`: compiled."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    places = {f"ZCHAT_{kind}_DIR": str(broker.directory / kind) for kind in ("CONFIG", "STATE", "DATA")}
    return kept | places | {"ZCHAT_LINK": broker.link, "ZCHAT_NICK": "ann"}


def _seconds(arguments: Sequence[str], environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return time.perf_counter() - begin
