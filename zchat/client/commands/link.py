"""`zchat link`: the join link of a broker, to be given to others. No broker is needed."""

import click

from zchat.client.commands.formats import link_json
from zchat.client.commands.offline import put
from zchat.client.commands.options import Caller, client_options, json_option


@click.command()
@client_options
@json_option
def link(caller: Caller, as_json: bool) -> None:
    """Print the join link of the broker, for another machine or account.

    \b
    Examples:
      zchat link
      ssh chat.example.org zchat link
    """
    found = caller.link()
    put(link_json(found) if as_json else f"{found}\n", as_json)
