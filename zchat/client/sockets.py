"""The client's ZeroMQ sockets on an asyncio loop: requests and answers, the subscriber, and the monitor.

Longer than other files: three sockets share one loop, and when each is looked at depends on the others.
"""

import asyncio
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import zmq

from zchat.client.core.events import (
    AnswerReceived,
    Disconnected,
    Event,
    HandshakeFailed,
    HandshakeSucceeded,
    HeadsPublished,
    MalformedReceived,
    PageReceived,
    PresencePublished,
    RoomPublished,
    SegmentDelivered,
)
from zchat.common import keepalive, limits, wire
from zchat.common.keys import KeyPair
from zchat.common.links import authority

_TURN_MESSAGES: Final = 100  # of each socket, before the loop gets its turn
_FRAMES_MAX: Final = 20_000  # of one message; a page has fewer
_LINGER_MS: Final = 500
_MONITORED: Final = struct.Struct("=H")  # the event, in the first frame: zmq_socket_monitor(3)
_POLL_S: Final = 0.01  # where the loop cannot watch descriptors
_HANDSHAKE_FAILED: Final = frozenset(
    (
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
        zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    )
)
_WATCHED: Final = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CLOSED
)

_Socket = zmq.Socket[bytes]


class Sockets:
    """Gives what comes to `received`, event by event, in the loop's thread. An exception of `received` goes
    to `failed`. Without a `key` nothing is encrypted: for the control socket.

    A descriptor of libzmq's tells that something changed, not that something is there, and using the socket
    may swallow that. So a socket is due after such a sign and after each use, and read until nothing is left.
    Each look costs system calls: one that is not due is not looked at.
    """

    def __init__(
        self,
        server_key: str,
        key: KeyPair | None,
        received: Callable[[Event], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._server_key = server_key.encode()
        self._key = key
        self._received = received
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._context = zmq.Context()
        self._dealer: _Socket | None = None
        self._monitor: _Socket | None = None
        self._subscriber: _Socket | None = None
        self._due: dict[_Socket, None] = {}  # those that may have something to read
        self._turn: asyncio.Handle | None = None
        self._polling = False
        self._closed = False
        self.handshakes_refused = 0  # in a row: somebody was there and broke off
        self.is_admitted = True  # no handshake was refused by the broker with a reason

    # ---- requests ----

    def connect(self, host: str, port: int) -> None:
        """Close the request socket, if there is one, and connect a new one."""
        self._connect(f"tcp://{authority(host, port)}")

    def connect_locally(self, path: Path) -> None:
        """The same to a Unix socket."""
        self._connect(f"ipc://{path.absolute()}")  # libzmq takes "@..." for one without a file

    def _connect(self, endpoint: str) -> None:
        self._close_dealer(linger_ms=0)
        dealer = self._socket(zmq.DEALER)
        # The core decides about new sockets, so libzmq waits for ever. With -1, or with ZMQ_IMMEDIATE, it
        # drops the rest of a message that is half read when the connection breaks, and then aborts (fq.cpp).
        dealer.setsockopt(zmq.RECONNECT_IVL, 2**31 - 1)
        self._dealer = dealer
        monitor: _Socket = dealer.get_monitor_socket(_WATCHED)
        self._monitor = monitor
        dealer.connect(endpoint)
        self._watch(dealer)
        self._watch(monitor)

    def transmit(self, request: wire.Request) -> bool:
        """Send. False when the socket cannot take it: nothing was sent."""
        if self._dealer is None:
            return False
        try:
            self._dealer.send(wire.encode(request), zmq.DONTWAIT)
        except zmq.Again:
            return False
        finally:
            self._soon(self._dealer)
        return True

    # ---- the subscriber ----

    def open_subscriber(self, host: str, port: int) -> None:
        """Close the subscriber, if there is one, and connect a new one."""
        self._close_subscriber()
        subscriber = self._socket(zmq.SUB)
        subscriber.setsockopt(zmq.RECONNECT_IVL, 100)
        subscriber.setsockopt(zmq.RECONNECT_IVL_MAX, 5_000)
        self._subscriber = subscriber
        subscriber.connect(f"tcp://{authority(host, port)}")
        self._watch(subscriber)

    def subscribe(self, topic: bytes) -> None:
        """Subscribe to a topic."""
        if self._subscriber is not None:
            self._subscriber.setsockopt(zmq.SUBSCRIBE, topic)
            self._soon(self._subscriber)

    def unsubscribe(self, topic: bytes) -> None:
        """Subscribe to a topic no longer."""
        if self._subscriber is not None:
            self._subscriber.setsockopt(zmq.UNSUBSCRIBE, topic)
            self._soon(self._subscriber)

    def touch(self) -> None:
        """Use the subscriber: libzmq subscribes again after a reconnect only then."""
        if self._subscriber is not None:
            self._soon(self._subscriber)

    # ---- the end ----

    async def close(self, flush: bool) -> None:
        """Close all. `flush`: what was sent may take a moment to leave."""
        if self._closed:
            return
        self._closed = True
        if self._turn is not None:
            self._turn.cancel()
        self._close_subscriber()
        self._close_dealer(_LINGER_MS if flush else 0)
        if flush:
            await self._terminated()
        else:
            self._context.term()

    async def _terminated(self) -> None:
        """Until what was sent has left, or the time for that is over. In a plain thread: an executor costs a
        command that sends one message more than the message."""
        terminated = asyncio.Event()

        def terminate() -> None:
            self._context.term()
            with suppress(RuntimeError):  # nobody waits any more
                self._loop.call_soon_threadsafe(terminated.set)

        threading.Thread(target=terminate, name="linger", daemon=True).start()
        await terminated.wait()

    def _close_dealer(self, linger_ms: int) -> None:
        if self._monitor is not None:
            self._unwatch(self._monitor)
            monitor, self._monitor = self._monitor, None
            if self._dealer is not None:
                self._dealer.disable_monitor()
            monitor.close(0)
        if self._dealer is not None:
            self._unwatch(self._dealer)
            self._dealer.close(linger_ms)
            self._dealer = None

    def _close_subscriber(self) -> None:
        if self._subscriber is not None:
            self._unwatch(self._subscriber)
            self._subscriber.close(0)
            self._subscriber = None

    def _socket(self, kind: int) -> _Socket:
        socket: _Socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.IPV6, 1)
        if self._key is not None:
            socket.setsockopt(zmq.CURVE_SERVERKEY, self._server_key)
            socket.setsockopt(zmq.CURVE_PUBLICKEY, self._key.public.encode())
            socket.setsockopt(zmq.CURVE_SECRETKEY, self._key.secret.encode())
        socket.setsockopt(zmq.MAXMSGSIZE, limits.CLIENT_FRAME_BYTES_MAX)
        socket.setsockopt(zmq.HANDSHAKE_IVL, limits.HEARTBEAT_MS)
        for option, value in keepalive.OPTIONS.items():  # and no ZMQ_HEARTBEAT_IVL: docs/adr/0013
            socket.setsockopt(option, value)
        socket.setsockopt(zmq.RCVHWM, 200)
        return socket

    # ---- turns ----

    def _watch(self, socket: _Socket) -> None:
        try:
            self._loop.add_reader(_number(socket, zmq.FD), self._signalled, socket)
        except NotImplementedError:  # Windows with the Proactor loop
            if not self._polling:
                self._polling = True
                self._poll()
        self._soon(socket)

    def _unwatch(self, socket: _Socket) -> None:
        self._due.pop(socket, None)
        if not self._polling:
            self._loop.remove_reader(_number(socket, zmq.FD))

    def _poll(self) -> None:
        if not self._closed:
            for socket in (self._monitor, self._dealer, self._subscriber):
                if socket is not None:
                    self._soon(socket)
            self._loop.call_later(_POLL_S, self._poll)

    def _soon(self, socket: _Socket) -> None:
        self._due[socket] = None
        if self._turn is None and not self._closed:
            self._turn = self._loop.call_soon(self._ready)

    def _signalled(self, socket: _Socket) -> None:
        self._due[socket] = None
        self._ready()

    def _ready(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        due, self._due = self._due, {}
        try:
            for socket in due:
                self._drain(socket)
        except Exception as error:
            self._failed(error)

    def _drain(self, socket: _Socket) -> None:
        """Read a share of what is there; the rest in another turn."""
        take = {self._monitor: self._on_monitor, self._dealer: self._on_dealer}.get(
            socket, self._on_subscriber
        )
        for _ in range(_TURN_MESSAGES):
            if socket.closed:  # an event had it replaced
                return
            try:
                frames = [socket.recv(zmq.DONTWAIT)]
                while socket.getsockopt(zmq.RCVMORE):
                    # Not blocking: of a connection that broke within a message the rest never comes.
                    frame = socket.recv(zmq.DONTWAIT)
                    if len(frames) < _FRAMES_MAX:
                        frames.append(frame)
            except zmq.Again:
                return
            event = take(frames)
            if event is not None:
                self._received(event)
            if isinstance(event, AnswerReceived):  # who waits for it comes before another look
                break
        self._soon(socket)

    def _on_monitor(self, frames: list[bytes]) -> Event | None:
        (event,) = _MONITORED.unpack_from(frames[0])
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.handshakes_refused = 0
            self.is_admitted = True
            return HandshakeSucceeded()
        if event in _HANDSHAKE_FAILED:
            self.handshakes_refused += 1
            self.is_admitted = event != zmq.EVENT_HANDSHAKE_FAILED_AUTH
            return HandshakeFailed()
        if event == zmq.EVENT_CLOSED:
            self.handshakes_refused = 0
            return HandshakeFailed()
        return Disconnected() if event == zmq.EVENT_DISCONNECTED else None

    def _on_dealer(self, frames: list[bytes]) -> Event:
        try:
            answer = wire.decode_answer(frames[0])
            if len(frames) == 1:
                return AnswerReceived(answer)
            if isinstance(answer, wire.Page):
                return PageReceived(answer, [wire.decode_segment(frame) for frame in frames[1:]])
            if isinstance(answer, wire.Deliver) and len(frames) == 2:
                return SegmentDelivered(answer.session, wire.decode_segment(frames[1]))
        except wire.Malformed:
            pass
        return MalformedReceived()

    def _on_subscriber(self, frames: list[bytes]) -> Event:
        if len(frames) == 2:
            topic, frame = frames
            try:
                if topic.startswith(b"#"):
                    return RoomPublished(wire.decode_segment(frame))
                answer: Any = wire.decode_answer(frame)
                if isinstance(answer, wire.Presence) and topic == wire.HERE:
                    return PresencePublished(answer)
                if isinstance(answer, wire.Heads):
                    return HeadsPublished(topic[1:-1].decode("utf-8", "replace"), answer)
            except wire.Malformed:
                pass
        return MalformedReceived()


def _number(socket: _Socket, option: int) -> int:
    value = socket.getsockopt(option)
    assert isinstance(value, int)
    return value
