"""What every store does: the contract, run over the one in memory and the one in SQLite."""

import pytest
from store_disks import Disk, MemoryDisk, SqliteDisk
from store_logs import Log, after, before, keyed, ranges, said, sent, since, texts

from zchat.broker.core.port import Loaded, PageQuery, StateRow
from zchat.broker.core.segments import redacted
from zchat.broker.store.contract import INSTANCE_SENDS_MAX, Store, fitting
from zchat.common import wire
from zchat.common.errors import StorageFailed

END = 2**53 - 1


def everything(store: Store) -> object:
    """All that the store shows of the conversations and ids in these tests."""
    reader = store.reader()
    pages = [reader.page(after(conversation)) for conversation in ("#a", "#b")]
    reader.close()
    keys = [("ann", f"key-{pos}") for pos in range(20)]
    return store.load(), pages, store.look(keys), store.load_instance("ann", 7, 0)


def test_an_empty_log(disk: Disk) -> None:
    assert disk.store.load() == Loaded([], 0, 0)
    assert disk.store.look([("ann", "k"), ("bob", "k")]) == [None, None]
    assert disk.store.look([]) == []
    assert disk.store.load_instance("ann", 7, 0) == []
    for query in (after("#a"), before("#a", END), since("#a", 0)):
        assert ranges(disk.store.reader(), query) == []
    assert disk.store.write(Log().write(redactions=[1]))


@pytest.mark.parametrize("again", ["at once", "after a restart", "after a crash"])
def test_what_was_written_is_there(disk: Disk, again: str) -> None:
    log = Log()
    log.last_time_ms = 5
    for conversation in ("#a", "#b", "#a"):
        disk.store.write(log.talk(conversation, messages=2))
    disk.store.write(log.write(state=[StateRow("a kind", "a key", b"\0\xff"), StateRow("a kind", "", b"")]))
    store = {"at once": lambda: disk.store, "after a restart": disk.restart, "after a crash": disk.crash}[
        again
    ]()
    assert store.load() == Loaded(
        [
            StateRow("a kind", "", b""),
            StateRow("a kind", "a key", b"\0\xff"),
            StateRow("head", "#a", b"6"),
            StateRow("head", "#b", b"4"),
        ],
        6,
        5,
    )
    assert ranges(store.reader(), after("#a")) == ["1-2", "5-6"]
    assert store.look([("ann", "key-3"), ("ann", "key-2")]) == [keyed("key-3", pos=3), None]
    assert store.load_instance("ann", 7, 0) == [sent(pos, 2, pos=pos) for pos in (1, 3, 5)]


def test_a_frame_comes_back_as_it_was(disk: Disk) -> None:
    log = Log()
    frame = bytes(range(256)) * 960
    disk.store.write(log.write([log.segment("#a")._replace(frame=frame)]))
    assert disk.store.reader().page(after("#a")) == ([frame], 0)


class TestState:
    def rows(self, disk: Disk, *writes: list[StateRow]) -> list[StateRow]:
        for state in writes:
            disk.store.write(Log().write(state=state))
        return disk.store.load().state

    def test_a_row_is_replaced(self, disk: Disk) -> None:
        assert self.rows(disk, [StateRow("k", "a", b"1")], [StateRow("k", "a", b"2")]) == [
            StateRow("k", "a", b"2")
        ]

    def test_none_deletes_a_row_and_only_that(self, disk: Disk) -> None:
        first = [StateRow("k", "a", b"1"), StateRow("k", "b", b"2"), StateRow("l", "a", b"3")]
        assert self.rows(disk, first, [StateRow("k", "a", None)]) == first[1:]

    def test_none_for_a_row_that_is_not_there(self, disk: Disk) -> None:
        assert self.rows(disk, [StateRow("k", "a", None)]) == []

    def test_in_one_write_the_later_row_holds(self, disk: Disk) -> None:
        rows = [
            StateRow("k", "gone", b"1"),
            StateRow("k", "gone", None),
            StateRow("k", "back", None),
            StateRow("k", "back", b"1"),
            StateRow("k", "back", b"2"),
        ]
        assert self.rows(disk, rows) == [StateRow("k", "back", b"2")]


