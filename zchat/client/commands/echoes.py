"""What was typed and has not come back yet as a message that everybody sees."""

import asyncio
from collections import OrderedDict
from itertools import count
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
    """In the order in which they were typed. What comes back is found by its text, however many there are."""

    def __init__(self) -> None:
        self._numbers = count()
        self._all: OrderedDict[int, Echo] = OrderedDict()  # of a dict the first one is found ever slower
        self._by_text: dict[str, dict[int, Echo]] = {}
        self._changed = asyncio.Event()

    def add(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        """Something was typed, and sent."""
        number = next(self._numbers)
        self._all[number] = self._by_text.setdefault(text, {})[number] = Echo(to, text, sent)
        if len(self._all) > _MAX:
            self._forget(next(iter(self._all)))
        sent.add_done_callback(lambda _: self._settled(number))

    def take(self, message: Message) -> bool:
        """Whether this message, of the user's own, is one of them; then it is one no more. A message whose
        answer is still to come has no id yet, and is known by its text."""
        for number, one in self._by_text.get(message.text, {}).items():
            if _is_same(one.to, message.to) and _can_be(one, message.id):
                self._forget(number)
                self._changed.set()
                return True
        return False

    @property
    def waiting(self) -> list[Echo]:
        """Those that are neither stored nor refused."""
        return [one for one in self._all.values() if one.is_waiting]

    async def come_back(self) -> None:
        """Wait until none that is stored is still to come back."""
        while not all(one.has_failed or one.is_waiting for one in self._all.values()):
            self._changed.clear()
            await self._changed.wait()

    def _settled(self, number: int) -> None:
        if number in self._all and self._all[number].has_failed:
            self._forget(number)
        self._changed.set()

    def _forget(self, number: int) -> None:
        text = self._all.pop(number).text
        del self._by_text[text][number]
        if not self._by_text[text]:
            del self._by_text[text]


def _can_be(echo: Echo, id: str) -> bool:
    return not echo.has_failed and (echo.is_waiting or echo.sent.result().id == id)


def _is_same(typed: str, address: str) -> bool:
    if typed == address:
        return True
    try:
        return typed[0] == address[0] and names.folded(typed[1:]) == names.folded(address[1:])
    except names.InvalidName:
        return False
