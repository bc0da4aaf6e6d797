"""A client's process in the simulation: the real core, a shell like shell.py, and a user who reads."""

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, assert_never

from tests.sim.installation import Installation, Reader, conversation_of
from tests.sim.model import Draft, Violation
from tests.sim.network import Connection, Frames
from tests.sim.pages import Asked
from tests.sim.schedule import Alarm
from tests.sim.subscriber import Subscriber
from zchat.client.core import effects as do
from zchat.client.core import events as happened
from zchat.client.core.core import Core
from zchat.client.messages import CaughtUp, Entry, Update
from zchat.common import wire
from zchat.common.codes import Refusal

if TYPE_CHECKING:
    from tests.sim.machine import Machine

SAVE_MS = 1_000


class Process:
    """A client from its start to its end. `machine` is where it runs, `follows` the rooms (names without `#`)
    that its user wants beyond the joined ones."""

    def __init__(
        self,
        machine: "Machine",
        installation: Installation,
        instance: int,
        quiet: bool,
        follows: list[str],
    ) -> None:
        self.machine, self.installation = machine, installation
        installation.begin(follows)
        self._around = machine.around
        self._schedule, self._rng = self._around.schedule, self._around.rng
        self.nick, self.instance, self.quiet = installation.nick, instance, quiet
        self.key = self._around.model.key_of(self.nick) or installation.key
        self.alive = True
        self.turned_away: Refusal | None = None  # the broker lets it in no more
        self.reads = True  # the user takes what comes
        self.sent: dict[int, wire.Request] = {}  # by token, as they were sent first
        self.drafts: dict[int, Draft] = {}  # by ticket, without an answer
        self._given_up: dict[int, Draft] = {}
        self.acts: dict[int, object] = {}  # by ticket, without an answer
        self.updates: deque[Update] = deque()
        self._taken = 0  # and not yet told to the core
        self.reader = Reader(self._around.model, installation)
        self._accepted: list[str] = []  # rooms that are followed
        self._welcomed = False
        self._is_new = installation.is_new
        self._connection: Connection | None = None
        self.subscriber: Subscriber | None = None
        self._alarm = Alarm(self._schedule, self._elapsed)
        self._tickets = machine.tickets
        resumes = not installation.is_new
        self.core = Core(
            self._typed(),
            instance=instance,
            jitter=self._rng.random,
            quiet=quiet,
            snapshot=None if quiet else installation.snapshot,
            resume=resumes or installation.resume,
            register=self.nick not in self._around.model.users or self._rng.random() < 0.5,
            software="simulated",
        )
        if follows and not quiet:
            self.follow(follows)
        self.handle(happened.Started())
        self._schedule.after(SAVE_MS, self._save_again)

    # ---- what its user does ----

    def send(self, drafts: list[Draft]) -> None:
        """Put messages into the outbox."""
        queued = []
        for draft in drafts:
            ticket = next(self._tickets)
            self.drafts[ticket] = draft
            draft.is_contested = draft.attempts_open > 0
            draft.attempts += 1
            draft.attempts_open += 1
            draft.forbidden = ""
            queued.append(happened.Draft(ticket, draft.to, draft.text, len(draft.text.encode()), draft.key))
        self.handle(happened.MessagesQueued(queued))

    def act(self, request: "happened.Act") -> None:
        """Do or ask something."""
        ticket = next(self._tickets)
        self.acts[ticket] = request
        if isinstance(request, wire.Fetch):
            self.acts[ticket] = self.machine.pages.asked(self.nick, request)
        self.handle(happened.ActQueued(ticket, request))

    def follow(self, rooms: list[str]) -> None:
        """Read exactly these rooms beyond the joined ones."""
        ticket = next(self._tickets)
        self.acts[ticket] = rooms
        conversations = [f"#{room}" for room in rooms]
        self.reader.follows(conversations)
        self.installation.wants(conversations)
        typed = [room.upper() if self._rng.random() < 0.1 else room for room in rooms]
        self.handle(happened.FollowChanged(ticket, typed))

    def give_up(self, ticket: int) -> None:
        """Wait for an answer no longer. One may still come, when it was in one Send with others."""
        self._given_up[ticket] = self.drafts[ticket]
        self.handle(happened.GivenUp(ticket))

    def crash(self) -> None:
        """It is killed. What it has sent and not heard of may be stored or not."""
        self.alive = False
        for draft in self.drafts.values():
            draft.is_unknown = True
            draft.attempts_open -= 1
        self.drafts.clear()
        self._close()

    def stop(self) -> None:
        """It ends as it should."""
        self._report_taken()
        for effect in self.core.handle(happened.Stopped(), self._schedule.now_ms):
            self._execute(effect)
        if self.drafts or self.acts:
            raise Violation(f"{self.nick} ended without an answer to {self.drafts or self.acts}")
        self._save()
        self.alive = False
        self._close()

    def _end_turned_away(self) -> None:
        """The core has closed: everything was answered."""
        if self.drafts or self.acts:
            raise Violation(f"{self.nick} ended without an answer to {self.drafts or self.acts}")
        self.alive = False
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self.subscriber is not None:
            self.subscriber.close()

    def _typed(self) -> str:
        registered = self.nick in self._around.model.users
        return self.nick.upper() if registered and self._rng.random() < 0.3 else self.nick

    # ---- events and time ----

    def handle(self, event: happened.Event) -> None:
        """Give an event to the core, and do as it says."""
        if not self.alive:
            return
        effects = self.core.handle(event, self._schedule.now_ms)
        if self._around.trace is not None:
            self._around.note(f"{self.nick}.{self.instance}", event, effects)
        for effect in effects:
            self._execute(effect)
        if self.turned_away is not None:
            self._end_turned_away()
            return
        if self.subscriber is not None and self.subscriber.unconfirmed:
            raise Violation(f"{self.nick} subscribed {self.subscriber.unconfirmed} after the nonce")
        deadline_ms = self.core.deadline_ms()
        if deadline_ms is not None:
            self._alarm.set(max(deadline_ms, self._schedule.now_ms) + self._rng.randint(1, 3))

    def _elapsed(self) -> None:
        if self.alive:
            self._report_taken()
            self.handle(happened.Elapsed())

    # ---- frames ----

    def received(self, connection: Connection, frames: Frames) -> None:
        """Frames came on the request socket. What is no message is a bug of the broker."""
        if not self.alive or connection is not self._connection:
            return
        answer = wire.decode_answer(frames[0])
        if len(frames) == 1:
            self.handle(happened.AnswerReceived(answer))
        elif isinstance(answer, wire.Page):
            self.handle(happened.PageReceived(answer, [wire.decode_segment(f) for f in frames[1:]]))
        else:
            assert isinstance(answer, wire.Deliver), answer
            self.handle(happened.SegmentDelivered(answer.session, wire.decode_segment(frames[1])))

    def _connect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        connection = self.machine.connection(self, "router", self.received, self._lost)
        self._connection = connection
        self._schedule.after(self._rng.randint(0, 50), partial(self._establish, connection))

    def _establish(self, connection: Connection) -> None:
        broker = self.machine.broker()
        if not self.alive or connection is not self._connection or not connection.weather.lets("router"):
            return
        if broker is None:
            self.handle(happened.HandshakeFailed())
            return
        connection.establish(broker)
        self._schedule.after(self._rng.randint(0, 20), partial(self._shaken, connection))

    def _shaken(self, connection: Connection) -> None:
        if connection is self._connection and connection.open_at_client:
            self.handle(happened.HandshakeSucceeded())

    def _lost(self, connection: Connection) -> None:
        if connection is self._connection:
            self.handle(happened.Disconnected())

    def _transmit(self, request: wire.Request) -> None:
        self._remember(request)
        connection = self._connection
        if connection is None or not connection.to_broker((wire.encode(request),)):
            return
        if isinstance(request, wire.Send | wire.KeyedSend):  # it arrives twice: the second may be stored
            for text in request.texts if isinstance(request, wire.Send) else [request.text]:
                self._around.model.drafts[text].is_unknown = True

    def _remember(self, request: wire.Request) -> None:
        """A request that is sent again is the same."""
        if isinstance(request, wire.Hello | wire.Bye):
            return
        first = self.sent.setdefault(request.token, request)
        if isinstance(request, wire.Send):
            assert isinstance(first, wire.Send)
            same = (first.to, first.counter, first.texts) == (request.to, request.counter, request.texts)
            if not same or request.lowest > request.counter:
                raise Violation(f"{request} was {first}")
        elif isinstance(request, wire.KeyedSend):
            assert isinstance(first, wire.KeyedSend)
            if (first.to, first.key, first.text) != (request.to, request.key, request.text):
                raise Violation(f"{request} was {first}")

    # ---- effects ----

    def _execute(self, effect: do.Effect) -> None:
        model = self._around.model
        match effect:
            case do.Transmit(request=request):
                self._transmit(request)
            case do.Deliver(updates=updates):
                self._deliver(updates)
            case do.Acknowledge(tickets=tickets):
                model.acknowledged([self._answered(t) for t in tickets], self.instance, effect)
            case do.Refuse(tickets=tickets, refusal=refusal):
                self._refused(tickets, refusal)
            case do.Abandon(tickets=tickets, handed_over=handed_over):
                for ticket in tickets:
                    if self.acts.pop(ticket, None) is None:
                        model.abandoned(self._answered(ticket), handed_over)
            case do.Resolve(ticket=ticket):
                self._resolved(ticket, effect)
            case do.Greet(welcome=welcome):
                if not self._welcomed and self._is_new and not self.quiet:
                    self.installation.welcomed(welcome)
                self._welcomed = True
                self.reader.greeted(welcome)
            case do.Save():
                if self._is_new:
                    self.installation.known()
                self._schedule.after(self._rng.randint(0, 20), self._save)
            case do.Connect():
                self._connect()
            case do.OpenSubscriber():
                if self.subscriber is not None:
                    self.subscriber.close()
                self.subscriber = Subscriber(self)
            case do.Subscribe(topic=topic):
                assert self.subscriber is not None
                self.subscriber.subscribe(topic)
            case do.Unsubscribe(topic=topic):
                assert self.subscriber is not None
                self.subscriber.unsubscribe(topic)
            case do.TouchSubscriber():
                assert self.subscriber is not None
                self.subscriber.touch()
            case do.Diagnose() | do.Announce():
                pass
            case do.Fail(refusal=refusal, reason=reason):
                if not model.may_be_turned_away(self, refusal):
                    raise Violation(f"{self.nick} is not let in: {refusal} {reason}")
                model.stats[f"turned away, {refusal.name}"] += 1
                self.turned_away = refusal
            case _:
                assert_never(effect)

    def _answered(self, ticket: int) -> Draft:
        draft = self.drafts.pop(ticket, None)
        if draft is None and ticket in self._given_up:
            return self._given_up.pop(ticket)
        if draft is None:
            raise Violation(f"{self.nick}: the ticket {ticket} was answered twice, or never given")
        draft.attempts_open -= 1
        return draft

    def _refused(self, tickets: list[int], refusal: Refusal) -> None:
        for ticket in tickets:
            act = self.acts.pop(ticket, None)
            if act is None:
                self._around.model.refused(self._answered(ticket), refusal)
            elif isinstance(act, list):  # what was accepted before stays
                self.installation.follows(self._accepted, 0)
                self.reader.followed()

    def _resolved(self, ticket: int, effect: do.Resolve) -> None:
        act = self.acts.pop(ticket, None)
        if act is None:
            raise Violation(f"{self.nick}: the ticket {ticket} was answered twice, or never given")
        if isinstance(effect.answer, wire.Followed):
            rooms = [head.conversation for head in effect.answer.heads]
            self._accepted = rooms
            self.installation.follows(rooms, effect.answer.as_of)
            self.reader.followed()
        elif isinstance(effect.answer, wire.Page):
            assert isinstance(act, Asked)
            self.machine.pages.check(act, effect.answer, effect.segments)

    # ---- reading ----

    def _deliver(self, updates: list[Update]) -> None:
        for update in updates:
            if isinstance(update, Entry):
                self.reader.delivered(update)
            elif isinstance(update, CaughtUp):
                self.reader.catches_up()
        self.updates.extend(updates)
        self._schedule.after(self._rng.randint(0, 30), self._take)

    def stop_reading(self) -> None:
        """The user takes some of what is there, and then no more for a while."""
        self._take()
        self._report_taken()
        self.reads = False

    def read_on(self) -> None:
        """The user takes what has come, and what will come."""
        self.reads = True
        self._take()

    def _take(self) -> None:
        """The user takes some updates; the core hears of it now or later."""
        if not self.alive or not self.reads:
            return
        for _ in range(self._rng.randint(1, 10)):
            if not self.updates:
                break
            update = self.updates.popleft()
            self._taken += 1
            if isinstance(update, Entry):
                self.installation.taken.setdefault(conversation_of(update), set()).add(update.pos)
        if self.updates:
            self._schedule.after(self._rng.randint(0, 10), self._take)
        if not self.updates or self._rng.random() < 0.3:
            self._schedule.after(self._rng.randint(0, 50), self._report_taken)

    def _report_taken(self) -> None:
        taken, self._taken = self._taken, 0
        if taken:
            self.handle(happened.Consumed(taken))

    def _save_again(self) -> None:
        if self.alive:
            self._report_taken()
            self._save()
            self._schedule.after(SAVE_MS, self._save_again)

    def _save(self) -> None:
        if self.alive and self._welcomed and not self.quiet:
            self.installation.save(self.core.snapshot())