class TestIds:
    def test_looked_up_in_the_order_asked_for(self, disk: Disk) -> None:
        rows = [keyed("k", "ann", 1), keyed("k", "bob", 2), keyed("l", "ann", 3)]
        disk.store.write(Log().write(keys=rows))
        asked = [("ann", "l"), ("bob", "l"), ("bob", "k"), ("ann", "k"), ("ann", "l"), ("l", "ann")]
        assert disk.store.look(asked) == [rows[2], None, rows[1], rows[0], rows[2], None]

    @pytest.mark.parametrize(
        ("lowest", "counters"),
        [
            (0, [0, 3, 10]),
            (1, [0, 3, 10]),
            (2, [0, 3, 10]),
            (3, [3, 10]),
            (4, [3, 10]),
            (5, [10]),
            (9, [10]),
            (10, [10]),
            (11, []),
            (END, []),
        ],
    )
    def test_an_instance_from_the_counter_lowest_on(
        self, disk: Disk, lowest: int, counters: list[int]
    ) -> None:
        mine = {0: sent(0, 3), 3: sent(3, 2), 10: sent(10, 1)}
        others = [sent(0, 256, user="bob"), sent(1, 256, instance=8), sent(0, 256, instance=2**63 - 1)]
        disk.store.write(Log().write(counters=[mine[10], mine[0], *others]))
        disk.store.write(Log().write(counters=[mine[3]]))
        assert disk.store.load_instance("ann", 7, lowest) == [mine[counter] for counter in counters]

    def test_of_many_the_newest(self, disk: Disk) -> None:
        rows = [sent(number, pos=number) for number in range(INSTANCE_SENDS_MAX + 3)]
        disk.store.write(Log().write(counters=rows))
        assert disk.store.load_instance("ann", 7, 0) == rows[3:]

    def test_the_largest_numbers(self, disk: Disk) -> None:
        row = sent(END, 1, instance=2**63 - 1, pos=END)
        disk.store.write(Log().write(counters=[row]))
        assert disk.store.load_instance("ann", 2**63 - 1, END) == [row]


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 300])
def test_any_number_of_rows_in_one_write(disk: Disk, count: int) -> None:
    log = Log()
    counters = [sent(number, pos=number) for number in range(count)]
    keys = [keyed(f"{number:04}", pos=number) for number in range(count)]
    state = [StateRow("k", f"{number:04}", b"%d" % number) for number in range(count)]
    disk.store.write(log.write([log.segment("#a") for _ in range(count)], counters, keys, state))
    assert disk.store.load() == Loaded(state, count, 0)
    assert disk.store.look([(row.user, row.key) for row in keys]) == keys
    assert disk.store.load_instance("ann", 7, 0) == counters
    assert ranges(disk.store.reader(), after("#a")) == [f"{pos}-{pos}" for pos in range(1, count + 1)]
    disk.store.write(log.write(state=[row._replace(value=None) for row in state]))
    assert disk.store.load() == Loaded([], count, 0)


def test_where_the_log_ends_is_known_after_a_crash(disk: Disk) -> None:
    log = Log()
    disk.store.write(log.write([log.segment("#a", 3)._replace(time_ms=5)])._replace(last_time_ms=5))
    assert disk.crash().load() == Loaded([], 3, 5)
    disk.store.write(log.write()._replace(last_time_ms=7))
    assert disk.crash().load() == Loaded([], 3, 7)
    disk.store.write(log.write([log.segment("#b")._replace(time_ms=9)])._replace(last_time_ms=9))
    assert disk.crash().load() == Loaded([], 4, 9)


