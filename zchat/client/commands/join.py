"""`zchat join`: be a member of a room, which is made if there is none."""

import click

from zchat.client.commands.acts import act, room_argument
from zchat.client.commands.options import Caller, client_options, json_option


@click.command()
@client_options
@json_option
@room_argument
def join(caller: Caller, as_json: bool, room: str) -> None:
    """Join ROOM for good; a room that does not exist is made.

    What is said in a joined room comes to you by itself, and waits for you while you are away. Reading and
    writing need no joining. Says nothing when it is done, nor when you were a member already.

    \b
    Examples:
      zchat join kitchen
      zchat join --nick logger logs
    """
    act(caller, room, lambda client: client.join(room), as_json)
