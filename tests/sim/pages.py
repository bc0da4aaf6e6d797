"""Pages of the past, compared with a plain list of segments."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.sim.model import Model, Violation
from tests.sim.texts import without
from zchat.common import limits, wire


class Asked(NamedTuple):
    """A Fetch of a user, and how much there was when it was asked."""

    conversation: str
    direction: int
    bound: int
    count: int  # of the conversation's segments
    last_pos: int


class Pages:
    """Looks at what users get when they look at the past."""

    def __init__(self, model: Model, conversation: Callable[[str, str], str]) -> None:
        self._model = model
        self._conversation = conversation

    def asked(self, nick: str, fetch: wire.Fetch) -> Asked:
        """A user asks now."""
        conversation = self._conversation(nick, fetch.to)
        segments = self._model.segments.get(conversation, ())
        count = sum(segment.last <= self._model.known_pos for segment, _ in segments)
        return Asked(conversation, fetch.direction, fetch.bound, count, self._model.last_pos)

    def check(self, asked: Asked, header: wire.Page, got: Sequence[wire.Segment]) -> None:
        """A user got a page. What was durable when it was asked for is in it, what came since may be."""
        removed = self._model.removed
        segments = self._model.segments.get(asked.conversation, [])
        got = [without(segment, removed) for segment in got]  # some texts were there when it was read
        if header.conversation != asked.conversation:
            raise Violation(f"{header} answers {asked}")
        for count in range(asked.count, len(segments) + 1):
            since_pos = self._since(asked, segments[:count])
            for before in ({}, self._model.sizes_before):  # redacted now, or when it was read
                sized = [(one, before.get(one.first, size)) for one, size in segments[:count]]
                if got == _page(sized, asked, since_pos):
                    return
        raise Violation(f"{header} for {asked}: {[(s.first, s.last) for s in got]}")

    def _since(self, asked: Asked, segments: Sequence[tuple[wire.Segment, int]]) -> int:
        """The position after which a page since a time begins."""
        for entry in self._model.log:
            if entry.time_ms >= asked.bound:
                return entry.pos - 1
        return 2**53


def _page(segments: Sequence[tuple[wire.Segment, int]], asked: Asked, since_pos: int) -> list[wire.Segment]:
    """What the page of a log is that has these segments of the conversation."""
    if asked.direction == 1:
        wanted = [part for part in segments if part[0].first < asked.bound][::-1]
    else:
        after = since_pos if asked.direction == 2 else asked.bound
        wanted = [part for part in segments if part[0].last > after]
    page: list[wire.Segment] = []
    size = 0
    for segment, segment_bytes in wanted:
        size += segment_bytes
        if page and size > limits.PAGE_BYTES_MAX:
            break
        page.append(segment)
    return page[::-1] if asked.direction == 1 else page