class TestFailures:
    def test_a_probe_changes_nothing(self, disk: Disk) -> None:
        log = Log()
        disk.store.write(log.talk("#a"))
        there = everything(disk.store)
        disk.store.write(log.write())
        assert everything(disk.store) == there

    @pytest.mark.parametrize("certain", [True, False])
    def test_nothing_of_a_failed_write_is_seen(self, disk: Disk, certain: bool) -> None:
        log = Log()
        disk.store.write(log.talk("#a"))
        there = everything(disk.store)
        disk.fail_next(certain)
        with pytest.raises(StorageFailed) as failed:
            disk.store.write(log.talk("#a"))
        assert failed.value.certain is certain
        assert everything(disk.store) == there
        assert everything(disk.crash()) == there

    @pytest.mark.parametrize("certain", [True, False])
    def test_the_next_write_takes_the_place_of_a_failed_one(self, disk: Disk, certain: bool) -> None:
        disk.fail_next(certain)
        with pytest.raises(StorageFailed):
            disk.store.write(Log().talk("#a", messages=3))
        disk.store.write(Log().talk("#b", messages=2))
        expected = everything(disk.store)
        assert disk.store.load() == Loaded([StateRow("head", "#b", b"2")], 2, 0)
        assert ranges(disk.store.reader(), after("#a")) == []
        assert ranges(disk.store.reader(), after("#b")) == ["1-2"]
        assert everything(disk.crash()) == expected


class TestRedactions:
    """#a has the messages 1-3 in two Sends of one segment, 4 with a key, and 6-7; 5 is an act, 8 is in #b."""

    TEXTS = ("1 one", "2 two", "3 three" * 2000, "4 four", "6 six", "7 seven")

    @pytest.fixture
    def log(self) -> Log:
        return Log()

    @pytest.fixture
    def disk(self, disk: Disk, log: Log) -> Disk:
        one, two, three, four, six, seven = self.TEXTS
        segments = [
            log.segment_of("#a", said(one), said(two, three)),
            log.segment_of("#a", wire.KeyedMessage("ann", "key", four)),
            log.segment_of("#a", wire.TopicSet("ann", "5 five")),
            log.segment_of("#a", said(six, seven)),
            log.segment_of("#b", said("8 eight")),
        ]
        assert disk.store.write(log.write(segments))
        return disk

    def left(self, *gone: int) -> list[str]:
        return ["" if int(text[0]) in gone else text for text in self.TEXTS]

    @pytest.mark.parametrize(
        "redactions",
        [[1], [2], [3], [4], [6], [1, 3], [2, 3, 1], [4, 3], [7, 1, 4], [1, 1], [1, 2, 3, 4, 6, 7]],
    )
    @pytest.mark.parametrize("together", [True, False])
    def test_of_one_or_several_segments_in_one_write_or_several(
        self, disk: Disk, log: Log, redactions: list[int], together: bool
    ) -> None:
        there = disk.store.load()
        for positions in [redactions] if together else [[pos] for pos in redactions]:
            assert disk.store.write(log.write(redactions=positions))
        assert texts(disk.store.reader(), "#a") == self.left(*redactions)
        assert texts(disk.store.reader(), "#b") == ["8 eight"]
        assert disk.store.load() == there

    @pytest.mark.parametrize("again", ["restart", "crash"])
    def test_hold_for_ever(self, disk: Disk, log: Log, again: str) -> None:
        disk.store.write(log.write(redactions=[2, 4]))
        store = disk.restart() if again == "restart" else disk.crash()
        assert texts(store.reader(), "#a") == self.left(2, 4)

    def test_leave_the_segments_as_the_core_would_make_them(self, disk: Disk, log: Log) -> None:
        frames, _ = disk.store.reader().page(after("#a"))
        disk.store.write(log.write(redactions=[3]))
        expected = [redacted(frame, 3) for frame in frames]
        reader = disk.store.reader()
        for query in (after("#a"), before("#a", END), since("#a", 0)):
            assert reader.page(query) == (expected, 0)
        fit = sum(map(len, expected[:2]))
        assert reader.page(after("#a", bytes_max=fit)) == (expected[:2], 0)

    @pytest.mark.parametrize("pos", [0, 5, 9, 10, END])
    def test_where_no_message_is_are_passed_over(self, disk: Disk, log: Log, pos: int) -> None:
        there = [disk.store.reader().page(after(conversation)) for conversation in ("#a", "#b")]
        assert disk.store.write(log.write(redactions=[pos]))
        assert [disk.store.reader().page(after(conversation)) for conversation in ("#a", "#b")] == there

    def test_of_a_message_of_the_same_write(self, disk: Disk, log: Log) -> None:
        segment = log.segment_of("#a", said("9 nine", "10 ten"))
        assert disk.store.write(log.write([segment], redactions=[9, 1]))
        assert texts(disk.store.reader(), "#a") == [*self.left(1), "", "10 ten"]

    def test_between_writes_of_the_same_conversation(self, disk: Disk, log: Log) -> None:
        disk.store.write(log.write(redactions=[1]))
        disk.store.write(log.write([log.segment_of("#a", said("9 nine"))]))
        disk.store.write(log.write([log.segment_of("#a", said("10 ten"))], redactions=[9, 2]))
        assert texts(disk.store.reader(), "#a") == [*self.left(1, 2), "", "10 ten"]

    @pytest.mark.parametrize("certain", [True, False])
    def test_of_a_write_that_fails_are_not_done(self, disk: Disk, log: Log, certain: bool) -> None:
        disk.fail_next(certain)
        with pytest.raises(StorageFailed) as failed:
            disk.store.write(log.write(redactions=[1, 4]))
        assert failed.value.certain is certain
        assert texts(disk.store.reader(), "#a") == self.left()
        assert texts(disk.crash().reader(), "#a") == self.left()

    def test_a_reader_that_is_open_sees_them(self, disk: Disk, log: Log) -> None:
        reader = disk.store.reader()
        assert texts(reader, "#a") == self.left()
        disk.store.write(log.write(redactions=[3]))
        assert texts(reader, "#a") == self.left(3)


