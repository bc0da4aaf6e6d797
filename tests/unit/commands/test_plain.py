"""The chat as plain lines (zchat/client/commands/plain.py), where what is typed stands there already."""

import asyncio
import os
import pty
import re
import select
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from zchat.client.aio import AsyncClient
from zchat.client.commands.chat import Chat
from zchat.client.commands.plain import Plain
from zchat.client.messages import CaughtUp, Message, Sent, Update
from zchat.common.links import parse
from zchat.common.wire import Person, Profile


class Client:
    """Somebody else says the same at the same moment: that comes back first."""

    link = parse("zchat://127.0.0.1:9242/" + "a" * 52)
    nick = "ann"
    connected = True
    joined = frozenset({"general"})

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._posted: asyncio.Queue[tuple[str, asyncio.Future[Sent]]] = asyncio.Queue()

    async def users(self) -> list[Person]:
        return [Person("ann", True)]

    async def whois(self, nick: str | None = None) -> Profile:
        return Profile(1, 1, "ann", [], 0, 0, 1, True, "", 0, 0, "", [], [])

    async def post(self, to: str, text: str) -> "asyncio.Future[Sent]":
        sent: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self._posted.put_nowait((text, sent))
        return sent

    async def updates(self) -> AsyncIterator[Update]:
        yield CaughtUp()
        text, sent = await self._posted.get()
        for pos, sender in enumerate(("bob", "ann"), 1):
            yield Message(pos, pos - 1, 0, sender, "#general", "message", f"~{pos}.0", text, "#general")
        sent.set_result(Sent(2, 0, "~2.0", False))
        os.write(self._terminal, b"\x04")  # Ctrl-D
        await asyncio.Event().wait()


@contextmanager
def terminal() -> Iterator[int]:
    """The other end of the terminal that stdin and stdout are."""
    end, inner = pty.openpty()
    with open(inner, encoding="utf-8") as stdin, open(os.dup(inner), "w", encoding="utf-8") as stdout:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", stdin)
            patch.setattr("sys.stdout", stdout)
            before = os.dup(0)
            os.dup2(inner, 0)  # lines are read past sys.stdin
            try:
                yield end
            finally:
                os.dup2(before, 0)
                os.close(before)
    os.close(end)


def all_shown(end: int) -> str:
    """What was written so far; a terminal hands it out in pieces."""
    seen = b""
    while select.select([end], [], [], 0)[0]:
        seen += os.read(end, 65536)
    return seen.decode()


def test_the_same_line_of_somebody_else_is_shown() -> None:
    async def talk(end: int) -> None:
        plain = Plain(as_json=False)
        async with asyncio.timeout(20):
            await plain.run(Chat(cast(AsyncClient, Client(end)), plain), None)

    with terminal() as end:  # not as a fixture: stdout is pytest's again when the test begins
        os.write(end, b"hi\n")
        asyncio.run(talk(end))
        seen = all_shown(end)
    assert re.findall(r"<(\w+)> hi", seen) == ["bob"], seen
