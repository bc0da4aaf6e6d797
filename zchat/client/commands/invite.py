"""`zchat invite`: a link that lets somebody in."""

import sys
from typing import TYPE_CHECKING, Any

import click

from zchat.client.commands import completing
from zchat.client.commands.administration import (
    Way,
    administering,
    as_account_option,
    nick,
    reason_option,
    room,
    way,
)
from zchat.client.commands.done import printing
from zchat.client.commands.options import Caller, client_options_but_nick, json_option
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.commands.times import lasting_s
from zchat.common import limits
from zchat.common.codes import Refusal
from zchat.common.errors import Refused
from zchat.common.text import say

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

_AGAIN = "Repeating it is safe, and makes another invite"


@click.command()
@client_options_but_nick
@json_option
@as_account_option
@click.option(
    "--nick", "for_nick", metavar="NICK", shell_complete=completing.nick,
    help="Only as NICK; if there is one, in place of a lost key.",
)  # fmt: skip
@click.option(
    "--uses", type=click.IntRange(1, limits.INVITE_USES_MAX), default=1, metavar="N",
    help="How many it lets in; 1 if not given.",
)  # fmt: skip
@click.option(
    "--expires", "lasts_s", metavar="TIME", type=lasting_s, default="24h",
    help="How long it can be used: 10m, 24h, 30d or never; 24h if not given.",
)  # fmt: skip
@click.option(
    "--room", "into", metavar="ROOM", shell_complete=completing.room,
    help="Whom it lets in becomes a member of ROOM, which may be private.",
)  # fmt: skip
@reason_option
def invite(
    caller: Caller,
    as_json: bool,
    as_account: bool,
    for_nick: str | None,
    uses: int,
    lasts_s: float | None,
    into: str | None,
    reason: str,
) -> None:
    """Print one line, a link with a secret: whoever connects with it is let in, and then it is used up.

    Give it as `zchat connect --nick NAME LINK`. The broker keeps no more than a digest of the secret, so
    nobody can print it again. Administrators of the broker make invites, and the account that runs it:
    there, no nick is needed. `zchat admin invites` lists them, `zchat admin end-invite` ends one.

    \b
    Examples:
      zchat invite
      zchat invite --nick ann                     ann lost her key, or is to be called ann
      zchat invite --uses 20 --expires 7d --room course
    """
    if for_nick is not None and uses > 1:
        raise click.UsageError("--nick is for one person: --uses goes without it")
    options = {
        "nick": None if for_nick is None else nick(for_nick),
        "room": None if into is None else room(into),
        "uses": uses,
        "lifetime_s": lasts_s,
        "reason": reason,
    }
    run(_invite(way(caller, as_account, "--as"), as_json, options))


async def _invite(by: Way, as_json: bool, options: dict[str, Any]) -> None:
    from zchat.client.commands.records import invite_json

    output = Output()
    async with administering(by, _AGAIN) as client:
        replaces = options["nick"] and await _registered(client, options["nick"])
        made = await client.admin.make_invite(**options)
    if replaces:
        say(
            f"{replaces} is registered: whoever uses this invite becomes {replaces}, whose keys of today are "
            f"worthless then. If that is not meant: zchat admin end-invite {made.invite}"
        )
    then = f"Nobody can print its link again: zchat admin end-invite {made.invite}"
    with printing(f"there is an invite {made.invite} now", then):
        await (output.json(invite_json(made)) if as_json else output.text(f"{made}\n"))
    if sys.stdout is not None and sys.stdout.isatty():
        say(f"whoever has this line is let in; it is the invite {made.invite}")


async def _registered(client: "AsyncClient", nick: str) -> str | None:
    """The nick as it is registered; None if nobody has it."""
    try:
        return (await client.whois(nick)).nick
    except Refused as error:
        if error.refusal is not Refusal.NO_SUCH_USER:
            raise
        return None
