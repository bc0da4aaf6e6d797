"""By what right a command administers: as a nick, or as the account that runs the broker."""

import functools
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from zchat.client import control
from zchat.client.commands import completing, lines
from zchat.client.commands.addresses import address, quoted
from zchat.client.commands.done import printing
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.records import act_json
from zchat.client.commands.running import run
from zchat.client.commands.times import lasting_s
from zchat.client.identity import Identity
from zchat.common import keys, limits, links, names, places
from zchat.common.codes import Refusal
from zchat.common.errors import ConfigurationError, OutcomeUnknown, Refused
from zchat.common.links import Link

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

Change = Callable[["AsyncClient"], Awaitable[int]]
Question = Callable[["AsyncClient"], Awaitable[Any]]

_NAMING: Final = ("ZCHAT_NICK", "ZCHAT_KEY", "ZCHAT_TOKEN")
_AGAIN: Final = "Repeating it is safe"
_OF_BROKER: Final = "administers the broker"  # in the reasons of refusals, protocol.md, Administration
_AGAINST_ADMINISTRATOR: Final = "only the account that runs it may do that"
_OF_ROOM: Final = re.compile(r"has to be (?:operator|owner) in #(\S+)")


class Way(NamedTuple):
    """Through what is administered: a session of `who`, or the `control` socket. `timeout` in seconds."""

    link: Link
    who: Identity | None
    control: Path | None
    timeout: float | None

    def explained(self, error: Refused) -> Refused:
        """A refusal with what was tried, and who may. A broker tells why, but knows no commands."""
        if self.who is None or error.refusal is not Refusal.NOT_ALLOWED:
            return error
        nick, reason = self.who.nick, error.reason
        if reason.endswith(_AGAINST_ADMINISTRATOR):
            reason = reason.removesuffix(_AGAINST_ADMINISTRATOR) + (
                "only the account that runs the broker may do that to an administrator, on its machine"
                + (" (--as-account)" if _has_as_account() else "")
            )
        elif _OF_BROKER in reason:
            reason += (
                f", and {nick} does not: the account that runs it may, on its machine"
                f"{' (--as-account)' if _has_as_account() else ''}, and let {nick}: "
                f"zchat admin grant {quoted(nick)}"
            )
        elif found := _OF_ROOM.search(reason):
            reason += f". zchat room members {quoted(found[1])} shows who is"
            if not names.is_of_private_room(found[1]) and _has_as_account():
                reason += ", and the account that runs the broker is, too: --as-account"
        return Refused(error.refusal, reason)


def way(caller: Caller, as_account: bool, naming: str = "--nick") -> Way:
    """As whom to administer the broker: as who is named by an option or the environment; else as the account,
    if it runs that broker; else as the default nick. `naming` is the option that names who asks. Raises what
    `identity.find` raises."""
    if as_account or _is_named(caller):
        return way_of(caller, as_account)
    link = caller.link()
    socket = control.socket_of(link)
    if socket is not None:
        return Way(link, None, socket, caller.timeout)
    try:
        return way_of(caller, False)
    except ConfigurationError as error:
        reason = str(error).replace("--nick NAME", f"{naming} NAME")
        raise ConfigurationError(f"{reason}; {_no_socket(link)}") from None


def way_of(caller: Caller, as_account: bool) -> Way:
    """As whom to act in a room: as the nick, or if that is said as the account. Raises what `identity.find`
    raises, and ConfigurationError when the account does not run the broker."""
    if not as_account:
        who = caller.identity()
        return Way(who.link, who, None, caller.timeout)
    if caller.asked.nick or caller.asked.key_file or caller.asked.token:
        raise click.UsageError("--as-account is nobody's: it excludes nicks, keys and tokens")
    link = caller.link()
    socket = control.socket_of(link)
    if socket is None:
        raise ConfigurationError(_no_socket(link))
    return Way(link, None, socket, caller.timeout)


def _is_named(caller: Caller) -> bool:
    asked = caller.asked
    return bool(asked.nick or asked.key_file or asked.token or any(map(os.environ.get, _NAMING)))


def _no_socket(link: Link) -> str:
    at = links.authority(link.host, link.port)
    try:
        path = places.control_socket(keys.to_base32(link.key))
    except ConfigurationError as error:
        return f"no control socket of the broker at {at} was found: {error}"
    return (
        f"no control socket of the broker at {at} was found at {path}: only the account has it that runs the "
        "broker, on its machine and while it runs. If that is you, the broker was started with another "
        "ZCHAT_RUNTIME_DIR or XDG_RUNTIME_DIR"
    )


