"""The broker's shell: sockets, loop, storage threads. It reads, hands over, and does as the core says.

Longer than other files: one loop over what shares its sockets, and every effect of the core is executed here.
What could do without them has files of its own: sockets, guard, subscriptions, connections, store.threads.
"""

import secrets
import select
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, assert_never

import zmq

from zchat.broker.connections import CONNECTION_MEANINGS, ConnectionLimits
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
from zchat.broker.core.limits import Limits, told
from zchat.broker.core.port import (
    Append,
    Failed,
    Load,
    Loaded,
    LoadInstance,
    Look,
    Ordered,
    Read,
    Unreadable,
    Write,
)
from zchat.broker.guard import Guard
from zchat.broker.sockets import Sockets
from zchat.broker.sparing import SparingLog
from zchat.broker.store.contract import Store
from zchat.broker.store.threads import StoreThreads
from zchat.broker.subscriptions import Subscriptions
from zchat.common import limits, wire
from zchat.common.keys import KeyPair

REQUESTS_PER_TURN: Final = 256  # read before the loop looks at anything else
REQUEST_BYTES_PER_TURN: Final = 1024 * 1024
SUBSCRIPTIONS_PER_TURN: Final = 100
CHANGES_PER_TURN: Final = 100  # of connections, of each port
OF_THE_PROTOCOL: Final = [
    wire.Bound("page_bytes_max", limits.PAGE_BYTES_MAX, "bytes of a page, unless it is one segment; always"),
    wire.Bound("fetches_max", limits.FETCHES_MAX, "pages that one session asks for at once; always"),
]  # which no setting changes
LAST: Final = int(zmq.DONTWAIT)  # numbers: to combine the flags anew takes as long as to send
MORE: Final = int(zmq.SNDMORE | zmq.DONTWAIT)
CONTROL: Final = b"@"  # before the routing ids of the control socket; those of ROUTER begin with a zero byte
_POLL_MS_MAX: Final = 3_600_000  # poll(2) takes no more than 2**31 - 1
STOP_SECONDS_MAX: Final = 5  # for what was read before the broker was told to stop


