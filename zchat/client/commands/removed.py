"""Messages whose text was removed while one chats: what was fetched before is never shown with it again."""

from typing import Final

from msgspec.structs import replace

from zchat.client.messages import Message

_MAX: Final = 10_000


class Removed:
    """By their positions, the last ones that were heard of."""

    def __init__(self) -> None:
        self._positions: dict[int, None] = {}  # in the order in which they were heard of

    def add(self, pos: int) -> None:
        """The text of the message at this position was removed."""
        self._positions[pos] = None
        if len(self._positions) > _MAX:
            del self._positions[next(iter(self._positions))]

    def as_it_is(self, message: Message) -> Message:
        """The message, without its text if that was removed."""
        return replace(message, text="") if message.pos in self._positions else message
