"""Connecting, greeting, signs of life, and trying again for ever."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from zchat.client.core.effects import Connect, Diagnose, Effect
from zchat.client.core.limited import wait_ms
from zchat.common import limits, wire
from zchat.common.codes import Refusal

HANDSHAKE_MS: Final = 5_000  # to reach a broker
HELLO_MS: Final = 2_000  # then Hello is said again, doubled each time
HELLO_MS_MAX: Final = 8_000
GREET_INTERVAL_MS: Final = 1_000  # between a Welcome and the next Hello on the same connection
PAUSE_MS: Final = 100  # before new sockets, doubled each time
PAUSE_MS_MAX: Final = 1_000
LONG_PAUSE_MS: Final = 5_000  # after many failures
_MANY: Final = 20
DIAGNOSE_INTERVAL_MS: Final = 2_000
_SESSIONS_REMEMBERED: Final = 64  # of a connection, to know a repeated Welcome by

_RETRIED: Final = frozenset(
    (
        Refusal.STORAGE_UNAVAILABLE,
        Refusal.LIMIT_REACHED,
        Refusal.BUSY,
        Refusal.UNREADABLE,
        Refusal.NOT_GREETED,
        Refusal.RATE_LIMITED,
    )
)


class Phase(Enum):
    """PAUSED: no sockets, until the backoff is over. CONNECTING: no handshake yet. GREETING: Hello was said.
    OPEN: there is a session. STOPPED: for good."""

    IDLE = auto()
    PAUSED = auto()
    CONNECTING = auto()
    GREETING = auto()
    OPEN = auto()
    STOPPED = auto()


class Session:
    """The one session with the broker. protocol.md, Sessions. `jitter` gives numbers from 0 to 1."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self.phase = Phase.IDLE
        self.number: int | None = None
        self.heartbeat_ms = limits.HEARTBEAT_MS
        self._timeout_ms = limits.SESSION_TIMEOUT_MS
        self._jitter = jitter
        self._failures = 0  # in a row
        self._hellos = 0  # said on this connection and not answered
        self._hello_ms = HELLO_MS
        self._due_ms: int | None = None  # of what the phase waits for
        self._connected_ms = 0
        self._welcome_ms: int | None = None
        self._asked_ms: int | None = None  # of the first sign of life since something was heard
        self._diagnosed_ms: int | None = None
        self._ended: list[int] = []  # sessions of this connection
        self._hello_said_ms = 0
        self.was_open = False

    def deadline_ms(self) -> int | None:
        """When the phase has lasted too long."""
        if self.phase is Phase.OPEN:
            return None if self._asked_ms is None else self._asked_ms + self._timeout_ms
        return self._due_ms

    # ---- connecting ----

    def connect(self, now_ms: int) -> list[Effect]:
        """New sockets."""
        self.phase = Phase.CONNECTING
        self.number = None
        self._hellos = 0
        self._ended.clear()
        self._welcome_ms = None
        self._due_ms = now_ms + HANDSHAKE_MS
        return [Connect()]

    def pause(self, now_ms: int) -> None:
        """The sockets are of no use any more: new ones after a while."""
        self.phase = Phase.PAUSED
        self.number = None
        self._asked_ms = None
        self._due_ms = now_ms + self._pause_ms()

    def diagnose(self, now_ms: int) -> list[Effect]:
        """Have the shell look, but not all the time."""
        if self._diagnosed_ms is not None and now_ms < self._diagnosed_ms + DIAGNOSE_INTERVAL_MS:
            return []
        self._diagnosed_ms = now_ms
        return [Diagnose()]

    def stop(self) -> None:
        """The end."""
        self.phase = Phase.STOPPED
        self.number = None
        self._due_ms = None

    # ---- greeting ----

    def connected(self, now_ms: int) -> bool:
        """The handshake succeeded. True when Hello is to be said."""
        if self.phase is not Phase.CONNECTING:
            return False
        self.phase = Phase.GREETING
        self._hello_ms = HELLO_MS
        self._connected_ms = now_ms
        return True

    def greeted(self, now_ms: int) -> None:
        """Hello was said."""
        self._hellos += 1
        self._hello_said_ms = now_ms
        self._due_ms = now_ms + self._hello_ms
        self._hello_ms = min(2 * self._hello_ms, HELLO_MS_MAX)

    def lose(self, now_ms: int) -> bool:
        """The broker does not know the session: there must be another one on this connection. True when Hello
        is to be said now.

        Not when one is still unanswered, for its Welcome is on its way, and another Hello would end that
        session, too. And not soon after a Welcome, for the same reason.
        """
        self._end()
        self.phase = Phase.GREETING
        self._hello_ms = HELLO_MS
        self._connected_ms = now_ms
        if self._hellos and now_ms < self._hello_said_ms + HELLO_MS_MAX:
            self._due_ms = now_ms + HELLO_MS
            return False
        if self._welcome_ms is not None and now_ms < self._welcome_ms + GREET_INTERVAL_MS:
            self._due_ms = self._welcome_ms + GREET_INTERVAL_MS
            return False
        return True

    def welcomed(self, welcome: wire.Welcome, now_ms: int) -> bool:
        """A Welcome. False when it is to be ignored: a repeated one."""
        if self.phase not in (Phase.GREETING, Phase.OPEN):
            return False
        if welcome.session == self.number or welcome.session in self._ended:
            return False
        self._end()
        self._hellos = max(0, self._hellos - 1)
        self.number = welcome.session
        self.phase = Phase.OPEN
        self.was_open = True
        self._failures = 0
        self._welcome_ms = now_ms
        self._asked_ms = None
        self._diagnosed_ms = None
        self.heartbeat_ms = max(50, min(welcome.heartbeat_ms, 60_000))
        self._timeout_ms = max(2 * self.heartbeat_ms, min(welcome.timeout_ms, 600_000))
        return True

    def hello_refused(self, refusal: Refusal, now_ms: int, retry_after_ms: int = 0) -> bool:
        """Hello was refused. True when it is for good; else it is said again, a while after the time that the
        broker says."""
        if refusal not in _RETRIED:
            return True
        self._hellos = 0
        after_ms = wait_ms(retry_after_ms) if refusal is Refusal.RATE_LIMITED else 0
        self._connected_ms = self._due_ms = now_ms + after_ms + self._pause_ms()
        return False

    def _pause_ms(self) -> int:
        many = self._failures >= _MANY
        pause_ms = LONG_PAUSE_MS if many else min(PAUSE_MS << self._failures, PAUSE_MS_MAX)
        self._failures += 1
        return int(pause_ms * (0.5 + 0.5 * self._jitter()))

    def _end(self) -> None:
        if self.number is not None:
            self._ended.append(self.number)
            del self._ended[:-_SESSIONS_REMEMBERED]
        self.number = None
        self._asked_ms = None

    # ---- signs of life ----

    def heard(self) -> None:
        """Something came over the request socket."""
        self._asked_ms = None

    def asked(self, now_ms: int) -> None:
        """A sign of life went out, to be answered."""
        if self._asked_ms is None:
            self._asked_ms = now_ms

    def is_overdue(self, now_ms: int) -> bool:
        """What the phase waits for did not come: the broker is silent."""
        deadline_ms = self.deadline_ms()
        return deadline_ms is not None and now_ms >= deadline_ms

    def is_deaf(self, now_ms: int) -> bool:
        """Hello was not answered for so long that the connection is of no use."""
        return now_ms >= self._connected_ms + self._timeout_ms
