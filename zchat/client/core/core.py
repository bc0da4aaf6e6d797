"""The client's core: events in, effects out. What it does with each kind of event, and when it wants time.

Longer than other files: the one place where every event and every answer is led to the part that decides, so
that the order of what follows can be read in a piece.
"""

from collections.abc import Callable
from itertools import count
from typing import assert_never

from zchat.client.core.cursors import Snapshot
from zchat.client.core.effects import Abandon, Announce, Effect, Fail, Greet, Resolve, Transmit
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
from zchat.client.core.outbox import Outbox
from zchat.client.core.reception import Reception
from zchat.client.core.requests import Requests
from zchat.client.core.session import Phase, Session
from zchat.client.messages import Status
from zchat.common import limits, wire
from zchat.common.codes import Refusal, refusal

_REPLACED = Status(
    "replaced",
    "the broker's log is older than what was read here: it was replaced, perhaps by a backup. "
    "Reading begins anew, from now on",
)


class Core:
    """Everything a client decides. `handle` takes one event and the monotonic time and returns what the
    shell is to do, in order; `deadline_ms` is when it wants an Elapsed at the latest.

    `instance` identifies this process to the broker, `jitter` gives numbers from 0 to 1: both come from the
    shell, for a core draws no numbers. `snapshot` and `resume`: see Reading. A `quiet` client reads nothing
    by itself and is not shown as present. `register`: a nick that is free is to be registered. `invite` is
    the secret of an invite, or empty; it is shown until the first Welcome.
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
        register: bool = True,
        invite: str = "",
        software: str = "",
    ) -> None:
        tokens = count(1)
        self.outbox = Outbox(tokens)
        self._nick = nick
        self._instance = instance
        self._quiet = quiet
        self._software = software
        self._register = register
        self._invite = invite
        self._session = Session(jitter)
        self._requests = Requests(tokens)
        self._reception = Reception(self._session, tokens, quiet=quiet, snapshot=snapshot, resume=resume)
        self._away = False
        self._found = ""  # the kind of what was found last while the broker was away

    # ---- what the shell may look at ----

    @property
    def is_open(self) -> bool:
        """There is a session."""
        return self._session.phase is Phase.OPEN

    @property
    def joined(self) -> frozenset[str]:
        """The conversations of the rooms that the user is a member of, as far as is known."""
        return frozenset(self._reception.reading.cursors.joined)

    def snapshot(self) -> Snapshot:
        """How far the user has got, to be saved and given to the next client."""
        return self._reception.reading.inbox.snapshot()

    def deadline_ms(self) -> int | None:
        """The monotonic time at which Elapsed is due; None: when something happens."""
        times = [self._session.deadline_ms(), self._reception.deadline_ms()]
        if self.is_open:
            times += [self.outbox.deadline_ms(), self._requests.deadline_ms()]
        return min((time for time in times if time is not None), default=None)

    # ---- events ----

    def handle(self, event: Event, now_ms: int) -> list[Effect]:
        """Take in one event, whole."""
        if self._session.phase is Phase.STOPPED:
            return self._handle_stopped(event)
        effects = self._take(event, now_ms)
        return effects + self._reception.advance(now_ms)

    def _take(self, event: Event, now_ms: int) -> list[Effect]:
        match event:
            case RoomPublished(segment=segment):
                return self._reception.received(segment)
            case SegmentDelivered(session=session, segment=segment):
                self._session.heard()
                return self._reception.received(segment) if session == self._session.number else []
            case AnswerReceived(answer=answer):
                self._session.heard()
                return self._answer(answer, now_ms)
            case PageReceived():
                self._session.heard()
                return self._reception.page(event, now_ms)
            case HeadsPublished():
                return self._reception.heads_published(event, now_ms)
            case PresencePublished(presence=presence):
                return self._reception.presence(presence)
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
                return self._reception.took(taken, now_ms)
            case GivenUp(ticket=ticket):
                return self._give_up(ticket, now_ms)
            case ActQueued(ticket=ticket, request=wire.Fetch() as fetch):
                self._reception.fetches.ask(ticket, fetch)
                return []
            case ActQueued(ticket=ticket, request=request):
                assert not isinstance(request, wire.Fetch)
                return self._requests.ask(ticket, request, session, now_ms)
            case FollowChanged(ticket=ticket, rooms=rooms):
                return self._reception.follow(ticket, rooms, now_ms)
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
                self._reception.reading.inbox.took(taken)
        return []

    def _give_up(self, ticket: int, now_ms: int) -> list[Effect]:
        return (
            self._reception.give_up(ticket, now_ms)
            or self._requests.give_up(ticket, now_ms)
            or self.outbox.give_up(ticket, self._session.number, now_ms)
        )

    # ---- the connection ----

    def _hello(self, now_ms: int) -> list[Effect]:
        self._session.greeted(now_ms)
        hello = wire.Hello(
            limits.VERSION,
            limits.VERSION,
            self._nick,
            self._instance,
            self.outbox.lowest,
            self._reception.hello_floor,
            self._quiet,
            self._software,
            self._register,
            self._invite,
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

    def _not_greeted(self, was_ended: bool, now_ms: int) -> list[Effect]:
        """The broker was restarted, has expired us, or `was_ended` when our right to the session was: greet
        again over the same sockets, and hear why."""
        say_hello = self._session.lose(now_ms)
        what = "has ended the session" if was_ended else "has started anew"
        effects = self._suspend(f"the broker {what}; greeting it")
        return effects + self._hello(now_ms) if say_hello else effects

    def _suspend(self, why: str) -> list[Effect]:
        self._reception.suspended()
        if self._away or not self._session.was_open:
            return []
        self._away = True
        return self._tell("away", why)

    def _welcome(self, welcome: wire.Welcome, now_ms: int) -> list[Effect]:
        if not self._session.welcomed(welcome, now_ms):
            return []
        self._invite = ""  # shown again it would also bring us back where we were put out
        if self._reception.is_ahead_of(welcome):
            return self._replaced(welcome, now_ms)
        effects: list[Effect] = [Greet(welcome)]
        if self._away:
            self._away = False
            self._found = ""
            effects += self._tell("back", "the broker is back")
        effects += self._reception.welcomed(welcome, now_ms)
        effects += self.outbox.welcomed(welcome, now_ms)
        return effects + self._requests.welcomed(welcome.session, now_ms)

    def _replaced(self, welcome: wire.Welcome, now_ms: int) -> list[Effect]:
        """The broker's log was replaced by an older one: greet as one who has read nothing."""
        is_known = self._reception.reading.fresh
        say_hello = self._session.lose(now_ms)
        self._reception.suspended()
        if is_known:
            return self._hello(now_ms) if say_hello else []
        return self._reception.begin_anew(welcome.as_of, _REPLACED) + self._hello(now_ms)

    def _elapsed(self, now_ms: int) -> list[Effect]:
        session, effects = self._session, self._reception.elapsed(now_ms)
        if session.is_overdue(now_ms):
            return effects + self._overdue(now_ms)
        if session.number is not None:
            effects += self.outbox.elapsed(session.number, now_ms)
            effects += self._requests.elapsed(session.number, now_ms)
        return effects

    def _overdue(self, now_ms: int) -> list[Effect]:
        """What the session waits for did not come in time."""
        session = self._session
        match session.phase:
            case Phase.OPEN:
                return self._disconnected(now_ms)
            case Phase.PAUSED:
                return session.connect(now_ms)
            case Phase.CONNECTING:
                return self._handshake_failed(now_ms)
            case Phase.GREETING if session.is_deaf(now_ms):
                session.pause(now_ms)
                return session.diagnose(now_ms)
            case Phase.GREETING:
                return self._hello(now_ms)
            case _:
                return []

    def _stop(self) -> list[Effect]:
        number = self._session.number
        effects: list[Effect] = [] if number is None else [Transmit(wire.Bye(number))]
        return effects + self._close()

    def _close(self) -> list[Effect]:
        self._session.stop()
        effects = self.outbox.close() + self._requests.close()
        reads = self._reception.close()
        if reads:
            effects.append(Abandon(reads, handed_over=False))
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
                return self._reception.heads(answer, now_ms)
            case wire.Followed():
                return self._reception.followed(answer, now_ms)
            case (
                wire.Done()
                | wire.People()
                | wire.Rooms()
                | wire.Profile()
                | wire.Invites()
                | wire.Tokens()
                | wire.Sanctions()
                | wire.Bounds()
            ):
                return self._resolve(answer, now_ms)
            case wire.Presence():
                return self._reception.presence(answer)
            case wire.Page():
                return self._reception.page(PageReceived(answer, []), now_ms)
            case wire.Deliver():
                return []
            case _:
                assert_never(answer)

    def _refused(self, refused: wire.Refused, now_ms: int) -> list[Effect]:
        code, token, reason, wait_ms = (
            refusal(refused.code),
            refused.token,
            refused.reason,
            refused.retry_after_ms,
        )
        session = self._session.number
        if refused.session == 0 and token == 0:
            return self._hello_refused(code, reason, wait_ms, now_ms)
        if session is None or refused.session != session:
            return []
        if code is Refusal.NOT_GREETED:
            return self._not_greeted(token == 0, now_ms)
        if token in self.outbox:
            return self.outbox.refused(token, code, reason, session, now_ms, wait_ms)
        if token in self._requests:
            return self._requests.refused(token, code, reason, now_ms, wait_ms)
        return self._reception.refused(token, code, reason, now_ms, wait_ms)

    def _hello_refused(self, code: Refusal, reason: str, wait_ms: int, now_ms: int) -> list[Effect]:
        if self._session.phase is not Phase.GREETING:
            return []
        if self._session.hello_refused(code, now_ms, wait_ms):
            return [Fail(code, reason), *self._close()]
        return self._tell("refused", reason or code.meaning, code)

    def _resolve(self, answer: wire.Done | wire.Listed, now_ms: int) -> list[Effect]:
        if answer.token not in self._requests:
            return []
        request = self._requests.answered(answer.token)
        effects: list[Effect] = [Resolve(request.ticket, answer, [])]
        if isinstance(answer, wire.Done):
            effects += self._reception.done(request.act, answer, now_ms)
        return effects

    # ---- how the client fares ----

    def _diagnosed(self, kind: str, text: str) -> list[Effect]:
        """Told once while the broker is away, not at each attempt."""
        if not self._away or kind == self._found:
            return []
        self._found = kind
        return self._tell(kind, text)

    def _tell(self, kind: str, text: str, code: Refusal | None = None) -> list[Effect]:
        status = Status(kind, text)
        return [Announce(status, code), *self._reception.tell([status])]
