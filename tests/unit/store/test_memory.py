"""How the store in memory fails and crashes: as SQLite was seen to."""

import pytest
from store_logs import Log, after, keyed, ranges, said, texts

from zchat.broker.store.memory import MemoryStore
from zchat.common.errors import StorageFailed


def written(store: MemoryStore) -> list[str]:
    return ranges(store.reader(), after("#a"))


def fail(store: MemoryStore, log: Log, certain: bool = False, revives: bool = False) -> None:
    store.fail_next(certain, revives)
    with pytest.raises(StorageFailed) as failed:
        store.write(log.talk("#a"))
    assert failed.value.certain is certain


def test_an_uncertain_write_comes_back_after_a_crash() -> None:
    store, log = MemoryStore(), Log()
    store.write(log.talk("#a"))
    fail(store, log, revives=True)
    assert written(store) == ["1-1"]
    after_crash = store.crash()
    assert written(after_crash) == ["1-1", "2-2"]
    assert after_crash.load().last_pos == 2
    assert after_crash.look([("ann", "key-2")]) == [keyed("key-2", pos=2)]
    assert len(after_crash.load_instance("ann", 7, 2)) == 1


def test_it_comes_back_once() -> None:
    store = MemoryStore()
    fail(store, Log(), revives=True)
    assert written(store.crash().crash()) == ["1-1"]


def test_a_good_write_removes_the_doubt() -> None:
    store, log = MemoryStore(), Log()
    fail(store, log, revives=True)
    store.write(Log().write())
    assert written(store.crash()) == []


@pytest.mark.parametrize("certain", [True, False])
def test_a_failed_write_that_reached_nothing_leaves_the_doubt(certain: bool) -> None:
    store = MemoryStore()
    fail(store, Log(), revives=True)
    fail(store, Log(), certain=certain)
    assert written(store.crash()) == ["1-1"]


def test_an_uncertain_write_that_does_not_revive() -> None:
    store = MemoryStore()
    fail(store, Log(), revives=False)
    assert written(store.crash()) == []


def test_only_the_next_write_fails() -> None:
    store, log = MemoryStore(), Log()
    fail(store, log, certain=True)
    store.write(Log().talk("#a"))
    assert written(store) == ["1-1"]


def test_what_goes_on_after_a_crash_is_not_seen_in_the_store_before() -> None:
    store, log = MemoryStore(), Log()
    store.write(log.talk("#a"))
    store.crash().write(log.talk("#a"))
    assert written(store) == ["1-1"]
    assert store.load().last_pos == 1


def test_a_redaction_of_an_uncertain_write_comes_back_with_it() -> None:
    store, log = MemoryStore(), Log()
    store.write(log.write([log.segment_of("#a", said("one", "two"))]))
    store.fail_next(certain=False, revives=True)
    with pytest.raises(StorageFailed):
        store.write(log.write(redactions=[1]))
    assert texts(store.reader(), "#a") == ["one", "two"]
    assert texts(store.crash().reader(), "#a") == ["", "two"]
    assert texts(store.reader(), "#a") == ["one", "two"]


def test_only_the_next_redaction_leaves_copies() -> None:
    store, log = MemoryStore(), Log()
    store.hinder_next_scrub()
    assert store.write(log.write())
    assert not store.write(log.write(redactions=[1]))
    assert store.write(log.write(redactions=[1]))
