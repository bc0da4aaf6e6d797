"""What comes while one chats: messages and news are shown, and of what was missed only the last."""

from collections.abc import AsyncIterator

from zchat.client.commands.chat import Front
from zchat.client.commands.missed import Missed
from zchat.client.messages import (
    Act,
    Came,
    CaughtUp,
    Message,
    Redaction,
    Registration,
    Status,
    Update,
    Went,
)

_AWAY = "; what you type is kept, and sent when it is back"


class Incoming:
    """Shows updates. `nick` is the reader's own. With `everything` nothing of what was missed is left out, as
    programs want it."""

    def __init__(self, front: Front, nick: str, everything: bool = False) -> None:
        self._front, self._nick, self._everything = front, nick, everything
        self._missed = Missed()

    async def run(self, updates: AsyncIterator[Update]) -> None:
        """Show them as they come. What is held back is shown before this ends, however it does."""
        try:
            async for update in updates:
                await self._heed(update)
        finally:
            await self._release()

    async def _heed(self, update: Update) -> None:
        match update:
            case Message():
                if self._missed.holding and not self._everything:
                    self._missed.hold(update)
                else:
                    await self._front.show(update)
            case CaughtUp():
                await self._release()
                self._front.caught_up()
            case Status(kind=kind, text=text):
                if kind == "away":
                    await self._release()
                self._front.remark(text + (_AWAY if kind == "away" else ""))
                if kind == "back":
                    self._missed.holding = True
            case Came(nick=nick) | Went(nick=nick):
                if nick != self._nick:  # nobody has to hear of their own coming
                    await self._front.show(update)
            case Act() | Redaction() | Registration():
                pass
            case _:
                if self._everything or not self._missed.holding:  # of what was missed the messages are enough
                    await self._front.show(update)

    async def _release(self) -> None:
        released = self._missed.release()
        if released.more:
            await self._front.text(released.note())
        for message in released.last:
            await self._front.show(message)
