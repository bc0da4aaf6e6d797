"""`zchat cursor`: how far scripts have got, listed, set and deleted. No broker is needed."""

import click

from zchat.client.commands import completing
from zchat.client.commands.formats import cursor_json, cursor_text
from zchat.client.commands.offline import put
from zchat.client.commands.options import Caller, client_options, json_option
from zchat.client.cursorfile import all_of, cursor_of
from zchat.common.errors import ConfigurationError
from zchat.common.text import say


@click.group()
def cursor() -> None:
    """Named cursors: how far `zchat tail --cursor NAME` has got.

    They are files of this account and this machine, one set for each nick and broker.

    \b
    Examples:
      zchat cursor list
      zchat cursor set deploy 4711
      zchat cursor delete deploy
    """


@cursor.command("list")
@client_options
@json_option
def list_(caller: Caller, as_json: bool) -> None:
    """List the cursors: name, position, and what they are for.

    \b
    Examples:
      zchat cursor list
      zchat cursor list --json | jq -r .name
    """
    lines: list[str] = []
    damaged: ConfigurationError | None = None
    for one in all_of(caller.identity()):
        try:
            listed = one.listed()
        except ConfigurationError as error:
            say(str(error))
            damaged = error
        else:
            lines.append(cursor_json(listed) if as_json else cursor_text(listed))
    put("".join(lines), as_json)
    if damaged is not None:
        raise ConfigurationError("")


@cursor.command("set")
@client_options
@json_option
@click.option("--in-log", is_flag=True, help="POS in the log, over what no tail has printed.")
@click.argument("name", metavar="NAME", shell_complete=completing.cursor)
@click.argument("pos", type=click.IntRange(0, 2**53 - 1), metavar="POS")
def set_(caller: Caller, as_json: bool, in_log: bool, name: str, pos: int) -> None:
    """Say that everything is done up to the message with the position POS.

    After `zchat tail --peek`, and while it runs: that line and all that were printed before it; a line that
    it has not printed is refused. After a tail that moved the cursor, and with --in-log: all positions up to
    POS, and none after it, so that a cursor can be moved forward and back.

    \b
    Examples:
      zchat cursor set deploy 4711
      zchat cursor set --in-log deploy 0
      zchat tail --json --cursor jobs --peek jobs | while read -r line; do
        ./work "$line" && zchat cursor set jobs "$(echo "$line" | jq .pos)"
      done
    """
    file = cursor_of(caller.identity(), name)
    file.set(pos, in_log)
    if as_json:
        put(cursor_json(file.listed()), as_json)


@cursor.command()
@client_options
@json_option
@click.argument("name", metavar="NAME", shell_complete=completing.cursor)
def delete(caller: Caller, as_json: bool, name: str) -> None:
    """Delete the cursor NAME: the next tail with that name begins anew.

    \b
    Example:
      zchat cursor delete deploy
    """
    file = cursor_of(caller.identity(), name)
    listed = file.listed() if as_json else None
    file.delete()
    if listed is not None:
        put(cursor_json(listed), as_json)
