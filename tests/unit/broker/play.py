"""Conversations with the broker's core: events go in, and every effect has to be expected.

A play has a core and a store in memory, and is the log between both: it orders at `time_ms`, writes, and
looks up, at once or step by step after `hold`. What the core says on the network collects in `effects` until
`expect` compares it, whole; lines for the operator collect in `lines`.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from zchat.broker.core import port
from zchat.broker.core.core import Core, Event
from zchat.broker.core.durable import Durable
from zchat.broker.core.effects import Admit, Dismiss, Log, NetworkEffect, Publish, Transmit, TransmitSegments
from zchat.broker.core.events import Elapsed, Received, Request, Subscribed
from zchat.broker.core.limits import Limits
from zchat.broker.core.log import Phase
from zchat.broker.core.state import State
from zchat.broker.store.memory import MemoryStore
from zchat.common import limits as wire_limits
from zchat.common import wire
from zchat.common.codes import Refusal
from zchat.common.errors import StorageFailed

TIME_MS = 1_795_000_000_000  # of the log, unless a play sets another
XPUB_PORT = 9243
SOFTWARE = "zchat/0"
STORAGE = (port.Load, port.Write, port.Look, port.LoadInstance, port.Read)
Stored = port.Load | port.Write | port.Look | port.LoadInstance | port.Read


class Peer(NamedTuple):
    """A connection: its routing id, and the key that it came with."""

    peer: bytes
    key: str

    def asks(self, request: wire.Request, address: str = "") -> Request:
        """A request of this connection, which a Hello says from some address."""
        return Request(self.peer, self.key, request, len(wire.encode(request)), address)

    def elsewhere(self, name: str) -> "Peer":
        """Another connection with the same key."""
        return Peer(b"\0" + name.encode(), self.key)


def somebody(name: str) -> Peer:
    """A connection with a key of its own, the same for the same name."""
    return Peer(b"\0" + name.encode(), name.ljust(40, "."))


ANN, BOB, CAT = somebody("ann"), somebody("bob"), somebody("cat")
ACCOUNT = Peer(b"control", "")  # who came through the control socket


def hello(
    nick: str,
    *,
    instance: int = 1,
    lowest: int = 0,
    floor: int | None = None,
    quiet: bool = False,
    versions: tuple[int, int] = (1, 1),
    register: bool = True,
    invite: str = "",
) -> wire.Hello:
    """A Hello as a new client says it."""
    return wire.Hello(*versions, nick, instance, lowest, floor, quiet, "test/1", register, invite)


def welcome(
    session: int,
    nick: str,
    *,
    as_of: int,
    heads: Iterable[tuple[str, int, int]],
    floor: int = 1,
    registered: bool = False,
    next: str = "",
) -> wire.Welcome:
    """The Welcome of a broker with the default limits."""
    return wire.Welcome(
        session=session,
        version=1,
        nick=nick,
        registered=registered,
        floor=floor,
        as_of=as_of,
        heads=[wire.Head(*head) for head in heads],
        next=next,
        port=XPUB_PORT,
        nonce=f"n.{session}.1",
        heartbeat_ms=5_000,
        timeout_ms=15_000,
        text_bytes_max=65_536,
        send_bytes_max=131_072,
        send_messages_max=256,
        broker=SOFTWARE,
    )


def segment(
    conversation: str, prev: int, first: int, *entries: wire.Entries, time_ms: int = TIME_MS
) -> bytes:
    """The frame of a segment."""
    positions = sum(len(entry.texts) if isinstance(entry, wire.Messages) else 1 for entry in entries)
    last = first + positions - 1
    return wire.encode(wire.Segment(conversation, prev, first, last, time_ms, list(entries)))


def published(frame: bytes) -> Publish:
    """A segment of a room, on the room's topic."""
    return Publish(wire.room_topic(wire.decode_segment(frame).conversation[1:]), frame)


def delivered(to: Peer, session: int, frame: bytes) -> TransmitSegments:
    """A segment, to a session over ROUTER."""
    return TransmitSegments(to.peer, wire.Deliver(session), [frame])


def acked(to: Peer, session: int, *rows: tuple[int, int], time_ms: int = TIME_MS) -> Transmit:
    """An Ack of what is new: (token, position)."""
    return Transmit(to.peer, wire.Ack(session, [wire.Stored(*row, time_ms, False) for row in rows]))


