"""Connections over which nobody was let in yet: how many there may be, of one address and of all, how long.

Whoever can reach the port can make them, without a key. So they are counted from the moment they are
accepted, and what has to be done for one of them does not grow with their number.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, NamedTuple

from zchat.broker.descriptors import Traffic

ASK_INTERVAL_MS: Final = 1_000  # how often `overdue` is to be asked while the broker is reading
_LOOKED_AT_MAX: Final = 8  # of the oldest ones, for one that can go
_BEGUN_BYTES: Final = 64 + 2 + 200  # the greeting, and HELLO with the header of its frame (RFC 26)


class Bounds(NamedTuple):
    """How many there may be. When there are too many, one gives way that has not begun to speak CURVE in
    `silent_ms`, or whose client has answered nothing for `patience_ms`. `lifetime_ms`: of any of them."""

    total_max: int
    per_address_max: int
    silent_ms: int
    patience_ms: int
    lifetime_ms: int


class Unadmitted:
    """Descriptors in the order in which they were accepted. Times are monotonic milliseconds.

    When there are too many, the newest is turned away: those before it are about to finish, and a crowd that
    comes back at once gets in bit by bit. But connections that only hang there shall keep nobody out: an old
    one gives way whose client does not go on, by what `look` tells. One that waits for the broker stays, or
    a broker that is late would have to begin again with all of them.
    """

    def __init__(self, bounds: Bounds, look: Callable[[int], Traffic | None]) -> None:
        self._bounds = bounds
        self._look = look
        self._all: OrderedDict[int, tuple[str, int]] = OrderedDict()  # address, and since when
        self._of_address: dict[str, OrderedDict[int, None]] = {}
        self._asked_ms = 0
        self._reading_since_ms = 0

    def __len__(self) -> int:
        return len(self._all)

    def add(self, descriptor: int, address: str, now_ms: int) -> int | None:
        """A connection was accepted. Returns one that has to go for it, or itself, which is forgotten
        then."""
        self._all[descriptor] = address, now_ms
        same = self._of_address.setdefault(address, OrderedDict())
        same[descriptor] = None
        if len(same) > self._bounds.per_address_max:
            return self._give_way(same, descriptor, now_ms)
        if len(self._all) > self._bounds.total_max:
            return self.make_room(descriptor, now_ms)
        return None

    def make_room(self, descriptor: int, now_ms: int) -> int:
        """There are too many connections. Returns the one to go for this one, or itself; it is forgotten."""
        return self._give_way(self._all, descriptor, now_ms)

    def remove(self, descriptor: int) -> None:
        """It ended, or somebody was let in over it."""
        found = self._all.pop(descriptor, None)
        if found is not None:
            same = self._of_address[found[0]]
            del same[descriptor]
            if not same:
                del self._of_address[found[0]]

    def overdue(self, now_ms: int) -> list[int]:
        """Those that are to be shut because nobody was let in over them in time; they are forgotten.

        To be asked once a second, and only when everything that was there has been read. Whatever waited
        while nothing was read gets its whole time again.
        """
        if now_ms - self._asked_ms > 2 * ASK_INTERVAL_MS:
            self._reading_since_ms = now_ms
        self._asked_ms = now_ms
        late: list[int] = []
        lifetime_ms = self._bounds.lifetime_ms
        while self._all and now_ms - self._reading_since_ms > lifetime_ms:
            descriptor, (_, since_ms) = next(iter(self._all.items()))
            if now_ms - since_ms <= lifetime_ms:
                break
            self.remove(descriptor)
            late.append(descriptor)
        return late

    def _give_way(self, among: Iterable[int], newest: int, now_ms: int) -> int:
        leaving = next(
            (one for one in islice(among, _LOOKED_AT_MAX) if self._had_its_time(one, now_ms)), newest
        )
        self.remove(leaving)
        return leaving

    def _had_its_time(self, descriptor: int, now_ms: int) -> bool:
        age_ms = now_ms - self._all[descriptor][1]
        if age_ms < self._bounds.silent_ms:
            return False
        seen = self._look(descriptor)
        if seen is None:
            return age_ms >= self._bounds.patience_ms
        return seen.received < _BEGUN_BYTES or seen.silent_ms >= self._bounds.patience_ms
