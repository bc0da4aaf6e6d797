"""Makes the Writes of a log for the tests of the stores."""

from collections.abc import Sequence

from zchat.broker.core.port import CounterRow, KeyRow, PageQuery, StateRow, StoredSegment, Write
from zchat.broker.store.contract import Reader
from zchat.common import wire

DIGEST = b"0123456789abcdef"


class Log:
    """Counts positions and links segments, so that what it makes could come from the core."""

    def __init__(self) -> None:
        self.seq = 0
        self.last_pos = 0
        self.last_time_ms = 0
        self.heads: dict[str, int] = {}

    def segment(self, conversation: str, messages: int = 1, frame_bytes: int = 0) -> StoredSegment:
        """The next segment; its frame names the conversation and its positions."""
        first, last = self.last_pos + 1, self.last_pos + messages
        prev = self.heads.get(conversation, 0)
        self.heads[conversation] = self.last_pos = last
        frame = f"{conversation} {first}-{last}".encode().ljust(frame_bytes, b".")
        return StoredSegment(conversation, prev, first, last, self.last_time_ms, frame)

    def segment_of(self, conversation: str, *entries: wire.Entries) -> StoredSegment:
        """The next segment, as the core makes it of these entries."""
        positions = sum(len(entry.texts) if isinstance(entry, wire.Messages) else 1 for entry in entries)
        segment = self.segment(conversation, positions)
        return segment._replace(frame=wire.encode(wire.Segment(*segment[:5], list(entries))))

    def write(
        self,
        segments: Sequence[StoredSegment] = (),
        counters: Sequence[CounterRow] = (),
        keys: Sequence[KeyRow] = (),
        state: Sequence[StateRow] = (),
        redactions: Sequence[int] = (),
    ) -> Write:
        """A commit of these, at the log's end."""
        self.seq += 1
        return Write(
            self.seq,
            list(segments),
            list(counters),
            list(keys),
            list(state),
            list(redactions),
            self.last_pos,
            self.last_time_ms,
        )

    def talk(self, conversation: str, messages: int = 1, frame_bytes: int = 0) -> Write:
        """A commit of one segment, with everything that goes with it."""
        segment = self.segment(conversation, messages, frame_bytes)
        return self.write(
            [segment],
            [sent(segment.first, messages, pos=segment.first)],
            [keyed(f"key-{segment.first}", pos=segment.first)],
            [StateRow("head", conversation, b"%d" % segment.last)],
        )


def sent(counter: int, messages: int = 1, user: str = "ann", instance: int = 7, pos: int = 1) -> CounterRow:
    return CounterRow(instance, user, counter, messages, pos, 1000, DIGEST)


def keyed(key: str, user: str = "ann", pos: int = 1) -> KeyRow:
    return KeyRow(user, key, pos, 1000, DIGEST)


def after(conversation: str, bound: int = 0, bytes_max: int = 10**6) -> PageQuery:
    return PageQuery(conversation, "after", bound, bytes_max)


def before(conversation: str, bound: int, bytes_max: int = 10**6) -> PageQuery:
    return PageQuery(conversation, "before", bound, bytes_max)


def since(conversation: str, time_ms: int, bytes_max: int = 10**6) -> PageQuery:
    return PageQuery(conversation, "since", time_ms, bytes_max)


def ranges(reader: Reader, query: PageQuery) -> list[str]:
    """The positions of the segments of a page, as "first-last"."""
    frames, floor = reader.page(query)
    assert floor == 0
    assert all(frame.startswith(query.conversation.encode() + b" ") for frame in frames)
    return [frame.split()[1].rstrip(b".").decode() for frame in frames]


def said(*texts: str) -> wire.Messages:
    """A Send of these texts."""
    return wire.Messages("ann", 7, 0, list(texts))


def texts(reader: Reader, conversation: str) -> list[str]:
    """All that the messages of the conversation say."""
    frames, _ = reader.page(after(conversation, bytes_max=2**40))
    return [text for frame in frames for entry in wire.decode_segment(frame).entries for text in _said(entry)]


def _said(entry: wire.Entries) -> list[str]:
    match entry:
        case wire.Messages(texts=texts):
            return texts
        case wire.KeyedMessage(text=text):
            return [text]
    return []
