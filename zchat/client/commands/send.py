"""`zchat send`: one message, or a message a line, acknowledged before the command ends."""

import asyncio
import os
import re
import secrets
import shlex
import time
from typing import TYPE_CHECKING

import click

from zchat.client.commands import lines
from zchat.client.commands.feed import Feed
from zchat.client.commands.formats import sent_json
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.identity import Identity
from zchat.common import limits
from zchat.common.errors import ConfigurationError, OutcomeUnknown

if TYPE_CHECKING:
    from zchat.client.messages import Sent

_LINE_DIGITS = 16  # kept free behind the id of --lines, for a dot and the number of the line


@click.command(context_settings={"allow_interspersed_args": False})
@client_options
@json_option
@click.option("-m", "--message", metavar="TEXT", help="The text, in place of the arguments or stdin.")
@click.option("--lines", "as_lines", is_flag=True, help="Send each line of stdin as a message.")
@click.option("--id", metavar="KEY", help="Your id for the message; repeating it with its id is safe.")
@click.argument("to", metavar="TO")
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
    _check_usage(message, as_lines, id, words)
    if as_lines:
        run(_send_lines(caller.identity(), caller.timeout, to, id, as_json))
        return
    text = _text(message, words)
    run(_send_one(caller.identity(), caller.timeout, to, text, id or _draw_id(), as_json))


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


def _draw_id() -> str:
    """An id that nobody else draws; later ones sort behind it, as an index has it cheapest."""
    return f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(10)}"


async def _send_one(who: Identity, timeout: float | None, to: str, text: str, id: str, as_json: bool) -> None:
    output = Output()
    async with session(who, timeout) as client:
        try:
            sent = await client.send(to, text, id=id, timeout=timeout)
        except (asyncio.CancelledError, OutcomeUnknown):
            # also when interrupted: it may be on its way
            repeat = f"zchat send --id {shlex.quote(id)} {shlex.quote(to)} …"
            raise OutcomeUnknown(
                f"nobody knows whether the message was stored. Repeating it is safe: {repeat}", id
            ) from None
    if as_json:
        await output.json(sent_json(sent))


async def _send_lines(who: Identity, timeout: float | None, to: str, id: str | None, as_json: bool) -> None:
    output = Output()

    async def report(sent: "Sent") -> None:
        if as_json:
            await output.json(sent_json(sent))

    async with session(who, timeout) as client:
        feed = Feed(client, to, id, timeout, report)
        await feed.run(lines.read_lines())
    if not feed.stored:
        raise ConfigurationError("nothing to send: stdin is empty")
