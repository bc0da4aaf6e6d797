"""The options that every command of a client has, and the session that they lead to."""

import functools
import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from zchat.client import identity
from zchat.client.commands import completing
from zchat.client.commands.addresses import with_remedy
from zchat.client.commands.admission import hints, invite_after
from zchat.client.identity import Asked, Identity
from zchat.common import keys, limits, settings
from zchat.common.errors import Refused, WrongIdentity
from zchat.common.links import Link
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

    def identity(self, *, may_ask: bool = True) -> Identity:
        """Nick and broker; asks for the nick and raises as `identity.find` does. The file of --key-file is
        read already: while `run` heeds signals, one that blocks could not be interrupted."""
        return identity.find(self.asked, may_ask=may_ask).with_key_loaded()

    def origin_of_secret(self, who: Identity) -> str:
        """What has the key that is in no file."""
        if not who.is_bot:
            return "ZCHAT_KEY"
        return "ZCHAT_TOKEN" if self.asked.token is None else "the token of --token"

    def link(self) -> Link:
        """The broker; raises what `identity.find_link` does."""
        return identity.find_link(self.asked)


def client_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options; the function gets them together as `caller`."""
    return _with_options(command, _OPTIONS)


def client_options_but_nick(command: Callable[..., None]) -> Callable[..., None]:
    """The same where --nick is for somebody else: --as is in its place."""
    return _with_options(command, (_AS, *_OPTIONS[1:]))


def _with_options(
    command: Callable[..., None], options: Sequence[Callable[[Callable[..., None]], Callable[..., None]]]
) -> Callable[..., None]:
    @functools.wraps(command)
    def gathered(*, timeout: float, **others: Any) -> None:
        asked = Asked(**{name: others.pop(name) for name in Asked._fields})
        command(caller=Caller(asked, timeout or None), **others)

    for option in reversed(options):
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
    register: bool | None = None,
) -> AsyncIterator["AsyncClient"]:
    """A connected client, closed at the end. Says so when the nick was registered with it. `register`:
    whether a free nick is to be; None: if it was named, or an invite is shown."""
    from zchat.client.aio import AsyncClient

    registers = (who.may_register or bool(who.invite)) if register is None else register
    has_key = who.has_key()
    is_new = registers and not has_key
    make = functools.partial(
        AsyncClient,
        who.link,
        who.nick,
        key=who.key() if registers or has_key else keys.draw(),  # who is refused leaves nothing behind
        rooms=tuple(rooms),
        quiet=quiet,
        state=state,
        register=registers,
        timeout=timeout,
    )
    async with AsyncExitStack() as stack:
        with hints(who, is_new):
            try:
                client = await stack.enter_async_context(make(invite=who.invite))
            except (Refused, WrongIdentity) as error:
                invite = await invite_after(error, who, timeout) if registers else None
                if invite is None:
                    raise
                client = await stack.enter_async_context(make(invite=invite))
        if client.registered:
            say(f"registered as {client.nick}")
        elif is_new and who.invite:  # there was no key of it here, and the invite was for this nick
            say(f"the keys that {client.nick} had are worthless now: the one here took their place")
        who._replace(nick=client.nick).remember()
        try:
            yield client
        except Refused as error:
            raise with_remedy(error) from None


def warn_of_options(words: Sequence[str], to: str) -> None:
    """Behind the argument `to` everything is text, also what looks like an option: whoever meant one hears of
    it."""
    command = click.get_current_context().command
    known = {name for one in command.params if isinstance(one, click.Option) for name in one.opts}
    for place, word in enumerate(words):
        name = word.partition("=")[0]
        if name in known | {"-h", "--help"} and (name.startswith("--") or place == 0):
            say(f"{name} behind {to} is text; options stand before {to}")


def _seconds(context: click.Context, parameter: click.Parameter, value: str | float) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if 0 <= seconds <= settings.SECONDS_MAX:
        return seconds
    source = context.get_parameter_source(parameter.name or "")
    hint = "ZCHAT_TIMEOUT" if source is ParameterSource.ENVIRONMENT else None
    raise click.BadParameter(f"{value!r} is no number of seconds; 0 is for ever", param_hint=hint)


def _default_timeout() -> float:
    chosen = settings.client().timeout
    return 5.0 if chosen is None else chosen


def _not_empty(_context: click.Context, _parameter: click.Parameter, typed: str | None) -> str | None:
    """A script whose secret is not set must not go on as somebody else."""
    if typed == "":
        raise click.BadParameter("it is empty; what is not meant is left out")
    return typed


_AS = click.option(
    "--as", "nick", metavar="NICK", callback=_not_empty, help="Who asks, if not the account (ZCHAT_NICK)."
)
_OPTIONS = (
    click.option("--nick", metavar="NICK", callback=_not_empty, help="Who you are (ZCHAT_NICK)."),
    click.option(
        "--key-file",
        metavar="FILE",
        callback=_not_empty,
        help="Your secret key, when it is not kept here (ZCHAT_KEY).",
    ),
    click.option(
        "--token",
        metavar="TOKEN",
        callback=_not_empty,
        help="A bot's broker, nick and key in one line (ZCHAT_TOKEN).",
    ),
    click.option("--link", metavar="LINK", help="Which broker, zchat://HOST:PORT/KEY (ZCHAT_LINK)."),
    click.option(
        "--context",
        metavar="NAME",
        callback=_not_empty,
        shell_complete=completing.broker,
        help="Which broker, by its name here (ZCHAT_CONTEXT).",
    ),
    click.option(
        "-i",
        "--interface",
        metavar="ADDR",
        callback=_not_empty,
        help="Address of a broker whose key is known here.",
    ),
    click.option(
        "-p",
        "--port",
        type=click.IntRange(1, 65535),
        metavar="PORT",
        help=f"Its port, {limits.PORT} if not given.",
    ),
    click.option(
        "--timeout",
        type=click.UNPROCESSED,
        default=_default_timeout,
        metavar="SECONDS",
        envvar="ZCHAT_TIMEOUT",
        callback=_seconds,
        help="How long to wait for the broker; 5 if not given, 0 is for ever (ZCHAT_TIMEOUT).",
    ),
)
