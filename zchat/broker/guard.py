"""What is done about connections: their beginnings and ends are read, and who has to go is shut down."""

from collections.abc import Callable, Iterable
from typing import Final

from zchat.broker.connections import ConnectionLimits, Connections
from zchat.broker.descriptors import ends, most_descriptors, shut
from zchat.broker.sockets import Sockets

_ASK_INTERVAL_MS: Final = 1_000  # for connections over which nobody was let in


class Guard:
    """Keeps the connections of the broker's sockets within their limits. `lost` has the peers whose end is
    not told to the core yet; the server takes them from there. Times are monotonic milliseconds."""

    def __init__(self, sockets: Sockets, limits: ConnectionLimits, log: Callable[[str, str], None]) -> None:
        self.limits = limits.within(most_descriptors())  # those that hold
        self.connections = Connections(self.limits, sockets.xpub_port)
        self.lost: list[bytes] = []
        self._sockets = sockets
        self._log = log
        self._turned_away = 0  # connections, since that was logged
        self._look_due_ms = self._ask_due_ms = 0

    @property
    def due_ms(self) -> int | None:
        """When `look` is to be called next."""
        return (
            min(self._look_due_ms, self._ask_due_ms) if len(self.connections) or self._turned_away else None
        )

    def note_changes(self, now_ms: int, most: int | None = None) -> bool:
        """Take in what the monitors tell: which connections began and ended, all of it, or at most so many of
        each port. Returns whether there may be more."""
        noted = 0
        for port, began, descriptor in self._sockets.changes(most):
            noted += 1
            if not began:
                self.lost += self.connections.closed(descriptor, port)
            elif (found := ends(descriptor)) is not None and found.port == port:  # and not another's by now
                self.lost += self.connections.opened(descriptor, port, found.address, now_ms)
        self.let_go()
        return most is not None and noted >= most

    def look(self, now_ms: int) -> None:
        """Find out who sends without saying anything, and over which connections nobody was let in. Only to
        be called when everything that was there has been read."""
        if now_ms >= self._look_due_ms:
            self._look_due_ms = now_ms + self.connections.look_interval_ms
            for descriptor in self.connections.flooding(now_ms):
                self._log("cut", "a flood without a message")
                shut(descriptor)
        if now_ms >= self._ask_due_ms:
            self._ask_due_ms = now_ms + _ASK_INTERVAL_MS
            self._turn_away(self.connections.overdue(now_ms))
            if self._turned_away:  # one line for all: one for each would fill a disk
                self._log("turned_away", f"connections={self._turned_away}")
                self._turned_away = 0

    def let_go(self) -> None:
        """Shut down the connections that are too many."""
        if self.connections.leaving:
            leaving, self.connections.leaving = self.connections.leaving, []
            self._turn_away(leaving)

    def cut(self, key: str, why: str, now_ms: int) -> None:
        """Shut down the connections of a key, once each, and shut the key out for a while."""
        self.note_changes(now_ms)  # so that no descriptor is taken for one before it
        descriptors = self.connections.cut(key, now_ms)
        if descriptors:
            self._log("cut", why)
        for descriptor in descriptors:
            shut(descriptor)

    def cut_subscribers(self, keys: Iterable[str], why: str, now_ms: int) -> None:
        """Shut down the connections over which these keys subscribed. They may come back at once."""
        self.note_changes(now_ms)
        for descriptor in [descriptor for key in keys for descriptor in self.connections.subscribers(key)]:
            self._log("subscriber_cut", why)
            shut(descriptor)

    def dismiss(self, keys: Iterable[str], now_ms: int) -> None:
        """Take the connections of these keys for those of anybody again."""
        for key in keys:
            self.connections.dismiss(key, now_ms)
        self.let_go()

    def _turn_away(self, descriptors: list[int]) -> None:
        self._turned_away += len(descriptors)
        for descriptor in descriptors:
            shut(descriptor)
