"""`zchat history`: what was said, page by page."""

from typing import Final

import click

from zchat.client.commands import completing
from zchat.client.commands.addresses import address
from zchat.client.commands.formats import dated_text, message_json
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.past import Wanted, messages
from zchat.client.commands.running import run
from zchat.client.commands.times import SINCE
from zchat.client.identity import Identity
from zchat.common import names
from zchat.common.errors import ConfigurationError

_LAST: Final = 50


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


def _nick(typed: str) -> str:
    try:
        return names.folded(typed.removeprefix("@"))
    except names.InvalidName as error:
        raise ConfigurationError(f"--from {typed!r}: the nick {error}") from None
