"""What is to be printed above the line: many at once, so that keys are heard between them."""

import asyncio
from collections import deque
from collections.abc import Callable

from prompt_toolkit.formatted_text import StyleAndTextTuples as Fragments

_TOGETHER = 200
_WAITING_MAX = 1_000
_PAUSE_S = 0.01

Print = Callable[[int], Fragments]
"""Given the columns of the terminal, what is to be seen."""


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

    async def run(self, columns: Callable[[], int], print: Callable[[Fragments], None]) -> None:
        """Print them as they come."""
        while True:
            await self._is_there.wait()
            print(self._take(columns()))
            await asyncio.sleep(_PAUSE_S)

    def flush(self, columns: int, print: Callable[[Fragments], None]) -> None:
        """Print all that wait."""
        while self._waiting:
            print(self._take(columns))

    def _take(self, columns: int) -> Fragments:
        fragments: Fragments = []
        for _ in range(min(_TOGETHER, len(self._waiting))):
            fragments += self._waiting.popleft()(columns)
        if not self._waiting:
            self._is_there.clear()
        self._has_room.set()
        return fragments
