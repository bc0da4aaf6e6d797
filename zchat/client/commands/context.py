"""`zchat context`: the brokers that this installation knows by name."""

import click

from zchat.client import contexts
from zchat.client.commands import completing
from zchat.client.commands.formats import context_json, context_text
from zchat.client.commands.offline import put
from zchat.client.commands.options import json_option
from zchat.common.errors import ConfigurationError
from zchat.common.text import say


@click.group()
def context() -> None:
    """Brokers by name, and which of them is meant when nothing else is said.

    `zchat connect LINK` makes a context, called by the broker's host; the first one is the current one. When
    a broker moves, connecting with its new link changes its context.

    \b
    Examples:
      zchat context list
      zchat context use chat.example.org
      zchat send --context office general hello
    """


@context.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the contexts; a star marks the current one.

    \b
    Example:
      zchat context list --json | jq -r .link
    """
    current, lines, damaged = contexts.current(), "", False
    for name in contexts.names():
        try:
            found = contexts.link_of(name)
        except ConfigurationError as error:
            say(str(error))
            damaged = True
            continue
        lines += (context_json if as_json else context_text)(name, found, name == current)
    put(lines, as_json)
    if damaged:
        raise ConfigurationError("")


@context.command()
@click.argument("name", metavar="NAME", shell_complete=completing.broker)
def use(name: str) -> None:
    """Make NAME the current context.

    \b
    Example:
      zchat context use office
    """
    contexts.use(name)


@context.command()
@click.argument("name", metavar="NAME", shell_complete=completing.broker)
def remove(name: str) -> None:
    """Forget the context NAME. Keys and cursors stay, so connecting again is the same nick again.

    \b
    Example:
      zchat context remove office
    """
    contexts.remove(name)
