"""What was said, and what happened: of one conversation, and of several in the order of their positions."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from zchat.client.messages import Act, Message
from zchat.common import names

if TYPE_CHECKING:
    from zchat.client.messages import Entry

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
    ) -> list[Message]: ...

    async def entries(
        self,
        to: str,
        *,
        limit: int = ...,
        before: int | None = ...,
        after: int | None = ...,
        since_ms: int | None = ...,
    ) -> "list[Entry]": ...


class Wanted(NamedTuple):
    """Which messages of a conversation, and with `events` what else happened; `sender` is a nick, folded.
    `most`: no more than that, None: all. The last ones are meant when neither `after` nor `since_ms` is
    given, and then there has to be a `most`."""

    to: str
    most: int | None = None
    before: int | None = None
    after: int | None = None
    since_ms: int | None = None
    sender: str | None = None
    events: bool = False

    def limit(self, left: int | None) -> int:
        """How many to read at once when so many are still to be found: no more, unless some will not do."""
        return _PAGE if left is None or self.sender is not None else min(left, _PAGE)

    def has(self, entry: "Entry") -> bool:
        """Whether it is from whom it should be."""
        return self.sender is None or _folded(_who(entry)) == self.sender

    async def page(
        self, client: Reading, limit: int, before: int | None, after: int | None = None
    ) -> "Sequence[Entry]":
        """At most `limit` of them, whoever they are from."""
        if self.events:
            return await client.entries(
                self.to, limit=limit, before=before, after=after, since_ms=self.since_ms
            )
        return await client.history(self.to, limit=limit, before=before, after=after, since_ms=self.since_ms)


async def entries(client: Reading, wanted: Wanted) -> AsyncIterator["Entry"]:
    """What is wanted, the oldest first; a few pages of it are held at a time, however much there is."""
    if wanted.most == 0:
        await client.history(wanted.to, limit=1)  # the broker refuses what does not exist
    elif wanted.after is not None or wanted.since_ms is not None:
        async for entry in _from_the_first_on(client, wanted):
            yield entry
    else:
        async for entry in _up_to_the_last(client, wanted):
            yield entry


async def _from_the_first_on(client: Reading, wanted: Wanted) -> AsyncIterator["Entry"]:
    left, after = wanted.most, wanted.after
    while True:
        limit = wanted.limit(left)
        page = await wanted.page(client, limit, wanted.before, after)
        found = [entry for entry in page if wanted.has(entry)][:left]
        for entry in found:
            yield entry
        left = None if left is None else left - len(found)
        if left == 0 or len(page) < limit:
            return
        after = page[-1].pos


async def _up_to_the_last(client: Reading, wanted: Wanted) -> AsyncIterator["Entry"]:
    """Goes back until enough are found. What lies before the last of them is only counted on the way, and
    read again on the way forward."""
    left, before = wanted.most or 0, wanted.before
    held: list[Entry] = []
    first = 0  # position of the first that was found
    while left:
        limit = wanted.limit(left)
        page = await wanted.page(client, limit, before)
        if found := [entry for entry in page if wanted.has(entry)][-left:]:
            left, first = left - len(found), found[0].pos
            held = found + held if len(held) < _PAGE else held
        if len(page) < limit:
            break
        before = page[0].pos
    if held and first < held[0].pos:
        earlier = wanted._replace(most=None, after=first - 1, before=held[0].pos)
        async for entry in _from_the_first_on(client, earlier):
            yield entry
    for entry in held:
        yield entry


async def merged(client: Reading, wanted: Sequence[Wanted]) -> AsyncIterator["Entry"]:
    """What is wanted of several conversations, in the order of positions."""
    streams = [entries(client, one) for one in wanted]
    heads = [(await anext(stream, None), stream) for stream in streams]
    waiting = [(head, stream) for head, stream in heads if head is not None]
    while waiting:
        waiting.sort(key=lambda one: one[0].pos)
        entry, stream = waiting.pop(0)
        yield entry
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


def _who(entry: "Entry") -> str:
    """Who wrote or did it."""
    match entry:
        case Message(sender=nick) | Act(actor=nick):
            return nick
        case _:
            return entry.nick
