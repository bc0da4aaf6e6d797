"""Conversations with a client's core: what happens goes in, and all that it wants is compared."""

from collections.abc import Sequence

from zchat.client.core import effects as do
from zchat.client.core.core import Core
from zchat.client.core.cursors import Snapshot
from zchat.client.core.events import (
    Act,
    ActQueued,
    AnswerReceived,
    Consumed,
    Draft,
    Elapsed,
    Event,
    HandshakeSucceeded,
    HeadsPublished,
    MessagesQueued,
    PageReceived,
    RoomPublished,
    Started,
)
from zchat.client.messages import CaughtUp, Message, Status, recipient
from zchat.common import wire
from zchat.common.codes import Refusal

INSTANCE = 77
PORT = 9243
AWAY = Status("away", "the connection to the broker is lost; trying again")
CAUGHT_UP = do.Deliver([CaughtUp()])
BACK = Status("back", "the broker is back")

Head = tuple[str, int, int]


def segment(conversation: str, prev: int, first: int, *entries: wire.Entries) -> wire.Segment:
    count = sum(len(e.texts) if isinstance(e, wire.Messages) else 1 for e in entries)
    return wire.Segment(conversation, prev, first, first + count - 1, 1000, [*entries])


def said(nick: str, *texts: str, counter: int = 0) -> wire.Messages:
    return wire.Messages(nick, 5, counter, [*texts])


def message(conversation: str, prev: int, pos: int, nick: str, text: str, counter: int = 0) -> Message:
    to = recipient(conversation, nick)
    return Message(pos, prev, 1000, nick, to, "message", f"~5.{counter}", text, conversation)


def heads(rows: Sequence[Head]) -> list[wire.Head]:
    return [wire.Head(*row) for row in rows]


def welcome(
    session: int = 1,
    rows: Sequence[Head] = (("#general", 5, 2),),
    *,
    floor: int = 1,
    as_of: int = 5,
    following: str = "",
    port: int = PORT,
    text_bytes_max: int = 65536,
    send_messages_max: int = 256,
) -> wire.Welcome:
    return wire.Welcome(
        session=session,
        version=1,
        nick="ann",
        registered=False,
        floor=floor,
        as_of=as_of,
        heads=heads(rows),
        next=following,
        port=port,
        nonce=f"nonce{session}",
        heartbeat_ms=5_000,
        timeout_ms=15_000,
        text_bytes_max=text_bytes_max,
        send_bytes_max=131072,
        send_messages_max=send_messages_max,
        broker="broker",
    )


def hello(floor: int | None = None, lowest: int = 0, quiet: bool = False, invite: str = "") -> do.Transmit:
    return do.Transmit(wire.Hello(1, 1, "ann", INSTANCE, lowest, floor, quiet, "client", True, invite))


def told(status: Status, refusal: Refusal | None = None) -> list[do.Effect]:
    return [do.Announce(status, refusal), do.Deliver([status])]


def drafts(first_ticket: int, to: str, *texts: str) -> MessagesQueued:
    return MessagesQueued([Draft(first_ticket + i, to, t, len(t)) for i, t in enumerate(texts)])


class Play:
    """A core and its time. `wanted` is what it wanted since the last look."""

    def __init__(
        self,
        quiet: bool = False,
        snapshot: Snapshot | None = None,
        resume: bool = False,
        invite: str = "",
    ) -> None:
        self.core = Core(
            "ann",
            instance=INSTANCE,
            jitter=lambda: 1.0,
            quiet=quiet,
            snapshot=snapshot,
            resume=resume,
            invite=invite,
            software="client",
        )
        self.now_ms = 0
        self.wanted: list[do.Effect] = []

    def happen(self, *events: Event) -> None:
        """These happen, one after the other."""
        for event in events:
            self.wanted += self.core.handle(event, self.now_ms)

    def answer(self, *answers: wire.Answer) -> None:
        """The broker answers."""
        self.happen(*(AnswerReceived(answer) for answer in answers))

    def refuse(self, session: int, token: int, refusal: Refusal, reason: str = "no") -> None:
        """The broker answers no."""
        self.answer(wire.Refused(session, token, refusal.value, reason))

    def limit(self, session: int, token: int, retry_after_ms: int, reason: str = "too much") -> None:
        """The broker answers that it is too much."""
        self.answer(wire.Refused(session, token, Refusal.RATE_LIMITED.value, reason, retry_after_ms))

    def page(self, session: int, token: int, conversation: str, head: int, *segments: wire.Segment) -> None:
        """The broker answers a Fetch."""
        self.happen(PageReceived(wire.Page(session, token, conversation, 0, head), [*segments]))

    def publish(self, *segments: wire.Segment) -> None:
        """The broker publishes."""
        self.happen(*(RoomPublished(one) for one in segments))

    def ask(self, ticket: int, request: Act) -> None:
        """A user asks."""
        self.happen(ActQueued(ticket, request))

    def take(self, count: int) -> None:
        """The user takes updates."""
        self.happen(Consumed(count))

    def wait(self, ms: int) -> None:
        """Time passes; the core gets its turn whenever it asked for it, and at the end."""
        end_ms = self.now_ms + ms
        while (deadline_ms := self.core.deadline_ms()) is not None and deadline_ms <= end_ms:
            self.now_ms = max(self.now_ms, deadline_ms)
            self.happen(Elapsed())
            after_ms = self.core.deadline_ms()
            assert after_ms is None or after_ms > self.now_ms, "the deadline was not met"
        self.now_ms = end_ms

    def greet(self, answer: wire.Welcome | None = None) -> None:
        """Connect, be welcomed, have the subscriptions confirmed, and hear that nothing was missed."""
        self.happen(Started(), HandshakeSucceeded())
        self.answer(answer or welcome())
        self.confirm(answer or welcome())
        if [one for one in self.wanted if isinstance(one, do.Deliver)] == [CAUGHT_UP]:
            self.take(1)
        self.wanted.clear()

    def confirm(self, answer: wire.Welcome) -> None:
        """The heads of the Welcome come on its nonce."""
        self.happen(
            HeadsPublished(answer.nonce, wire.Heads(answer.session, 0, answer.as_of, answer.heads, ""))
        )

    def expect(self, *effects: do.Effect) -> None:
        """Since the last look the core wanted exactly this."""
        assert self.wanted == [*effects]
        self.wanted.clear()

    def expect_sent(self, *requests: wire.Request) -> None:
        """Since the last look the core sent exactly this, and touched the subscriber at most."""
        quiet = [effect for effect in self.wanted if not isinstance(effect, do.TouchSubscriber)]
        assert quiet == [do.Transmit(request) for request in requests]
        self.wanted.clear()

    def forget(self) -> None:
        """What it wanted until now is not looked at."""
        self.wanted.clear()
