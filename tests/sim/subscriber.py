"""A SUB socket as libzmq has it: it connects again by itself, and subscribes again only when it is used."""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from tests.sim.network import Connection, Frames
from zchat.client.core import events as happened
from zchat.common import wire

if TYPE_CHECKING:
    from tests.sim.process import Process

_RECONNECT_MS = 100


class Subscriber:
    """One socket of a process, through all its connections."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._machine = process.machine
        around = process.machine.around
        self._schedule, self._rng = around.schedule, around.rng
        self._topics: Counter[bytes] = Counter()
        self._connection: Connection | None = None
        self._unused = False  # since it was connected again
        self.unconfirmed: set[bytes] = set()  # topics that came after the last nonce
        self._closed = False
        self._try()

    def subscribe(self, topic: bytes) -> None:
        """ZMQ_SUBSCRIBE. libzmq counts, and tells of the first."""
        self.touch()
        self._topics[topic] += 1
        if topic[:1] == b"~":
            self.unconfirmed.clear()
        else:
            self.unconfirmed.add(topic)
        if self._topics[topic] == 1:
            self._tell(b"\1" + topic)

    def unsubscribe(self, topic: bytes) -> None:
        """ZMQ_UNSUBSCRIBE."""
        self.touch()
        if self._topics[topic] == 0:
            return
        self._topics[topic] -= 1
        if self._topics[topic] == 0:
            del self._topics[topic]
            self._tell(b"\0" + topic)

    @property
    def nonce(self) -> bytes | None:
        """The topic of the last nonce."""
        return next((topic for topic in reversed(self._topics) if topic[:1] == b"~"), None)

    def pry(self, topic: bytes) -> None:
        """Ask for a topic that is somebody else's, for a moment."""
        self._tell(b"\1" + topic)
        self._tell(b"\0" + topic)

    def touch(self) -> None:
        """Any use: what a new connection has to be told is told, in the order of bytes."""
        if self._unused:
            self._unused = False
            for topic in sorted(self._topics):
                self._tell(b"\1" + topic)

    def close(self) -> None:
        """The end."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()

    def _tell(self, data: bytes) -> None:
        if self._connection is not None and not self._unused:
            self._connection.to_broker((data,))

    def _try(self) -> None:
        self._schedule.after(self._rng.randint(1, 50), self._connect)

    def _connect(self) -> None:
        if self._closed:
            return
        connection = self._machine.connection(self._process, "xpub", self._received, self._lost)
        broker = self._machine.broker()
        if broker is None or not connection.weather.lets("xpub"):
            self._schedule.after(_RECONNECT_MS, self._try)
            return
        self._connection = connection
        connection.establish(broker)
        self._unused = True
        if self._rng.random() < 0.5:  # else it waits until it is touched
            self._schedule.after(self._rng.randint(0, 20), partial(self._use, connection))

    def _use(self, connection: Connection) -> None:
        if not self._closed and connection is self._connection:
            self.touch()

    def _lost(self, connection: Connection) -> None:
        if connection is self._connection and not self._closed:
            self._connection = None
            self._schedule.after(_RECONNECT_MS, self._try)

    def _received(self, connection: Connection, frames: Frames) -> None:
        if self._closed or connection is not self._connection:
            return
        topic, payload = frames
        if topic[:1] == b"#":
            self._process.handle(happened.RoomPublished(wire.decode_segment(payload)))
            return
        answer = wire.decode_answer(payload)
        if isinstance(answer, wire.Presence):
            self._process.handle(happened.PresencePublished(answer))
        else:
            assert isinstance(answer, wire.Heads)
            self._process.handle(happened.HeadsPublished(topic[1:-1].decode(), answer))
