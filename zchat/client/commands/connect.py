"""`zchat connect`: the chat, drawn on a terminal, or as plain lines on stdin and stdout."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zchat.client import contexts
from zchat.client.commands import completing
from zchat.client.commands.addresses import address
from zchat.client.commands.chat import Chat
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.plain import Plain
from zchat.client.commands.running import run
from zchat.client.identity import Identity
from zchat.common import links
from zchat.common.codes import Refusal
from zchat.common.errors import ConfigurationError, OutcomeUnknown, StateInUse, WrongIdentity
from zchat.common.links import Link
from zchat.common.text import say

if TYPE_CHECKING:
    from zchat.client.terminal.front import Terminal


@click.command()
@client_options
@json_option
@click.option(
    "--room", metavar="ROOM", shell_complete=completing.room,
    help="Join ROOM (made if there is none), and write there.",
)  # fmt: skip
@click.option("--plain", is_flag=True, help="Plain lines on a terminal, too: nothing is drawn or coloured.")
@click.argument("at", metavar="[LINK]", required=False)
def connect(caller: Caller, as_json: bool, room: str | None, plain: bool, at: str | None) -> None:
    """Chat at the broker of LINK: what you type goes to a room or a person, and what others write is shown.

    LINK is what `zchat broker` printed. It is remembered, so that no command needs it any more; on the
    broker's own machine and account it is not needed at all. A nick that is free becomes yours. What was
    said while you were away is shown first, then who is here. /help lists what can be typed; Ctrl-D or /quit
    waits until all that you wrote is stored, and leaves.

    In a pipe, and with --plain, the chat is plain lines. With --json stdout has an object for each message
    and event.

    \b
    Examples:
      zchat connect --nick ann
      zchat connect --nick ann zchat://chat.example.org:9242/…
      zchat connect --room kitchen
    """
    room = None if room is None else address("#" + room.removeprefix("#"))
    while True:
        front = Plain(as_json) if plain or as_json or not _can_draw() else _terminal()
        who = caller.at(at).identity()
        try:
            run(_connect(who, caller.timeout, front, room, saves=at is not None))
            return
        except WrongIdentity as error:
            if not who.was_asked or error.refusal is not Refusal.NICK_TAKEN:
                raise
            say(str(error))  # and the nick is asked for again


def _can_draw() -> bool:
    """A person sits at a terminal on which lines can be drawn anew."""
    if sys.stdin is None or sys.stdout is None or os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()


def _terminal() -> "Terminal":
    from zchat.client.terminal.front import Terminal

    return Terminal()


async def _connect(
    who: Identity, timeout: float | None, front: "Plain | Terminal", room: str | None, saves: bool
) -> None:
    try:
        await _chat(who, timeout, front, room, saves, who.state())
    except StateInUse:
        say(f"{who.nick} chats in another terminal; what was missed is shown there, here it begins now")
        await _chat(who, timeout, front, room, saves, None)


def _remember(link: Link) -> None:
    try:
        contexts.save(link)
    except ConfigurationError as error:  # a directory that can only be read is enough to chat
        say(f"{error}. The link is not remembered")


async def _chat(
    who: Identity,
    timeout: float | None,
    front: "Plain | Terminal",
    room: str | None,
    saves: bool,
    state: Path | None,
) -> None:
    chat = None
    try:
        async with AsyncExitStack() as stack:
            async with front.waiting(links.authority(who.link.host, who.link.port)):
                entered = session(who, timeout, quiet=False, state=state, register=True)
                client = await stack.enter_async_context(entered)
            if saves:
                _remember(who.link)
            chat = Chat(client, front)
            if room is not None:
                await chat.join(room)
            await front.run(chat, timeout)
    except asyncio.CancelledError:
        lost = None if chat is None else await chat.posts.lost()
        if isinstance(lost, OutcomeUnknown):
            raise lost from None  # which is worse to know than that it was interrupted
        raise
    lost = await chat.posts.lost()
    if lost is not None:
        raise lost