def acked_again(to: Peer, session: int, token: int, pos: int, time_ms: int = TIME_MS) -> Transmit:
    """An Ack of what was stored before."""
    return Transmit(to.peer, wire.Ack(session, [wire.Stored(token, pos, time_ms, True)]))


class _Refused(NamedTuple):
    """A refusal, whatever its reason says."""

    peer: bytes
    session: int
    token: int
    refusal: Refusal


def refused(to: Peer, session: int, token: int, refusal: Refusal) -> _Refused:
    """A refusal with some reason."""
    return _Refused(to.peer, session, token, refusal)


class Play:
    """A core, its store and its log. Storage is asked at once, unless it is held."""

    def __init__(
        self, limits: Limits | None = None, store: MemoryStore | None = None, time_ms: int = TIME_MS
    ) -> None:
        self.limits = limits or Limits()
        self.store = store or MemoryStore()
        self.core = Core(
            self.limits, first_session=1, nonce_prefix="n", xpub_port=XPUB_PORT, software=SOFTWARE
        )
        self.now_ms = 0
        self.time_ms = time_ms
        self.unreadable = False  # the store cannot be read
        self.effects: list[NetworkEffect] = []
        self.lines: list[Log] = []
        self.admitted: list[str] = []  # keys, in the order of their Welcomes
        self.dismissed: list[str] = []  # keys whose sessions were ended with their right
        self.told_ms = 0  # what the last Welcome says the time is
        self.waiting: list[Stored] = []
        self._held = False
        self._run(self.core.start())

    # ---- what happens ----

    def handle(self, event: Event) -> None:
        """Any event."""
        self._run(self.core.handle(event, self.now_ms))

    def receive(self, *requests: Request) -> None:
        """What one turn of the loop reads."""
        self.handle(Received(list(requests)))

    def subscribe(self, peer: Peer, topic: bytes) -> None:
        """A subscription is read."""
        self.handle(Subscribed(peer.key, topic))

    def elapse(self, ms: int) -> None:
        """Time passes while nothing is read, and the shell is on time."""
        until_ms = self.now_ms + ms
        while (deadline_ms := self.core.deadline_ms()) is not None and deadline_ms <= until_ms:
            self.now_ms = max(self.now_ms, deadline_ms)
            self.handle(Elapsed())
        self.now_ms = until_ms

    def greet(self, peer: Peer, nick: str, **options: object) -> int:
        """Open a session, whose number is returned. What is told about it is not of interest."""
        assert not self.effects, self.effects
        self.receive(peer.asks(hello(nick, **options)))  # type: ignore[arg-type]
        numbers = [
            effect.answer.session
            for effect in self.effects
            if isinstance(effect, Transmit) and isinstance(effect.answer, wire.Welcome)
        ]
        assert len(numbers) == 1, self.effects
        self.effects.clear()
        return numbers[0]

    # ---- the log ----

    def hold(self) -> None:
        """Storage does nothing more by itself."""
        self._held = True

    def carry_out(self, kind: type[Stored]) -> None:
        """Storage does the next thing of the kind. Pages are read by a thread of their own; everything else
        is done in order."""
        if kind is not port.Read:
            assert type(next(one for one in self.waiting if not isinstance(one, port.Read))) is kind
        command = next(one for one in self.waiting if type(one) is kind)
        self.waiting.remove(command)
        self.handle(self._report(command))

    def catch_up(self) -> None:
        """Storage does all that waits, and what follows from it, and is held no more."""
        self._held = False
        while self.waiting:
            self.handle(self._report(self.waiting.pop(0)))

    def restarted(self) -> "Play":
        """The next process, on the store as this one's end left it."""
        return Play(self.limits, self.store.crash(), self.time_ms)

    def check_kept(self) -> None:
        """What the core knows is what the next process would load: nothing is forgotten, and nothing known
        that was not written."""
        log = self.core._context.log
        if log.phase is not Phase.READY or log.is_loading or not log.is_idle or self.waiting:
            return
        rows, last_pos, last_time_ms = self.store.load()
        kept = State(rows, last_pos, last_time_ms)
        assert self.known() == _known(kept)
        assert log.durable.contents() == Durable(kept).contents() == Durable(log.state).contents()

    def known(self) -> dict[str, object]:
        """All that decisions are made by."""
        return _known(self.core._context.log.state)

    # ---- what is expected ----

    def expect(self, *effects: NetworkEffect | _Refused) -> None:
        """Exactly these effects, since the last call, in this order."""
        told, self.effects = self.effects, []
        wanted = list(effects)
        assert [_shown(e, w) for e, w in zip(told, wanted, strict=False)] + [
            _shown(e, None) for e in told[len(wanted) :]
        ] == [(type(w).__name__, w) for w in wanted]

    def skip(self) -> None:
        """What was told is what another test is about."""
        self.effects.clear()

    @property
    def segments(self) -> list[bytes]:
        """All frames on disk."""
        return [stored.frame for stored in self.store._segments]

    @property
    def entries(self) -> list[wire.Entries]:
        """All entries on disk, in the order of the log."""
        return [entry for frame in self.segments for entry in wire.decode_segment(frame).entries]

    # ---- inside ----

    def _run(self, effects: Iterable[object]) -> None:
        for effect in effects:
            match effect:
                case port.Append(seq, submissions):
                    self.handle(port.Ordered(seq, submissions, self.time_ms))
                case port.Load() | port.Write() | port.Look() | port.LoadInstance() | port.Read():
                    self.waiting.append(effect)
                case Log():
                    self.lines.append(effect)
                case Admit(key=key):
                    self.admitted.append(key)
                case Dismiss(keys=keys):
                    self.dismissed += keys
                case Transmit(peer=peer, answer=wire.Welcome() as answer):
                    self.told_ms = answer.time_ms
                    self.effects.append(_checked(Transmit(peer, replace(answer, time_ms=0))))
                case _:
                    self.effects.append(_checked(effect))  # type: ignore[arg-type]
        if not self._held:
            self._held = True  # one at a time
            try:
                while self.waiting:
                    self.handle(self._report(self.waiting.pop(0)))
            finally:
                self._held = False

    def _report(self, command: Stored) -> port.Report:
        match command:
            case port.Load():
                return port.Failed(0, True) if self.unreadable else self.store.load()
            case port.Write():
                try:
                    return port.Durable(command.seq, self.store.write(command))
                except StorageFailed as failure:
                    return port.Failed(command.seq, failure.certain)
            case port.Look(token, keys):
                return port.Found(token, None if self.unreadable else self.store.look(keys))
            case port.LoadInstance(token, user, instance, lowest):
                rows = self.store.load_instance(user, instance, lowest)
                return port.InstanceLoaded(token, None if self.unreadable else rows)
            case port.Read(token, query):
                if self.unreadable:
                    return port.Unreadable(token)
                return port.PageRead(token, *self.store.reader().page(query))