class TestPages:
    """#a has the segments 1-3, 6-6, 7-10 and 12-12, at the times 10, 20, 20, 40, of 20 bytes each."""

    @pytest.fixture
    def disk(self, disk: Disk) -> Disk:
        log = Log()
        for time_ms, conversation, messages in (
            (10, "#a", 3),
            (10, "#b", 2),
            (20, "#a", 1),
            (20, "#a", 4),
            (30, "#b", 1),
            (40, "#a", 1),
        ):
            log.last_time_ms = time_ms
            disk.store.write(log.write([log.segment(conversation, messages, 20)]))
        return disk

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            (after("#a", 0), "1-3 6-6 7-10 12-12"),
            (after("#a", 1), "1-3 6-6 7-10 12-12"),
            (after("#a", 2), "1-3 6-6 7-10 12-12"),
            (after("#a", 3), "6-6 7-10 12-12"),
            (after("#a", 5), "6-6 7-10 12-12"),
            (after("#a", 6), "7-10 12-12"),
            (after("#a", 9), "7-10 12-12"),
            (after("#a", 10), "12-12"),
            (after("#a", 12), ""),
            (after("#a", END), ""),
            (before("#a", 0), ""),
            (before("#a", 1), ""),
            (before("#a", 2), "1-3"),
            (before("#a", 3), "1-3"),
            (before("#a", 4), "1-3"),
            (before("#a", 6), "1-3"),
            (before("#a", 7), "1-3 6-6"),
            (before("#a", 8), "1-3 6-6 7-10"),
            (before("#a", 10), "1-3 6-6 7-10"),
            (before("#a", 12), "1-3 6-6 7-10"),
            (before("#a", END), "1-3 6-6 7-10 12-12"),
            (since("#a", 0), "1-3 6-6 7-10 12-12"),
            (since("#a", 10), "1-3 6-6 7-10 12-12"),
            (since("#a", 11), "6-6 7-10 12-12"),
            (since("#a", 20), "6-6 7-10 12-12"),
            (since("#a", 21), "12-12"),
            (since("#a", 40), "12-12"),
            (since("#a", 41), ""),
            (since("#a", END), ""),
            (since("#b", 11), "11-11"),
            (after("#", 0), ""),
            (before("#ab", END), ""),
            (since("a", 0), ""),
        ],
    )
    def test_whole_segments_that_overlap(self, disk: Disk, query: PageQuery, expected: str) -> None:
        assert ranges(disk.store.reader(), query) == expected.split()

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            (after("#a", 0, bytes_max=0), "1-3"),
            (after("#a", 0, bytes_max=20), "1-3"),
            (after("#a", 0, bytes_max=39), "1-3"),
            (after("#a", 0, bytes_max=40), "1-3 6-6"),
            (after("#a", 0, bytes_max=79), "1-3 6-6 7-10"),
            (after("#a", 0, bytes_max=80), "1-3 6-6 7-10 12-12"),
            (after("#a", 12, bytes_max=0), ""),
            (before("#a", END, bytes_max=0), "12-12"),
            (before("#a", END, bytes_max=39), "12-12"),
            (before("#a", END, bytes_max=40), "7-10 12-12"),
            (before("#a", 8, bytes_max=0), "7-10"),
            (before("#a", 8, bytes_max=40), "6-6 7-10"),
            (before("#a", 1, bytes_max=0), ""),
            (since("#a", 11, bytes_max=0), "6-6"),
            (since("#a", 11, bytes_max=40), "6-6 7-10"),
        ],
    )
    def test_bytes(self, disk: Disk, query: PageQuery, expected: str) -> None:
        assert ranges(disk.store.reader(), query) == expected.split()


