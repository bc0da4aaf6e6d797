"""`zchat connect`: the chat, as plain lines on stdin and stdout."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zchat.client.commands.chat import Chat
from zchat.client.commands.formats import Notice, message_text, notice_text
from zchat.client.commands.lines import read_lines
from zchat.client.commands.missed import Missed
from zchat.client.commands.options import Caller, client_options, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import first_of, run
from zchat.client.identity import Identity
from zchat.client.messages import Came, CaughtUp, Message, Status, Update, Went
from zchat.common import links
from zchat.common.errors import StateInUse
from zchat.common.text import one_line, say

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

_MOMENT_S = 0.3  # longer than there is between two pages of what was missed


@click.command()
@client_options
@click.option("--room", metavar="ROOM", help="Join ROOM (made if there is none), and write there.")
@click.argument("at", metavar="[LINK]", required=False)
def connect(caller: Caller, room: str | None, at: str | None) -> None:
    """Chat at the broker of LINK: what you type goes to a room, and what others write is shown.

    LINK is what `zchat broker` printed; put it into ZCHAT_LINK, and no command needs it any more. On the
    broker's own machine and account it is not needed. What was said while you were away is shown first. /help
    lists what can be typed; Ctrl-D or /quit waits until all that you wrote is stored, and ends.

    \b
    Examples:
      zchat connect --nick ann
      zchat connect --nick ann zchat://chat.example.org:9242/…
      zchat connect --room kitchen
    """
    run(_connect(caller.at(at).identity(), caller.timeout, room))


async def _connect(who: Identity, timeout: float | None, room: str | None) -> None:
    try:
        await _chat(who, timeout, room, who.state())
    except StateInUse:
        say(f"{who.nick} chats in another terminal; what was missed is shown there, here it begins now")
        await _chat(who, timeout, room, None)


async def _chat(who: Identity, timeout: float | None, room: str | None, state: Path | None) -> None:
    output = Output()
    async with session(who, timeout, quiet=False, state=state) as client:
        chat = Chat(client, output)
        if room is not None:
            await chat.join(room)
        if sys.stdin is not None and sys.stdin.isatty():
            await _greet(client, chat, output)
        await first_of(_converse(chat, timeout), _show(client, output), output.reader_gone())
    lost = await chat.lost()
    if lost is not None:
        raise lost


async def _greet(client: "AsyncClient", chat: Chat, output: Output) -> None:
    others = [
        one_line(person.nick)
        for person in await client.users()
        if person.present and person.nick != client.nick
    ]
    address = links.authority(client.link.host, client.link.port)
    await output.text(
        f"* You are {one_line(client.nick)} at {address}, and write to {chat.room}. "
        "/help lists the commands, Ctrl-D ends.\n"
        f"* {'Here are: ' + ', '.join(others) if others else 'Nobody else is here'}.\n"
    )


async def _converse(chat: Chat, timeout: float | None) -> None:
    """Until the end of the input, and until what it said is stored or refused."""
    async for line in read_lines():
        if not await chat.typed(line):
            break
    await chat.settle(timeout)


async def _show(client: "AsyncClient", output: Output) -> None:
    missed = Missed(_now_ms())
    try:
        async for update in _updates(client, output, missed):
            await _show_one(update, client.nick, output, missed)
    finally:
        await output.text(missed.release())


async def _updates(client: "AsyncClient", output: Output, missed: Missed) -> AsyncIterator[Update]:
    """The updates; when none follows for a moment, what is held back is shown: there is no more of it."""
    updates = aiter(client.updates())
    while True:
        following = asyncio.ensure_future(anext(updates))
        try:
            if missed and not (await asyncio.wait([following], timeout=_MOMENT_S))[0]:
                await output.text(missed.release())
            yield await following
        finally:
            following.cancel()


async def _show_one(update: Update, nick: str, output: Output, missed: Missed) -> None:
    if isinstance(update, Message) and missed.holds(update):
        return
    await output.text(missed.release())
    if isinstance(update, Message):
        await output.text(message_text(update))
    elif isinstance(update, Status):
        kept = "; what you type is kept, and sent when it is back" if update.kind == "away" else ""
        say(update.text + kept)
        if update.kind == "back":
            missed.began_ms = _now_ms()
    elif not isinstance(update, CaughtUp) and not _is_no_news(update, nick, missed):
        await output.text(notice_text(update))


def _is_no_news(notice: Notice, nick: str, missed: Missed) -> bool:
    """Of what was missed only the messages are worth showing, and nobody has to hear of their own coming."""
    if isinstance(notice, Came | Went):
        return notice.nick == nick
    return notice.time_ms < missed.began_ms


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
