"""Simulated time: what is to happen when, in one order."""

import heapq
from collections.abc import Callable


class Schedule:
    """A monotonic clock in milliseconds that jumps from one thing to the next."""

    def __init__(self) -> None:
        self.now_ms = 1_000
        self.done = 0  # things that happened
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    def after(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Have something happen in a while; of the same millisecond, in the order of asking."""
        self.at(self.now_ms + delay_ms, action)

    def at(self, when_ms: int, action: Callable[[], None]) -> None:
        """Have something happen at a time."""
        self._order += 1
        heapq.heappush(self._heap, (max(when_ms, self.now_ms), self._order, action))

    def advance(self, duration_ms: int) -> None:
        """Let time pass."""
        until_ms = self.now_ms + duration_ms
        while self._heap and self._heap[0][0] <= until_ms:
            self.now_ms, _, action = heapq.heappop(self._heap)
            self.done += 1
            action()
        self.now_ms = until_ms


class Alarm:
    """One thing that recurs; the earliest time that was asked for counts."""

    def __init__(self, schedule: Schedule, action: Callable[[], None]) -> None:
        self._schedule = schedule
        self._action = action
        self._due_ms: int | None = None

    def set(self, when_ms: int) -> None:
        """Ring at that time, unless it rings before anyhow."""
        when_ms = max(when_ms, self._schedule.now_ms)
        if self._due_ms is None or when_ms < self._due_ms:
            self._due_ms = when_ms
            self._schedule.at(when_ms, lambda: self._ring(when_ms))

    def _ring(self, when_ms: int) -> None:
        if self._due_ms == when_ms:
            self._due_ms = None
            self._action()
