"""Log lines that others cause: so many of a kind are written, and how many more there were is said."""

from collections.abc import Callable
from typing import Final

from zchat.broker.core.metering import Bucket

LINES_PER_SECOND: Final = 20  # of one event, in the long run: whoever is refused must not fill a disk
LINES_AT_ONCE: Final = 2_000  # of one event, after a silence


class SparingLog:
    """Calls `log` with an event and its details. `now_ms` is the monotonic time, in milliseconds."""

    def __init__(self, log: Callable[[str, str], None], now_ms: Callable[[], int]) -> None:
        self._log = log
        self._now_ms = now_ms
        self._buckets: dict[str, Bucket] = {}
        self._left_out: dict[str, int] = {}

    def __call__(self, event: str, details: str) -> None:
        """One line, unless there were too many of the kind. The next that is written says how many were
        not."""
        now_ms = self._now_ms()
        bucket = self._buckets.get(event)
        if bucket is None:
            bucket = self._buckets[event] = Bucket(LINES_PER_SECOND, LINES_AT_ONCE, now_ms)
        if bucket.take(1, now_ms):
            self._left_out[event] = self._left_out.get(event, 0) + 1
            return
        if left_out := self._left_out.pop(event, 0):
            details = f"{details} left_out={left_out}"
        self._log(event, details)
