"""`zchat ignore`: whom one does not want to read."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from zchat.client.commands.acts import do
from zchat.client.commands.administration import nick_argument
from zchat.client.commands.formats import ignored_json
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.identity import Identity
from zchat.common.text import one_line

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient


@click.group()
def ignore() -> None:
    """Whom you do not want to read.

    `zchat connect` and `zchat tail` pass over what these people write, in rooms and to you; `zchat history`
    shows it. They are not told. It is kept with your account, and so is the same on all your machines.

    \b
    Examples:
      zchat ignore add bob
      zchat ignore list
      zchat ignore remove bob
    """


@ignore.command("list")
@client_options
@json_option
def list_(caller: Caller, as_json: bool) -> None:
    """List whom you ignore.

    \b
    Example:
      zchat ignore list
    """
    run(_list(caller.identity(), caller.timeout, as_json))


@ignore.command()
@client_options
@json_option
@nick_argument
def add(caller: Caller, as_json: bool, subject: str) -> None:
    """Ignore NICK from now on; a `tail` that runs hears of it when it connects anew.

    \b
    Example:
      zchat ignore add bob
    """
    do(caller, _set(subject, True), as_json, lambda _: ignored_json(subject, True))


@ignore.command()
@client_options
@json_option
@nick_argument
def remove(caller: Caller, as_json: bool, subject: str) -> None:
    """Ignore NICK no longer.

    \b
    Example:
      zchat ignore remove bob
    """
    do(caller, _set(subject, False), as_json, lambda _: ignored_json(subject, False))


def _set(nick: str, ignored: bool) -> Callable[["AsyncClient"], Awaitable[int]]:
    return lambda client: client.set_ignored(nick, ignored)


async def _list(who: Identity, timeout: float | None, as_json: bool) -> None:
    output = Output()
    async with session(who, timeout) as client:
        ignored = (await client.whois()).ignored
    if as_json:
        await output.json("".join(ignored_json(nick, True) for nick in ignored))
    else:
        await output.text("".join(f"{one_line(nick)}\n" for nick in ignored))
