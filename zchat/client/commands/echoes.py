"""What was typed and has not come back yet as a message that everybody sees."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from zchat.client.messages import Message
from zchat.common import names

if TYPE_CHECKING:
    from zchat.client.messages import Sent

_MAX = 10_000  # as many as an outbox holds


class Echo(NamedTuple):
    """A message on its way there and back. `to` is as it was typed."""

    to: str
    text: str
    sent: "asyncio.Future[Sent]"

    @property
    def is_waiting(self) -> bool:
        """Neither stored nor refused yet."""
        return not self.sent.done()

    @property
    def has_failed(self) -> bool:
        """It will never come back."""
        return self.sent.done() and (self.sent.cancelled() or self.sent.exception() is not None)


class Echoes:
    """In the order in which they were typed."""

    def __init__(self) -> None:
        self._all: list[Echo] = []
        self._changed = asyncio.Event()

    def add(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        """Something was typed, and sent."""
        self._all = [one for one in self._all[-_MAX:] if not one.has_failed]
        self._all.append(Echo(to, text, sent))
        sent.add_done_callback(lambda _: self._changed.set())

    def take(self, message: Message) -> bool:
        """Whether this is one of them; then it is one no more. A message whose answer is still to come has no
        id yet, and is known by its text."""
        for index, one in enumerate(self._all):
            if one.text == message.text and _is_same(one.to, message.to) and _can_be(one, message.id):
                del self._all[index]
                self._changed.set()
                return True
        return False

    @property
    def waiting(self) -> list[Echo]:
        """Those that are neither stored nor refused."""
        return [one for one in self._all if one.is_waiting]

    async def come_back(self) -> None:
        """Wait until none that is stored is still to come back."""
        while not all(one.has_failed or one.is_waiting for one in self._all):
            self._changed.clear()
            await self._changed.wait()


def _can_be(echo: Echo, id: str) -> bool:
    return not echo.has_failed and (echo.is_waiting or echo.sent.result().id == id)


def _is_same(typed: str, address: str) -> bool:
    if typed == address:
        return True
    try:
        return typed[0] == address[0] and names.folded(typed[1:]) == names.folded(address[1:])
    except names.InvalidName:
        return False
