"""Segments in the making: entries grouped by conversation, numbered, linked and encoded once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from zchat.broker.core.instances import Accepted
from zchat.broker.core.port import StoredSegment
from zchat.broker.core.state import State
from zchat.common import limits, wire

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_array: Final = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_ENTRIES: Final = wire.Segment.__struct_fields__.index("entries")
_TEXTS: Final = 1 + wire.Messages.__struct_fields__.index("texts")  # behind the tag
_TEXT: Final = 1 + wire.KeyedMessage.__struct_fields__.index("text")
_HEADER_BYTES_MAX: Final = 256  # of a segment, beside its entries: a conversation, five integers, marks


class Draft(NamedTuple):
    """A Send that was decided on: its encoded entry, and where to write its position."""

    entry: bytes
    accepted: Accepted


class Numbering:
    """Gives positions and a time to what was decided, and moves the state's heads.

    Messages are collected by conversation; `close` ends the collecting, as a barrier does.
    """

    def __init__(self, state: State, time_ms: int) -> None:
        self._state = state
        self._time_ms = time_ms
        self._drafts: dict[str, list[Draft]] = {}
        self.segments: list[StoredSegment] = []

    def collect(self, conversation: str, draft: Draft) -> None:
        """Add a Send to its conversation."""
        drafts = self._drafts.get(conversation)
        if drafts is None:
            drafts = self._drafts[conversation] = []
        drafts.append(draft)

    def barrier(self, conversation: str, entry: wire.Entries) -> int:
        """Close what was collected, and number one entry as a segment of its own. Returns its position."""
        self.close()
        self._segment(conversation, [wire.encode(entry)], 1)
        return self._state.last_pos

    def next_pos(self) -> int:
        """The position that a barrier would have now. Closes what was collected."""
        self.close()
        return self._state.last_pos + 1

    def close(self) -> None:
        """Number what was collected, conversation by conversation in the order in which they began."""
        for conversation, drafts in self._drafts.items():
            for part in _parts(drafts):
                first = pos = self._state.last_pos + 1
                for draft in part:
                    draft.accepted.pos = pos
                    draft.accepted.time_ms = self._time_ms
                    pos += draft.accepted.messages
                self._segment(conversation, [draft.entry for draft in part], pos - first)
        self._drafts.clear()

    def _segment(self, conversation: str, entries: list[bytes], positions: int) -> None:
        first, last = self._state.last_pos + 1, self._state.last_pos + positions
        prev = self._state.heads.get(conversation, 0)
        raw = [msgspec.Raw(entry) for entry in entries]
        frame = _encode((conversation, prev, first, last, self._time_ms, raw))
        self.segments.append(StoredSegment(conversation, prev, first, last, self._time_ms, frame))
        self._state.advance(conversation, last)


def _parts(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """Sends that fit one segment; a Send is never divided."""
    part: list[Draft] = []
    positions = size = 0
    for draft in drafts:
        positions += draft.accepted.messages
        size += len(draft.entry)
        full = positions > limits.SEGMENT_ENTRIES_MAX or size > limits.SEGMENT_BYTES_MAX - _HEADER_BYTES_MAX
        if part and full:
            yield part
            part, positions, size = [], draft.accepted.messages, len(draft.entry)
        part.append(draft)
    if part:
        yield part


def redacted(frame: bytes, pos: int) -> bytes:
    """The segment with an empty text at position `pos`, all else as it was, also what a newer broker put
    beside it. The frame itself when there is no text: the position is outside, of no message, or redacted
    already. Raises wire.Malformed for bytes that are no segment. protocol.md, Segments."""
    for at, text, place in _texts(wire.decode_segment(frame)):
        if at == pos and text:
            return _emptied(frame, place)
    return frame


def _texts(segment: wire.Segment) -> Iterator[tuple[int, str, Sequence[int]]]:
    """Of each message its position, its text, and the indexes that lead to the text in the arrays."""
    pos = segment.first
    for number, entry in enumerate(segment.entries):
        match entry:
            case wire.Messages(texts=texts):
                for index, text in enumerate(texts):
                    yield pos + index, text, (_ENTRIES, number, _TEXTS, index)
                pos += len(texts)
            case wire.KeyedMessage(text=text):
                yield pos, text, (_ENTRIES, number, _TEXT)
                pos += 1
            case _:
                pos += 1


def _emptied(value: bytes, place: Sequence[int]) -> bytes:
    """MessagePack arrays within each other, with an empty string where the indexes lead."""
    if not place:
        return _encode("")
    items = _decode_array(value)
    items[place[0]] = msgspec.Raw(_emptied(items[place[0]], place[1:]))
    return _encode(items)
