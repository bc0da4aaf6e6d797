"""`zchat whois`: all that is known about somebody."""

import click

from zchat.client.commands import completing
from zchat.client.commands.addresses import address
from zchat.client.commands.formats import profile_json
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.people import profile_text
from zchat.client.commands.running import run
from zchat.client.identity import Identity


@click.command()
@client_options
@json_option
@click.argument("subject", metavar="[NICK]", required=False, shell_complete=completing.nick)
def whois(caller: Caller, as_json: bool, subject: str | None) -> None:
    """Print all that is known about NICK, or about yourself.

    That is the fingerprint of the key, which the owner of the nick finds with `zchat whoami` and can read
    out; since when NICK is registered, is here or was last seen; why NICK is away; whether NICK administers
    the broker or is somebody's bot; the rooms that you are both in. Whom you ignore is told to you alone.

    \b
    Examples:
      zchat whois ann
      zchat whois
      zchat whois --json ann | jq -r '.fingerprints[]'
    """
    nick = None if subject is None else address(f"@{subject.removeprefix('@')}")[1:]
    run(_print(caller.identity(), caller.timeout, nick, as_json))


async def _print(who: Identity, timeout: float | None, nick: str | None, as_json: bool) -> None:
    output = Output()
    async with session(who, timeout) as client:
        profile = await client.whois(nick)
        reader = client.nick
    await (output.json(profile_json(profile)) if as_json else output.text(profile_text(profile, reader)))
