"""`zchat send`: one message, or a message a line, acknowledged before the command ends."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple

import click

from zchat.client.commands import completing, lines
from zchat.client.commands.addresses import quoted
from zchat.client.commands.feed import Feed
from zchat.client.commands.options import Caller, client_options, json_option, session, warn_of_options
from zchat.client.commands.output import Output
from zchat.client.commands.running import first_of, run
from zchat.client.identity import Identity
from zchat.common import limits
from zchat.common.errors import ConfigurationError, OutcomeUnknown

if TYPE_CHECKING:
    from zchat.client.messages import Sent

_LINE_DIGITS = 16  # kept free behind the id of --lines, for a dot and the number of the line
_AGAIN_MAX = 200  # characters of an argument in a command that is printed


class _One(NamedTuple):
    """A message, and what is needed to tell how it is repeated."""

    to: str
    text: str
    id: str
    is_drawn: bool  # nobody else knows the id yet
    is_from_stdin: bool

    async def stored(self, sending: "Awaitable[Sent]") -> "Sent":
        """The outcome. OutcomeUnknown also when interrupted: it may be on its way."""
        try:
            return await sending
        except (asyncio.CancelledError, OutcomeUnknown):
            raise self.unknown("nobody knows whether the message was stored") from None

    def unknown(self, why: str) -> OutcomeUnknown:
        """Nobody knows, or could be told, what became of it."""
        again = _again(["--id", self.id] if self.is_drawn else [], self.is_from_stdin)
        return OutcomeUnknown(f"{why}. {again}", self.id)


@click.command(context_settings={"allow_interspersed_args": False})
@client_options
@json_option
@click.option("-m", "--message", metavar="TEXT", help="The text, in place of the arguments or stdin.")
@click.option("--lines", "as_lines", is_flag=True, help="Send each line of stdin as a message.")
@click.option("--id", metavar="KEY", help="Your id for the message; repeating it with its id is safe.")
@click.argument("to", metavar="TO", shell_complete=completing.to)
@click.argument("words", nargs=-1, metavar="[TEXT]...", type=click.UNPROCESSED)
def send(
    caller: Caller,
    as_json: bool,
    message: str | None,
    as_lines: bool,
    id: str | None,
    to: str,
    words: tuple[str, ...],
) -> None:
    """Send TEXT to TO, a room (general) or a person (@ann).

    Options stand before TO; after it everything is text. Without TEXT and -m the text is stdin, whole.
    Says nothing when the message is stored. Exit code 8 means that nobody knows whether it was: the command
    to repeat it safely is printed.

    \b
    Examples:
      zchat send general the build is green
      make 2>&1 | tail -1 | zchat send @ann
      zchat send --id build-4711 general the build is green
      tail -f app.log | zchat send --lines logs
    """
    warn_of_options(words, "TO")
    _check_usage(message, as_lines, id, words)
    if as_lines:
        run(_send_lines(caller.identity(), caller.timeout, to, id, as_json))
        return
    text = _text(message, words)
    one = _One(to, text, id or _draw_id(), id is None, is_from_stdin=message is None and not words)
    run(_send_one(caller.identity(), caller.timeout, one, as_json))


def _check_usage(message: str | None, as_lines: bool, id: str | None, words: tuple[str, ...]) -> None:
    given = [
        name
        for name, is_given in (("-m", message is not None), ("TEXT", words), ("--lines", as_lines))
        if is_given
    ]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other")
    if id is None:
        return
    if not re.fullmatch(r"[!-}][!-~]*", id):
        raise click.UsageError("an id is printable ASCII without spaces and does not begin with ~")
    longest = limits.KEY_CHARACTERS_MAX - (_LINE_DIGITS if as_lines else 0)
    if len(id) > longest:
        raise click.UsageError(f"the id has {len(id)} characters; at most {longest} here")


def _text(message: str | None, words: tuple[str, ...]) -> str:
    """The text from the arguments or stdin, never empty."""
    if message is None and not words:
        text, origin = lines.read_text(), "stdin"
    else:
        argument = " ".join(words) if message is None else message
        text, origin = lines.decode(os.fsencode(argument)), "the text"
    if not text:
        raise ConfigurationError(f"nothing to send: {origin} is empty")
    if len(text.encode()) > limits.TEXT_BYTES_MAX:
        raise lines.too_large()
    return text


def _again(options: list[str], is_from_stdin: bool) -> str:
    """How to repeat the command with more options: as it was typed, since others of its options say to whom
    the id belongs. An argument that does not fit into a line is left to the reader."""
    arguments = sys.argv[1:]
    at = arguments.index("send") + 1 if "send" in arguments else 0  # 0: called by a program
    typed = [*arguments[:at], *options, *arguments[at:]]
    shown = [quoted(one) if len(one) <= _AGAIN_MAX and one.isprintable() else "…" for one in typed]
    same = " with the same input" if is_from_stdin else ""
    return f"Repeating it{same} is safe: zchat {' '.join(shown)}"


def _draw_id() -> str:
    """An id that nobody else draws; later ones sort behind it, as an index has it cheapest."""
    return f"{time.time_ns() // 1_000_000:012x}-{os.urandom(10).hex()}"


async def _send_one(who: Identity, timeout: float | None, one: _One, as_json: bool) -> None:
    output = Output()
    sent: Sent | None = None
    try:
        async with session(who, timeout) as client:
            sent = await one.stored(client.send(one.to, one.text, id=one.id, timeout=timeout))
    except asyncio.CancelledError:
        if sent is None:
            raise
        # else only the farewell was interrupted
    if as_json and sent is not None:
        try:
            await output.json(_json(sent))
        except (asyncio.CancelledError, ConfigurationError) as error:
            why = str(error) or "interrupted"
            raise one.unknown(f"the message is stored, but that could not be told: {why}") from None


async def _send_lines(who: Identity, timeout: float | None, to: str, id: str | None, as_json: bool) -> None:
    output = Output()

    async def report(sent: "Sent") -> None:
        if as_json:
            await output.json(_json(sent))

    async with session(who, timeout) as client:
        feed = Feed(client, to, id, timeout, report)
        feeding = feed.run(lines.read_lines())
        await (first_of(feeding, output.reader_gone()) if as_json else feeding)
    if not feed.stored:
        raise ConfigurationError("nothing to send: stdin is empty")


def _json(sent: "Sent") -> str:
    from zchat.client.commands.formats import sent_json

    return sent_json(sent)
