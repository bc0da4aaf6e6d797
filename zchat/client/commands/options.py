"""The options that every command of a client has, and the session that they lead to."""

import functools
import math
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from zchat.client import identity
from zchat.client.identity import Asked, Identity
from zchat.common import limits
from zchat.common.text import say

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient
    from zchat.client.saving import State


class Caller(NamedTuple):
    """Who calls, as far as said, and how long to wait. `timeout` is in seconds; None: for ever."""

    asked: Asked
    timeout: float | None

    def at(self, link: str | None) -> "Caller":
        """The same caller with a link from an argument, which must not contradict --link."""
        if link is None or link == self.asked.link:
            return self
        if self.asked.link is not None:
            raise click.UsageError("two links are given")
        return self._replace(asked=self.asked._replace(link=link))

    def identity(self) -> Identity:
        """Nick and broker; raises what `identity.find` does."""
        return identity.find(self.asked)


def client_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options; the function gets them together as `caller`."""

    @functools.wraps(command)
    def gathered(*, link: Any, interface: Any, port: Any, nick: Any, timeout: float, **others: Any) -> None:
        caller = Caller(Asked(link, interface, port, nick), timeout or None)
        command(caller=caller, **others)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--json`, for commands with output."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")(command)


@asynccontextmanager
async def session(
    who: Identity,
    timeout: float | None,
    *,
    rooms: Iterable[str] = (),
    quiet: bool = True,
    state: "Path | State | None" = None,
) -> AsyncIterator["AsyncClient"]:
    """A connected client, closed at the end. Says so when the nick was registered with it."""
    from zchat.client.aio import AsyncClient

    client = AsyncClient(
        who.link, who.nick, key=who.key(), rooms=rooms, quiet=quiet, state=state, timeout=timeout
    )
    async with client:
        if client.registered:
            say(f"registered as {client.nick}")
        who._replace(nick=client.nick).remember()
        yield client


def _seconds(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    if not value >= 0 or math.isinf(value):
        raise click.BadParameter(f"{value} is no number of seconds; 0 is for ever")
    return value


_OPTIONS = (
    click.option("--nick", metavar="NICK", envvar="ZCHAT_NICK", help="Who you are (ZCHAT_NICK)."),
    click.option("--link", metavar="LINK", help="Which broker, zchat://HOST:PORT/KEY (ZCHAT_LINK)."),
    click.option("-i", "--interface", metavar="ADDR", help="Address of a broker whose key is known here."),
    click.option(
        "-p",
        "--port",
        type=click.IntRange(1, 65535),
        metavar="PORT",
        help=f"Its port, {limits.PORT} if not given.",
    ),
    click.option(
        "--timeout",
        type=float,
        default=5.0,
        metavar="SECONDS",
        envvar="ZCHAT_TIMEOUT",
        callback=_seconds,
        help="How long to wait for the broker; 5 if not given, 0 is for ever (ZCHAT_TIMEOUT).",
    ),
)
