"""Texts in segments: where they are, and how a segment is without them."""

from collections.abc import Container

from msgspec.structs import replace

from zchat.common import wire


def without(segment: wire.Segment, positions: Container[int]) -> wire.Segment:
    """The segment with empty texts at these positions."""
    entries: list[wire.Entries] = []
    pos = segment.first
    for entry in segment.entries:
        if isinstance(entry, wire.Messages):
            texts = ["" if at in positions else text for at, text in enumerate(entry.texts, pos)]
            entries.append(replace(entry, texts=texts))
            pos += len(texts)
            continue
        blank = isinstance(entry, wire.KeyedMessage) and pos in positions
        entries.append(replace(entry, text="") if blank else entry)
        pos += 1
    return replace(segment, entries=entries)


def text_at(segment: wire.Segment, pos: int) -> str:
    """The text of a message; something for what is none."""
    at = segment.first
    for entry in segment.entries:
        texts = entry.texts if isinstance(entry, wire.Messages) else [getattr(entry, "text", "-")]
        if at <= pos < at + len(texts):
            return texts[pos - at]
        at += len(texts)
    raise IndexError(f"{pos} is not in {segment}")
