"""`zchat rooms`: the rooms there are."""

import click

from zchat.client.commands.formats import room_json, rooms_text
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.identity import Identity


@click.command()
@client_options
@json_option
def rooms(caller: Caller, as_json: bool) -> None:
    """List the rooms: name, number of members, topic.

    \b
    Examples:
      zchat rooms
      zchat rooms --json | jq -r 'select(.members > 0).name'
    """
    run(_list(caller.identity(), caller.timeout, as_json))


async def _list(who: Identity, timeout: float | None, as_json: bool) -> None:
    output = Output()
    async with session(who, timeout) as client:
        found = await client.rooms()
    if as_json:
        await output.json("".join(map(room_json, found)))
    else:
        await output.text(rooms_text(found))
