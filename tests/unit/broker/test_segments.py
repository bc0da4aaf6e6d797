"""Segments: their bounds, their numbers, and that they are linked."""

import msgspec

from zchat.broker.core.instances import Accepted
from zchat.broker.core.segments import Draft, Numbering
from zchat.broker.core.state import State
from zchat.common import limits, wire


def draft(*texts: str) -> Draft:
    return Draft(wire.encode(wire.Messages("ann", 2**62, 2**52, list(texts))), Accepted(len(texts), b""))


def spans(numbering: Numbering) -> list[tuple[str, int, int, int]]:
    """Conversation, prev, first and last of each segment; and every frame says the same."""
    for stored in numbering.segments:
        decoded = wire.decode_segment(stored.frame)
        assert tuple(stored)[:5] == (
            decoded.conversation, decoded.prev, decoded.first, decoded.last, decoded.time_ms,
        )  # fmt: skip
        assert wire.encode(decoded) == stored.frame
        assert len(stored.frame) <= limits.SEGMENT_BYTES_MAX
        assert stored.last - stored.first < limits.SEGMENT_ENTRIES_MAX
    return [tuple(stored)[:4] for stored in numbering.segments]  # type: ignore[misc]


def test_positions_and_time_are_given_to_what_was_accepted() -> None:
    numbering = Numbering(State(last_pos=10, last_time_ms=0), 77)
    drafts = [draft("a", "b"), draft("c"), draft("d")]
    for one, conversation in zip(drafts, ("#x", "#y", "#x"), strict=True):
        numbering.collect(conversation, one)
    assert drafts[0].accepted.pos == 0
    numbering.close()
    assert spans(numbering) == [("#x", 0, 11, 13), ("#y", 0, 14, 14)]
    assert [(d.accepted.pos, d.accepted.time_ms) for d in drafts] == [(11, 77), (14, 77), (13, 77)]
    numbering.close()
    assert len(numbering.segments) == 2


def test_a_barrier_is_alone_and_closes_all() -> None:
    state = State()
    numbering = Numbering(state, 1)
    numbering.collect("#x", draft("a"))
    numbering.collect("#y", draft("a"))
    assert numbering.barrier("#x", wire.Left("ann")) == 3
    numbering.collect("#y", draft("a"))
    numbering.close()
    assert spans(numbering) == [("#x", 0, 1, 1), ("#y", 0, 2, 2), ("#x", 1, 3, 3), ("#y", 2, 4, 4)]
    assert (state.heads, state.last_pos) == ({"#x": 3, "#y": 4}, 4)


def test_no_more_than_256_entries_and_no_send_is_divided() -> None:
    numbering = Numbering(State(), 1)
    for size in (200, 56, 1, 255, 2, 256, 1):
        numbering.collect("#x", draft(*["x"] * size))
    numbering.close()
    assert spans(numbering) == [
        ("#x", 0, 1, 256),
        ("#x", 256, 257, 512),
        ("#x", 512, 513, 514),
        ("#x", 514, 515, 770),
        ("#x", 770, 771, 771),
    ]


def test_no_more_than_240_kib() -> None:
    numbering = Numbering(State(), 1)
    for _ in range(5):
        numbering.collect("#x", draft("x" * 60_000))
    numbering.close()
    assert spans(numbering) == [("#x", 0, 1, 4), ("#x", 4, 5, 5)]


def test_segments_are_filled_to_the_last_byte_but_a_header() -> None:
    fits = limits.SEGMENT_BYTES_MAX - 256  # room for the longest header
    conversation = "@" + "ä" * 32 + "," + "ö" * 32
    header = msgspec.msgpack.encode((conversation, 2**53 - 1, 2**53 - 1, 2**53 - 1, 2**53 - 1, [0] * 256))
    assert len(header) - 256 < 256
    small = draft("x" * 60_000)
    left = fits - 3 * len(small.entry) - (len(draft("x" * 50_000).entry) - 50_000)
    for surplus, segments in ((0, 1), (1, 2)):
        numbering = Numbering(State(), 1)
        for one in (
            draft("x" * 60_000),
            draft("x" * 60_000),
            draft("x" * 60_000),
            draft("x" * (left + surplus)),
        ):
            numbering.collect(conversation, one)
        numbering.close()
        assert len(spans(numbering)) == segments


def test_the_largest_send_fits() -> None:
    for texts in (["x" * 65_536] * 2, ["x" * 512] * 256, ["é" * 32_768] * 2):
        numbering = Numbering(State(), 1)
        numbering.collect("@" + "ä" * 32 + "," + "ö" * 32, draft(*texts))
        numbering.close()
        assert len(spans(numbering)) == 1
