"""The chat drawn on a terminal: what comes is printed above the line that is typed."""

import asyncio
import io
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, redirect_stderr, suppress
from typing import TYPE_CHECKING

from prompt_toolkit.formatted_text import StyleAndTextTuples as Fragments

from zchat.client.commands.acting import AWAY
from zchat.client.commands.chat import Chat
from zchat.client.commands.echoes import Echoes
from zchat.client.commands.incoming import Incoming
from zchat.client.commands.lines import too_large
from zchat.client.commands.notices import Notice
from zchat.client.commands.removed import Removed
from zchat.client.commands.running import first_of
from zchat.client.messages import Message, Went
from zchat.client.terminal import styled
from zchat.client.terminal.above import Print
from zchat.client.terminal.completion import Candidates, candidates
from zchat.client.terminal.known import Known
from zchat.client.terminal.line import Line
from zchat.client.terminal.prints import Prints
from zchat.client.terminal.waiting import waiting
from zchat.common.text import one_line, say

if TYPE_CHECKING:
    from zchat.client.messages import Sent

_BACK_S = 1.0  # at the end, for what is stored to come back
_WAITING_SHOWN = 3


class Terminal:
    """The front for a person at a terminal."""

    def __init__(self) -> None:
        self._prints = Prints()
        self._caught_up = asyncio.Event()
        self._echoes = Echoes()
        self._typed: asyncio.Queue[str | None] = asyncio.Queue()  # None: the end
        self._under_way: asyncio.Task[bool] | None = None
        self._leaving = self._has_ended = False
        self._day = styled.today()
        self._removed = Removed()
        self._gives_up = asyncio.Event()

    def waiting(self, broker: str) -> AbstractAsyncContextManager[None]:
        """Something moves while the client connects."""
        return waiting(f"connecting to {broker}")

    async def run(self, chat: Chat, timeout: float | None) -> None:
        """Until the user leaves, and all that was typed is stored or refused."""
        self._chat = chat
        line = self._line = Line(self, self)
        self._known = Known(chat.client, line.redraw, lambda nick: self._add_news(Went(nick)))
        incoming = Incoming(self, chat)
        await chat.greet()
        self._prints.flush(line.print)  # before there is a line that would have to give way
        try:
            with redirect_stderr(_Remarks(self.remark)):
                await first_of(
                    line.run(),
                    self._converse(timeout),
                    incoming.run(chat.client.updates()),
                    self._arrive(),
                    self._prints.run(line.print),
                )
        finally:
            self._has_ended = True
            self._known.close()
            self._prints.flush(line.print)

    async def _converse(self, timeout: float | None) -> None:
        while (text := await self._typed.get()) is not None:
            self._under_way = asyncio.create_task(self._chat.enter(text))
            try:
                await asyncio.wait([self._under_way])
            finally:
                self._under_way.cancel()
            self._line.redraw()
            if self._under_way.cancelled():
                self.remark("given up")
            elif not self._under_way.result():
                break
        await self._leave(timeout)

    async def _leave(self, timeout: float | None) -> None:
        self._leaving = True
        if self._chat.posts.unsettled:
            self.remark("waiting until all that you wrote is stored; Ctrl-C leaves now")
        await first_of(self._settle(timeout), self._given_up())

    async def _settle(self, timeout: float | None) -> None:
        await self._chat.posts.settle(timeout)
        with suppress(TimeoutError):
            async with asyncio.timeout(_BACK_S):
                await self._echoes.come_back()

    async def _given_up(self) -> None:
        await self._gives_up.wait()

    async def _arrive(self) -> None:
        await self._caught_up.wait()
        await self._chat.arrive()
        self._line.redraw()
        await asyncio.Event().wait()

    # ---- the front ----

    @property
    def may_ask(self) -> bool:
        """Nothing is half typed."""
        return not self._line.buffer.text and self._typed.empty()

    @property
    def is_program(self) -> bool:
        """A person sits here."""
        return False

    async def show(self, update: Message | Notice) -> None:
        """What came; waits while there is more to print than a person could read."""
        is_news = self._known.is_news(update)
        self._known.saw(update)
        nick = self._chat.nick
        if isinstance(update, Message):
            self._add_message(update, nick)
        elif is_news:
            self._add_news(update)
        await self._prints.room()

    def _add_news(self, news: Notice) -> None:
        self._prints.add(Print(lambda columns: styled.news(news, self._chat.nick, columns)))

    def _add_message(self, message: Message, nick: str) -> None:
        if message.sender == nick:
            self._echoes.take(message)
        day = styled.day(message)
        if day != self._day:
            self._day = day
            self._prints.add(Print(lambda columns: [("class:day", f"--- {day}\n")]))

        def draw(columns: int) -> Fragments:
            return styled.message(self._removed.as_it_is(message), nick, columns)

        self._prints.add(Print(draw, message.pos))

    def remove(self, pos: int) -> None:
        """It is replaced where it stands on the screen, or is still to be printed."""
        self._removed.add(pos)
        self._line.print_anew(pos)

    async def text(self, text: str) -> None:
        """Lines that were asked for."""
        self._prints.add(Print(lambda columns: styled.lines(text, columns)))

    def remark(self, text: str) -> None:
        """A line about what the user or the client did; after the end it goes to stderr."""
        if self._has_ended:
            say(text)
            return
        self._prints.add(Print(lambda columns: styled.remark(text, columns)))

    def caught_up(self) -> None:
        """Now the user can be asked."""
        self._caught_up.set()
        self._known.session_began()

    def keep(self, text: str) -> None:
        """It stands in the line again, unless something else does already; then Up brings it back."""
        if not self._line.buffer.text:
            self._line.buffer.insert_text(text)

    def posted(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        """It stands above the line until it is stored."""
        self._echoes.add(to, text, sent)
        sent.add_done_callback(lambda _: self._line.redraw())

    # ---- the line ----

    def prompt(self) -> Fragments:
        """To whom one speaks."""
        if self._chat.question is not None:
            return [("class:prompt.choice", "choose> ")]
        if not self._chat.to:
            return [("class:away", "(nowhere)> ")]
        style = "room" if self._chat.to.startswith("#") else "private"
        return [(f"class:prompt.{style}", f"{one_line(self._chat.to)}> ")]

    def above(self) -> list[Fragments]:
        """What waits for being stored."""
        waiting = self._echoes.waiting
        rows = [f"{one_line(one.to)} {one_line(one.text)}" for one in waiting[:_WAITING_SHOWN]]
        if len(waiting) > _WAITING_SHOWN:
            rows.append(f"and {len(waiting) - _WAITING_SHOWN} more")
        return [[("class:waiting", f"(waiting) {row}")] for row in rows]

    def below(self) -> Fragments:
        """Who one is, and how things are."""
        chat = self._chat
        if chat.question is not None:
            return [("class:status", one_line(chat.question.choices()))]
        row: Fragments = [("class:status", one_line(chat.client.nick))]
        if chat.client.connected and not self._caught_up.is_set():
            row.append(("class:status", " | reading what was missed"))
        elif not chat.client.connected:
            row += [("class:status", " | "), ("class:away", "the broker is away")]
        elif self._known.here:
            row.append(("class:status", f" | {self._known.here} here"))
        if chat.client.connected and chat.client.held_s:
            row.append(("class:status", " | sent too much at once: it waits"))
        if away := chat.account.away:
            reason = "" if away == AWAY else f": {one_line(away)}"
            row += [("class:status", " | "), ("class:away", f"you are away{reason}")]
        topic = self._known.topics.get(chat.to[1:], "") if chat.to.startswith("#") else ""
        if topic:
            row.append(("class:status", f" | {one_line(topic)}"))
        return row

    def entered(self, text: str) -> None:
        """Done in the order in which it was typed."""
        if self._leaving:
            self.remark("you are leaving; that is not sent")
        else:
            self._typed.put_nowait(text)

    def interrupted(self) -> None:
        """Ends what is under way, if anything is."""
        if self._leaving:
            self._gives_up.set()
        elif self._under_way is not None and not self._under_way.done():
            self._under_way.cancel()
        elif self._chat.question is not None:
            self._chat.keep()
        else:
            self.remark("Ctrl-D or /quit leaves")

    def left(self) -> None:
        """Behind all that was typed before."""
        if not self._leaving:
            self._typed.put_nowait(None)

    def too_long(self) -> None:
        """More was pasted than a message may hold."""
        self.remark(f"not pasted: {too_large()}")

    def candidates(self, text: str) -> Candidates:
        """From what is known; it is asked for anew in the background."""
        self._known.refresh()
        return candidates(text, self._known.nicks, self._known.topics, self._chat.rooms)


class _Remarks(io.TextIOBase):
    """stderr while the line is drawn: its lines are remarks."""

    def __init__(self, remark: Callable[[str], None]) -> None:
        self._remark = remark
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._remark(line)
        return len(text)
