"""The workloads: each runs clients against a broker and returns the figures of one round."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from itertools import count
from pathlib import Path

from bench.figures import percentiles_us
from bench.process import BrokerProcess
from zchat.client.aio import AsyncClient
from zchat.common import keys

TEXT = "x" * 128
OUTSTANDING = 1000

Round = dict[str, float]
_numbers = count()


def client(broker: BrokerProcess, quiet: bool = False) -> AsyncClient:
    """A client with a key and a nick of its own, reading from now on, or `quiet`, as a script that sends."""
    return AsyncClient(broker.link, f"bench{next(_numbers)}", key=keys.draw(), quiet=quiet, timeout=30)


def bare_commit(directory: Path, commits: int = 500) -> Round:
    """One small row a commit, synced, by SQLite alone on the same disk."""
    seconds = []
    with closing(sqlite3.connect(directory / "bare.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE IF NOT EXISTS row (number INTEGER PRIMARY KEY, text TEXT)")
        for _ in range(commits):
            begin = time.perf_counter()
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO row (text) VALUES (?)", (TEXT,))
            db.execute("COMMIT")
            seconds.append(time.perf_counter() - begin)
    return percentiles_us(seconds)


async def durable_one(broker: BrokerProcess, messages: int = 1000) -> Round:
    """One script, one message at a time, each acknowledged before the next."""
    seconds = []
    async with client(broker, quiet=True) as sender:
        await sender.send("general", TEXT)
        cost = _Cost(broker)
        for _ in range(messages):
            begin = time.perf_counter()
            await sender.send("general", TEXT)
            seconds.append(time.perf_counter() - begin)
        return cost.of(messages) | percentiles_us(seconds)


async def durable_many(broker: BrokerProcess, messages: int = 200_000) -> Round:
    """One client process with 1000 messages outstanding."""
    async with client(broker) as sender:
        await sender.send("general", TEXT)
        cost = _Cost(broker)
        own = time.process_time()
        await _pump(sender, "general", messages)
        figures = cost.of(messages)
        return figures | {"client_cpu_us_per_message": (time.process_time() - own) / messages * 1e6}


async def pairs(broker: BrokerProcess, pairs: int = 50, messages: int = 400) -> Round:
    """Fifty pairs, each with direct messages from one to the other, as many as the client sends at once."""
    async with AsyncExitStack() as stack:
        ends = [(client(broker), client(broker)) for _ in range(pairs)]
        for one, other in ends:
            await stack.enter_async_context(one)
            await stack.enter_async_context(other)
        cost = _Cost(broker)
        work: list[Awaitable[object]] = [_receive(other, messages) for _, other in ends]
        work += [_pump(one, f"@{other.nick}", messages) for one, other in ends]
        await asyncio.gather(*work)
        return cost.of(pairs * messages)


def fan_out(readers: int, messages: int) -> Callable[[BrokerProcess], Awaitable[Round]]:
    """One sender to a room with so many readers: saturated, and with one message in flight."""

    async def run(broker: BrokerProcess) -> Round:
        async with AsyncExitStack() as stack:
            sender = await stack.enter_async_context(client(broker))
            all_readers = [client(broker) for _ in range(readers)]
            for reader in all_readers:
                await stack.enter_async_context(reader)
            await _warm(sender, all_readers)
            cost = _Cost(broker)
            received = [_receive(reader, messages) for reader in all_readers]
            await asyncio.gather(_pump(sender, "general", messages), *received)
            saturated = cost.of(messages * readers)
            cost, seconds = _Cost(broker), []
            for _ in range(100):
                begin = time.perf_counter()
                await sender.send("general", TEXT)
                await asyncio.gather(*(_receive(reader, 1) for reader in all_readers))
                seconds.append(time.perf_counter() - begin)
            single = cost.of(100 * readers)
            return {
                "deliveries_per_s": saturated["messages_per_s"],
                "cpu_us_per_delivery": saturated["cpu_us_per_message"],
                "one_in_flight_cpu_us_per_delivery": single["cpu_us_per_message"],
            } | {f"one_in_flight_{name}": value for name, value in percentiles_us(seconds).items()}

    return run


async def idle(broker: BrokerProcess, clients: int = 100) -> Round:
    """What a client that is here and says nothing costs in memory, and how long so many take to be ready."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(client(broker))
        before, begin = broker.memory_bytes(), time.perf_counter()
        for _ in range(clients):
            await stack.enter_async_context(client(broker))
        ready = time.perf_counter() - begin
        return {
            "kib_per_client": (broker.memory_bytes() - before) / clients / 1024,
            "ready_ms_per_client": ready / clients * 1000,
        }


class _Cost:
    """Time and the broker's CPU time from here on."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._broker = broker
        self._cpu = broker.cpu_seconds()
        self._begin = time.perf_counter()

    def of(self, messages: int) -> Round:
        seconds = time.perf_counter() - self._begin
        return {
            "messages_per_s": messages / seconds,
            "cpu_us_per_message": (self._broker.cpu_seconds() - self._cpu) / messages * 1e6,
        }


async def _pump(sender: AsyncClient, to: str, messages: int) -> None:
    """Send so many with at most OUTSTANDING unanswered, and wait for all answers."""
    free = asyncio.Semaphore(OUTSTANDING)
    done = asyncio.Event()
    answered = 0

    def answer(_: object) -> None:
        nonlocal answered
        answered += 1
        free.release()
        if answered == messages:
            done.set()

    for _ in range(messages):
        await free.acquire()
        (await sender.post(to, TEXT)).add_done_callback(answer)
    await done.wait()


async def _receive(reader: AsyncClient, messages: int) -> None:
    received = 0
    async for _ in reader.messages():
        received += 1
        if received == messages:
            return


async def _warm(sender: AsyncClient, readers: list[AsyncClient]) -> None:
    """Until everybody gets what is said: all subscriptions are in force."""
    sent = await sender.send("general", "ready")

    async def until_read(reader: AsyncClient) -> None:
        async for message in reader.messages():
            if message.pos >= sent.pos:
                return

    await asyncio.gather(*(until_read(reader) for reader in readers))
