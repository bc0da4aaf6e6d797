"""`zchat history`: what was said, page by page."""

from typing import Final

import click

from zchat.client.commands import completing
from zchat.client.commands.addresses import address
from zchat.client.commands.formats import dated, message_json, message_text, minute
from zchat.client.commands.notices import notice_json, notice_text
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.past import Wanted, entries
from zchat.client.commands.running import run
from zchat.client.commands.times import SINCE
from zchat.client.identity import Identity
from zchat.client.messages import Message
from zchat.common import names
from zchat.common.errors import ConfigurationError

_LAST: Final = 50
_JOIN: Final = "zchat join"


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
@click.option("--events", is_flag=True, help="Also who joined and left, new topics, and acts of operators.")
@click.argument("to", metavar="TO", shell_complete=completing.to)
def history(
    caller: Caller,
    as_json: bool,
    count: int | None,
    before: int | None,
    after: int | None,
    since: int | None,
    sender: str | None,
    events: bool,
    to: str,
) -> None:
    """Print what was said in the room or with the person TO, the oldest first.

    The last N messages, or with --after or --since the first N from there on. With --from the messages of
    NICK are counted, and those of others are passed over. The position of a message is its `pos` in --json.
    Whom you ignore is shown as well; a message that was removed is [removed].

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
    wanted = Wanted(address(to), count, before, after, since, nick, events)
    run(_print(caller.identity(), caller.timeout, wanted, as_json))


async def _print(who: Identity, timeout: float | None, wanted: Wanted, as_json: bool) -> None:
    output = Output()
    async with session(who, timeout) as client:
        async for entry in entries(client, wanted):
            if isinstance(entry, Message):
                line = message_json(entry) if as_json else dated(entry.time_ms, message_text(entry))
            elif as_json:
                line = notice_json(entry)
            else:
                line = f"{minute(entry.time_ms)} {notice_text(entry, client.nick, _JOIN)}"
            await (output.json(line) if as_json else output.text(line))


def _nick(typed: str) -> str:
    try:
        return names.folded(typed.removeprefix("@"))
    except names.InvalidName as error:
        raise ConfigurationError(f"--from {typed!r}: the nick {error}") from None
