"""The store in memory: for tests and the simulator, with failing writes and crashes on demand."""

from bisect import bisect_right
from typing import NamedTuple

from zchat.broker.core.port import CounterRow, KeyRow, Loaded, PageQuery, StateRow, StoredSegment, Write
from zchat.broker.core.segments import redacted
from zchat.broker.store.contract import INSTANCE_SENDS_MAX, fitting
from zchat.common.errors import StorageFailed


class _Failure(NamedTuple):
    certain: bool
    revives: bool


class MemoryStore:
    """Fails as SQLite does: a Write that failed is not seen, but one that failed uncertainly may be back
    after a crash, unless another Write succeeded in between."""

    def __init__(self) -> None:
        self._segments: list[StoredSegment] = []
        self._counters: list[CounterRow] = []
        self._keys: dict[tuple[str, str], KeyRow] = {}
        self._state: dict[tuple[str, str], bytes] = {}
        self._last_pos = 0
        self._last_time_ms = 0
        self._failure: _Failure | None = None
        self._doubtful: Write | None = None
        self._scrubs = True

    def fail_next(self, certain: bool, revives: bool = False) -> None:
        """Lets the next Write fail. `revives`: a crash before the next good Write brings it back. One that
        does not revive reached the disk with nothing, and leaves the doubt about an earlier one as it is."""
        assert not (certain and revives)
        self._failure = _Failure(certain, revives)

    def hinder_next_scrub(self) -> None:
        """Lets the next Write with redactions return False, as after a reader that stood in SQLite's way."""
        self._scrubs = False

    def crash(self) -> "MemoryStore":
        """The store as the next process finds it. This one is not to be used any more."""
        after = MemoryStore()
        after._segments, after._counters = list(self._segments), list(self._counters)
        after._keys, after._state = dict(self._keys), dict(self._state)
        after._last_pos, after._last_time_ms = self._last_pos, self._last_time_ms
        if self._doubtful is not None:
            after._apply(self._doubtful)
        return after

    def load(self) -> Loaded:
        rows = [StateRow(kind, key, value) for (kind, key), value in sorted(self._state.items())]
        return Loaded(rows, self._last_pos, self._last_time_ms)

    def write(self, write: Write) -> bool:
        failure, self._failure = self._failure, None
        if failure is None:
            self._apply(write)
            self._doubtful = None
            return self._scrub() if write.redactions else True
        if failure.revives:
            self._doubtful = write
        raise StorageFailed("a failure was asked for", failure.certain)

    def _scrub(self) -> bool:
        scrubs, self._scrubs = self._scrubs, True
        return scrubs

    def _apply(self, write: Write) -> None:
        self._segments += write.segments
        for pos in write.redactions:
            at = bisect_right(self._segments, pos, key=lambda segment: segment.first) - 1
            if at >= 0:
                segment = self._segments[at]
                self._segments[at] = segment._replace(frame=redacted(segment.frame, pos))
        self._counters += write.counters
        self._keys.update({(row.user, row.key): row for row in write.keys})
        for kind, key, value in write.state:
            if value is None:
                self._state.pop((kind, key), None)
            else:
                self._state[kind, key] = value
        self._last_pos, self._last_time_ms = write.last_pos, write.last_time_ms

    def look(self, keys: list[tuple[str, str]]) -> list[KeyRow | None]:
        return [self._keys.get(key) for key in keys]

    def load_instance(self, user: str, instance: int, lowest: int) -> list[CounterRow]:
        rows = sorted(
            row
            for row in self._counters
            if (row.user, row.instance) == (user, instance) and row.counter + row.messages > lowest
        )
        return rows[-INSTANCE_SENDS_MAX:]

    def reader(self) -> "MemoryReader":
        return MemoryReader(self._segments)

    def close(self) -> None:
        pass


class MemoryReader:
    """Reads the pages of a MemoryStore."""

    def __init__(self, log: list[StoredSegment]) -> None:
        self._log = log

    def page(self, query: PageQuery) -> tuple[list[bytes], int]:
        conversation, direction, bound = query[:3]
        if direction == "before":
            earlier = [s for s in self._log if s.conversation == conversation and s.first < bound]
            return fitting(map(_sized, reversed(earlier)), query)[::-1], 0
        if direction == "since":
            bound = next((s.first - 1 for s in self._log if s.time_ms >= bound), 2**53)
        later = [s for s in self._log if s.conversation == conversation and s.last > bound]
        return fitting(map(_sized, later), query), 0

    def close(self) -> None:
        pass


def _sized(segment: StoredSegment) -> tuple[bytes, int]:
    return segment.frame, segment.last - segment.first + 1
