"""The broker's core: events in, effects out. What it does with each kind of event, and when it wants time.

Longer than other files: every event and every request is handed to the part that knows it here, and what
those parts say becomes answers. They have files of their own: greeting, sending, reading, asking, log.
"""

from collections.abc import Iterable, Sequence
from typing import Final, assert_never

from zchat.broker.core.acts import Change, Cutoff, Settled
from zchat.broker.core.asking import Asking
from zchat.broker.core.context import Context, Effect
from zchat.broker.core.decision import Decision, Greeted, Result, Scrubbed
from zchat.broker.core.effects import Cut, CutSubscribers, Dismiss, NetworkEffect, TransmitSegments
from zchat.broker.core.events import (
    Elapsed,
    MalformedReceived,
    NetworkEvent,
    PeerLost,
    Received,
    Request,
    Stopping,
    Subscribed,
)
from zchat.broker.core.greeting import Greeting
from zchat.broker.core.limits import Limits
from zchat.broker.core.log import Dropped, Phase, Released
from zchat.broker.core.port import (
    Durable,
    Failed,
    Found,
    InstanceLoaded,
    Load,
    Loaded,
    Ordered,
    PageRead,
    Report,
    StoredSegment,
    Unreadable,
)
from zchat.broker.core.reading import Reading
from zchat.broker.core.sending import Sending
from zchat.broker.core.sessions import Session, Sessions
from zchat.broker.core.state import Denied
from zchat.broker.core.submissions import Origin
from zchat.common import limits, wire
from zchat.common.codes import Refusal

_SCAN_INTERVAL_MS: Final = 1_000  # how often silent sessions are looked for
_STALL_MS: Final = 1_000  # a loop that is later than this was stopped, and its clients were not silent

_SENDS: Final = (wire.Send, wire.KeyedSend)
_Other = wire.Act | wire.Redact | wire.Fetch | wire.Follow | wire.Ping | wire.Question | wire.Bye

Event = NetworkEvent | Report


