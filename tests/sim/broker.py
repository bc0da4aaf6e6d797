"""The broker's shell in the simulation: what server.py does, on the simulated network, disk and clock."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import assert_never

from tests.sim.barriers import check_barriers
from tests.sim.disk import Disk
from tests.sim.network import Connection, Frames
from tests.sim.schedule import Alarm
from tests.sim.surroundings import Surroundings
from zchat.broker.core.context import Effect
from zchat.broker.core.core import Core, Event
from zchat.broker.core.effects import (
    Admit,
    Approve,
    Cut,
    CutSubscribers,
    Dismiss,
    Log,
    Publish,
    Transmit,
    TransmitSegments,
)
from zchat.broker.core.events import (
    Elapsed,
    MalformedReceived,
    PeerLost,
    Received,
    Request,
    Stopping,
    Subscribed,
)
from zchat.broker.core.limits import Limits
from zchat.broker.core.port import (
    Append,
    Durable,
    Load,
    Loaded,
    LoadInstance,
    Look,
    Ordered,
    Read,
    Report,
    Write,
)
from zchat.broker.core.submissions import Submission
from zchat.broker.store.memory import MemoryStore
from zchat.common import wire

REQUESTS_PER_TURN_MAX = 16
CONTROL = b"control"  # the routing id of the account


def _nobody(answer: wire.Answer) -> None:
    pass


class Broker:
    """One life of the broker, from start to crash."""

    def __init__(self, surroundings: Surroundings, store: MemoryStore, limits: Limits, life: int) -> None:
        self._around = surroundings
        self._schedule, self._rng = surroundings.schedule, surroundings.rng
        self.alive = True
        self.stopping = False
        self.stalled_until_ms = 0
        self.disk = Disk(
            self._schedule, self._rng, surroundings.disk_faults, store, surroundings.model, self._reported
        )
        self.core = Core(
            limits,
            first_session=self._rng.randint(1, 2**40),
            nonce_prefix=f"life{life}",
            xpub_port=9243,
            software="simulated",
        )
        self._alarm = Alarm(self._schedule, self._turn)
        self._peers: dict[bytes, Connection] = {}
        self._subscribers: dict[Connection, None] = {}
        self._requests: deque[tuple[bytes, str, bytes]] = deque()
        self._subscriptions: deque[tuple[Connection, bytes]] = deque()
        self._reports: deque[Report] = deque()
        self._losses: deque[bytes] = deque()
        self._loaded = False
        self._ordered: list[Submission] = []  # the last that were decided on
        self.account: Callable[[wire.Answer], None] = _nobody  # what the control socket says is told to it
        self._asking: Connection | None = None  # whose subscription was read last
        self._published = b""  # the last topic
        self._execute(self.core.start())

    # ---- the world ----

    def accept(self, connection: Connection) -> None:
        """A handshake succeeded."""
        if connection.port == "router":
            self._peers[connection.peer] = connection
        else:
            self._subscribers[connection] = None

    def connection_lost(self, connection: Connection) -> None:
        """The monitor tells that a connection has ended."""
        if not self.alive:
            return
        self._subscribers.pop(connection, None)
        if self._peers.get(connection.peer) is connection:
            self._losses.append(connection.peer)
            self._wake()

    def arrived(self, connection: Connection, frames: Frames) -> None:
        """A frame waits in a socket."""
        if not self.alive:
            return
        if connection.port == "router":
            self._requests.append((connection.peer, connection.key, frames[0]))
        else:
            self._subscriptions.append((connection, frames[0]))
        self._wake()

    def inject(self, peer: bytes, key: str, frame: bytes) -> None:
        """A frame comes from a connection that has taken over a routing id."""
        self._requests.append((peer, key, frame))
        self._wake()

    def crash(self) -> MemoryStore:
        """Kill it. Returns the store as the next one finds it."""
        self.alive = False
        for connection in (*self._peers.values(), *self._subscribers):
            connection.broker_gone()
        return self.disk.crash()

    def stop(self) -> None:
        """Ask it to end after what was read is answered."""
        if not self.stopping:
            self.stopping = True
            self._handle(Stopping())

    # ---- the loop ----

    def _reported(self, report: Report) -> None:
        self._reports.append(report)
        self._wake()

    def _wake(self) -> None:
        self._alarm.set(max(self._schedule.now_ms + self._rng.randint(0, 1), self.stalled_until_ms))

    def _turn(self) -> None:
        if not self.alive:
            return
        if self._schedule.now_ms < self.stalled_until_ms:
            self._alarm.set(self.stalled_until_ms)
            return
        while self._losses:
            self._lose(self._losses.popleft())
        while self._reports:
            report = self._reports.popleft()
            if isinstance(report, Durable | Loaded):
                self._around.model.heard()
            self._handle(report)
            self._loaded = self._loaded or isinstance(report, Loaded)
            if isinstance(report, Durable):
                self._around.model.known_pos = self._around.model.last_pos
        while self._subscriptions and self._loaded:  # before, nobody has any rights
            self._subscription(*self._subscriptions.popleft())
        if self.core.accepting:
            self._read_requests()
        self._tell_time()

    def _tell_time(self) -> None:
        deadline_ms = self.core.deadline_ms()
        if deadline_ms is not None and self._schedule.now_ms >= deadline_ms:
            if not self._requests or not self.core.accepting:
                self._handle(Elapsed())
            deadline_ms = self.core.deadline_ms()
        if deadline_ms is not None:
            self._alarm.set(max(deadline_ms, self._schedule.now_ms + 1))
        if self._requests and self.core.accepting:
            self._wake()

    def _read_requests(self) -> None:
        requests: list[Request] = []
        for _ in range(self._rng.randint(1, REQUESTS_PER_TURN_MAX)):
            if not self._requests:
                break
            peer, key, frame = self._requests.popleft()
            try:
                requests.append(Request(peer, key, wire.decode_request(frame), len(frame)))
            except wire.Malformed as error:
                if requests:
                    self._handle(Received(requests))
                    requests = []
                self._handle(MalformedReceived(peer, key, str(error), False))
        if requests:
            self._handle(Received(requests))

    def _subscription(self, connection: Connection, data: bytes) -> None:
        if data[:1] == b"\1":
            self._asking = connection
            connection.asked.add(data[1:])
            self._published = b""
            self._handle(Subscribed(connection.key, data[1:]))
            is_told = self._published == data[1:] and data[1:] in connection.topics and not connection.silent
            if data[1:2] == b"~" and is_told:
                self._around.model.confirmed(connection)
        else:
            connection.topics.discard(data[1:])
            connection.asked.discard(data[1:])

    def _lose(self, peer: bytes) -> None:
        self._peers.pop(peer, None)
        self._handle(PeerLost(peer))

    # ---- doing what the core says ----

    def _handle(self, event: Event) -> None:
        effects = self.core.handle(event, self._schedule.now_ms)
        if self._around.trace is not None:
            self._around.note("broker", event, effects)
        self._execute(effects)

    def _execute(self, effects: Iterable[Effect]) -> None:
        lost: list[bytes] = []
        for effect in effects:
            match effect:
                case Transmit(peer=peer, answer=answer):
                    self._around.model.answered(self._peers.get(peer), answer)
                    # A client counts refusals, to know whether another transmission is under way.
                    once = isinstance(answer, wire.Refused)
                    self._transmit(peer, (wire.encode(answer),), lost, once)
                case TransmitSegments(peer=peer, header=header, segments=segments):
                    self._around.model.sent_segments(header, segments)
                    self._transmit(peer, (wire.encode(header), *segments), lost)
                case Publish(topic=topic, payload=payload):
                    self._around.model.published(topic, payload)
                    self._published = topic
                    self._publish(topic, payload)
                case Append(seq=seq, submissions=submissions):
                    self._ordered = submissions
                    self._handle(Ordered(seq, submissions, self._around.wall_ms))
                case Write() | Look() | LoadInstance() | Load() | Read():
                    if isinstance(effect, Write):
                        check_barriers(self._ordered, effect)
                    self.disk.submit(effect)
                case Approve(topic=topic):
                    assert self._asking is not None
                    self._asking.topics.add(topic)
                case Cut(key=key):
                    for connection in (*self._peers.values(), *self._subscribers):
                        if connection.key == key:
                            connection.cut()
                case CutSubscribers(keys=keys):
                    for subscriber in self._subscribers:
                        if subscriber.key in keys:
                            subscriber.cut()
                case Admit() | Dismiss() | Log():
                    pass
                case _:
                    assert_never(effect)
        for peer in lost:
            self._handle(PeerLost(peer))

    def _transmit(self, peer: bytes, frames: Frames, lost: list[bytes], once: bool = False) -> None:
        if peer == CONTROL:
            self.account(wire.decode_answer(frames[0]))
            return
        connection = self._peers.get(peer)
        if connection is None:
            lost.append(peer)
        elif self._rng.random() < self._around.faults.answers_lost:
            self._around.model.stats["answers lost"] += 1
        elif not connection.to_client(frames, once):
            lost.append(peer)

    def _publish(self, topic: bytes, payload: bytes) -> None:
        for connection in list(self._subscribers):
            if topic not in connection.topics:
                continue
            if topic[:1] == b"#" and not connection.silent:
                self._around.model.reaches(connection.owner, payload)
            if self._rng.random() < self._around.faults.broadcasts_lost:
                self._around.model.stats["broadcasts lost"] += 1
            else:
                connection.to_client((topic, payload))
