"""What a long log costs: pages of the past, a search for a name, start-up, and the send rate."""

import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.broker import Broker
from bench.drive import pump
from bench.figures import Round, percentiles_us
from bench.log import ROOMS, SELDOM, log_of
from bench.process import running
from bench.sizes import Sizes
from bench.speaker import Speakers
from bench.startup import environment
from bench.workloads import BATCH, WINDOW, Cost
from zchat import AsyncClient
from zchat.common import keys
from zchat.common.links import parse

PAGE: Final = 50  # messages that somebody looks at
_ROOM: Final = "general"


def growth(messages: int, cache: Path, directory: Path, sizes: Sizes) -> Round:
    """With so many messages in the log, of which a tenth is in the room that is looked at. The log is copied
    from `cache`, and so in the memory of the kernel."""
    shutil.copytree(log_of(messages, cache) / "broker", directory / "broker")
    os.sync()  # what was copied is not written while something else is measured
    begin = time.perf_counter()
    with running(Broker(directory)) as broker:
        figures = {"start_ms": (time.perf_counter() - begin) * 1000}
        bounds = random.Random(1).choices(range(messages // 10, messages), k=sizes.pages)
        figures |= _served(broker, bounds)
        figures |= asyncio.run(_read(broker.link, bounds))
        figures |= _searched(broker)
        return figures | _sent(broker, sizes)


def _served(broker: Broker, bounds: Sequence[int]) -> Round:
    """Pages of fifty messages, as the broker gives them."""
    with running(Speakers(parse(broker.link), "p")) as speakers:
        (speaker,) = speakers.make(1, reads=False)
        cost, seconds = Cost(broker), []
        for bound in bounds:
            begin = time.perf_counter()
            assert speaker.page(f"#{_ROOM}", bound, PAGE)
            seconds.append(time.perf_counter() - begin)
    figures = {f"page_{name}": value for name, value in percentiles_us(seconds).items()}
    return figures | {"page_cpu_us": cost.of(len(bounds))["cpu_us"]}


async def _read(link: str, bounds: Sequence[int]) -> Round:
    """Fifty messages of the past, as a client hands them out."""
    seconds = []
    async with AsyncClient(link, "reader", key=keys.draw(), quiet=True, timeout=60) as client:
        for bound in bounds:
            begin = time.perf_counter()
            found = await client.history(_ROOM, limit=PAGE, before=bound)
            seconds.append(time.perf_counter() - begin)
            assert len(found) == PAGE or bound < 2 * PAGE * ROOMS, len(found)
    return {f"history_{name}": value for name, value in percentiles_us(seconds).items()}


def _searched(broker: Broker) -> Round:
    """The command, from start to end, for somebody who said a hundredth of all, and who said one thing, at
    the very beginning."""
    places = environment(broker)
    command = [sys.executable, "-m", "zchat", "history", "--timeout", "60"]
    subprocess.run([*command, "-n", "1", _ROOM], env=places, check=True, capture_output=True)  # registers
    figures = {}
    for figure, nick, count in (("often", "w1", PAGE), ("seldom", SELDOM, 1)):
        begin = time.perf_counter()
        found = subprocess.run(
            [*command, "-n", str(count), "--from", nick, _ROOM],
            env=places, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        figures[f"search_{figure}_s"] = time.perf_counter() - begin
        assert found.stdout, f"{nick} said nothing"
    return figures


def _sent(broker: Broker, sizes: Sizes) -> Round:
    line = broker.storing()
    pump(broker, [line], [], max(BATCH, sizes.durable // 10), WINDOW, BATCH)
    cost = Cost(broker)
    sent = cost.of(pump(broker, [line], [], sizes.durable // 2, WINDOW, BATCH))
    return {f"send_{name}": value for name, value in sent.items()}
