"""`zchat join`: be a member of a room, which is made if there is none."""

import click

from zchat.client.commands.acts import act, room_argument
from zchat.client.commands.addresses import quoted
from zchat.client.commands.done import printing
from zchat.client.commands.formats import change_json
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.identity import Identity
from zchat.common.errors import OutcomeUnknown
from zchat.common.text import one_line


@click.command()
@client_options
@json_option
@click.option(
    "--private", is_flag=True, help="Make a private room, and print its name: ROOM, + and a number."
)
@room_argument
def join(caller: Caller, as_json: bool, private: bool, room: str) -> None:
    """Join ROOM for good; a room that does not exist is made.

    What is said in a joined room comes to you by itself, and waits for you while you are away. Reading and
    writing need no joining. Says nothing when it is done, nor when you were a member already.

    Of a private room nobody knows but its members, and those whom `zchat room invite` lets join it.

    \b
    Examples:
      zchat join kitchen
      zchat join --nick logger logs
      zchat room invite "$(zchat join --private ops)" ann
    """
    if private:
        run(_create_private(caller.identity(), caller.timeout, room, as_json))
    else:
        act(caller, room, lambda client: client.join(room), as_json)


async def _create_private(who: Identity, timeout: float | None, base: str, as_json: bool) -> None:
    output = Output()
    async with session(who, timeout) as client:
        try:
            name = await client.create_private(base)
        except OutcomeUnknown:
            raise OutcomeUnknown(
                "the broker gave no answer in time: nobody knows whether there is such a room now. "
                "zchat rooms lists those that you are in",
                None,
            ) from None
    pos = int(name.rpartition("+")[2])  # where it was made
    with printing(f"there is a private room #{name} now", f"If nobody needs it: zchat leave {quoted(name)}"):
        await (output.json(change_json(name, pos)) if as_json else output.text(f"{one_line(name)}\n"))
