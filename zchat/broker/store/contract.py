"""What every store of the log does, and what a page of history is; `tests/unit/store` runs it over each."""

from collections.abc import Iterable
from typing import Final, Protocol

from zchat.broker.core.port import CounterRow, KeyRow, Loaded, PageQuery, Write

INSTANCE_SENDS_MAX: Final = 1024


class Reader(Protocol):
    """Reads pages of what is durable, on a thread of its own, beside the writing."""

    def page(self, query: PageQuery) -> tuple[list[bytes], int]:
        """The frames of whole segments that overlap the range asked for, in rising order, and the floor, the
        position below which nothing is kept. At least one segment when there is any, then those beside it
        while all of them stay within `bytes_max`. `bound` is at least 0 and below 2**53.

        `after`: from the segment with the first entry behind `bound` on. `before`: back from the segment with
        the last entry before `bound`. `since`: from the first segment of the log at or after the time `bound`
        (ms) on. Raises StorageFailed.
        """
        ...

    def close(self) -> None:
        """Ends the reading."""
        ...


class Store(Protocol):
    """Keeps the log: segments, the ids of accepted messages, the rows of the state. Used by one thread,
    except for its readers."""

    def load(self) -> Loaded:
        """The state rows in the order of (kind, key), and the end of the log. Never grows with the number of
        messages. Raises StorageFailed."""
        ...

    def write(self, write: Write) -> bool:
        """Makes all of it durable, or raises StorageFailed. `certain`: nothing of it exists. Else it is not
        seen from now on, but a crash may bring it back, until a later Write has succeeded. Of two state rows
        with the same key the later one holds. An empty Write is synced like any other.

        Each message at a position of `redactions` has an empty text from now on, also one of this Write. A
        position of no message is passed over. Returns whether what these and all earlier redactions took away
        is in no file any more; without redactions True. False: it is durable, and a Write that redacts one of
        them once more tries again."""
        ...

    def look(self, keys: list[tuple[str, str]]) -> list[KeyRow | None]:
        """The row of each (user, key), in their order; None for those that are new. Raises StorageFailed."""
        ...

    def load_instance(self, user: str, instance: int, lowest: int) -> list[CounterRow]:
        """The accepted Sends of the instance whose last counter is at or above `lowest`, in rising order, and
        of those the newest INSTANCE_SENDS_MAX: an honest client has never so many without an answer. No two
        of a user's instance share a counter. Raises StorageFailed."""
        ...

    def reader(self) -> Reader:
        """A new reader of this store, to be used by one thread. Raises StorageFailed."""
        ...

    def close(self) -> None:
        """Ends the store; its readers are closed before."""
        ...


def fitting(segments: Iterable[tuple[bytes, int]], query: PageQuery) -> list[bytes]:
    """The frames of the first segment, and of those that follow it while all together stay within the bytes
    of the query and until they have its entries. A segment is its frame and how many entries it has."""
    page: list[bytes] = []
    page_bytes = page_entries = 0
    for frame, entries in segments:
        page_bytes += len(frame)
        if page and page_bytes > query.bytes_max:
            break
        page.append(frame)
        page_entries += entries
        if 0 < query.entries_max <= page_entries:
            break
    return page
