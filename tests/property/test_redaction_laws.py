"""Redaction: of a segment nothing changes but the text at one position, which is empty from then on."""

from random import Random
from typing import Any

import msgspec
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.property.test_page_laws import CONVERSATIONS, LOGS, segments_of, stores
from tests.property.wire_values import damaged, objects, small_values, values, widened
from zchat.broker.core.port import PageQuery, Write
from zchat.broker.core.segments import redacted
from zchat.common import limits, wire

END = 2**53 - 1
MESSAGES = (wire.Messages, wire.KeyedMessage)
UNKNOWN_TAG = wire.LAST_ENTRY_TAG + 1

_known = small_values(wire.Messages) | small_values(wire.KeyedMessage) | small_values(wire.Entries)
_unknown = st.builds(lambda tag, fields: [tag, *fields], st.integers(UNKNOWN_TAG, 2**40), st.lists(objects))
_newer = st.builds(widened, _known, st.lists(objects, min_size=1, max_size=3))


@st.composite
def _frames(draw: st.DrawFn) -> bytes:
    """Segments as this broker or a newer one writes them: some entries are not known, and there is more
    behind the fields of others, and of the segment."""
    entries = draw(st.lists(_known | _known | _newer | _unknown, min_size=1, max_size=8))
    header = [draw(values(wire.Conversation)), draw(st.integers(0, END))]
    header += [draw(st.sampled_from([1, 2, 127, END // 2]) | st.integers(0, END - 10_000))]
    header += [header[2] + 1, draw(values(wire.Milliseconds))]
    return wire.encode([*header, entries, *draw(st.lists(objects, max_size=2))])


def texts(frame: bytes) -> dict[int, str]:
    """The text of each message by its position."""
    segment = wire.decode_segment(frame)
    found: dict[int, str] = {}
    pos = segment.first
    for entry in segment.entries:
        said = entry.texts if isinstance(entry, wire.Messages) else [getattr(entry, "text", "")]
        if isinstance(entry, MESSAGES):
            found |= dict(enumerate(said, start=pos))
        pos += len(said)
    return found


@st.composite
def _places(draw: st.DrawFn) -> tuple[bytes, int]:
    """A segment and the position of one of its messages."""
    frame = draw(_frames())
    positions = sorted(texts(frame))
    assume(positions)
    return frame, draw(st.sampled_from(positions))


def blank(value: Any, first: int, pos: int) -> Any:
    """The decoded segment, with nothing in the place of the text at `pos`: what redaction may not touch."""
    at = first
    for entry in value[5]:
        if entry[0] == 0:
            if at <= pos < at + len(entry[4]):
                entry[4][pos - at] = None
            at += len(entry[4])
        else:
            if entry[0] == 1 and at == pos:
                entry[3] = None
            at += 1
    return value


@settings(max_examples=80)
@given(place=_places())
def test_only_the_text_at_the_position_becomes_empty(place: tuple[bytes, int]) -> None:
    frame, pos = place
    after = redacted(frame, pos)
    assert texts(after) == texts(frame) | {pos: ""}
    first = wire.decode_segment(frame).first
    before, left = msgspec.msgpack.decode(frame), msgspec.msgpack.decode(after)
    assert wire.encode(blank(left, first, pos)) == wire.encode(blank(before, first, pos))


@settings(max_examples=80)
@given(place=_places())
def test_no_byte_of_it_is_left_and_no_other_is_touched(place: tuple[bytes, int]) -> None:
    """The frame is the one before without the encoded text, in whose place is that of an empty one."""
    frame, pos = place
    encoded = wire.encode(texts(frame)[pos])
    after = redacted(frame, pos)
    assert len(after) == len(frame) - len(encoded) + 1
    start = next((n for n, byte in enumerate(after) if frame[n] != byte), len(after))
    if encoded == b"\xa0":
        assert after is frame
    else:
        assert after[start:] == b"\xa0" + frame[start + len(encoded) :]


@settings(max_examples=80)
@given(place=_places())
def test_once_is_as_good_as_twice(place: tuple[bytes, int]) -> None:
    frame, pos = place
    after = redacted(frame, pos)
    assert redacted(after, pos) is after


@settings(max_examples=100)
@given(frame=_frames(), chance=st.randoms(use_true_random=False))
def test_several_hold_in_any_order(frame: bytes, chance: Random) -> None:
    positions = list(texts(frame))
    chosen = chance.choices(positions, k=min(5, len(positions))) if positions else []
    one, other = frame, frame
    for pos in chosen:
        one = redacted(one, pos)
    for pos in reversed(chosen):
        other = redacted(other, pos)
    assert one == other
    assert texts(one) == texts(frame) | dict.fromkeys(chosen, "")


@settings(max_examples=80)
@given(frame=_frames(), pos=st.integers(0, END))
@example(wire.encode(wire.Segment("#a", 0, 3, 3, 0, [wire.TopicSet("ann", "stays")])), 3)
def test_where_no_message_is_nothing_changes(frame: bytes, pos: int) -> None:
    segment = wire.decode_segment(frame)
    beside = [segment.first - 1, segment.first + 10_000, pos]
    assert all(redacted(frame, one) is frame for one in beside if one not in texts(frame))
    for one in range(segment.first, segment.first + 300):
        if one not in texts(frame):
            assert redacted(frame, one) is frame


@settings(max_examples=10)
@given(lengths=st.lists(st.integers(1, limits.TEXT_BYTES_MAX), min_size=1, max_size=2))
def test_large_segments(lengths: list[int]) -> None:
    entry = wire.Messages("ann", 1, 0, ["x" * length for length in lengths])
    frame = wire.encode(wire.Segment("#a", 0, 1, len(lengths), 0, [entry]))
    for pos in range(1, len(lengths) + 1):
        frame = redacted(frame, pos)
    assert wire.decode_segment(frame).entries == [wire.Messages("ann", 1, 0, [""] * len(lengths))]


@settings(max_examples=80)
@given(frame=_frames(), other=_frames(), chance=st.randoms(use_true_random=False))
def test_bytes_that_are_no_segment_are_told_from_others(frame: bytes, other: bytes, chance: Random) -> None:
    broken = damaged(frame, other, chance)
    try:
        segment = wire.decode_segment(broken)
    except wire.Malformed:
        segment = None
    try:
        after = redacted(broken, segment.first if segment else 1)
    except wire.Malformed:
        assert segment is None
    else:
        assert segment is not None
        assert wire.decode_segment(after).first == segment.first


@st.composite
def _logs(draw: st.DrawFn) -> list[Write]:
    """Some commits redact what was said in them, before them, or is not said yet."""
    positions = st.lists(st.integers(0, 80), max_size=4)
    return [write._replace(redactions=draw(positions)) for write in draw(LOGS)]


@settings(max_examples=40)
@given(log=_logs())
def test_both_stores_keep_what_was_left(log: list[Write]) -> None:
    frames: dict[int, bytes] = {}
    for write in log:
        frames |= {segment.first: segment.frame for segment in write.segments}
        for pos in write.redactions:
            frames = {first: redacted(frame, pos) for first, frame in frames.items()}
    with stores(log) as readers:
        for reader in readers:
            for conversation in CONVERSATIONS:
                of_it = [frames[s.first] for s in segments_of(log) if s.conversation == conversation]
                for query in (
                    PageQuery(conversation, "after", 0, 10**6),
                    PageQuery(conversation, "before", END, 10**6),
                    PageQuery(conversation, "since", 0, 10**6),
                ):
                    assert reader.page(query) == (of_it, 0)
