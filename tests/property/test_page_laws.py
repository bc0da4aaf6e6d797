"""Pages: each store finds what a walk through the log finds, and pages in a row miss and repeat nothing."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from zchat.broker.core.instances import Accepted
from zchat.broker.core.port import PageQuery, StoredSegment, Write
from zchat.broker.core.segments import Draft, Numbering
from zchat.broker.core.state import State
from zchat.broker.store.contract import Reader, Store
from zchat.broker.store.memory import MemoryStore
from zchat.broker.store.sqlite import SqliteStore
from zchat.client.history import Range, messages_in, read
from zchat.client.messages import Message, entries_of
from zchat.common import wire

CONVERSATIONS = ("#a", "#a\0", "#b", "@ann,bob")
END = 2**53 - 1


class Said(NamedTuple):
    """A Send of so many texts; 0: an entry that is no message, and a barrier."""

    conversation: str
    texts: int


_said = st.builds(Said, st.sampled_from(CONVERSATIONS[1:]) | st.just("#a"), st.sampled_from([0, 1, 1, 2, 7]))
_commits = st.lists(st.tuples(st.integers(0, 2), st.lists(_said, min_size=1, max_size=5)), max_size=12)


def log_of(commits: Sequence[tuple[int, Sequence[Said]]]) -> list[Write]:
    """The Writes of a log. Of each commit: how much later it is than the one before, and what was said."""
    state, time_ms, counter, writes = State(), 1_000, 0, []
    for later_ms, sayings in commits:
        time_ms += later_ms
        numbering = Numbering(state, time_ms)
        for conversation, texts in sayings:
            if not texts:
                numbering.barrier(conversation, wire.Left("bob"))
                continue
            entry = wire.Messages("ann", 1, counter, [f"text {counter + n}" for n in range(texts)])
            numbering.collect(conversation, Draft(wire.encode(entry), Accepted(texts, b"")))
            counter += texts
        numbering.close()
        writes.append(Write(len(writes) + 1, numbering.segments, [], [], [], [], state.last_pos, time_ms))
    return writes


LOGS = _commits.map(log_of)
BYTES = st.sampled_from([1, 60, 150, 400, 10**6]) | st.integers(0, 500)


def segments_of(log: Sequence[Write]) -> list[StoredSegment]:
    return [segment for write in log for segment in write.segments]


@contextmanager
def stores(log: Sequence[Write]) -> Iterator[list[Reader]]:
    """A reader of each store, which holds the log."""
    with TemporaryDirectory() as directory:
        kept: list[Store] = [MemoryStore(), SqliteStore(Path(directory) / "zchat.db")]
        readers = [store.reader() for store in kept]
        try:
            for store in kept:
                for write in log:
                    store.write(write)
            yield readers
        finally:
            for one in (*readers, *kept):
                one.close()


def page_of(log: Sequence[Write], query: PageQuery) -> list[bytes]:
    """The page, from a walk over every position of the conversation."""
    segments = [segment for segment in segments_of(log) if segment.conversation == query.conversation]
    wanted = {
        "after": lambda pos, time_ms: pos > query.bound,
        "before": lambda pos, time_ms: pos < query.bound,
        "since": lambda pos, time_ms: time_ms >= query.bound,
    }[query.direction]
    found = [
        segment
        for segment in segments
        if any(wanted(pos, segment.time_ms) for pos in range(segment.first, segment.last + 1))
    ]
    backward = query.direction == "before"
    page: list[bytes] = []
    size = entries = 0
    for segment in reversed(found) if backward else found:
        size += len(segment.frame)
        if (page and size > query.bytes_max) or (query.entries_max and entries >= query.entries_max):
            break
        page.append(segment.frame)
        entries += len(entries_of(wire.decode_segment(segment.frame), 0))
    return page[::-1] if backward else page


@st.composite
def _queries(draw: st.DrawFn) -> PageQuery:
    direction = draw(st.sampled_from(["after", "before", "since"]))
    near = st.integers(999, 1015) if direction == "since" else st.integers(0, 80)
    conversation = draw(st.sampled_from([*CONVERSATIONS, *["#a"] * 4, "#nobody"]))
    bound = draw(near | st.sampled_from([0, END]))
    return PageQuery(conversation, direction, bound, draw(BYTES), draw(st.sampled_from([0, 1, 2, 7, END])))


@settings(max_examples=30)
@given(log=LOGS, queries=st.lists(_queries(), min_size=20, max_size=40))
def test_a_page_is_what_a_walk_through_the_log_finds(log: list[Write], queries: list[PageQuery]) -> None:
    with stores(log) as readers:
        for query in queries:
            page = page_of(log, query)
            filled = query._replace(bytes_max=sum(map(len, page)))
            for reader in readers:
                assert reader.page(query) == (page, 0)
                assert reader.page(filled) == (page, 0)


@settings(max_examples=15)
@given(log=LOGS, bytes_max=BYTES)
def test_pages_in_a_row_have_every_entry_once(log: list[Write], bytes_max: int) -> None:
    with stores(log) as readers:
        for reader in readers:
            for conversation in CONVERSATIONS:
                of_it = [s for s in segments_of(log) if s.conversation == conversation]
                wanted = [pos for s in of_it for pos in range(s.first, s.last + 1)]
                assert forward(reader, conversation, bytes_max) == wanted
                assert backward(reader, conversation, bytes_max) == wanted


def forward(reader: Reader, conversation: str, bytes_max: int) -> list[int]:
    """The positions of all entries, each found to be linked to the one before."""
    found: list[int] = []
    while frames := reader.page(PageQuery(conversation, "after", found[-1] if found else 0, bytes_max))[0]:
        for segment in map(wire.decode_segment, frames):
            assert segment.prev == (found[-1] if found else 0)
            found += [entry.pos for entry in entries_of(segment, 0)]
    return found


def backward(reader: Reader, conversation: str, bytes_max: int) -> list[int]:
    found: list[int] = []
    while frames := reader.page(PageQuery(conversation, "before", found[0] if found else END, bytes_max))[0]:
        for segment in map(wire.decode_segment, reversed(frames)):
            found = [entry.pos for entry in entries_of(segment, 0)] + found
    return found


_near = st.none() | st.integers(0, 60) | st.just(END)
RANGES = st.builds(
    Range, st.integers(1, 12) | st.just(10**6), _near, _near, st.none() | st.integers(995, 1020)
)


@settings(max_examples=200)
@given(log=LOGS, wanted=RANGES, bytes_max=BYTES)
def test_a_range_of_history_is_all_messages_in_it(log: list[Write], wanted: Range, bytes_max: int) -> None:
    store = MemoryStore()
    for write in log:
        store.write(write)
    of_it = [s for s in segments_of(log) if s.conversation == "#a"]

    async def page(direction: int, bound: int, entries_max: int) -> tuple[wire.Page, list[wire.Segment]]:
        query = PageQuery("#a", ("after", "before", "since")[direction], bound, bytes_max, entries_max)
        frames, floor = store.reader().page(query)
        header = wire.Page(1, 1, "#a", floor, of_it[-1].last if of_it else 0)
        return header, [wire.decode_segment(frame) for frame in frames]

    entries = [entry for s in of_it for entry in entries_of(wire.decode_segment(s.frame), 0)]
    matching = [
        entry
        for entry in entries
        if isinstance(entry, Message)
        and (wanted.before is None or entry.pos < wanted.before)
        and (wanted.after is None or entry.pos > wanted.after)
        and (wanted.since_ms is None or entry.time_ms >= wanted.since_ms)
    ]
    from_the_end = wanted.after is None and wanted.since_ms is None
    expected = matching[-wanted.limit :] if from_the_end else matching[: wanted.limit]
    assert asyncio.run(read(wanted, page, messages_in)) == expected


@given(log=LOGS, above=st.integers(0, 60))
def test_the_entries_of_a_segment_are_linked_counted_and_above_a_position(
    log: list[Write], above: int
) -> None:
    for stored in segments_of(log):
        segment = wire.decode_segment(stored.frame)
        entries = entries_of(segment, 0)
        assert [entry.pos for entry in entries] == list(range(stored.first, stored.last + 1))
        prevs = [stored.prev, *range(stored.first, stored.last)]
        messages = [(e.prev, prev) for e, prev in zip(entries, prevs, strict=True) if isinstance(e, Message)]
        assert all(found == prev for found, prev in messages)
        told = [(one.id, one.text) for one in entries if isinstance(one, Message)]
        assert told == [(f"~1.{text.split()[1]}", text) for _, text in told]
        assert entries_of(segment, above) == [entry for entry in entries if entry.pos > above]
