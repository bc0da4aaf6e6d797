"""What was missed: messages from before the session, of which only the last are shown."""

from collections import deque
from typing import NamedTuple

from msgspec.structs import replace

from zchat.client.messages import Act, Message

SHOWN_MAX = 100  # messages


class Released(NamedTuple):
    """The last of what was missed, in the order of positions, and how many there were before them."""

    more: int
    last: list[Message | Act]

    def note(self) -> str:
        """The line above them; empty when these are all."""
        if not self.more:
            return ""
        messages, were = ("message", "was") if self.more == 1 else ("messages", "were")
        return f"* {self.more} more {messages} {were} missed before these; /history N shows them\n"


class Missed:
    """Holds back messages, and acts that concern the reader, until it is known that no more were missed, so
    that the last ones can be told from the rest. It holds from the beginning on, until `release`."""

    def __init__(self) -> None:
        self.holding = True
        self._last: deque[Message | Act] = deque(maxlen=SHOWN_MAX)
        self._count = 0

    def hold(self, update: Message | Act) -> None:
        """One more, in the order in which they are delivered."""
        self._last.append(update)
        self._count += 1

    def remove(self, pos: int) -> None:
        """The text of the message at this position was removed."""
        for place, update in enumerate(self._last):
            if update.pos == pos and isinstance(update, Message):
                self._last[place] = replace(update, text="")

    def release(self) -> Released:
        """All that was held back; from now on nothing is, until `holding` is set again."""
        self.holding = False
        released = Released(self._count - len(self._last), sorted(self._last, key=lambda one: one.pos))
        self._last.clear()
        self._count = 0
        return released
