"""What was missed: messages from before the session, of which only the last are shown."""

from collections import deque

from zchat.client.commands.formats import message_text
from zchat.client.messages import Message

_SHOWN_MAX = 100  # messages


class Missed:
    """Holds messages back that are older than the session, so that the last ones can be told from the rest.
    `began_ms` is when the session began, in Unix time."""

    def __init__(self, began_ms: int) -> None:
        self.began_ms = began_ms
        self._last: deque[Message] = deque(maxlen=_SHOWN_MAX)
        self._count = 0

    def __bool__(self) -> bool:
        """Something is held back."""
        return self._count > 0

    def holds(self, message: Message) -> bool:
        """Holds the message back if it is to be held back, in the order in which they are delivered."""
        if message.time_ms >= self.began_ms:
            return False
        self._last.append(message)
        self._count += 1
        return True

    def release(self) -> str:
        """The last ones in the order of their positions, below how many there are before them."""
        more = self._count - len(self._last)
        note = f"* {more} more messages were missed before these; /history N shows them\n" if more else ""
        text = note + "".join(map(message_text, sorted(self._last, key=lambda message: message.pos)))
        self._last.clear()
        self._count = 0
        return text