def _known(state: State) -> dict[str, object]:
    """What a state says."""
    access = state.access
    return {
        "users": state.users,
        "rooms": state.rooms,
        "heads": state.heads,
        "last": (state.last_pos, state.last_time_ms),
        "roles": access.roles,
        "sanctions": access.sanctions,
        "kicked": access.kicked,
        "invited": access.invited,
        "invites": access.invites,
        "tokens": access.tokens,
        "ignored": {nick: others for nick, others in access.ignored.items() if others},
    }


def _shown(effect: NetworkEffect, wanted: object) -> tuple[str, object]:
    """The effect beside the name of its type, since tuples of two types may be equal. The reason of a refusal
    counts only where one is wanted."""
    if (
        isinstance(effect, Transmit)
        and isinstance(effect.answer, wire.Refused)
        and not isinstance(wanted, Transmit)
    ):
        answer = effect.answer
        return "_Refused", _Refused(effect.peer, answer.session, answer.token, Refusal(answer.code))
    return type(effect).__name__, effect


def _checked(effect: NetworkEffect) -> NetworkEffect:
    """Whatever is sent keeps the bounds of the wire, and fits a frame."""
    match effect:
        case Transmit(answer=answer) | TransmitSegments(header=answer):
            frame = wire.encode(answer)
            assert wire.decode_answer(frame) == answer
            assert len(frame) <= wire_limits.CLIENT_FRAME_BYTES_MAX
        case _:
            pass
    for frame in effect.segments if isinstance(effect, TransmitSegments) else ():
        assert len(frame) <= wire_limits.SEGMENT_BYTES_MAX
        assert msgspec.msgpack.encode(wire.decode_segment(frame)) == frame
    return effect
