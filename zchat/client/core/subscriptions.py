"""Rooms over the second port: rounds of subscriptions that a nonce confirms, and the way around that port."""

from collections.abc import Iterable, Iterator
from typing import Final

from zchat.client.core.effects import (
    Effect,
    OpenSubscriber,
    Subscribe,
    TouchSubscriber,
    Transmit,
    Unsubscribe,
)
from zchat.common import limits, wire

CONFIRM_MS: Final = 3_000  # for the heads on the nonce to come; then rooms come over the request socket
ANSWER_MS: Final = 2_000  # then Follow is asked again, doubled each time
ANSWER_MS_MAX: Final = 15_000
RECONNECT_MS: Final = 8_000  # a subscriber that was confirmed once finds the broker again within that
REOPEN_MS: Final = 30_000  # a subscriber that was never confirmed is made anew: libzmq may have given up


class Subscriptions:
    """What the subscriber is subscribed to. protocol.md, Subscriptions.

    A set of rooms comes into force in a round: Follow, its answer with a new nonce, the topics, and last the
    nonce. The heads that come on the nonce prove that all before it are in force. The first round of a
    session that follows nothing uses the nonce of the Welcome.
    """

    def __init__(self, tokens: Iterator[int]) -> None:
        self._tokens = tokens
        self._session: int | None = None
        self._follow: wire.Follow | None = None  # not answered yet
        self._follow_due_ms = 0
        self._follow_ms = ANSWER_MS
        self._port = 0
        self._topics: set[bytes] = set()  # on the socket
        self._wanted: set[bytes] = set()
        self._nonce: str | None = None
        self._confirm_due_ms: int | None = None
        self._reopen_due_ms: int | None = None
        self._touch_due_ms: int | None = None
        self.followed: list[str] = []  # the names that are asked for
        self.over_router = False
        self.out_of_reach = False  # the way around has lasted longer than finding the broker again takes
        self._was_confirmed = False
        self._despair_due_ms: int | None = None

    @property
    def is_settled(self) -> bool:
        """No Follow is without an answer."""
        return self._follow is None

    def __contains__(self, token: int) -> bool:
        return self._follow is not None and self._follow.token == token

    def deadline_ms(self) -> int | None:
        """When the next round, repetition or touch is due."""
        repeat_ms = self._reopen_due_ms if self._follow is None else self._follow_due_ms
        times = [self._confirm_due_ms, self._touch_due_ms, repeat_ms, self._despair_due_ms]
        return min((time for time in times if time is not None), default=None)

    def welcomed(self, welcome: wire.Welcome, rooms: Iterable[str], now_ms: int) -> list[Effect]:
        """A session begins: the first round."""
        self._session = welcome.session
        self._follow = None
        self._wanted = _topics(rooms)
        effects: list[Effect] = []
        if welcome.port == 0:
            self.over_router = self.out_of_reach = True
        elif welcome.port != self._port:
            effects += self._open(welcome.port, now_ms)
        if self.followed or self.over_router:
            return effects + self.follow(now_ms)
        return effects + self._round(welcome.nonce, now_ms)

    def is_present(self, nonce: str) -> bool:
        """Whether it is the nonce of the round under way."""
        return self._session is not None and nonce == self._nonce

    def suspended(self) -> None:
        """The session is over. The subscriber stays: it finds the broker again by itself."""
        self._session = None
        self._follow = None
        self._confirm_due_ms = None
        self._reopen_due_ms = None
        self._despair_due_ms = None

    def close(self) -> None:
        """There will be no more rounds."""
        self.suspended()
        self._touch_due_ms = None

    def changed(self, rooms: Iterable[str], now_ms: int) -> list[Effect]:
        """Other rooms are read. New ones take a new round."""
        self._wanted = _topics(rooms)
        if self._session is None or self._follow is not None:
            return []
        if self._wanted - self._topics and self._port:
            return self.follow(now_ms)
        return self._unsubscribe()

    def follow(self, now_ms: int) -> list[Effect]:
        """Ask for a new round, with the rooms that are followed now."""
        if self._session is None:
            return []
        self._follow_ms = ANSWER_MS
        return self._ask(now_ms)

    def answered(self, followed: wire.Followed, rooms: Iterable[str], now_ms: int) -> list[Effect]:
        """The answer to Follow is here: `rooms` are read from now on."""
        self._follow = None
        self._wanted = _topics(rooms)
        return self._round(followed.nonce, now_ms)

    def refused(self, now_ms: int) -> None:
        """Follow was refused; it is asked again after a while."""
        self._follow_due_ms = now_ms + self._follow_ms

    def put_off(self, due_ms: int) -> None:
        """Follow was refused for now, and is asked again then."""
        self._follow_due_ms = due_ms

    def confirmed(self, nonce: str, now_ms: int) -> list[Effect]:
        """Heads came on a nonce. On the present one: everything is in force."""
        if not self.is_present(nonce):
            return []
        self._confirm_due_ms = self._reopen_due_ms = self._despair_due_ms = None
        self._was_confirmed = True
        self.out_of_reach = False
        if self.over_router and self._follow is None:
            self.over_router = False
            return self.follow(now_ms)
        return []

    def elapsed(self, now_ms: int) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        if self._touch_due_ms is not None and now_ms >= self._touch_due_ms:
            self._touch_due_ms = now_ms + limits.SUBSCRIPTION_TOUCH_MS
            effects.append(TouchSubscriber())
        if self._session is None:
            return effects
        if self._confirm_due_ms is not None and now_ms >= self._confirm_due_ms:
            self._confirm_due_ms = None
            if not self.out_of_reach and self._despair_due_ms is None:
                self._despair_due_ms = now_ms + (RECONNECT_MS if self._was_confirmed else 0)
            if not self.over_router and self._follow is None:
                self.over_router = True
                effects += self.follow(now_ms)
        if self._despair_due_ms is not None and now_ms >= self._despair_due_ms:
            self._despair_due_ms = None
            self.out_of_reach = True
        if self._reopen_due_ms is not None and now_ms >= self._reopen_due_ms and self._follow is None:
            effects += self._open(self._port, now_ms)
            effects += self.follow(now_ms)
        if self._follow is not None and now_ms >= self._follow_due_ms:
            self._follow_ms = min(2 * self._follow_ms, ANSWER_MS_MAX)
            effects += self._ask(now_ms)
        return effects

    def _ask(self, now_ms: int) -> list[Effect]:
        assert self._session is not None
        self._follow = wire.Follow(self._session, next(self._tokens), [*self.followed], self.over_router)
        self._follow_due_ms = now_ms + self._follow_ms
        self._confirm_due_ms = None
        return [Transmit(self._follow)]

    def _open(self, port: int, now_ms: int) -> list[Effect]:
        self._port = port
        self._topics.clear()
        self._nonce = None
        self._touch_due_ms = now_ms + limits.SUBSCRIPTION_TOUCH_MS
        self._reopen_due_ms = None
        return [OpenSubscriber(port)]

    def _round(self, nonce: str, now_ms: int) -> list[Effect]:
        if not self._port:
            return []
        effects: list[Effect] = [Subscribe(topic) for topic in sorted(self._wanted - self._topics)]
        self._topics |= self._wanted
        effects += self._unsubscribe()
        if self._nonce is not None:
            effects.append(Unsubscribe(wire.nonce_topic(self._nonce)))
        self._nonce = nonce
        effects.append(Subscribe(wire.nonce_topic(nonce)))
        self._confirm_due_ms = now_ms + CONFIRM_MS
        if self._reopen_due_ms is None:
            self._reopen_due_ms = now_ms + REOPEN_MS
        return effects

    def _unsubscribe(self) -> list[Effect]:
        stale = sorted(self._topics - self._wanted)
        self._topics &= self._wanted
        return [Unsubscribe(topic) for topic in stale]


def _topics(rooms: Iterable[str]) -> set[bytes]:
    return {wire.HERE, *(wire.room_topic(room[1:]) for room in rooms)}
