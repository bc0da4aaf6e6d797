"""The reading side of a session: what is followed, lists of heads, pages, and what is told to the user.

Longer than other files: every answer about reading comes here, and which of the parts it is for, and what the
others have to do then, is decided in one place.
"""

from collections.abc import Iterator
from typing import Final
from unicodedata import normalize

from zchat.client.core.cursors import Cursors, Snapshot
from zchat.client.core.effects import Abandon, Announce, Deliver, Effect, Refuse, Resolve
from zchat.client.core.events import HeadsPublished, PageReceived
from zchat.client.core.fetches import Fetches
from zchat.client.core.heartbeat import Heartbeat
from zchat.client.core.limited import Limited, limited
from zchat.client.core.listing import Listing
from zchat.client.core.reading import Reading
from zchat.client.core.session import Session
from zchat.client.core.subscriptions import Subscriptions
from zchat.client.messages import Came, CaughtUp, Status, Update, Went
from zchat.common import wire
from zchat.common.codes import Refusal

_NO_HEADS: Final = 2**53 - 1  # a floor above all heads, for a client that wants to hear of none
_NOT_FINAL: Final = frozenset((Refusal.BUSY, Refusal.UNREADABLE))


class Reception:
    """Puts together what makes a session read: subscriptions, signs of life, pages, and the rule of Reading.
    A `quiet` one only gives signs of life and gets the pages that users ask for."""

    def __init__(
        self,
        session: Session,
        tokens: Iterator[int],
        *,
        quiet: bool,
        snapshot: Snapshot | None,
        resume: bool,
    ) -> None:
        cursors = Cursors(snapshot)
        self.fetches = Fetches(tokens, cursors.position)
        self.reading = Reading(self.fetches, cursors, snapshot, resume)
        self._session = session
        self._quiet = quiet
        self._heartbeat = Heartbeat(tokens)
        self._subscriptions = Subscriptions(tokens)
        self._tickets: list[int] = []  # of those who wait for Follow
        self._accepted_rooms: list[str] = []
        self._told_out_of_reach = False
        self._limited: Limited | None = None  # why the last page, or Follow, is waited for

    @property
    def hello_floor(self) -> int | None:
        """What Hello says about what is read."""
        return _NO_HEADS if self._quiet else self.reading.hello_floor

    def deadline_ms(self) -> int | None:
        """When something is due."""
        times = [self._subscriptions.deadline_ms(), self._heartbeat.deadline_ms()]
        if self._session.number is not None:
            times.append(self.fetches.deadline_ms())
        return min((time for time in times if time is not None), default=None)

    # ---- sessions and time ----

    def is_ahead_of(self, welcome: wire.Welcome) -> bool:
        """Whether more was read than there is in the broker's log."""
        return not self._quiet and self.reading.is_ahead_of(welcome)

    def begin_anew(self, as_of: int, status: Status) -> list[Effect]:
        """The broker's log was replaced: read from `as_of` on, once the user was told."""
        self.reading.inbox.delivered(1)  # even if too many wait there
        self.reading.begin_anew(as_of)
        return [Announce(status), Deliver([status])]

    def welcomed(self, welcome: wire.Welcome, now_ms: int) -> list[Effect]:
        """A session begins."""
        self.fetches.welcomed()
        interval_ms = self._session.heartbeat_ms
        if self._quiet:
            self._heartbeat.begin(Listing(True, False), now_ms, interval_ms)
            return []
        self.reading.requested = _conversations(self._subscriptions.followed)
        listing = self.reading.welcomed(welcome, covers_followed=not self._subscriptions.followed)
        if not self._subscriptions.followed:
            self.reading.follow(set())
        self._heartbeat.begin(listing, now_ms, interval_ms)
        effects = self._turn(listing, welcome.next, now_ms)
        self.reading.rooms_changed = False
        effects += self._subscriptions.welcomed(welcome, self.reading.rooms, now_ms)
        if self._tickets and self._subscriptions.is_settled:
            effects += self._subscriptions.follow(now_ms)
        return effects + self._told_of_second_port()

    def suspended(self) -> None:
        """The session is over."""
        self._heartbeat.suspend()
        self._subscriptions.suspended()

    def close(self) -> list[int]:
        """Nothing is read any more: the tickets of those who waited."""
        tickets = self.fetches.tickets() + self._tickets
        self._tickets = []
        self._heartbeat.suspend()
        self._subscriptions.close()
        self.fetches.close()
        return tickets

    def elapsed(self, now_ms: int) -> list[Effect]:
        """Do what is due."""
        effects = self._subscriptions.elapsed(now_ms)
        if self._session.number is None:
            return effects
        self.fetches.elapsed(now_ms)
        return effects + self._told_of_second_port() + self._ping_if_due(now_ms)

    def advance(self, now_ms: int) -> list[Effect]:
        """What follows after every event: a new round for other rooms, and the pages that are wanted."""
        session = self._session.number
        if session is None:
            return []
        effects: list[Effect] = []
        if self.reading.expelled:
            effects += self._drop_expelled(now_ms)
        if self.reading.rooms_changed and not self._quiet:
            self.reading.rooms_changed = False
            effects += self._subscriptions.changed(self.reading.rooms, now_ms)
        if self.reading.inbox.full:
            self.reading.stop_if_full()
        if self._subscriptions.is_settled and self.reading.catches_up():
            effects += self.tell([CaughtUp()])
        return effects + self.fetches.start(session, now_ms)

    # ---- what comes ----

    def received(self, segment: wire.Segment) -> list[Effect]:
        """A segment came that nobody asked for."""
        return [] if self._quiet else self.reading.received(segment)

    def page(self, event: PageReceived, now_ms: int) -> list[Effect]:
        """A page came."""
        header = event.header
        if header.session != self._session.number:
            return []
        wanted = self.fetches.answered(header.token)
        if wanted is None:
            return []
        if isinstance(wanted.key, int):
            return [Resolve(wanted.key, header, event.segments)]
        return self.reading.page(wanted, header, event.segments, now_ms)

    def presence(self, presence: wire.Presence) -> list[Effect]:
        """Somebody came or went."""
        if self._quiet:
            return []
        return self.tell([Came(p.nick) if p.present else Went(p.nick) for p in presence.changes])

    def heads(self, heads: wire.Heads, now_ms: int) -> list[Effect]:
        """The answer to a Ping."""
        if heads.token not in self._heartbeat:
            return []
        listing = self._heartbeat.paged()
        if listing is None or self._quiet:
            return []
        self.reading.listed(listing, heads.heads, heads.as_of)
        return self._turn(listing, heads.next, now_ms)

    def heads_published(self, event: HeadsPublished, now_ms: int) -> list[Effect]:
        """Heads came on a nonce."""
        if self._quiet or not self._subscriptions.is_present(event.nonce):
            return []
        effects = self._subscriptions.confirmed(event.nonce, now_ms) + self._told_of_second_port()
        listing = Listing(False, self._subscriptions.is_settled)
        self.reading.listed(listing, event.heads.heads, event.heads.as_of)
        if event.heads.next:
            return effects + self.ping(now_ms)
        return effects + self.reading.list_completed(listing)

    def refused(
        self, token: int, code: Refusal, reason: str, now_ms: int, retry_after_ms: int = 0
    ) -> list[Effect]:
        """A page or Follow was refused."""
        if code is Refusal.RATE_LIMITED:
            self._slow_down(token, limited(reason, retry_after_ms, now_ms))
            return []
        if token in self._subscriptions:
            return self._follow_refused(code, reason, now_ms)
        if token not in self.fetches:
            return []
        key = self.fetches.key(token)
        if isinstance(key, int) and code not in _NOT_FINAL:
            self.fetches.answered(token)
            return [Refuse([key], code, reason)]
        if isinstance(key, str) and self.reading.page_refused(key, code, reason or code.meaning):
            self.fetches.answered(token)
            return []
        self.fetches.refused(token, now_ms)
        return []

    def _slow_down(self, token: int, because: Limited) -> None:
        self._limited = because
        if token in self._subscriptions:
            self._subscriptions.put_off(because.due_ms)
        elif token in self.fetches:
            self.fetches.limited(token, because)

    def done(self, act: object, answer: wire.Done, now_ms: int) -> list[Effect]:
        """An act of ours is durable. The room that was joined is in the list of heads, in its registered
        form."""
        if self._quiet:
            return []
        if isinstance(act, wire.Leave):
            self.reading.left(act.room, answer.pos)
        return self.ping(now_ms) if isinstance(act, wire.Join) else []

    # ---- what users want ----

    def tell(self, updates: list[Update]) -> list[Effect]:
        """Give updates without a position to the user, unless too many wait there."""
        if self.reading.inbox.full or not updates:
            return []
        self.reading.inbox.delivered(len(updates))
        return [Deliver(updates)]

    def took(self, count: int, now_ms: int) -> list[Effect]:
        """The user took updates."""
        return self.ping(now_ms) if self.reading.took(count) else []

    def follow(self, ticket: int, rooms: list[str], now_ms: int) -> list[Effect]:
        """Follow exactly these rooms."""
        if self._quiet:
            return [Abandon([ticket], handed_over=False)]
        self._tickets.append(ticket)
        self._set_followed(rooms)
        return self._subscriptions.follow(now_ms)

    def followed(self, followed: wire.Followed, now_ms: int) -> list[Effect]:
        """The answer to Follow."""
        if followed.token not in self._subscriptions:
            return []
        self._accepted_rooms = self._subscriptions.followed
        self.reading.followed(followed.heads)
        self.reading.rooms_changed = False
        tickets, self._tickets = self._tickets, []
        effects: list[Effect] = [Resolve(ticket, followed, []) for ticket in tickets]
        return effects + self._subscriptions.answered(followed, self.reading.rooms, now_ms)

    def give_up(self, ticket: int, now_ms: int) -> list[Effect]:
        """The caller waits no longer. Nothing if there was none."""
        if ticket in self._tickets:
            self._tickets.remove(ticket)
        elif not self.fetches.drop(ticket):
            return []
        if self._limited is not None and now_ms < self._limited.due_ms:
            return [self._limited.refuse([ticket], now_ms)]
        return [Abandon([ticket], handed_over=False)]

    def _follow_refused(self, code: Refusal, reason: str, now_ms: int) -> list[Effect]:
        """The rooms that were accepted before stay in force."""
        if code in _NOT_FINAL:
            self._subscriptions.refused(now_ms)
            return []
        tickets, self._tickets = self._tickets, []
        effects: list[Effect] = [Refuse(tickets, code, reason)] if tickets else []
        if self._subscriptions.followed == self._accepted_rooms:
            self.reading.examine_followed()
            self._subscriptions.refused(now_ms)
            return effects
        self._set_followed(self._accepted_rooms)
        return effects + self._subscriptions.follow(now_ms)

    def _drop_expelled(self, now_ms: int) -> list[Effect]:
        """Follow what may still be read; one room that may not would have all refused. What a user asks for
        at the moment is for the broker to refuse."""
        expelled, self.reading.expelled = self.reading.expelled, {}
        was_accepted = self._subscriptions.followed == self._accepted_rooms
        self._accepted_rooms = sorted(room[1:] for room in self.reading.cursors.followed)
        effects: list[Effect] = []
        for room, why in expelled.items():
            status = Status("expelled", f"{room} is read no longer: {why}")
            effects += [Announce(status), *self.tell([status])]
        if was_accepted and not self._tickets:
            self._set_followed(self._accepted_rooms)
            effects += self._subscriptions.follow(now_ms)
        return effects

    def _set_followed(self, rooms: list[str]) -> None:
        self._subscriptions.followed = [*rooms]
        self.reading.requested |= _conversations(rooms)  # what was asked for before may come into force

    def _told_of_second_port(self) -> list[Effect]:
        out_of_reach = self._subscriptions.out_of_reach
        if out_of_reach == self._told_out_of_reach:
            return []
        self._told_out_of_reach = out_of_reach
        text = (
            "the broker's second port is out of reach; rooms come over the first"
            if out_of_reach
            else "the broker's second port answers; rooms come over it again"
        )
        status = Status("over_router", text)
        return [Announce(status), *self.tell([status])]

    # ---- signs of life ----

    def ping(self, now_ms: int) -> list[Effect]:
        """Ask for the heads now."""
        self._heartbeat.hasten(now_ms)
        return self._ping_if_due(now_ms)

    def _ping_if_due(self, now_ms: int) -> list[Effect]:
        session = self._session.number
        if session is None or not self._heartbeat.is_due(now_ms):
            return []
        self._session.asked(now_ms)
        floor = _NO_HEADS if self._quiet else self.reading.list_floor
        covers = self._subscriptions.is_settled
        return self._heartbeat.ping(session, floor, covers, now_ms, self._session.heartbeat_ms)

    def _turn(self, listing: Listing, following: str, now_ms: int) -> list[Effect]:
        """A page of a list is read: go on to the next, or complete the list."""
        session = self._session.number
        assert session is not None
        floor, interval_ms = self.reading.list_floor, self._session.heartbeat_ms
        pings = self._heartbeat.turn(following, session, floor, now_ms, interval_ms)
        if pings is None:
            return self.reading.list_completed(listing)
        self._session.asked(now_ms)
        return pings


def _conversations(rooms: list[str]) -> set[str]:
    """The conversations of rooms, as far as they can be told from what was typed."""
    return {f"#{normalize('NFKC', room).lower()}" for room in rooms}