def _has_as_account() -> bool:
    """Whether the command at hand has the option."""
    context = click.get_current_context(silent=True)
    return context is not None and "as_account" in context.params


@asynccontextmanager
async def administering(by: Way, again: str = _AGAIN) -> AsyncIterator["AsyncClient"]:
    """A connected client. Refusals are explained; `again` says what to do when nobody knows the outcome."""
    from zchat.client.aio import AsyncClient

    try:
        if by.who is None:
            async with AsyncClient(by.link, control=by.control, timeout=by.timeout) as client:
                yield client
        else:
            async with session(by.who, by.timeout, register=False) as client:  # a typo makes no user
                yield client
    except Refused as error:
        raise by.explained(error) from None
    except OutcomeUnknown:
        raise OutcomeUnknown(
            f"the broker gave no answer in time: nobody knows whether it was done. {again}", None
        ) from None


class Call(NamedTuple):
    """A command that administers, as it was called."""

    caller: Caller
    as_account: bool
    as_json: bool

    def about(self, room: str | None, nick: str, change: Change) -> None:
        """Have the broker change something about somebody, in a room or (None) at the broker itself. Raises
        what the session and the change do."""
        by = self.at_broker() if room is None else self.in_room()
        self.act(by, change, lambda pos: act_json(room, nick, pos))

    def act(self, by: Way, change: Change, line: Callable[[int], str]) -> None:
        """The same about anything else: of the position `line` makes the JSON."""
        run(_act(by, change, line if self.as_json else None))

    def show(
        self, by: Way, question: Question, text: Callable[[Any], str], line: Callable[[Any], str]
    ) -> None:
        """Print the rows that the broker answers: as `text`, or each as a `line` of JSON."""
        run(_show(by, question, text, line if self.as_json else None))

    def at_broker(self) -> Way:
        """As whom to administer the broker; see `way`."""
        return way(self.caller, self.as_account)

    def in_room(self) -> Way:
        """As whom to act in a room; see `way_of`."""
        return way_of(self.caller, self.as_account)


async def _act(by: Way, change: Change, line: Callable[[int], str] | None) -> None:
    output = Output()
    async with administering(by) as client:
        pos = await change(client)
    if line is not None:
        with printing("it was done", _AGAIN):
            await output.json(line(pos))


async def _show(
    by: Way, question: Question, text: Callable[[Any], str], line: Callable[[Any], str] | None
) -> None:
    output = Output()
    async with administering(by) as client:
        rows = await question(client)
    await (output.text(text(rows)) if line is None else output.json("".join(map(line, rows))))


# ---- what these commands take -----------------------------------------------------------------------------


def administers(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a client, `--json` and `--as-account`; the function gets them together as `call`."""

    @functools.wraps(command)
    def gathered(*, caller: Caller, as_account: bool, as_json: bool, **others: Any) -> None:
        command(call=Call(caller, as_account, as_json), **others)

    return client_options(json_option(as_account_option(gathered)))


def as_account_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--as-account`."""
    return click.option(
        "--as-account", is_flag=True, help="As the account that runs the broker, and not as a nick."
    )(command)


def reason_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--reason`; empty when there is none."""
    return click.option(
        "--reason", metavar="TEXT", callback=_reason, help="Why; it is kept, and told to those concerned."
    )(command)


def for_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--for`, as `lasts_s` in seconds, None for ever."""
    return click.option(
        "--for", "lasts_s", metavar="TIME", type=lasting_s, default="never",
        help="How long: 10m, 24h, 30d; never if not given: it does not end by itself.",
    )(command)  # fmt: skip


def nick_argument(command: Callable[..., None]) -> Callable[..., None]:
    """NICK, with its mark or without; the function gets it as `subject`."""
    return click.argument("subject", metavar="NICK", callback=_nick, shell_complete=completing.nick)(command)


def _nick(_context: click.Context, _parameter: click.Parameter, typed: str) -> str:
    return nick(typed)


def nick(typed: str) -> str:
    """A nick that was typed with its mark or without. Raises ConfigurationError."""
    return address(f"@{typed.removeprefix('@')}")[1:]


def room(typed: str) -> str:
    """A room that was typed with its mark or without. Raises ConfigurationError."""
    return address(f"#{typed.removeprefix('#')}")[1:]


def _reason(_context: click.Context, _parameter: click.Parameter, typed: str | None) -> str:
    text = lines.decode(os.fsencode(typed or ""))
    if len(text) > limits.REASON_CHARACTERS_MAX:
        raise click.BadParameter(f"a reason has at most {limits.REASON_CHARACTERS_MAX} characters")
    return text
