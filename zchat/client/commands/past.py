"""Messages of the past from several conversations, in the order of their positions."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zchat.client.messages import Message

_PAGE = 2000  # messages: a page of the wire has about as many of usual length


class Reading(Protocol):
    """The part of a client that is needed here."""

    async def history(
        self, to: str, *, limit: int = ..., after: int | None = ..., since_ms: int | None = ...
    ) -> "list[Message]": ...


async def last(client: Reading, addresses: Sequence[str], count: int) -> "list[Message]":
    """The last `count` messages of each conversation. With none wanted the broker is asked all the same: it
    refuses what does not exist."""
    found: list[Message] = []
    for to in addresses:
        found += (await client.history(to, limit=max(count, 1)))[:count]
    return sorted(found, key=lambda message: message.pos)


async def beginning(
    client: Reading, addresses: Sequence[str], after: int | None = None, since_ms: int | None = None
) -> AsyncIterator["Message"]:
    """All messages after the position and not before the time, read page by page."""
    streams = [_pages(client, to, after, since_ms) for to in addresses]
    heads = [(await anext(stream, None), stream) for stream in streams]
    waiting = [(head, stream) for head, stream in heads if head is not None]
    while waiting:
        waiting.sort(key=lambda one: one[0].pos)
        message, stream = waiting.pop(0)
        yield message
        following = await anext(stream, None)
        if following is not None:
            waiting.append((following, stream))


async def position_before(client: Reading, addresses: Sequence[str], time_ms: int) -> int:
    """A position of before the time, as late as these conversations tell: nothing up to it is as new."""
    found = 0
    for to in addresses:
        since = await client.history(to, limit=1, since_ms=time_ms)
        before = [message.prev for message in since] or [m.pos for m in await client.history(to, limit=1)]
        found = max(found, *before, 0)
    return found


async def _pages(
    client: Reading, to: str, after: int | None, since_ms: int | None
) -> AsyncIterator["Message"]:
    while page := await client.history(to, limit=_PAGE, after=after, since_ms=since_ms):
        for message in page:
            yield message
        after = page[-1].pos