class Server:
    """One broker on two ports, and with `control` on a Unix socket at that path for the account that runs it.
    `log` gets one line for each event; `ready` is called when it serves.

    Raises CannotStart when a port is in use or the address is not of this machine. All methods but `stop` are
    for one thread.
    """

    def __init__(
        self,
        store: Store,
        key: KeyPair,
        *,
        host: str,
        port: int,
        software: str,
        log: Callable[[str, str], None],
        ready: Callable[[], None],
        control: Path | None = None,
        broker_limits: Limits | None = None,
        connection_limits: ConnectionLimits | None = None,
    ) -> None:
        self._log = SparingLog(log, _now_ms)
        self._ready: Callable[[], None] | None = ready
        self._stopped_at: float | None = None
        # A descriptor of ZeroMQ tells that something changed, not that something is there. A socket is due
        # when it may have something to read: after such a sign, after a send, and until it was read empty.
        self._router_due = self._xpub_due = self._changes_due = True
        self._router_watched = False
        self._sockets = _sockets(key, host, port, control, log)
        self._guard = Guard(self._sockets, connection_limits or ConnectionLimits(), self._log)
        self._connections = self._guard.connections
        self._router, self._xpub = self._sockets.router, self._sockets.xpub
        self._subscriptions = Subscriptions(
            self._xpub, self._guard, lambda key, topic: self._handle(Subscribed(key, topic))
        )
        self._control, self._control_due = self._sockets.control, True
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._threads = StoreThreads(store)
        self._core = Core(
            broker_limits or Limits(),
            first_session=1 + secrets.randbits(40),
            nonce_prefix=secrets.token_hex(8),
            xpub_port=port + 1,
            software=software,
            more_limits=[*told(self._guard.limits, CONNECTION_MEANINGS), *OF_THE_PROTOCOL],
        )
        self._poll = self._watched()

    def _watched(self) -> select.poll:
        """The descriptors that wake the loop; that of ROUTER not yet (`_watch_router`)."""
        self._router_descriptor = int(self._router.getsockopt(zmq.FD))
        self._xpub_descriptor = int(self._xpub.getsockopt(zmq.FD))
        self._control_descriptor = int(self._control.getsockopt(zmq.FD))
        self._rare = {int(rare.getsockopt(zmq.FD)) for rare in self._sockets.rare}
        poll = select.poll()
        poll.register(self._router_descriptor, 0)
        for descriptor in (
            self._xpub_descriptor,
            self._control_descriptor,
            *self._rare,
            self._threads.fileno(),
            self._wake_read.fileno(),
        ):
            poll.register(descriptor, select.POLLIN)
        return poll

    def stop(self) -> None:
        """Have `run` end after what was read is answered. For signal handlers and other threads."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
        with suppress(BlockingIOError):
            self._wake_write.send(b"\0")

    def run(self) -> None:
        """Serve until `stop`, then close everything. An error of the storage threads is raised here."""
        try:
            self._execute(self._core.start())
            told = False
            while not self._is_done():
                if self._stopped_at is not None and not told:
                    told = True
                    self._handle(Stopping())
                    continue
                self._turn()
        finally:
            self._close()

    # ---- the loop ----

    def _turn(self) -> None:
        """Everything that is there now, bounded."""
        accepting = self._core.accepting
        self._watch_router(accepting)
        ready = {descriptor for descriptor, _ in self._poll.poll(self._timeout_ms(accepting))}
        if self._wake_read.fileno() in ready:
            self._wake_read.recv(4096)
        if self._changes_due or not self._rare.isdisjoint(ready):
            now_ms = _now_ms()
            self._changes_due = self._guard.note_changes(now_ms, CHANGES_PER_TURN)
            self._sockets.admit(lambda key: self._connections.is_shut_out(key, now_ms))
        if self._threads.fileno() in ready:
            self._read_reports()
        self._router_due = self._router_due or self._router_descriptor in ready
        self._xpub_due = self._xpub_due or self._xpub_descriptor in ready
        if self._xpub_due:
            self._xpub_due = self._subscriptions.read(SUBSCRIPTIONS_PER_TURN, _now_ms)
        if self._router_due and self._core.accepting:
            self._read_router()
        self._control_due = self._control_due or self._control_descriptor in ready
        if self._control_due and self._core.accepting:
            self._read_control()
        if self._guard.lost and not self._router_due:  # after what they had still said
            lost, self._guard.lost = self._guard.lost, []
            for peer in lost:
                self._handle(PeerLost(peer))
        self._tell_time()

    def _timeout_ms(self, accepting: bool) -> int:
        if self._changes_due or self._xpub_due or ((self._router_due or self._control_due) and accepting):
            return 0
        if self._stopped_at is not None:
            return 10
        times = [when for when in (self._core.deadline_ms(), self._guard.due_ms) if when is not None]
        return min(_POLL_MS_MAX, max(0, min(times) - _now_ms())) if times else -1

    def _watch_router(self, accepting: bool) -> None:
        """While the core takes no requests they wait in the socket, and the loop must not wake for them."""
        if accepting != self._router_watched:
            self._router_watched = accepting
            self._poll.modify(self._router_descriptor, select.POLLIN if accepting else 0)
            self._router_due = True

    def _read_reports(self) -> None:
        for report in self._threads.take():
            if isinstance(report, Failed | Unreadable):
                self._log("storage_error", self._threads.last_error)
            self._handle(report)
            if isinstance(report, Loaded) and self._ready is not None:
                self._ready()
                self._ready = None

    def _tell_time(self) -> None:
        now_ms = _now_ms()
        empty = not (self._router_due or self._xpub_due)
        deadline = self._core.deadline_ms()
        if deadline is not None and now_ms >= deadline and (empty or not self._core.accepting):
            self._handle(Elapsed())
        if empty:
            self._guard.look(now_ms)

    def _is_done(self) -> bool:
        if self._stopped_at is None:
            return False
        return self._core.is_idle or time.monotonic() - self._stopped_at > STOP_SECONDS_MAX

    # ---- reading ----

    def _read_router(self) -> None:
        """One turn of requests; the core gets them as one event."""
        requests: list[Request] = []
        recv = self._router.recv
        size = 0
        while len(requests) < REQUESTS_PER_TURN and size < REQUEST_BYTES_PER_TURN:
            try:  # never blocking: of a connection that broke within a message the rest does not come
                first = recv(zmq.DONTWAIT, copy=False)
                last = recv(zmq.DONTWAIT, copy=False) if first.more else first
                frame, surplus = last.bytes, not first.more
                while last.more:
                    last, surplus = recv(zmq.DONTWAIT, copy=False), True
            except zmq.Again:
                self._router_due = False
                break
            size += len(frame)
            self._take_request(first, frame, surplus, requests)
        if requests:
            self._handle(Received(requests))

    def _take_request(self, first: zmq.Frame, frame: bytes, surplus: bool, requests: list[Request]) -> None:
        peer, key = first.bytes, str(first.get("User-Id"))
        if not self._connections.knows(peer):
            self._guard.note_changes(_now_ms())  # what ended or began before this frame
        descriptor, is_drawn = int(first.get(zmq.SRCFD)), peer.startswith(b"\0")
        self._connections.read(descriptor, key, peer if is_drawn else b"")
        if self._connections.leaving:
            self._guard.let_go()
        if not is_drawn:  # and perhaps like one of the control socket: the core never hears of it
            self._guard.cut(key, "a routing id that its client chose", _now_ms())
            return
        try:
            if surplus:
                raise wire.Malformed("a request is one frame")
            request = wire.decode_request(frame)
            greets = isinstance(request, wire.Hello)
            address = self._connections.address_of(descriptor) if greets else ""
            requests.append(Request(peer, key, request, len(frame), address))
        except wire.Malformed as error:
            if requests:  # in order
                self._handle(Received(requests[:]))
                requests.clear()
            too_many = self._connections.malformed(descriptor)
            self._handle(MalformedReceived(peer, key, str(error), surplus or too_many))

    def _read_control(self) -> None:
        """One turn of requests of the account that runs the broker, which come without a key."""
        requests: list[Request] = []
        while len(requests) < REQUESTS_PER_TURN:
            try:
                frames = self._control.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                self._control_due = False
                break
            peer, frame = CONTROL + frames[0], frames[-1]
            try:
                if len(frames) > 2:
                    raise wire.Malformed("a request is one frame")
                requests.append(Request(peer, "", wire.decode_request(frame), len(frame)))
            except wire.Malformed as error:
                self._handle(MalformedReceived(peer, "", str(error), False))
        if requests:
            self._handle(Received(requests))

    # ---- doing what the core says ----

    def _handle(self, event: Event) -> None:
        self._execute(self._core.handle(event, _now_ms()))

    def _execute(self, effects: Iterable[Effect]) -> None:
        lost: list[bytes] = []
        for effect in effects:
            match effect:
                case Transmit(peer=peer, answer=answer):
                    self._transmit(peer, (wire.encode(answer),), lost)
                case TransmitSegments(peer=peer, header=header, segments=segments):
                    self._transmit(peer, (wire.encode(header), *segments), lost)
                case Publish(topic=topic, payload=payload):
                    self._xpub.send(topic, MORE)
                    self._xpub.send(payload, LAST)
                    self._xpub_due = True
                case Append(seq=seq, submissions=submissions):
                    self._handle(Ordered(seq, submissions, time.time_ns() // 1_000_000))
                case Write() | Look() | LoadInstance() | Load() | Read():
                    self._threads.submit(effect)
                case Approve(topic=topic):
                    self._xpub.setsockopt(zmq.SUBSCRIBE, topic)
                case Cut(key=key, why=why):
                    self._guard.cut(key, why, _now_ms())
                case CutSubscribers(keys=keys, why=why):
                    self._guard.cut_subscribers(keys, why, _now_ms())
                case Dismiss(keys=keys):
                    self._guard.dismiss(keys, _now_ms())
                case Admit(key=key):
                    self._connections.admit(key)
                case Log(event=event, details=details):
                    self._log(event, details)
                case _:
                    assert_never(effect)
        for peer in lost:
            self._handle(PeerLost(peer))

    def _transmit(self, peer: bytes, frames: tuple[bytes, ...], lost: list[bytes]) -> None:
        """Send without waiting. A peer whose queue is full gets nothing now, and asks for it later."""
        if peer.startswith(CONTROL):
            send, identity = self._control.send, peer[len(CONTROL) :]
            self._control_due = True
        else:
            send, identity = self._router.send, peer
            self._router_due = True  # libzmq may have taken in what came meanwhile, without a sign
        try:
            send(identity, MORE)
            for frame in frames[:-1]:
                send(frame, MORE)
            send(frames[-1], LAST)
        except zmq.Again:
            pass
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            lost.append(peer)

    def _close(self) -> None:
        try:
            self._threads.stop()
        finally:
            self._sockets.close()
            self._wake_read.close()
            self._wake_write.close()


def _sockets(
    key: KeyPair, host: str, port: int, control: Path | None, log: Callable[[str, str], None]
) -> Sockets:
    """The sockets; without the one for control, when that cannot be."""
    try:
        return Sockets(key, host, port, control)
    except OSError as error:
        log("no_control_socket", f"at={control} why={error.strerror!r}")
        return Sockets(key, host, port)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