def test_a_segment_that_does_not_fit_ends_the_page() -> None:
    segments = [(b"1234", 1), (b"12", 1), (b"1234", 1), (b"1", 1)]
    assert fitting(segments, after("#a", bytes_max=7)) == [b"1234", b"12"]


@pytest.mark.parametrize(("most", "segments"), [(0, 4), (1, 1), (3, 1), (4, 2), (5, 3), (6, 4), (99, 4)])
def test_a_segment_with_which_there_are_enough_entries_ends_the_page(most: int, segments: int) -> None:
    pieces = [(b"a", 3), (b"b", 1), (b"c", 1), (b"d", 1)]
    found = fitting(pieces, after("#a")._replace(entries_max=most))
    assert found == [frame for frame, _ in pieces[:segments]]


@pytest.mark.parametrize("direction", ["after", "before"])
def test_many_small_segments_are_read_in_pages_without_a_gap(disk: Disk, direction: str) -> None:
    log = Log()
    disk.store.write(log.write([log.segment("#ab"[: 2 + pos % 2], 1, 30) for pos in range(1000)]))
    reader = disk.store.reader()
    found: list[int] = []
    while True:
        if direction == "after":
            query = after("#a", found[-1] if found else 0, bytes_max=3000)
        else:
            query = before("#a", found[0] if found else END, bytes_max=3000)
        page = [int(positions.split("-")[0]) for positions in ranges(reader, query)]
        if not page:
            break
        assert len(page) == 100
        found = found + page if direction == "after" else page + found
    assert found == list(range(1, 1001, 2))


def test_both_stores_give_the_same_pages(sqlite_disk: SqliteDisk) -> None:
    stores: list[Store] = [MemoryDisk().store, sqlite_disk.store]
    log = Log()
    for turn in range(40):
        log.last_time_ms += turn % 3
        segments = [
            log.segment(("#a", "#b", "@ann,bob")[(turn * part) % 3], 1 + turn * part % 4, 20 + turn)
            for part in range(turn % 4)
        ]
        for store in stores:
            store.write(log.write(segments))
    readers = [store.reader() for store in stores]
    for conversation in ("#a", "#b", "@ann,bob"):
        for bytes_max in (0, 100, 1000):
            for bound in range(log.last_pos + 3):
                for query in (
                    after(conversation, bound, bytes_max),
                    before(conversation, bound, bytes_max),
                    since(conversation, bound, bytes_max),
                ):
                    in_memory, in_sqlite = (reader.page(query) for reader in readers)
                    assert in_memory == in_sqlite, query
