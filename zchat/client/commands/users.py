"""`zchat users`: who is registered, and who of them is here."""

import click

from zchat.client.commands.formats import person_json, person_text
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.identity import Identity


@click.command()
@client_options
@json_option
def users(caller: Caller, as_json: bool) -> None:
    """List who is registered; a star marks who is here now.

    Here is who has `zchat connect`, `zchat tail` or a bot running.

    \b
    Examples:
      zchat users
      zchat users --json | jq -r 'select(.present).nick'
    """
    run(_list(caller.identity(), caller.timeout, as_json))


async def _list(who: Identity, timeout: float | None, as_json: bool) -> None:
    output = Output()
    async with session(who, timeout) as client:
        people = sorted(await client.users(), key=lambda person: (person.nick.casefold(), person.nick))
    if as_json:
        await output.json("".join(map(person_json, people)))
    else:
        await output.text("".join(map(person_text, people)))
