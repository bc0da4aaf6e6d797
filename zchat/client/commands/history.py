"""`zchat history`: what was said, page by page."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import click

from zchat.client.commands import completing
from zchat.client.commands.addresses import address
from zchat.client.commands.formats import dated_text, message_json
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.commands.times import SINCE
from zchat.client.identity import Identity
from zchat.common import names
from zchat.common.errors import ConfigurationError

if TYPE_CHECKING:
    from zchat.client.messages import Message

_LAST: Final = 50
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
    """Which messages of a conversation; `sender` is a nick, folded. `most`: no more than that, None: all."""

    to: str
    most: int | None
    before: int | None
    after: int | None
    since_ms: int | None
    sender: str | None

    def limit(self, left: int | None) -> int:
        """How many to read at once when so many are still to be found: no more, unless some will not do."""
        return _PAGE if left is None or self.sender is not None else min(left, _PAGE)

    def has(self, message: "Message") -> bool:
        """Whether the message is from whom it should be."""
        return self.sender is None or _folded(message.sender) == self.sender


@click.command()
@client_options
@json_option
@click.option(
    "-n", "count", type=click.IntRange(0), metavar="N",
    help=f"At most N messages; {_LAST} if not given, and all with --after or --since.",
)  # fmt: skip
@click.option("--before", type=click.IntRange(0), metavar="POS", help="Only those before that position.")
@click.option("--after", type=click.IntRange(0), metavar="POS", help="From the first after that position on.")
@click.option(
    "--since", type=SINCE, metavar="TIME", help="From the first since TIME on (10m, 2h, 3d, a date)."
)
@click.option(
    "--from", "sender", metavar="NICK", shell_complete=completing.nick, help="Only those from NICK."
)
@click.argument("to", metavar="TO", shell_complete=completing.to)
def history(
    caller: Caller,
    as_json: bool,
    count: int | None,
    before: int | None,
    after: int | None,
    since: int | None,
    sender: str | None,
    to: str,
) -> None:
    """Print what was said in the room or with the person TO, the oldest first.

    The last N messages, or with --after or --since the first N from there on. With --from the messages of
    NICK are counted, and those of others are passed over. The position of a message is its `pos` in --json.

    \b
    Examples:
      zchat history general
      zchat history --since 2026-11-24T09:00 --from ann general
      zchat history --json -n 100 --before 4711 @ann
      zchat history --json --after 0 logs > logs.jsonl
    """
    nick = None if sender is None else _nick(sender)
    if count is None and after is None and since is None:
        count = _LAST
    wanted = Wanted(address(to), count, before, after, since, nick)
    run(_print(caller.identity(), caller.timeout, wanted, as_json))


async def _print(who: Identity, timeout: float | None, wanted: Wanted, as_json: bool) -> None:
    output = Output()
    async with session(who, timeout) as client:
        async for message in messages(client, wanted):
            await (output.json(message_json(message)) if as_json else output.text(dated_text(message)))


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


def _nick(typed: str) -> str:
    try:
        return names.folded(typed.removeprefix("@"))
    except names.InvalidName as error:
        raise ConfigurationError(f"--from {typed!r}: the nick {error}") from None


def _folded(nick: str) -> str:
    try:
        return names.folded(nick)
    except names.InvalidName:  # another version of Unicode let it in
        return nick
