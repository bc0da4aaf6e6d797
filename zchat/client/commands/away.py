"""`zchat away`: say that one is away, and why, or is back."""

import os

import click

from zchat.client.commands import lines
from zchat.client.commands.acts import do
from zchat.client.commands.formats import away_json
from zchat.client.commands.options import Caller, client_options, json_option, warn_of_options
from zchat.client.commands.slash import AWAY


@click.command(context_settings={"allow_interspersed_args": False})
@client_options
@json_option
@click.option("--back", is_flag=True, help="Be away no longer.")
@click.argument("words", nargs=-1, metavar="[TEXT]...", type=click.UNPROCESSED)
def away(caller: Caller, as_json: bool, back: bool, words: tuple[str, ...]) -> None:
    """Say that you are away, and with TEXT why; or with --back that you are back.

    `zchat users`, `zchat whois` and the chat show it, until you say that you are back; it has nothing to do
    with whether a program of yours runs. Options stand before TEXT.

    \b
    Examples:
      zchat away
      zchat away at lunch
      zchat away --back
    """
    if back and words:
        raise click.UsageError("--back stands alone")
    warn_of_options(words, "TEXT")
    text = "" if back else lines.decode(os.fsencode(" ".join(words))) or AWAY
    do(caller, lambda client: client.set_away(text), as_json, lambda pos: away_json(text, pos))
