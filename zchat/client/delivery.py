"""Updates between the client and its one reader, and how many of them the reader is done with."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from zchat.client.messages import Update

_TOLD_TOGETHER: Final = 256  # taken updates are told to the core in such numbers


class Delivery:
    """Everything happens in the loop's thread, but `take` and `handled`, which the reader may call from
    another: each number is written by one side alone. `tell` is called with how many more were taken."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._waiting: deque[Update] = deque()
        self._arrived = asyncio.Event()
        self._holding = False  # the reader has an update that it is not done with
        self._taken = 0  # updates that the reader is done with
        self._told = 0  # of them

    def add(self, updates: Iterable[Update]) -> None:
        """More of them came."""
        self._waiting.extend(updates)
        self._arrived.set()

    def take(self) -> Update | None:
        """The next update, if there is one. Whoever asks for it is done with the one before."""
        self.handled()
        try:
            update = self._waiting.popleft()
        except IndexError:
            return None
        self._holding = True
        return update

    def handled(self) -> None:
        """The reader is done with the update that it took last."""
        if self._holding:
            self._holding = False
            self._taken += 1

    @property
    def has_much_to_tell(self) -> bool:
        """So much was taken that the core should know."""
        return self._taken - self._told >= _TOLD_TOGETHER

    def tell_taken(self) -> None:
        """Tell the core what was taken."""
        taken = self._taken - self._told
        if taken:
            self._told += taken
            self._tell(taken)

    async def wait(self, check: Callable[[], None]) -> None:
        """Returns when there are updates. `check` raises when there will be none any more."""
        self.tell_taken()
        while not self._waiting:
            check()
            self._arrived.clear()
            await self._arrived.wait()

    def wake(self) -> None:
        """Have whoever waits check anew."""
        self._arrived.set()
