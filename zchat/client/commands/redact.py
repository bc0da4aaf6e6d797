"""`zchat redact`: remove the text of a message."""

import click

from zchat.client.commands import completing
from zchat.client.commands.addresses import address
from zchat.client.commands.administration import Call, administers, reason_option
from zchat.client.commands.formats import removed_json


@click.command()
@administers
@reason_option
@click.argument("to", metavar="TO", shell_complete=completing.to)
@click.argument("pos", metavar="POS", type=click.IntRange(1))
def redact(call: Call, reason: str, to: str, pos: int) -> None:
    """Remove the text of the message at POS of the room or the person TO.

    You may do that with what you wrote, and as an operator of a room with what others wrote there. The
    message stays in its place, without its text, and everybody in the conversation is told who removed it,
    and why. When the command ends, the text is in no file of the broker any more. Who has read it has read
    it.

    The position of a message is its `pos` in --json.

    \b
    Examples:
      zchat redact general 4711
      zchat redact --reason "a password" @ann 4712
      zchat redact --as-account --reason spam general 4713
    """
    meant = address(to)
    call.act(
        call.in_room(),
        lambda client: client.redact(meant, pos, reason),
        lambda told: removed_json(meant, pos, told),
    )
