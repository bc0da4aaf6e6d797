"""The threads of the store: reports come, the descriptor tells, an end loses nothing, a bug surfaces."""

import select
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from threading import enumerate as enumerate_threads

import pytest
from store_logs import Log, after, keyed, ranges, sent

from zchat.broker.core.port import (
    CounterRow,
    Durable,
    Failed,
    Found,
    InstanceLoaded,
    KeyRow,
    Load,
    Loaded,
    LoadInstance,
    Look,
    PageQuery,
    PageRead,
    Read,
    Report,
    StateRow,
    Unreadable,
    Write,
)
from zchat.broker.store.memory import MemoryReader, MemoryStore
from zchat.broker.store.sqlite import SqliteStore
from zchat.broker.store.threads import LEFT_IN_WAL, StoreThreads
from zchat.common.errors import StorageFailed

PATIENCE_S = 10


class FickleStore(MemoryStore):
    """Waits before each Write until it may, and raises what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_write = Event()
        self.may_write.set()
        self.error: Exception | None = None
        self.closed: list[str] = []

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    def load(self) -> Loaded:
        self._raise()
        return super().load()

    def write(self, write: Write) -> bool:
        assert self.may_write.wait(PATIENCE_S)
        self._raise()
        return super().write(write)

    def look(self, keys: list[tuple[str, str]]) -> list[KeyRow | None]:
        self._raise()
        return super().look(keys)

    def load_instance(self, user: str, instance: int, lowest: int) -> list[CounterRow]:
        self._raise()
        return super().load_instance(user, instance, lowest)

    def reader(self) -> "FickleReader":
        return FickleReader(self)

    def close(self) -> None:
        self.closed.append("store")


class FickleReader(MemoryReader):
    def __init__(self, store: FickleStore) -> None:
        super().__init__(store._segments)
        self.store = store

    def page(self, query: PageQuery) -> tuple[list[bytes], int]:
        self.store._raise()
        return super().page(query)

    def close(self) -> None:
        self.store.closed.append("reader")


@pytest.fixture
def store() -> FickleStore:
    return FickleStore()


@pytest.fixture
def threads(store: FickleStore) -> Iterator[StoreThreads]:
    threads = StoreThreads(store)
    yield threads
    store.may_write.set()
    threads.stop()


def readable(threads: StoreThreads, patience_s: float = PATIENCE_S) -> bool:
    return bool(select.select([threads], [], [], patience_s)[0])


def taken(threads: StoreThreads, count: int) -> list[Report]:
    """The next reports, so many."""
    reports: list[Report] = []
    while len(reports) < count:
        assert readable(threads), f"only {reports}"
        reports += threads.take()
    assert len(reports) == count
    return reports


def test_each_command_has_its_report_in_order(tmp_path: Path) -> None:
    threads = StoreThreads(SqliteStore(tmp_path / "zchat.db"))
    log = Log()
    write = log.talk("#a")
    threads.submit(Load())
    threads.submit(write)
    threads.submit(Look(5, [("ann", "key-1"), ("ann", "new")]))
    threads.submit(LoadInstance(6, "ann", 7, 0))
    threads.submit(Load())
    assert taken(threads, 5) == [
        Loaded([], 0, 0),
        Durable(write.seq),
        Found(5, [keyed("key-1"), None]),
        InstanceLoaded(6, [sent(1)]),
        Loaded([StateRow("head", "#a", b"1")], 1, 0),
    ]
    threads.submit(Read(7, after("#a")))
    assert taken(threads, 1) == [PageRead(7, [b"#a 1-1"], 0)]
    threads.stop()


@pytest.mark.parametrize("certain", [True, False])
def test_failures_of_the_storage_are_reports(
    store: FickleStore, threads: StoreThreads, certain: bool
) -> None:
    store.error = StorageFailed("SQLITE_IOERR: disk I/O error", certain)
    for command, report in (
        (Load(), Failed(0, True)),
        (Log().write()._replace(seq=3), Failed(3, certain)),
        (Look(5, [("ann", "k")]), Found(5, None)),
        (LoadInstance(6, "ann", 7, 0), InstanceLoaded(6, None)),
        (Read(7, after("#a")), Unreadable(7)),
    ):
        threads.submit(command)
        assert taken(threads, 1) == [report]
        assert threads.last_error == f"{type(command).__name__}: SQLITE_IOERR: disk I/O error"
    store.error = None
    threads.submit(Load())
    assert taken(threads, 1) == [Loaded([], 0, 0)]


def test_a_redaction_that_left_copies_is_told(store: FickleStore, threads: StoreThreads) -> None:
    log = Log()
    store.hinder_next_scrub()
    for _ in range(2):
        threads.submit(log.write(redactions=[1]))
    assert taken(threads, 2) == [Durable(1, scrubbed=False), Durable(2)]
    assert threads.last_error == LEFT_IN_WAL


def test_pages_do_not_wait_for_a_write(store: FickleStore, threads: StoreThreads) -> None:
    store.may_write.clear()
    threads.submit(Log().talk("#a"))
    threads.submit(Read(7, after("#a")))
    assert taken(threads, 1) == [PageRead(7, [], 0)]
    store.may_write.set()
    assert taken(threads, 1) == [Durable(1)]


def test_the_descriptor_is_readable_while_reports_wait(store: FickleStore, threads: StoreThreads) -> None:
    assert not readable(threads, 0)
    assert threads.take() == []
    for token in range(200):
        threads.submit(Look(token, []))
    store.may_write.clear()
    threads.submit(Log().talk("#a"))
    assert taken(threads, 200) == [Found(token, []) for token in range(200)]
    assert not readable(threads, 0)
    store.may_write.set()
    assert taken(threads, 1) == [Durable(1)]
    assert not readable(threads, 0)


def test_no_wakeup_is_lost(threads: StoreThreads) -> None:
    """One command at a time, from both threads: a lost wakeup would end the waiting in `taken` without it."""
    for token in range(2000):
        threads.submit(Look(token, []))
        threads.submit(Read(token, after("#a")))
        assert set(map(type, taken(threads, 2))) == {Found, PageRead}


def test_stop_finishes_what_was_submitted(tmp_path: Path) -> None:
    before = set(enumerate_threads())
    path = tmp_path / "zchat.db"
    threads = StoreThreads(SqliteStore(path))
    log = Log()
    for _ in range(50):
        threads.submit(log.talk("#a"))
    threads.submit(Read(7, after("#z")))
    threads.stop()
    reports = threads.take()
    reports.remove(PageRead(7, [], 0))
    assert reports == [Durable(seq) for seq in range(1, 51)]
    assert set(enumerate_threads()) <= before
    assert [file.name for file in tmp_path.iterdir()] == ["zchat.db"]  # closed: no WAL is left
    store = SqliteStore(path)
    reader = store.reader()
    assert len(ranges(reader, after("#a"))) == 50
    reader.close()
    store.close()


def test_stop_closes_the_reader_before_the_store_and_can_be_repeated(store: FickleStore) -> None:
    threads = StoreThreads(store)
    threads.stop()
    assert store.closed == ["reader", "store"]
    threads.stop()
    assert threads.take() == []


@pytest.mark.parametrize("command", [Load(), Log().write(), Look(1, []), Read(1, after("#a"))])
def test_a_bug_in_a_thread_surfaces_in_the_loop(
    store: FickleStore, command: Load | Write | Look | Read
) -> None:
    threads = StoreThreads(store)
    store.error = ZeroDivisionError("a bug")
    threads.submit(command)
    assert readable(threads)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="a bug"):
            threads.take()
    threads.stop()
    assert store.closed == ["reader", "store"]
