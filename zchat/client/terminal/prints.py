"""What is to be printed above the line: many at once, so that keys are heard between them."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from zchat.client.terminal.above import Print

_TOGETHER = 200
_WAITING_MAX = 1_000
_PAUSE_S = 0.01


class Prints:
    """In the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: deque[Print] = deque()
        self._is_there = asyncio.Event()
        self._has_room = asyncio.Event()

    def add(self, print: Print) -> None:
        """One more, however many wait."""
        self._waiting.append(print)
        self._is_there.set()

    async def room(self) -> None:
        """Wait while more wait than a person could read."""
        while len(self._waiting) > _WAITING_MAX:
            self._has_room.clear()
            await self._has_room.wait()

    async def run(self, print: Callable[[Sequence[Print]], None]) -> None:
        """Print them as they come."""
        while True:
            await self._is_there.wait()
            print(self._take())
            await asyncio.sleep(_PAUSE_S)

    def flush(self, print: Callable[[Sequence[Print]], None]) -> None:
        """Print all that wait."""
        while self._waiting:
            print(self._take())

    def _take(self) -> list[Print]:
        prints = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
        if not self._waiting:
            self._is_there.clear()
        self._has_room.set()
        return prints
