"""What was missed: messages from before the session, of which only the last are shown."""

from collections import deque
from typing import NamedTuple

from zchat.client.messages import Message

SHOWN_MAX = 100  # messages


class Released(NamedTuple):
    """The last of what was missed, in the order of positions, and how many there were before them."""

    more: int
    last: list[Message]

    def note(self) -> str:
        """The line above them; empty when these are all."""
        if not self.more:
            return ""
        messages, were = ("message", "was") if self.more == 1 else ("messages", "were")
        return f"* {self.more} more {messages} {were} missed before these; /history N shows them\n"


class Missed:
    """Holds messages back until it is known that no more were missed, so that the last ones can be told from
    the rest. It holds from the beginning on, until `release`."""

    def __init__(self) -> None:
        self.holding = True
        self._last: deque[Message] = deque(maxlen=SHOWN_MAX)
        self._count = 0

    def hold(self, message: Message) -> None:
        """One more, in the order in which they are delivered."""
        self._last.append(message)
        self._count += 1

    def release(self) -> Released:
        """All that was held back; from now on nothing is, until `holding` is set again."""
        self.holding = False
        released = Released(
            self._count - len(self._last), sorted(self._last, key=lambda message: message.pos)
        )
        self._last.clear()
        self._count = 0
        return released
