"""`zchat tail`: messages as they come, for scripts and for people who only read."""

from typing import TYPE_CHECKING

import click

from zchat.client.commands import past
from zchat.client.commands.addresses import Chosen, address
from zchat.client.commands.formats import message_json, message_text
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import first_of, run
from zchat.client.identity import Identity
from zchat.client.messages import Message, Status, Update
from zchat.common.text import say

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

_LAST = 10


@click.command()
@client_options
@json_option
@click.option(
    "-n", "count", type=click.IntRange(0), metavar="N", help=f"Begin with the last N; {_LAST} if not given."
)
@click.option("--after", type=click.IntRange(0), metavar="POS", help="Begin with all after that position.")
@click.option("--no-follow", is_flag=True, help="Print what there is, and end.")
@click.argument("to", nargs=-1, metavar="[TO]...")
def tail(
    caller: Caller, as_json: bool, count: int | None, after: int | None, no_follow: bool, to: tuple[str, ...]
) -> None:
    """Print the messages of the rooms and people TO as they come, after the last few of each.

    Without TO: of all rooms that you joined, and those sent to you directly (these from now on).

    \b
    Examples:
      zchat tail
      zchat tail general @ann
      zchat tail -n 100 --no-follow general
      zchat tail --json --after 4711 logs | jq -r .text
    """
    if count is not None and after is not None:
        raise click.UsageError("-n and --after exclude each other")
    chosen = Chosen(map(address, to))
    tailing = _Tail(chosen, _LAST if count is None else count, after, as_json)
    run(tailing.run(caller.identity(), caller.timeout, follow=not no_follow))


class _Tail:
    def __init__(self, chosen: Chosen, count: int, after: int | None, as_json: bool) -> None:
        self._chosen, self._count, self._after = chosen, count, after
        self._output = Output()
        self._as_json = as_json
        self._printed: dict[str, int] = {}  # conversation: the last position

    async def run(self, who: Identity, timeout: float | None, follow: bool) -> None:
        rooms = self._chosen.rooms if follow else ()
        quiet = not follow and bool(self._chosen.addresses)  # a quiet session does not hear what was joined
        async with session(who, timeout, rooms=rooms, quiet=quiet) as client:
            await first_of(self._print_all(client, follow), self._output.reader_gone())

    async def _print_all(self, client: "AsyncClient", follow: bool) -> None:
        """The past is read after the session has begun, so it reaches to what has come since, and overlaps
        it: nothing is missed between the two, and positions tell what is there twice."""
        addresses = self._chosen.addresses or [f"#{room}" for room in sorted(client.joined)]
        if self._after is None:
            for message in await past.last(client, addresses, self._count):
                await self._print(message)
        else:
            async for message in past.after(client, addresses, self._after):
                await self._print(message)
        if follow:
            async for update in client.updates():
                await self._heed(update, client.nick)

    async def _heed(self, update: Update, nick: str) -> None:
        if isinstance(update, Status):
            say(update.text)
        elif isinstance(update, Message) and self._is_new(update) and self._chosen.holds(update, nick):
            await self._print(update)

    def _is_new(self, message: Message) -> bool:
        return message.pos > self._printed.get(message.conversation, 0)

    async def _print(self, message: Message) -> None:
        self._printed[message.conversation] = message.pos
        if self._as_json:
            await self._output.json(message_json(message))
        else:
            await self._output.text(message_text(message))
