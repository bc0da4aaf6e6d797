"""What comes while one chats: messages and news are shown, and of what was missed only the last."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from zchat.client.commands.account import Account
from zchat.client.commands.front import Front
from zchat.client.commands.missed import Missed
from zchat.client.commands.notices import Notice, Told
from zchat.client.messages import (
    Act,
    Came,
    CaughtUp,
    MemberJoined,
    MemberLeft,
    Message,
    Redaction,
    Status,
    Update,
    Went,
)
from zchat.common.errors import ZchatError

_AWAY = "; what you type is kept, and sent when it is back"


class Hearing(Protocol):
    """The part of a chat that is needed here."""

    account: Account

    @property
    def nick(self) -> str:
        """The reader's own."""

    async def heard(self, update: Act | MemberJoined | MemberLeft) -> None:
        """What may change where the reader is; it was shown."""


class Incoming:
    """Shows updates, but messages of those who are ignored. With `everything` nothing of what was missed is
    left out, and what stands in two conversations comes twice, as programs want it."""

    def __init__(self, front: Front, chat: Hearing, everything: bool = False) -> None:
        self._front, self._chat, self._everything = front, chat, everything
        self._missed = Missed()
        self._told = Told()

    async def run(self, updates: AsyncIterator[Update]) -> None:
        """Show them as they come. What is held back is shown before this ends, however it does."""
        with suppress(ZchatError):
            await self._chat.account.ask()
        try:
            async for update in updates:
                await self._heed(update)
        finally:
            await self._release(is_end=True)

    async def _heed(self, update: Update) -> None:
        holding = self._missed.holding and not self._everything
        match update:
            case Message():
                if self._chat.account.passes_over(update):
                    pass
                elif holding:
                    self._missed.hold(update)
                else:
                    await self._show(update)
            case CaughtUp():
                await self._release()
                self._front.caught_up()
            case Status(kind=kind, text=text):
                await self._fares(kind, text)
            case Came(nick=nick) | Went(nick=nick):
                if nick != self._chat.nick:  # nobody has to hear of their own coming
                    await self._show(update)
            case Act():
                if not self._everything and not self._told.is_new(update):
                    pass
                elif not holding:
                    await self._show(update)
                elif update.subject == self._chat.nick:
                    self._missed.hold(update)
            case Redaction(of=pos):
                self._missed.remove(pos)
                self._front.remove(pos)
                if not holding:
                    await self._show(update)
            case MemberLeft() if holding:
                await self._chat.heard(update)
            case _:
                if not holding:  # of what was missed the messages are enough, and what concerns oneself
                    await self._show(update)

    async def _fares(self, kind: str, text: str) -> None:
        if kind == "away":
            await self._release()
        self._front.remark(text + (_AWAY if kind == "away" else ""))
        if kind == "back":
            self._missed.holding = True
            with suppress(ZchatError):
                await self._chat.account.ask()

    async def _show(self, update: Message | Notice) -> None:
        await self._front.show(update)
        if isinstance(update, Act | MemberJoined | MemberLeft):
            await self._chat.heard(update)

    async def _release(self, is_end: bool = False) -> None:
        released = self._missed.release()
        if released.more:
            await self._front.text(released.note())
        for update in released.last:
            await (self._front.show(update) if is_end else self._show(update))
