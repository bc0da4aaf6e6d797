"""The chat as plain lines on stdin and stdout: for pipes, programs, and terminals that can do no more."""

import asyncio
import sys
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

from zchat.client.commands.chat import Chat, NotDone
from zchat.client.commands.echoes import Echoes
from zchat.client.commands.formats import message_json, message_text
from zchat.client.commands.incoming import Incoming
from zchat.client.commands.lines import read_lines, too_large
from zchat.client.commands.notices import Notice, notice_json, notice_text
from zchat.client.commands.output import Output
from zchat.client.commands.removed import Removed
from zchat.client.commands.running import first_of
from zchat.client.messages import Message
from zchat.common.errors import ZchatError
from zchat.common.text import say, shown

if TYPE_CHECKING:
    from zchat.client.messages import Sent


_BACK_S = 1.0  # at the end, for what was missed, and for what is stored to come back


class Plain:
    """Lines. With `as_json` stdout has messages and events, one object a line, and all of them; what is for
    people goes to stderr."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._is_person = _is_terminal(sys.stdin)
        self._is_echoed = self._is_person and _is_terminal(sys.stdout) and not as_json
        self._nick = ""  # known when it runs
        self._echoes = Echoes()
        self._removed = Removed()
        self._output = Output()
        self._caught_up = asyncio.Event()

    def waiting(self, broker: str) -> AbstractAsyncContextManager[None]:
        """Nothing moves here while the client connects."""
        return nullcontext()

    async def run(self, chat: Chat, timeout: float | None) -> None:
        """Until the end of the input, and until what it said is stored or refused."""
        self._nick = chat.client.nick
        incoming = Incoming(self, chat, everything=self._as_json)
        if self._is_person:
            await chat.greet()
        await first_of(
            self._converse(chat, timeout),
            incoming.run(chat.client.updates()),
            self._arrive(chat),
            self._output.reader_gone(),
        )
        if chat.posts.failed is not None and not self._is_person:
            raise NotDone(chat.posts.failed)  # a program wants to know

    async def _converse(self, chat: Chat, timeout: float | None) -> None:
        async for line in read_lines():
            try:
                if line.too_long():
                    raise too_large()
                text = line.text()
            except ZchatError as error:
                chat.fail(error)
                continue
            if not await chat.enter(text):
                break
        await chat.posts.settle(timeout)
        with suppress(TimeoutError):
            async with asyncio.timeout(_BACK_S):
                await self._caught_up.wait()
                await self._echoes.come_back()

    async def _arrive(self, chat: Chat) -> None:
        if self._is_person:
            await self._caught_up.wait()
            await chat.arrive()
        await asyncio.Event().wait()

    # ---- the front ----

    @property
    def may_ask(self) -> bool:
        """Somebody sits there and reads it."""
        return self._is_person and not self._as_json

    @property
    def is_program(self) -> bool:
        """A program types it."""
        return not self._is_person

    async def show(self, update: Message | Notice) -> None:
        """What came, but not what stands there already because it was typed. Others may write the same."""
        if not isinstance(update, Message):
            await self._write(notice_json(update) if self._as_json else notice_text(update, self._nick))
        elif not (update.sender == self._nick and self._echoes.take(update) and self._is_echoed):
            message = self._removed.as_it_is(update)
            await self._write(message_json(message) if self._as_json else message_text(message))

    def remove(self, pos: int) -> None:
        """What is printed stays; that it was removed is a line of its own."""
        self._removed.add(pos)

    async def _write(self, line: str) -> None:
        await (self._output.json(line) if self._as_json else self._output.text(line))

    async def text(self, text: str) -> None:
        """Lines for people."""
        if not self._as_json:
            await self._output.text(shown(text))
        elif sys.stderr is not None:
            print(shown(text), end="", file=sys.stderr, flush=True)

    def remark(self, text: str) -> None:
        """A line on stderr."""
        say(text)

    def caught_up(self) -> None:
        """Now a person can be asked."""
        self._caught_up.set()

    def keep(self, text: str) -> None:
        """What was typed stands on the terminal above, and can be typed again."""

    def posted(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        """A terminal has echoed it."""
        self._echoes.add(to, text, sent)


def _is_terminal(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    return isatty is not None and isatty()