class Core:
    """Everything the broker decides. `handle` takes one event and the monotonic time and returns what the
    shell is to do, in order; `deadline_ms` is when it wants an Elapsed at the latest.

    `first_session` and `nonce_prefix` come from the shell, for a core draws no numbers; `xpub_port` and
    `software` are told in the Welcome, `more_limits` with the others.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        first_session: int,
        nonce_prefix: str,
        xpub_port: int,
        software: str,
        more_limits: Sequence[wire.Bound] = (),
    ) -> None:
        sessions = Sessions(first_session, nonce_prefix)
        self._context = Context(limits, sessions, xpub_port, software, more_limits)
        self._greeting = Greeting(self._context)
        self._sending = Sending(self._context)
        self._reading = Reading(self._context)
        self._asking = Asking(self._context)
        self._scan_ms: int | None = None
        self._stopping = False

    def start(self) -> list[Effect]:
        """The first effects, before any event."""
        return [Load()]

    @property
    def accepting(self) -> bool:
        """The shell may read requests. While not, they wait in the sockets: that is the back-pressure."""
        return self._context.log.accepting and not self._stopping

    @property
    def is_idle(self) -> bool:
        """Nothing that was read is waiting for its answer."""
        return self._context.log.is_idle and self._sending.is_idle

    def deadline_ms(self) -> int | None:
        """The monotonic time at which Elapsed is due; None: when something happens."""
        log = self._context.log
        times = (
            self._scan_ms,
            log.probe_due_ms,
            log.load_due_ms,
            log.end_due_ms(),
            self._context.presence.due_ms,
        )
        return min((time for time in times if time is not None), default=None)

    def handle(self, event: Event, now_ms: int) -> list[Effect]:
        """Take in one event, whole."""
        context = self._context
        context.now_ms = now_ms
        self._take(event)
        self._reading.tell_presence()
        context.emit(context.log.advance(context.sessions.numbers, now_ms))
        if self._scan_ms is None and len(context.sessions):
            self._scan_ms = now_ms + _SCAN_INTERVAL_MS
        effects, context.effects = context.effects, []
        return effects

    def _take(self, event: Event) -> None:
        match event:
            case Received(requests=requests):
                for request in requests:
                    self._request(request)
                self._sending.end_turn()
            case Ordered():
                self._ordered(event)
            case Durable():
                self._durable(event)
            case PageRead() | Unreadable():
                self._reading.page_read(event)
            case Found():
                self._sending.found(event)
            case InstanceLoaded():
                self._greeting.instance_loaded(event)
            case Subscribed(key=key, topic=topic):
                self._reading.subscribed(key, topic)
            case MalformedReceived():
                self._malformed(event)
            case PeerLost(peer=peer):
                session = self._context.sessions.at(peer)
                if session is not None:
                    self._greeting.end(session, "connection lost")
            case Elapsed():
                self._elapsed()
            case Failed():
                self._failed(event)
            case Loaded():
                self._loaded(event)
            case Stopping():
                self._stopping = True
                for session in self._context.sessions:
                    self._context.log.seen(session.nick, self._context.now_ms)
                self._context.log.leave()
            case _:
                assert_never(event)

    # ---- requests ----

    def _request(self, received: Request) -> None:
        peer, key, request, size, address = received
        if isinstance(request, wire.Hello):
            self._greeting.hello(peer, key, request, address)
            return
        session = self._context.sessions.at(peer)
        if session is not None and session.key != key:  # the routing id was taken over by another key
            self._greeting.end(session, "taken over by another key")
            session = None
        if session is None or not session.open or session.number != request.session:
            if not isinstance(request, wire.Bye):
                denied = Denied(Refusal.NOT_GREETED, "no such session here: greet, then repeat")
                self._context.refuse_peer(peer, request.session, request.token, denied)
            return
        session.seen_ms = self._context.now_ms
        try:
            if isinstance(request, _SENDS):  # nearly all of them
                self._asking.check_send(session, request, size)
                self._sending.send(session, request, size)
                return
            self._asking.check(session, request)
        except Denied as denied:
            assert not isinstance(request, wire.Bye)
            by_state = denied.refusal is not Refusal.RATE_LIMITED
            (self._context.hold_denial if by_state else self._context.deny)(session, request.token, denied)
            return
        self._dispatch(session, request)

    def _dispatch(self, session: Session, request: _Other) -> None:
        match request:
            case wire.Fetch():
                self._reading.fetch(session, request)
            case wire.Follow():
                self._reading.follow(session, request)
            case wire.Ping():
                self._reading.ping(session, request)
            case wire.Redact():
                self._reading.redact(session, request)
            case wire.Bye():
                self._greeting.end(session, "bye")
            case (
                wire.ListPeople()
                | wire.ListRooms()
                | wire.Whois()
                | wire.ListInvites()
                | wire.ListTokens()
                | wire.ListSanctions()
                | wire.ListLimits()
            ):
                self._asking.ask(session, request)
            case _:
                self._sending.act(session, request)

    def _malformed(self, event: MalformedReceived) -> None:
        denied = Denied(Refusal.MALFORMED, event.reason)
        self._context.refuse_peer(event.peer, 0, 0, denied)
        if event.abusive:
            self._context.emit(Cut(event.key, "frames that no client sends"))

    # ---- the log's reports ----

    def _ordered(self, event: Ordered) -> None:
        write, released = self._context.log.ordered(event, self._context.now_ms)
        self._context.emit(write)
        if released is not None:
            self._release(released)

    def _durable(self, event: Durable) -> None:
        outcome = self._context.log.durable_reported(event, self._sending.looked())
        if isinstance(outcome, Load):
            self._context.emit(outcome)
        elif outcome is not None:
            self._release(outcome)

    def _release(self, released: Released) -> None:
        """Tell what is durable. Nothing of a decision is told anywhere else."""
        decision, held, scrubbed = released
        self._context.log.durable.keys_changed(decision.state)
        for nick, away in decision.away.items():
            self._context.log.durable.set_away(nick, away)
            self._context.presence.touch(nick, self._context.now_ms)
        self._answer(decision, scrubbed)
        changes: dict[int, list[Change]] = {}
        for change in decision.changes:
            changes.setdefault(change.pos, []).append(change)
        for segment in decision.segments:
            self._tell(segment, changes.get(segment.last, ()), decision.cutoffs)
        if decision.redactions:
            self._reading.redacted()
        for origin, effect in held:
            self._tell_held(origin, effect, bool(decision.redactions))

    def _tell_held(self, origin: Origin, effect: NetworkEffect, is_outdated: bool) -> None:
        session = self._context.sessions.numbered(origin.session)
        if session is not None and isinstance(effect, TransmitSegments) and is_outdated:
            denied = Denied(Refusal.UNREADABLE, "it has changed while it was read; ask again")
            self._context.deny(session, origin.token, denied)
        elif session is not None or origin.session == 0:
            self._context.emit(effect)

    def _tell(self, segment: StoredSegment, changes: Iterable[Change], cutoffs: Iterable[Cutoff]) -> None:
        """Deliver a segment to those who may read it: whoever comes in by it gets it, whoever goes as well,
        and nothing after it."""
        durable = self._context.log.durable
        durable.advance(segment)
        changes = list(changes)
        barred = {change for change in changes if durable.bars(change.nick, change.conversation)}
        for change in changes:
            if change.start is not None:
                durable.change(change, self._is_private(change.conversation))
        self._reading.deliver(segment)
        for change in changes:
            if change.start is None:
                durable.change(change, self._is_private(change.conversation))
            if not durable.lets(change.nick, change.conversation):
                for session in self._context.sessions.of(change.nick):
                    session.followed.pop(change.conversation, None)
            elif change in barred and not self._is_private(change.conversation):
                self._let_subscribe(change.nick)
        for cutoff in cutoffs:
            if cutoff.pos == segment.last:
                self._cut_off(cutoff)

    def _let_subscribe(self, nick: str) -> None:
        """Somebody may read again. What their sockets subscribed to meanwhile, and was not approved, they do
        not ask for once more by themselves, unless they lose their connection."""
        keys = tuple(sorted(self._context.log.state.users[nick].keys))
        if keys:
            self._context.emit(CutSubscribers(keys, "may read again"))

    def _is_private(self, conversation: str) -> bool:
        room = self._context.log.state.rooms.get(conversation[1:])
        return room is not None and room.private

    def _cut_off(self, cutoff: Cutoff) -> None:
        """From here on nothing reaches the keys by a subscription, and perhaps nothing at all."""
        if cutoff.keys:
            self._context.emit(CutSubscribers(cutoff.keys, cutoff.why))
        if not cutoff.ends:
            return
        for key in cutoff.keys:
            for session in self._context.sessions.of_key(key):
                self._greeting.expel(session, cutoff.why)
        self._context.emit(Dismiss(cutoff.keys))

    def _answer(self, decision: Decision, scrubbed: bool) -> None:
        context = self._context
        stored: dict[int, list[wire.Stored]] = {}
        for origin, answer in decision.answers:
            session = context.sessions.numbered(origin.session)
            if session is None:
                continue
            match answer:
                case Result(accepted=accepted, duplicate=duplicate):
                    row = wire.Stored(origin.token, accepted.pos, accepted.time_ms, duplicate)
                    stored.setdefault(session.number, []).append(row)
                case Settled(pos=pos, name=name):
                    context.transmit(session, wire.Done(session.number, origin.token, pos, name))
                case Scrubbed(pos=pos) if scrubbed:
                    context.transmit(session, wire.Done(session.number, origin.token, pos))
                case Scrubbed():
                    reason = "it is removed, but copies are in use for a moment: ask again"
                    context.deny(session, origin.token, Denied(Refusal.UNREADABLE, reason))
                case Greeted(nick=nick, is_new=is_new):
                    self._greeting.registered(session, nick, is_new)
                case Denied():
                    context.deny(session, origin.token, answer)
                    if not session.open:
                        self._greeting.end(session, "refused")
                case _:
                    assert_never(answer)
        for number, rows in stored.items():
            session = context.sessions.numbered(number)
            assert session is not None
            for begin in range(0, len(rows), limits.ACK_RESULTS_MAX):
                context.transmit(session, wire.Ack(number, rows[begin : begin + limits.ACK_RESULTS_MAX]))

    def _failed(self, event: Failed) -> None:
        context = self._context
        load, dropped = context.log.failed(event, context.now_ms)
        if load is not None:
            context.note("storage_failed", "certain" if event.certain else "outcome unknown")
        context.emit(load)
        self._refuse(dropped)

    def _refuse(self, dropped: Dropped) -> None:
        unavailable = Denied(
            Refusal.STORAGE_UNAVAILABLE, "the broker cannot write; nothing of this was stored"
        )
        unreadable = Denied(Refusal.UNREADABLE, "the broker lost its state for a moment; ask again")
        for origins, denied in ((dropped.refused, unavailable), (dropped.unanswered, unreadable)):
            for origin in origins:
                session = self._context.sessions.numbered(origin.session)
                if session is not None:
                    self._context.deny(session, origin.token, denied)
                    if not session.open:
                        self._greeting.end(session, "refused")

    def _loaded(self, event: Loaded) -> None:
        context = self._context
        context.log.loaded(event, context.now_ms)
        context.note("loaded", f"pos={event.last_pos} writing={context.log.phase is Phase.READY}")
        for cutoff in context.log.doubtful:  # perhaps it is on disk, and nothing else tells of it
            context.emit(CutSubscribers(cutoff.keys, cutoff.why))
        if context.log.phase is Phase.READY:
            context.log.doubtful.clear()
        self._greeting.expel_unfounded()
        self._greeting.load_instances()

    def _elapsed(self) -> None:
        context = self._context
        deadline = self.deadline_ms()
        late_ms = context.now_ms - deadline if deadline is not None else 0
        if late_ms > _STALL_MS or not self.accepting:  # silence counts only while the loop is reading
            for session in context.sessions:
                session.seen_ms = context.now_ms
        if self._scan_ms is not None and context.now_ms >= self._scan_ms:
            self._greeting.expire()
            self._scan_ms = context.now_ms + _SCAN_INTERVAL_MS if len(context.sessions) else None
        context.emit(context.log.elapsed(context.now_ms))
