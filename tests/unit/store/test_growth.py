"""What start-up and look-ups cost in a long log, in steps of SQLite's virtual machine: no more than in a
short one, or for a search by time a few more."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from store_logs import Log, after, before, keyed, ranges, sent, since

from zchat.broker.core.port import StateRow
from zchat.broker.store.sqlite import SqliteStore

SHORT, LONG = 10_000, 1_000_000  # messages
SEGMENTS_A_COMMIT = 128
ROOMS = ("#a", "#b", "#c")


class Steps:
    """Counts the steps of all connections that it makes."""

    def __init__(self) -> None:
        self.taken = 0

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        connection = sqlite3.connect(*args, **options)
        connection.set_progress_handler(self._step, 1)
        return connection

    def _step(self) -> int:
        self.taken += 1
        return 0

    def of(self, act: Callable[[], object]) -> int:
        before = self.taken
        act()
        return self.taken - before


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    directory = tmp_path_factory.mktemp("growth")
    return {messages: fill(directory / f"{messages}.db", messages) for messages in (SHORT, LONG)}


def fill(path: Path, messages: int) -> Path:
    store = SqliteStore(path)
    log = Log()
    while log.last_pos < messages:
        log.last_time_ms += 1000
        segments = [
            log.segment(ROOMS[number % len(ROOMS)], min(256, messages - log.last_pos))
            for number in range(SEGMENTS_A_COMMIT)
            if log.last_pos < messages
        ]
        state = [StateRow("head", room, b"%d" % pos) for room, pos in log.heads.items()]
        counters = [sent(segment.first, 256) for segment in segments]
        keys = [keyed(f"{segment.first:09}") for segment in segments]
        store.write(log.write(segments, counters, keys, state))
    store.close()
    return path


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def stores(paths: dict[int, Path], steps: Steps) -> Iterator[dict[int, SqliteStore]]:
    stores = {messages: SqliteStore(path, connect=steps.connect) for messages, path in paths.items()}
    yield stores
    for store in stores.values():
        store.close()


def test_opening_and_loading(paths: dict[int, Path], steps: Steps) -> None:
    def start(messages: int) -> None:
        store = SqliteStore(paths[messages], connect=steps.connect)
        loaded = store.load()
        assert (len(loaded.state), loaded.last_pos) == (3, messages)
        store.close()

    taken = {messages: steps.of(lambda messages=messages: start(messages)) for messages in paths}
    assert taken[SHORT] == taken[LONG]
    assert 50 < taken[LONG] < 1000


def test_ids(stores: dict[int, SqliteStore], steps: Steps) -> None:
    taken = {}
    for messages, store in stores.items():
        last = (messages - 1) // 256 * 256 + 1
        look = steps.of(lambda store=store, last=last: store.look([("ann", f"{last:09}"), ("ann", "new")]))
        load = steps.of(lambda store=store, last=last: store.load_instance("ann", 7, last))
        write = steps.of(lambda store=store: store.write(Log().write(state=[StateRow("none", "", None)])))
        taken[messages] = (look, load, write)
        store.write(Log().write()._replace(last_pos=messages))
    assert taken[SHORT] == taken[LONG]
    assert max(taken[LONG]) < 200


@pytest.mark.parametrize("query", [after, before])
def test_pages(stores: dict[int, SqliteStore], steps: Steps, query: Callable[..., Any]) -> None:
    taken = {}
    for messages, store in stores.items():
        reader = store.reader()
        wanted = query("#b", messages // 2, 100)
        assert len(ranges(reader, wanted)) > 2
        taken[messages] = steps.of(lambda reader=reader, wanted=wanted: reader.page(wanted))
        reader.close()
    assert abs(taken[SHORT] - taken[LONG]) < 30
    assert taken[LONG] < 200


def test_a_page_since_a_time(stores: dict[int, SqliteStore], steps: Steps) -> None:
    taken = {}
    for messages, store in stores.items():
        reader = store.reader()
        wanted = since("#b", 1000 if messages == SHORT else 15_000, 0)
        assert len(ranges(reader, wanted)) == 1
        taken[messages] = steps.of(lambda reader=reader, wanted=wanted: reader.page(wanted))
        reader.close()
    assert taken[LONG] < taken[SHORT] + 200  # log2(LONG / SHORT) is 7 more probes
    assert taken[LONG] < 700
