"""Logs of any length, made through the store: for each message a Send and a segment of its own."""

import time
from itertools import islice
from pathlib import Path
from typing import Final

from bench.broker import Broker
from bench.process import running
from bench.speaker import TEXT
from zchat.broker.core.instances import Accepted, digest
from zchat.broker.core.port import CounterRow, Write
from zchat.broker.core.segments import Draft, Numbering
from zchat.broker.core.state import State
from zchat.broker.store.sqlite import SqliteStore
from zchat.common import places, wire

ROOMS: Final = 10  # general and others, which take turns
USERS: Final = 100  # who take turns in each room
SELDOM: Final = "w0"  # says the first message in general, and no other
_COMMIT: Final = 5_000  # messages written at once
_APART_MS: Final = 1_000  # in time
_TEXTS: Final = wire.encode([TEXT])


def log_of(messages: int, cache: Path) -> Path:
    """The directory in `cache` of a broker with so many messages, made when it is not there."""
    directory = cache / f"log-{messages}"
    if not directory.exists():
        unfinished = cache / f"log-{messages}.{time.time_ns()}"
        unfinished.mkdir(parents=True)
        _people(unfinished)
        _fill(unfinished / "broker" / places.BROKER_DATABASE, messages)
        unfinished.rename(directory)
    return directory


def _people(directory: Path) -> None:
    """Users and rooms, over the wire."""
    with running(Broker(directory, "w")) as broker:
        first, *_ = broker.speakers.make(USERS, reads=False)
        for number in range(1, ROOMS):
            first.join(f"room{number}")


def _fill(database: Path, messages: int) -> None:
    store = SqliteStore(database)
    try:
        loaded = store.load()
        state = State(loaded.state, loaded.last_pos, loaded.last_time_ms)
        begins_ms = max(loaded.last_time_ms, time.time_ns() // 1_000_000) - messages * _APART_MS
        numbers = iter(range(messages))
        for seq in range(0, messages, _COMMIT):
            time_ms = begins_ms + (seq + _COMMIT) * _APART_MS
            store.write(_write(state, list(islice(numbers, _COMMIT)), seq, time_ms))
    finally:
        store.close()


def _write(state: State, numbers: list[int], seq: int, time_ms: int) -> Write:
    numbering = Numbering(state, time_ms)
    counters = [_said(numbering, number, time_ms) for number in numbers]
    state.last_time_ms = time_ms
    return Write(
        seq, numbering.segments, counters, [], state.take_changed(), [], state.last_pos, state.last_time_ms
    )


def _said(numbering: Numbering, number: int, time_ms: int) -> CounterRow:
    place, turn = number % ROOMS, number // ROOMS
    nick = SELDOM if number == 0 else f"w{1 + turn % (USERS - 1)}"
    conversation = "#general" if place == 0 else f"#room{place}"
    instance = 1 << 21 | int(nick[1:])
    accepted = Accepted(1, digest(conversation, _TEXTS))
    entry = wire.encode(wire.Messages(nick, instance, number, [TEXT]))
    numbering.collect(conversation, Draft(entry, accepted))
    numbering.close()
    return CounterRow(instance, nick, number, 1, accepted.pos, time_ms, accepted.digest)
