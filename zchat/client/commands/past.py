"""Messages of the past: of one conversation, and of several in the order of their positions."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from zchat.common import names

if TYPE_CHECKING:
    from zchat.client.messages import Message

_PAGE: Final = 2000  # messages that are read at once; a page of the wire has about as many of usual length


class Reading(Protocol):
    """The part of a client that is needed here."""

    async def history(
        self,
        to: str,
        *,
        limit: int = ...,
        before: int | None = ...,
        after: int | None = ...,
        since_ms: int | None = ...,
    ) -> "list[Message]": ...


class Wanted(NamedTuple):
    """Which messages of a conversation; `sender` is a nick, folded. `most`: no more than that, None: all. The
    last ones are meant when neither `after` nor `since_ms` is given, and then there has to be a `most`."""

    to: str
    most: int | None = None
    before: int | None = None
    after: int | None = None
    since_ms: int | None = None
    sender: str | None = None

    def limit(self, left: int | None) -> int:
        """How many to read at once when so many are still to be found: no more, unless some will not do."""
        return _PAGE if left is None or self.sender is not None else min(left, _PAGE)

    def has(self, message: "Message") -> bool:
        """Whether the message is from whom it should be."""
        return self.sender is None or _folded(message.sender) == self.sender


async def messages(client: Reading, wanted: Wanted) -> AsyncIterator["Message"]:
    """The messages, the oldest first; a few pages of them are held at a time, however many there are."""
    if wanted.most == 0:
        await client.history(wanted.to, limit=1)  # the broker refuses what does not exist
    elif wanted.after is not None or wanted.since_ms is not None:
        async for message in _from_the_first_on(client, wanted):
            yield message
    else:
        async for message in _up_to_the_last(client, wanted):
            yield message


async def _from_the_first_on(client: Reading, wanted: Wanted) -> AsyncIterator["Message"]:
    left, after = wanted.most, wanted.after
    while True:
        limit = wanted.limit(left)
        page = await client.history(
            wanted.to, limit=limit, before=wanted.before, after=after, since_ms=wanted.since_ms
        )
        found = [message for message in page if wanted.has(message)][:left]
        for message in found:
            yield message
        left = None if left is None else left - len(found)
        if left == 0 or len(page) < limit:
            return
        after = page[-1].pos


async def _up_to_the_last(client: Reading, wanted: Wanted) -> AsyncIterator["Message"]:
    """Goes back until enough are found. What lies before the last of them is only counted on the way, and
    read again on the way forward."""
    left, before = wanted.most or 0, wanted.before
    held: list[Message] = []
    first = 0  # position of the first that was found
    while left:
        limit = wanted.limit(left)
        page = await client.history(wanted.to, limit=limit, before=before)
        if found := [message for message in page if wanted.has(message)][-left:]:
            left, first = left - len(found), found[0].pos
            held = found + held if len(held) < _PAGE else held
        if len(page) < limit:
            break
        before = page[0].pos
    if held and first < held[0].pos:
        earlier = wanted._replace(most=None, after=first - 1, before=held[0].pos)
        async for message in _from_the_first_on(client, earlier):
            yield message
    for message in held:
        yield message


async def merged(client: Reading, wanted: Sequence[Wanted]) -> AsyncIterator["Message"]:
    """The messages of several conversations, in the order of their positions."""
    streams = [messages(client, one) for one in wanted]
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


def _folded(nick: str) -> str:
    try:
        return names.folded(nick)
    except names.InvalidName:  # another version of Unicode let it in
        return nick
