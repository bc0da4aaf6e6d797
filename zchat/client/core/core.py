"""The client's core: events in, effects out. What it does with each kind of event, and when it wants time."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Final, assert_never

from zchat.client.core.cursors import Cursors, Snapshot
from zchat.client.core.effects import (
    Abandon,
    Announce,
    Deliver,
    Effect,
    Fail,
    Greet,
    Refuse,
    Resolve,
    Transmit,
)
from zchat.client.core.events import (
    ActQueued,
    AnswerReceived,
    Consumed,
    Diagnosed,
    Disconnected,
    Elapsed,
    Event,
    FollowChanged,
    GivenUp,
    HandshakeFailed,
    HandshakeSucceeded,
    HeadsPublished,
    MalformedReceived,
    MessagesQueued,
    PageReceived,
    PresencePublished,
    RoomPublished,
    SegmentDelivered,
    Started,
    Stopped,
)
from zchat.client.core.fetches import Fetches
from zchat.client.core.heartbeat import Heartbeat
from zchat.client.core.outbox import Outbox
from zchat.client.core.reading import Listing, Reading
from zchat.client.core.requests import Requests
from zchat.client.core.session import Phase, Session
from zchat.client.core.subscriptions import Subscriptions
from zchat.client.messages import Came, Status, Update, Went
from zchat.common import limits, wire
from zchat.common.codes import Refusal, refusal

_NO_HEADS: Final = 2**53 - 1  # a floor above all heads, for a client that wants to hear of none


class Core:
    """Everything a client decides. `handle` takes one event and the monotonic time and returns what the
    shell is to do, in order; `deadline_ms` is when it wants an Elapsed at the latest.

    `instance` identifies this process to the broker, `jitter` gives numbers from 0 to 1: both come from the
    shell, for a core draws no numbers. `snapshot` and `resume`: see Reading. A `quiet` client reads nothing
    by itself and is not shown as present.
    """

    def __init__(
        self,
        nick: str,
        *,
        instance: int,
        jitter: Callable[[], float],
        quiet: bool = False,
        snapshot: Snapshot | None = None,
        resume: bool = False,
        software: str = "",
    ) -> None:
        self.outbox = Outbox(tokens := count(1))
        self._tokens: Iterator[int] = tokens
        self._nick = nick
        self._instance = instance
        self._quiet = quiet
        self._software = software
        self._session = Session(jitter)
        self._heartbeat = Heartbeat(tokens)
        self._requests = Requests(tokens)
        self._subscriptions = Subscriptions(tokens)
        cursors = Cursors(snapshot)
        self._fetches = Fetches(tokens, lambda conversation: cursors.position(conversation) or 0)
        self._reading = Reading(self._fetches, cursors, snapshot, resume)
        self._follow_tickets: list[int] = []
        self._accepted_rooms: list[str] = []
        self._away = False
        self._told_over_router = False
        self._found = ""  # the kind of what was found last while the broker was away

    # ---- what the shell may look at ----

    @property
    def is_open(self) -> bool:
        """There is a session."""
        return self._session.phase is Phase.OPEN

    @property
    def joined(self) -> frozenset[str]:
        """The conversations of the rooms that the user is a member of, as far as is known."""
        return frozenset(self._reading.cursors.joined)

    def snapshot(self) -> Snapshot:
        """How far the user has got, to be saved and given to the next client."""
        return self._reading.inbox.snapshot()

    def deadline_ms(self) -> int | None:
        """The monotonic time at which Elapsed is due; None: when something happens."""
        times = [self._session.deadline_ms(), self._subscriptions.deadline_ms()]
        if self.is_open:
            times += [
                self._heartbeat.deadline_ms(),
                self.outbox.deadline_ms(),
                self._requests.deadline_ms(),
                self._fetches.deadline_ms(),
            ]
        return min((time for time in times if time is not None), default=None)

    # ---- events ----

    def handle(self, event: Event, now_ms: int) -> list[Effect]:
        """Take in one event, whole."""
        if self._session.phase is Phase.STOPPED:
            return self._handle_stopped(event)
        effects = self._take(event, now_ms)
        session = self._session.number
        if session is not None and not self._quiet:
            if self._reading.rooms_changed:
                self._reading.rooms_changed = False
                effects += self._subscriptions.changed(self._reading.rooms, now_ms)
            if self._reading.inbox.full:
                self._reading.stop_if_full()
        if session is not None:
            effects += self._fetches.start(session, now_ms)
        return effects

    def _take(self, event: Event, now_ms: int) -> list[Effect]:
        match event:
            case RoomPublished(segment=segment):
                return [] if self._quiet else self._reading.received(segment)
            case SegmentDelivered(session=session, segment=segment):
                self._session.heard()
                if session != self._session.number or self._quiet:
                    return []
                return self._reading.received(segment)
            case AnswerReceived(answer=answer):
                self._session.heard()
                return self._answer(answer, now_ms)
            case PageReceived():
                self._session.heard()
                return self._page(event, now_ms)
            case HeadsPublished():
                return self._heads_published(event, now_ms)
            case PresencePublished(presence=presence):
                return self._presence(presence)
            case MalformedReceived():
                return []
            case HandshakeSucceeded():
                return self._hello(now_ms) if self._session.connected(now_ms) else []
            case HandshakeFailed():
                return self._handshake_failed(now_ms)
            case Disconnected():
                return self._disconnected(now_ms)
            case _:
                return self._take_from_user(event, now_ms)

    def _take_from_user(self, event: Event, now_ms: int) -> list[Effect]:
        session = self._session.number
        match event:
            case MessagesQueued(drafts=drafts):
                effects = self.outbox.queue(drafts)
                return effects if session is None else effects + self.outbox.form(session, now_ms)
            case Consumed(count=taken):
                if self._reading.took(taken):
                    self._heartbeat.hasten(now_ms)
                    return self._ping_if_due(now_ms)
                return []
            case GivenUp(ticket=ticket):
                return self._give_up(ticket, now_ms)
            case ActQueued(ticket=ticket, request=wire.Fetch() as fetch):
                self._fetches.ask(ticket, fetch)
                return []
            case ActQueued(ticket=ticket, request=request):
                assert not isinstance(request, wire.Fetch)
                return self._requests.ask(ticket, request, session, now_ms)
            case FollowChanged(ticket=ticket, rooms=rooms):
                return self._follow(ticket, rooms, now_ms)
            case Elapsed():
                return self._elapsed(now_ms)
            case Diagnosed(kind=kind, text=text):
                return self._diagnosed(kind, text)
            case Started():
                return self._session.connect(now_ms) if self._session.phase is Phase.IDLE else []
            case Stopped():
                return self._stop()
            case _:
                raise AssertionError(event)

    def _handle_stopped(self, event: Event) -> list[Effect]:
        match event:
            case MessagesQueued(drafts=drafts):
                return [Abandon([draft.ticket for draft in drafts], handed_over=False)]
            case ActQueued(ticket=ticket) | FollowChanged(ticket=ticket):
                return [Abandon([ticket], handed_over=False)]
            case Consumed(count=taken):
                self._reading.inbox.took(taken)
        return []

    # ---- the connection ----

    def _hello(self, now_ms: int) -> list[Effect]:
        self._session.greeted(now_ms)
        floor = _NO_HEADS if self._quiet else self._reading.hello_floor
        version = limits.VERSION
        hello = wire.Hello(
            version,
            version,
            self._nick,
            self._instance,
            self.outbox.lowest,
            floor,
            self._quiet,
            self._software,
        )
        return [Transmit(hello)]

    def _handshake_failed(self, now_ms: int) -> list[Effect]:
        if self._session.phase is not Phase.CONNECTING:
            return self._disconnected(now_ms)
        self._session.pause(now_ms)
        return self._session.diagnose(now_ms)

    def _disconnected(self, now_ms: int) -> list[Effect]:
        """The connection is of no use any more."""
        if self._session.phase not in (Phase.CONNECTING, Phase.GREETING, Phase.OPEN):
            return []
        self._session.pause(now_ms)
        return self._suspend("the connection to the broker is lost; trying again")

    def _suspend(self, why: str) -> list[Effect]:
        self._heartbeat.suspend()
        self._subscriptions.suspended()
        if self._away or not self._session.was_open:
            return []
        self._away = True
        return self._tell("away", why)

    def _welcome(self, welcome: wire.Welcome, now_ms: int) -> list[Effect]:
        if not self._session.welcomed(welcome, now_ms):
            return []
        session = welcome.session
        effects: list[Effect] = [Greet(welcome)]
        if self._away:
            self._away = False
            self._found = ""
            effects += self._tell("back", "the broker is back")
        self._fetches.welcomed()
        if not self._quiet:
            listing = self._reading.welcomed(welcome)
            if not self._subscriptions.followed:
                self._reading.follow(set())
            self._heartbeat.begin(listing, now_ms, self._session.heartbeat_ms)
            effects += self._turn(listing, welcome.next, now_ms)
            self._reading.rooms_changed = False
            effects += self._subscriptions.welcomed(welcome, self._reading.rooms, now_ms)
            effects += self._told_if_over_router()
        else:
            self._heartbeat.begin(Listing(is_first=False), now_ms, self._session.heartbeat_ms)
        effects += self.outbox.welcomed(welcome, now_ms)
        return effects + self._requests.welcomed(session, now_ms)

    def _not_greeted(self, now_ms: int) -> list[Effect]:
        """The broker was restarted, or has expired us: greet again over the same sockets."""
        say_hello = self._session.lose(now_ms)
        effects = self._suspend("the broker has started anew; greeting it")
        return effects + self._hello(now_ms) if say_hello else effects

    def _hello_refused(self, code: Refusal, reason: str, now_ms: int) -> list[Effect]:
        if self._session.phase is not Phase.GREETING:
            return []
        if self._session.hello_refused(code, now_ms):
            return [*self._close(), Fail(code, reason)]
        return self._tell("refused", reason or code.meaning, code)

    def _elapsed(self, now_ms: int) -> list[Effect]:
        session = self._session
        effects = self._subscriptions.elapsed(now_ms)
        if session.phase is Phase.OPEN:
            if session.is_overdue(now_ms):
                return effects + self._disconnected(now_ms)
            number = session.number
            assert number is not None
            effects += self._told_if_over_router()
            effects += self._ping_if_due(now_ms)
            self._fetches.elapsed(now_ms)
            effects += self.outbox.elapsed(number, now_ms)
            return effects + self._requests.elapsed(number, now_ms)
        if not session.is_overdue(now_ms):
            return effects
        if session.phase is Phase.PAUSED:
            return effects + session.connect(now_ms)
        if session.phase is Phase.CONNECTING:
            return effects + self._handshake_failed(now_ms)
        if session.phase is Phase.GREETING:
            if session.is_deaf(now_ms):
                session.pause(now_ms)
                return effects + session.diagnose(now_ms)
            return effects + self._hello(now_ms)
        return effects

    def _stop(self) -> list[Effect]:
        number = self._session.number
        effects: list[Effect] = [] if number is None else [Transmit(wire.Bye(number))]
        return effects + self._close()

    def _close(self) -> list[Effect]:
        self._session.stop()
        self._heartbeat.suspend()
        self._subscriptions.close()
        effects = self.outbox.close()
        acts = self._requests.close()
        never = self._fetches.tickets() + self._follow_tickets
        self._fetches.close()
        self._follow_tickets = []
        if acts:
            effects.append(Abandon(acts, handed_over=True))
        if never:
            effects.append(Abandon(never, handed_over=False))
        return effects

    # ---- answers ----

    def _answer(self, answer: wire.Answer, now_ms: int) -> list[Effect]:
        if isinstance(answer, wire.Welcome):
            return self._welcome(answer, now_ms)
        if isinstance(answer, wire.Refused):
            return self._refused(answer, now_ms)
        session = self._session.number
        if session is None or answer.session != session:
            return []
        match answer:
            case wire.Ack(results=rows):
                return [effect for row in rows for effect in self.outbox.stored(row, session, now_ms)]
            case wire.Heads():
                return self._heads(answer, now_ms)
            case wire.Followed():
                return self._followed(answer, now_ms)
            case wire.Done() | wire.People() | wire.Rooms():
                return self._resolve(answer, now_ms)
            case wire.Presence():
                return self._presence(answer)
            case wire.Page():
                return self._page(PageReceived(answer, []), now_ms)
            case wire.Deliver():
                return []
            case _:
                assert_never(answer)

    def _refused(self, refused: wire.Refused, now_ms: int) -> list[Effect]:
        code, token, reason = refusal(refused.code), refused.token, refused.reason
        session = self._session.number
        if refused.session == 0 and token == 0:
            return self._hello_refused(code, reason, now_ms)
        if session is None or refused.session != session:
            return []
        if code is Refusal.NOT_GREETED:
            return self._not_greeted(now_ms)
        if token in self.outbox:
            return self.outbox.refused(token, code, reason, session, now_ms)
        if token in self._requests:
            return self._requests.refused(token, code, reason, now_ms)
        if token in self._fetches:
            return self._page_refused(token, code, reason, now_ms)
        if token in self._subscriptions:
            return self._follow_refused(code, reason, now_ms)
        return []

    def _resolve(self, answer: wire.Done | wire.People | wire.Rooms, now_ms: int) -> list[Effect]:
        if answer.token not in self._requests:
            return []
        request = self._requests.answered(answer.token)
        effects: list[Effect] = [Resolve(request.ticket, answer, [])]
        if isinstance(answer, wire.Done) and not self._quiet:
            if isinstance(request.act, wire.Leave):
                self._reading.left(request.act.room, answer.pos)
            elif isinstance(request.act, wire.Join):
                self._heartbeat.hasten(now_ms)  # the list of heads has the room, in its registered form
                effects += self._ping_if_due(now_ms)
        return effects

    def _presence(self, presence: wire.Presence) -> list[Effect]:
        if self._quiet or self._reading.inbox.full or not presence.changes:
            return []
        updates: list[Update] = [Came(p.nick) if p.present else Went(p.nick) for p in presence.changes]
        self._reading.inbox.delivered(len(updates))
        return [Deliver(updates)]

    # ---- pages and heads ----

    def _page(self, event: PageReceived, now_ms: int) -> list[Effect]:
        header = event.header
        if header.session != self._session.number:
            return []
        wanted = self._fetches.answered(header.token)
        if wanted is None:
            return []
        if isinstance(wanted.key, int):
            return [Resolve(wanted.key, header, event.segments)]
        return self._reading.page(wanted, header, event.segments, now_ms)

    def _page_refused(self, token: int, code: Refusal, reason: str, now_ms: int) -> list[Effect]:
        key = self._fetches.key(token)
        if isinstance(key, int) and code not in (Refusal.BUSY, Refusal.UNREADABLE):
            self._fetches.answered(token)
            return [Refuse([key], code, reason)]
        if isinstance(key, str) and self._reading.page_refused(key, code):
            self._fetches.answered(token)
            return []
        self._fetches.refused(token, now_ms)
        return []

    def _heads(self, heads: wire.Heads, now_ms: int) -> list[Effect]:
        if heads.token not in self._heartbeat:
            return []
        listing = self._heartbeat.paged()
        if listing is None or self._quiet:
            return []
        self._reading.listed(listing, heads.heads, heads.as_of)
        return self._turn(listing, heads.next, now_ms)

    def _turn(self, listing: Listing, following: str, now_ms: int) -> list[Effect]:
        session = self._session.number
        assert session is not None
        floor, interval_ms = self._reading.list_floor, self._session.heartbeat_ms
        pings = self._heartbeat.turn(following, session, floor, now_ms, interval_ms)
        if pings is None:
            return self._reading.list_completed(listing)
        self._session.asked(now_ms)
        return pings

    def _heads_published(self, event: HeadsPublished, now_ms: int) -> list[Effect]:
        if self._quiet or not self.is_open:
            return []
        if not self._subscriptions.is_present(event.nonce):
            return []
        effects = self._subscriptions.confirmed(event.nonce, now_ms)
        listing = Listing(is_first=False)
        self._reading.listed(listing, event.heads.heads, event.heads.as_of)
        if event.heads.next:
            self._heartbeat.hasten(now_ms)
            return effects + self._ping_if_due(now_ms)
        return effects + self._reading.list_completed(listing)

    def _ping_if_due(self, now_ms: int) -> list[Effect]:
        session = self._session.number
        if session is None or not self._heartbeat.is_due(now_ms):
            return []
        self._session.asked(now_ms)
        floor = _NO_HEADS if self._quiet else self._reading.list_floor
        return self._heartbeat.ping(session, floor, now_ms, self._session.heartbeat_ms)

    # ---- rooms that are followed ----

    def _follow(self, ticket: int, rooms: list[str], now_ms: int) -> list[Effect]:
        if self._quiet:
            return [Abandon([ticket], handed_over=False)]
        self._follow_tickets.append(ticket)
        self._set_followed(rooms)
        return self._subscriptions.follow(now_ms)

    def _followed(self, followed: wire.Followed, now_ms: int) -> list[Effect]:
        if followed.token not in self._subscriptions:
            return []
        self._accepted_rooms = self._subscriptions.followed
        self._reading.followed(followed.heads)
        self._reading.rooms_changed = False
        tickets, self._follow_tickets = self._follow_tickets, []
        effects: list[Effect] = [Resolve(ticket, followed, []) for ticket in tickets]
        return effects + self._subscriptions.answered(followed, self._reading.rooms, now_ms)

    def _follow_refused(self, code: Refusal, reason: str, now_ms: int) -> list[Effect]:
        """The rooms that were accepted before stay in force."""
        if code in (Refusal.BUSY, Refusal.UNREADABLE):
            self._subscriptions.refused(now_ms)
            return []
        tickets, self._follow_tickets = self._follow_tickets, []
        if self._subscriptions.followed == self._accepted_rooms:
            self._subscriptions.refused(now_ms)
            return [Refuse(tickets, code, reason)] if tickets else []
        self._set_followed(self._accepted_rooms)
        return [Refuse(tickets, code, reason), *self._subscriptions.follow(now_ms)]

    def _set_followed(self, rooms: list[str]) -> None:
        self._subscriptions.followed = [*rooms]
        self._reading.requested = {f"#{room.lower()}" for room in rooms}

    # ---- users ----

    def _give_up(self, ticket: int, now_ms: int) -> list[Effect]:
        if self._fetches.drop(ticket):
            return [Abandon([ticket], handed_over=False)]
        if self._requests.give_up(ticket):
            return [Abandon([ticket], handed_over=True)]
        if ticket in self._follow_tickets:
            self._follow_tickets.remove(ticket)
            return [Abandon([ticket], handed_over=False)]
        return self.outbox.give_up(ticket, self._session.number, now_ms)

    def _diagnosed(self, kind: str, text: str) -> list[Effect]:
        """Told once while the broker is away, not at each attempt."""
        if not self._away or kind == self._found:
            return []
        self._found = kind
        return self._tell(kind, text)

    def _told_if_over_router(self) -> list[Effect]:
        if not self._subscriptions.over_router or self._told_over_router:
            return []
        self._told_over_router = True
        return self._tell(
            "over_router", "the broker's second port is out of reach; rooms come over the first"
        )

    def _tell(self, kind: str, text: str, code: Refusal | None = None) -> list[Effect]:
        status = Status(kind, text)
        effects: list[Effect] = [Announce(status, code)]
        if not self._reading.inbox.full:
            self._reading.inbox.delivered(1)
            effects.append(Deliver([status]))
        return effects
