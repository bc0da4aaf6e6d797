"""The peers' side of the workloads: the same messages, through the servers that are installed here."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import raw
from bench.figures import percentiles_us
from bench.peers import MARK, Peer, Running
from bench.raw import Connection

Round = dict[str, float]
Workload = Callable[[Peer], Round]

WINDOW = 1_000  # messages on their way
BATCH = 100  # written at once
PAIRS = 50


def fan_out(readers: int, deliveries: int) -> Workload:
    """One sender, so many readers: as fast as all of them get it."""

    def run(peer: Peer) -> Round:
        with _Started(peer) as server:
            sender, listening = _room(server, readers)
            messages = max(200, deliveries // readers)
            raw.pump([(sender, peer.dialect.publish(peer.room))], listening, messages // 10, WINDOW, BATCH)
            cost = _Cost(server)
            raw.pump([(sender, peer.dialect.publish(peer.room))], listening, messages, WINDOW, BATCH)
            return cost.of(messages * readers)

    return run


def fan_out_one(readers: int, messages: int) -> Workload:
    """One sender, so many readers: the next message when all have the one before."""

    def run(peer: Peer) -> Round:
        with _Started(peer) as server:
            sender, listening = _room(server, readers)
            message = peer.dialect.publish(peer.room)
            raw.one_by_one(sender, message, listening, 20)
            cost = _Cost(server)
            seconds = raw.one_by_one(sender, message, listening, messages)
            return cost.of(messages * readers) | percentiles_us(seconds)

    return run


def pairs(messages: int) -> Workload:
    """Fifty pairs, one end writes to the other as fast as it gets it."""

    def run(peer: Peer) -> Round:
        with _Started(peer) as server:
            senders, receivers = _pairs(server)
            raw.pump(senders, receivers, messages // 10, WINDOW // 10, BATCH)
            cost = _Cost(server)
            raw.pump(senders, receivers, messages, WINDOW // 10, BATCH)
            return cost.of(messages * PAIRS)

    return run


def pairs_one(messages: int) -> Workload:
    """Fifty pairs in turn, one message on its way at a time."""

    def run(peer: Peer) -> Round:
        with _Started(peer) as server:
            senders, receivers = _pairs(server)
            seconds: list[float] = []
            for (sender, message), receiver in zip(senders, receivers, strict=True):
                raw.one_by_one(sender, message, [receiver], 2)
            cost = _Cost(server)
            for _ in range(messages // 10):
                for (sender, message), receiver in zip(senders, receivers, strict=True):
                    seconds += raw.one_by_one(sender, message, [receiver], 10)
            return cost.of(len(seconds)) | percentiles_us(seconds)

    return run


def durable(messages: int) -> Workload:
    """One client, a thousand messages that are not acknowledged yet."""

    def run(peer: Peer) -> Round:
        with _Started(peer) as server:
            client, message = _storing(server)
            raw.pump([(client, message)], [client], messages // 10, WINDOW, BATCH)
            cost = _Cost(server)
            raw.pump([(client, message)], [client], messages, WINDOW, BATCH)
            return cost.of(messages)

    return run


def durable_one(messages: int) -> Workload:
    """One client, the next message when the one before is acknowledged."""

    def run(peer: Peer) -> Round:
        with _Started(peer) as server:
            client, message = _storing(server)
            raw.one_by_one(client, message, [client], 20)
            cost = _Cost(server)
            seconds = raw.one_by_one(client, message, [client], messages)
            return cost.of(messages) | percentiles_us(seconds)

    return run


def idle(clients: int) -> Workload:
    """So many clients that listen and say nothing."""

    def run(peer: Peer) -> Round:
        with _Started(peer) as server:
            _room(server, 10)
            before, begin = server.memory_bytes(), time.perf_counter()
            listening = [_listener(server, server.peer.room) for _ in range(clients)]
            ready = time.perf_counter() - begin
            grown = server.memory_bytes() - before
            for connection in listening:
                connection.close()
            return {"kib_per_client": grown / clients / 1024, "ready_s": ready}

    return run


class _Started:
    """A peer that runs while this is entered."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def __enter__(self) -> Running:
        self._directory = tempfile.TemporaryDirectory(prefix="zchat-bench-")
        self._running = Running(self._peer, Path(self._directory.name))
        return self._running

    def __exit__(self, *_: object) -> None:
        self._running.close()
        self._directory.cleanup()


class _Cost:
    """Time and the server's CPU time from here on."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._cpu = server.cpu_seconds()
        self._begin = time.perf_counter()

    def of(self, messages: int) -> Round:
        seconds = time.perf_counter() - self._begin
        cpu = self._server.cpu_seconds() - self._cpu
        return {"per_s": messages / seconds, "cpu_us": cpu / messages * 1e6}


def _listener(server: Running, topic: str) -> Connection:
    connection = server.connection()
    server.peer.dialect.subscribe(connection, topic)
    return connection


def _room(server: Running, readers: int) -> tuple[Connection, list[Connection]]:
    sender = server.connection()
    if server.peer.program == "ngircd":
        server.peer.dialect.subscribe(sender, server.peer.room)  # who writes in a channel has to be in it
    return sender, [_listener(server, server.peer.room) for _ in range(readers)]


def _pairs(server: Running) -> tuple[list[tuple[Connection, bytes]], list[Connection]]:
    senders, receivers = [], []
    for number in range(PAIRS):
        topic = f"n{2 * number + 1}"  # which is the receiver's name, where that counts
        receivers.append(_listener(server, topic))
        senders.append((server.connection(), server.peer.dialect.publish(topic)))
    return senders, receivers


def _storing(server: Running) -> tuple[Connection, bytes]:
    dialect = server.peer.dialect
    assert dialect.store is not None
    client = server.connection(dialect.stored)
    if dialect.prepare is not None:
        dialect.prepare(client)
    return client, dialect.store()


__all__ = ["MARK", "durable", "durable_one", "fan_out", "fan_out_one", "idle", "pairs", "pairs_one"]
