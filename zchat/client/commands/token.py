"""`zchat token`: what a bot needs, in one line: broker, nick and key, and no more right than was given."""

import sys
from typing import Any

import click

from zchat.client.commands import completing
from zchat.client.commands.addresses import quoted
from zchat.client.commands.administration import (
    Call,
    administering,
    administers,
    nick,
    nick_argument,
    reason_option,
    room,
)
from zchat.client.commands.done import printing
from zchat.client.commands.output import Output
from zchat.client.commands.records import token_json, token_row_json, tokens_text
from zchat.client.commands.running import run
from zchat.client.commands.times import lasting_s
from zchat.common.text import say


@click.group()
def token() -> None:
    """Tokens for bots and scripts. A token is a nick of its own, which may do what you say here and no more.

    Where anyone may register, anyone may make tokens; where invites are needed, administrators may. A bot
    uses its token with --token or ZCHAT_TOKEN, and needs nothing else.

    \b
    Examples:
      zchat token create ci --room builds --send-only
      ZCHAT_TOKEN="$(cat ci.token)" zchat send builds "build 4711 is green"
      zchat token list
      zchat token revoke ci
    """


@token.command()
@administers
@click.option(
    "--room", "rooms", metavar="ROOM", multiple=True, shell_complete=completing.room,
    help="For this room; may be repeated. Without: for all public rooms, and direct messages.",
)  # fmt: skip
@click.option("--send-only", is_flag=True, help="It may not read.")
@click.option("--read-only", is_flag=True, help="It may not send.")
@click.option(
    "--expires", "lasts_s", metavar="TIME", type=lasting_s, default="never",
    help="How long it holds: 24h, 30d; never if not given: it does not end by itself.",
)  # fmt: skip
@reason_option
@click.argument("name", metavar="NAME")
def create(
    call: Call,
    rooms: tuple[str, ...],
    send_only: bool,
    read_only: bool,
    lasts_s: float | None,
    reason: str,
    name: str,
) -> None:
    """Register the bot NAME, and print its token: one line.

    Keep it as secret as a password: whoever has it is that bot. It is kept nowhere, and cannot be printed
    again; after `zchat token revoke` another one can be made for the same NAME.

    \b
    Examples:
      zchat token create ci --room builds --send-only --expires 30d
      (umask 077; zchat token create logger --read-only > logger.token)
    """
    if send_only and read_only:
        raise click.UsageError("--send-only and --read-only exclude each other")
    options = {
        "rooms": [room(one) for one in rooms],
        "may_send": not read_only,
        "may_read": not send_only,
        "lifetime_s": lasts_s,
        "reason": reason,
    }
    run(_create(call, nick(name), options))


async def _create(call: Call, name: str, options: dict[str, Any]) -> None:
    output = Output()
    again = "zchat token list tells; if it is there, zchat token revoke ends it, and it can be made again"
    async with administering(call.at_broker(), again) as client:
        made = await client.admin.make_token(name, **options)
    then = f"Nobody can print it again: zchat token revoke {quoted(made.nick)}, and make another one"
    with printing(f"there is a token for {made.nick} now", then):
        await (output.json(token_json(made)) if call.as_json else output.text(f"{made}\n"))
    if sys.stdout is not None and sys.stdout.isatty():
        say(f"whoever has this line is {made.nick} at this broker")


@token.command("list")
@administers
def list_(call: Call) -> None:
    """List your tokens, or all for who administers the broker.

    A line has the nick, what it may, until when, by whom it was made, and its rooms.

    \b
    Examples:
      zchat token list
      zchat token list --json | jq -r 'select(.until == null).nick'
    """
    call.show(call.at_broker(), lambda client: client.admin.tokens(), tokens_text, token_row_json)


@token.command()
@administers
@reason_option
@nick_argument
def revoke(call: Call, reason: str, subject: str) -> None:
    """Make the token of the bot NICK worthless.

    Its sessions end at once. NICK stays taken: another token can be made for it.

    \b
    Example:
      zchat token revoke ci --reason "its log was public"
    """
    call.about(None, subject, lambda client: client.admin.end_token(subject, reason))
