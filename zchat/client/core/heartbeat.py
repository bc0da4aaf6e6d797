"""Signs of life, which ask for the heads at the same time."""

from collections.abc import Iterator
from typing import Final

from zchat.client.core.effects import Effect, Transmit
from zchat.client.core.listing import Listing
from zchat.common import wire

_PAGES_MAX: Final = 10_000  # of one list of heads; a broker that goes on has gone mad


class Heartbeat:
    """Pings every so often, and from page to page of a list of heads. protocol.md, Heads."""

    def __init__(self, tokens: Iterator[int]) -> None:
        self._tokens = tokens
        self._token: int | None = None  # of the Ping that is not answered
        self._after = ""
        self._pages = 0
        self._listing: Listing | None = None
        self._due_ms: int | None = None

    def __contains__(self, token: int) -> bool:
        return token == self._token

    def deadline_ms(self) -> int | None:
        """When the next Ping is due."""
        return self._due_ms

    def suspend(self) -> None:
        """There is no session."""
        self._token = self._listing = self._due_ms = None

    def begin(self, listing: Listing, now_ms: int, interval_ms: int) -> None:
        """A session begins, with the first page of a list."""
        self._token = None
        self._listing = listing
        self._after, self._pages = "", 0
        self._due_ms = now_ms + interval_ms

    def hasten(self, now_ms: int) -> None:
        """The next Ping is due at once."""
        if self._due_ms is not None:
            self._due_ms = now_ms

    def ping(
        self, session: int, floor: int, covers_followed: bool, now_ms: int, interval_ms: int
    ) -> list[Effect]:
        """A Ping: for the page of the list under way that did not come, else for a new list."""
        if self._listing is None:
            self._listing, self._after, self._pages = Listing(False, covers_followed), "", 0
        return self._ask(session, floor, now_ms, interval_ms)

    def is_due(self, now_ms: int) -> bool:
        """A Ping is due."""
        return self._due_ms is not None and now_ms >= self._due_ms

    def paged(self) -> Listing | None:
        """The list that the answer to the last Ping belongs to."""
        self._token = None
        return self._listing

    def turn(
        self, following: str, session: int, floor: int, now_ms: int, interval_ms: int
    ) -> list[Effect] | None:
        """A page came, and `following` is where the next one begins. None: the list is complete."""
        self._pages += 1
        if not following:
            self._listing = None
            return None
        if following == self._after or self._pages > _PAGES_MAX:
            self._listing = None
            return []
        self._after = following
        return self._ask(session, floor, now_ms, interval_ms)

    def _ask(self, session: int, floor: int, now_ms: int, interval_ms: int) -> list[Effect]:
        self._token = next(self._tokens)
        self._due_ms = now_ms + interval_ms
        return [Transmit(wire.Ping(session, self._token, floor, self._after))]
