"""The workloads that every subject gets alike: each returns the figures of one round with a server."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from bench.drive import one_by_one, pump
from bench.figures import Round, percentiles_us
from bench.sizes import Sizes
from bench.subject import Kind, Server

WINDOW: Final = 1_000  # messages on their way
WINDOW_OF_PAIR: Final = 100
BATCH: Final = 100  # sent at once
PAIRS: Final = 50
_IDLE_BEFORE: Final = 10  # clients that are there before memory is measured

Run = Callable[[Server, Sizes], Round]


class Workload(NamedTuple):
    """What is done with a server, also in words. It concerns the subjects of that kind."""

    kind: Kind
    run: Run
    words: str


def durable(server: Server, sizes: Sizes) -> Round:
    """One client, a thousand messages that are not acknowledged yet."""
    line = server.storing()
    pump(server, [line], [], max(BATCH, sizes.durable // 10), WINDOW, BATCH)
    cost = Cost(server)
    return cost.of(pump(server, [line], [], sizes.durable, WINDOW, BATCH))


def durable_one(server: Server, sizes: Sizes) -> Round:
    """One client, the next message when the one before is acknowledged."""
    line = server.storing()
    one_by_one(server, line, [], 20)
    cost = Cost(server)
    seconds = one_by_one(server, line, [], sizes.durable_one)
    return cost.of(sizes.durable_one) | percentiles_us(seconds)


def fan_out(readers: int) -> Run:
    """One sender, so many readers: as fast as all of them get it."""

    def run(server: Server, sizes: Sizes) -> Round:
        line, receivers = server.room(readers)
        messages = max(2 * BATCH, sizes.deliveries // readers)
        pump(server, [line], receivers, max(BATCH, messages // 10), WINDOW, BATCH)
        cost = Cost(server)
        return cost.of(pump(server, [line], receivers, messages, WINDOW, BATCH) * readers)

    return run


def fan_out_one(readers: int) -> Run:
    """One sender, so many readers: the next message when all have the one before."""

    def run(server: Server, sizes: Sizes) -> Round:
        line, receivers = server.room(readers)
        messages = max(20, sizes.deliveries_one // readers)
        one_by_one(server, line, receivers, 20)
        cost = Cost(server)
        seconds = one_by_one(server, line, receivers, messages)
        return cost.of(messages * readers) | percentiles_us(seconds)

    return run


def pairs(server: Server, sizes: Sizes) -> Round:
    """Fifty pairs, one end writes to the other as fast as it gets it."""
    lines, receivers = server.pairs(PAIRS)
    pump(server, lines, receivers, WINDOW_OF_PAIR, WINDOW_OF_PAIR, BATCH)
    cost = Cost(server)
    return cost.of(pump(server, lines, receivers, sizes.pairs, WINDOW_OF_PAIR, BATCH))


def pairs_one(server: Server, sizes: Sizes) -> Round:
    """Fifty pairs, each with one message on its way at a time."""
    lines, receivers = server.pairs(PAIRS)
    pump(server, lines, receivers, 2, 1, 1)
    cost = Cost(server)
    return cost.of(pump(server, lines, receivers, sizes.pairs_one, 1, 1))


def pairs_in_turn(server: Server, sizes: Sizes) -> Round:
    """Fifty pairs in turn, with one message of all of them on its way at a time."""
    lines, receivers = server.pairs(PAIRS)
    seconds: list[float] = []
    for line, receiver in zip(lines, receivers, strict=True):
        one_by_one(server, line, [receiver], 2)
    cost = Cost(server)
    for _ in range(max(1, sizes.pairs_one // 10)):
        for line, receiver in zip(lines, receivers, strict=True):
            seconds += one_by_one(server, line, [receiver], 2)
    return cost.of(len(seconds)) | percentiles_us(seconds)


def idle(server: Server, sizes: Sizes) -> Round:
    """So many clients that listen and say nothing: their memory, and the time until all are there."""
    server.listeners(_IDLE_BEFORE)
    before, begin = server.memory_bytes(), time.perf_counter()
    server.listeners(sizes.idle)
    ready = time.perf_counter() - begin
    return {"kib_per_client": (server.memory_bytes() - before) / sizes.idle / 1024, "ready_s": ready}


class Cost:
    """Time and the server's CPU time from here on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._cpu = server.cpu_seconds()
        self._begin = time.perf_counter()

    def of(self, messages: int) -> Round:
        """For each of so many messages or deliveries."""
        seconds = time.perf_counter() - self._begin
        cpu = self._server.cpu_seconds() - self._cpu
        return {"per_s": messages / seconds, "cpu_us": cpu / messages * 1e6}


def _fan_outs(readers: int) -> dict[str, Workload]:
    words = f"One sender, {readers} readers in a room"
    return {
        f"fan-out to {readers}": Workload("fan-out", fan_out(readers), f"{words}, saturated."),
        f"fan-out to {readers}, one in flight": Workload(
            "fan-out, one in flight", fan_out_one(readers), f"{words}: the next when all have the one before."
        ),
    }


WORKLOADS: Final[dict[str, Workload]] = {
    "durable, 1000 outstanding": Workload(
        "durable", durable, "One client, a thousand messages that are not acknowledged yet."
    ),
    "durable, one at a time": Workload(
        "durable", durable_one, "One client, the next message when the one before is acknowledged."
    ),
    **_fan_outs(10),
    **_fan_outs(100),
    **_fan_outs(1000),
    "50 pairs, direct": Workload("pairs", pairs, "Fifty pairs, one end writes to the other, saturated."),
    "50 pairs, direct, one in flight": Workload(
        "pairs, one in flight", pairs_one, "Fifty pairs, each with one message on its way at a time."
    ),
    "50 pairs, direct, in turn": Workload(
        "pairs, one in flight", pairs_in_turn, "Fifty pairs, one message of all on its way at a time."
    ),
    "idle clients": Workload("idle", idle, "A thousand clients that read a room in which nothing is said."),
}
