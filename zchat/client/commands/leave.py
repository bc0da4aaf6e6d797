"""`zchat leave`: be a member of a room no longer."""

import click

from zchat.client.commands.acts import act, room_argument
from zchat.client.commands.options import Caller, client_options, json_option


@click.command()
@client_options
@json_option
@room_argument
def leave(caller: Caller, as_json: bool, room: str) -> None:
    """Leave ROOM: what is said there does not come to you any more.

    The room stays, and can still be read and written. Says nothing when it is done, nor when you were no
    member.

    \b
    Example:
      zchat leave kitchen
    """
    act(caller, room, lambda client: client.leave(room), as_json)
