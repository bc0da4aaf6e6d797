"""Segments: what was decided is numbered in its order, linked, and in frames of the size that is allowed."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from zchat.broker.core.instances import Accepted
from zchat.broker.core.port import StoredSegment
from zchat.broker.core.segments import Draft, Numbering
from zchat.broker.core.state import State
from zchat.common import limits, wire

CONVERSATIONS = ("#general", "#b", "@" + "\U00020000" * 32 + "," + "\U00020001" * 32)
TIME_MS = 2**53 - 1


class Barrier(NamedTuple):
    conversation: str
    entry: wire.Entries


class Sent(NamedTuple):
    conversation: str
    entry: wire.Messages | wire.KeyedMessage


Step = Barrier | Sent


@st.composite
def _texts(draw: st.DrawFn) -> list[str]:
    """Of any number and length that a Send may have; often of those that fill a segment together."""
    number = draw(st.sampled_from([1, 2, 128, 254, 255, 256]) | st.integers(1, 256))
    part = limits.SEGMENT_BYTES_MAX // draw(st.sampled_from([2, 2, 3, 4]))
    total = draw(st.just(number) | st.just(number) | st.integers(part - 200, part))
    length = min(max(1, total // number), limits.TEXT_BYTES_MAX, limits.SEND_BYTES_MAX // number)
    return [f"{n} ".ljust(length, "x")[:length] for n in range(number)]


_messages = st.builds(wire.Messages, st.just("ann"), st.just(2**63 - 1), st.integers(0, 2**53 - 1), _texts())
_keyed = st.builds(wire.KeyedMessage, st.just("bob"), st.just("k" * 128), st.just("a text"))
_acts = st.sampled_from([wire.Left("ann"), wire.Joined("bob", True), wire.TopicSet("ann", "x" * 1024)])
_conversations = st.sampled_from([*CONVERSATIONS, *CONVERSATIONS[:1] * 4])
_sent = st.builds(Sent, _conversations, _messages | _messages | _keyed)
STEPS = st.lists(_sent | _sent | _sent | st.builds(Barrier, _conversations, _acts), max_size=20)


def numbered(state: State, steps: Sequence[Step]) -> tuple[list[StoredSegment], list[Accepted], list[int]]:
    """The segments, what was accepted of each Send, and the position of each barrier."""
    numbering = Numbering(state, TIME_MS)
    results, barriers = [], []
    for step in steps:
        if isinstance(step, Barrier):
            barriers.append(numbering.barrier(step.conversation, step.entry))
        else:
            results.append(Accepted(positions(step.entry), b""))
            numbering.collect(step.conversation, Draft(wire.encode(step.entry), results[-1]))
    numbering.close()
    return numbering.segments, results, barriers


def positions(entry: wire.Entries) -> int:
    return len(entry.texts) if isinstance(entry, wire.Messages) else 1


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The order of the log: between two barriers by conversation, as they began; within each as it was."""
    ordered: list[Step] = []
    for is_barrier, group in groupby(steps, lambda step: isinstance(step, Barrier)):
        between = list(group)
        if not is_barrier:
            began = list(dict.fromkeys(step.conversation for step in between))
            between.sort(key=lambda step: began.index(step.conversation))
        ordered += between
    return ordered


def entries(segments: Sequence[StoredSegment]) -> list[tuple[str, wire.Entries]]:
    """All that the frames hold, with its conversation."""
    return [
        (segment.conversation, entry)
        for segment in segments
        for entry in wire.decode_segment(segment.frame).entries
    ]


@settings(max_examples=100)
@given(steps=STEPS)
def test_all_that_was_decided_is_in_the_frames_whole_and_in_order(steps: list[Step]) -> None:
    segments, _, _ = numbered(State(), steps)
    assert entries(segments) == [tuple(step) for step in in_order(steps)]


@settings(max_examples=100)
@given(steps=STEPS, last_pos=st.sampled_from([0, 10, 2**53 - 10_000]))
def test_positions_are_consecutive_and_each_conversation_is_linked(steps: list[Step], last_pos: int) -> None:
    state = State(last_pos=last_pos)
    heads = {"#general": 7} if last_pos else {}
    state.heads.update(heads)
    segments, _, _ = numbered(state, steps)
    pos = last_pos
    for stored in segments:
        segment = wire.decode_segment(stored.frame)
        assert stored[:5] == (
            segment.conversation,
            segment.prev,
            segment.first,
            segment.last,
            segment.time_ms,
        )
        assert segment.time_ms == TIME_MS
        assert segment.first == pos + 1
        pos += sum(positions(entry) for entry in segment.entries)
        assert segment.last == pos
        assert segment.prev == heads.get(segment.conversation, 0)
        heads[segment.conversation] = pos
    assert (state.last_pos, state.heads) == (pos, heads)
    rows = {row.key: row.value for row in state.take_changed() if row.kind == "head"}
    assert rows == {stored.conversation: wire.encode(heads[stored.conversation]) for stored in segments}


@settings(max_examples=100)
@given(steps=STEPS)
def test_every_send_is_told_where_it_is(steps: list[Step]) -> None:
    segments, results, barriers = numbered(State(), steps)
    where: dict[int, wire.Entries] = {}
    pos = 1
    for _, entry in entries(segments):
        where[pos] = entry
        pos += positions(entry)
    sent = [step.entry for step in steps if isinstance(step, Sent)]
    assert [where[accepted.pos] for accepted in results] == sent
    assert all(accepted.time_ms == TIME_MS for accepted in results)
    assert [where[pos] for pos in barriers] == [step.entry for step in steps if isinstance(step, Barrier)]
    for earlier, later in pairwise(barriers):
        assert earlier < later


@settings(max_examples=100)
@given(steps=STEPS)
def test_segments_are_within_their_limits_and_not_shorter_than_they_must(steps: list[Step]) -> None:
    segments, _, barriers = numbered(State(), steps)
    for stored in segments:
        assert len(stored.frame) <= limits.SEGMENT_BYTES_MAX
        assert stored.last - stored.first < limits.SEGMENT_ENTRIES_MAX
        if stored.first in barriers:
            assert stored.first == stored.last
    for one, other in pairwise(segments):
        if one.conversation == other.conversation and not {one.first, other.first} & set(barriers):
            following = wire.decode_segment(other.frame).entries[0]
            together = one.last - one.first + 1 + positions(following)
            size = len(one.frame) + len(wire.encode(following))
            assert together > limits.SEGMENT_ENTRIES_MAX or size > limits.SEGMENT_BYTES_MAX - 512
