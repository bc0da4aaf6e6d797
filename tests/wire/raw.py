"""A client of ZCHAT/1 that is no more than its sockets: it says what it is told to and shows what comes."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import zmq
from msgspec.structs import replace
from zmq.utils.monitor import recv_monitor_message

from tests.processes import BrokerProcess
from zchat.common import keys, limits, wire
from zchat.common.codes import Refusal

DEADLINE_MS = 10_000
"""How long anything that is waited for may take."""

GENERAL = wire.room_topic("general")
_numbers = itertools.count(1)
_Answer = TypeVar("_Answer", bound=wire.Answer)


def unused(stem: str) -> str:
    """A nick or a room that no other test has."""
    return f"{stem}{next(_numbers)}"


class Told(NamedTuple):
    """What came over ROUTER: an answer, or a header and segments."""

    answer: wire.Answer
    segments: list[wire.Segment]


class Published(NamedTuple):
    """What came over XPUB."""

    topic: bytes
    payload: bytes


class Client:
    """A DEALER and, once it is wanted, a SUB, with one key pair. `session` is that of its last Welcome."""

    def __init__(
        self,
        broker: BrokerProcess,
        context: "zmq.Context[zmq.Socket[bytes]]",
        *,
        key: keys.KeyPair | None = None,
        port: int | None = None,
        routing_id: bytes | None = None,
        server_key: str | None = None,
        curve: bool = True,
        endpoint: str = "",
        sub_kind: int = zmq.SUB,
    ) -> None:
        self.key = key or keys.draw()
        self.session = 0
        self.nick = ""
        self.nonce = ""
        self._broker = broker
        self._context = context
        self._server_key = (server_key or broker.key) if curve else None
        self._endpoint = endpoint
        self._sub_kind = sub_kind
        self._tokens = itertools.count(1)
        self._sub: zmq.Socket[bytes] | None = None
        self._sub_monitor: zmq.Socket[bytes] | None = None
        self.dealer, self.monitor = self._socket(zmq.DEALER, port or broker.port, routing_id)

    def close(self) -> None:
        """All its sockets."""
        for socket in (self.dealer, self._sub):
            if socket is not None and not socket.closed:
                socket.disable_monitor()
                socket.close(0)
        for monitor in (self.monitor, self._sub_monitor):
            if monitor is not None:
                monitor.close(0)

    # ---- requests and answers ----

    @property
    def token(self) -> int:
        """One that it has not used."""
        return next(self._tokens)

    def say(self, *requests: wire.Request) -> None:
        """Each as a message of its own."""
        for request in requests:
            self.dealer.send(wire.encode(request))

    def say_raw(self, *frames: bytes) -> None:
        """One message of these frames."""
        self.dealer.send_multipart(frames)

    def hear(self, timeout_ms: int = DEADLINE_MS) -> Told:
        """The next thing that comes over ROUTER."""
        assert self.dealer.poll(timeout_ms), "nothing came"
        header, *segments = self.dealer.recv_multipart()
        return Told(wire.decode_answer(header), [wire.decode_segment(frame) for frame in segments])

    def answer(self, kind: type[_Answer]) -> _Answer:
        """The next thing that comes, which has to be of this kind."""
        answer = self.hear().answer
        assert isinstance(answer, kind), answer
        return answer

    def ask(self, request: wire.Request) -> Told:
        """The answer to a request, which gets the next token; what comes before that is passed over."""
        token = self.token
        self.say(replace(request, token=token))
        while getattr((told := self.hear()).answer, "token", None) != token:
            pass
        return told

    def refused(self, request: wire.Request) -> Refusal:
        """The answer to a request, which has to be a refusal."""
        answer = self.ask(request).answer
        assert isinstance(answer, wire.Refused), answer
        return Refusal(answer.code)

    def act(self, request: wire.Request) -> wire.Done:
        """The answer to an act, which has to be done."""
        answer = self.ask(request).answer
        assert isinstance(answer, wire.Done), answer
        return answer

    def refusal(self) -> Refusal:
        """The next thing that comes is a refusal."""
        return Refusal(self.answer(wire.Refused).code)

    def is_silent(self) -> bool:
        """Nothing came so far: answers keep their order, and that of a Ping is the next one."""
        token = self.token
        self.say(wire.Ping(self.session, token, 2**53 - 1, ""))
        answer = self.hear().answer
        return isinstance(answer, wire.Heads | wire.Refused) and answer.token == token

    def greet(
        self,
        nick: str = "",
        *,
        instance: int = 1,
        lowest: int = 0,
        floor: int | None = None,
        quiet: bool = False,
    ) -> wire.Welcome:
        """Open a session."""
        hello = wire.Hello(
            1, 1, nick or self.nick or unused("user"), instance, lowest, floor, quiet, "raw/1", True
        )
        self.say(hello)
        welcome = self.answer(wire.Welcome)
        self.session, self.nick, self.nonce = welcome.session, welcome.nick, welcome.nonce
        return welcome

    def send(self, to: str, counter: int, *texts: str, lowest: int | None = None) -> wire.Stored:
        """A Send that is acknowledged, as the next thing that comes."""
        lowest = counter if lowest is None else lowest
        self.say(wire.Send(self.session, self.token, lowest, to, counter, list(texts)))
        [row] = self.answer(wire.Ack).results
        return row

    def join(self, room: str) -> int:
        """The position of the join."""
        self.say(wire.Join(self.session, self.token, room))
        return self.answer(wire.Done).pos

    def fetch(self, to: str, direction: int, bound: int) -> tuple[wire.Page, list[wire.Segment]]:
        """A page."""
        self.say(wire.Fetch(self.session, self.token, to, direction, bound))
        answer, segments = self.hear()
        assert isinstance(answer, wire.Page), answer
        return answer, segments

    # ---- subscriptions ----

    @property
    def sub(self) -> "zmq.Socket[bytes]":
        """Its SUB socket, or its XSUB."""
        if self._sub is None:
            self._sub, self._sub_monitor = self._socket(self._sub_kind, self._broker.port + 1, None)
        return self._sub

    def subscribe(self, *topics: bytes) -> None:
        """In this order."""
        for topic in topics:
            self.sub.subscribe(topic)

    def hear_published(self, timeout_ms: int = DEADLINE_MS) -> Published:
        """The next thing that comes over XPUB."""
        assert self.sub.poll(timeout_ms), "nothing was published"
        topic, payload = self.sub.recv_multipart()
        return Published(topic, payload)

    def confirm(self) -> tuple[wire.Heads, list[Published]]:
        """Subscribe to the nonce. Its Heads, and what came before them."""
        topic = wire.nonce_topic(self.nonce)
        self.subscribe(topic)
        earlier: list[Published] = []
        while (published := self.hear_published()).topic != topic:
            earlier.append(published)
        heads = wire.decode_answer(published.payload)
        assert isinstance(heads, wire.Heads)
        return heads, earlier

    def round(self, *rooms: str) -> tuple[wire.Heads, list[Published]]:
        """A new round: all earlier subscriptions are in force, and what was published before has come."""
        followed = self.ask(wire.Follow(self.session, 0, list(rooms), False)).answer
        assert isinstance(followed, wire.Followed), followed
        self.nonce = followed.nonce
        return self.confirm()

    # ---- connections ----

    def events(self, *, sub: bool = False) -> Iterator[int]:
        """What happens to the connection of one of its sockets, until the deadline."""
        socket = self.sub if sub else self.dealer
        monitor = self._sub_monitor if sub else self.monitor
        assert monitor is not None
        ends_at = time.monotonic() + DEADLINE_MS / 1000
        while time.monotonic() < ends_at:
            socket.get(zmq.EVENTS)  # libzmq works only while it is used
            if monitor.poll(20):
                yield int(recv_monitor_message(monitor)["event"])

    def wait_for(self, *wanted: int, sub: bool = False) -> int:
        """The first of these events of the connection."""
        seen = []
        for event in self.events(sub=sub):
            seen.append(zmq.Event(event).name)
            if event in wanted:
                return event
        raise AssertionError(f"it did not happen; seen: {seen}")

    def is_cut(self, *, sub: bool = False) -> bool:
        """The connection ends, and the key is not admitted any more."""
        self.wait_for(zmq.Event.DISCONNECTED, sub=sub)
        return self.wait_for(zmq.Event.HANDSHAKE_FAILED_AUTH, sub=sub) > 0

    def _socket(
        self, kind: int, port: int, routing_id: bytes | None
    ) -> "tuple[zmq.Socket[bytes], zmq.Socket[bytes]]":
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.setsockopt(zmq.MAXMSGSIZE, limits.CLIENT_FRAME_BYTES_MAX)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        if routing_id is not None:
            socket.setsockopt(zmq.ROUTING_ID, routing_id)
        if self._server_key is not None:
            socket.curve_serverkey = self._server_key.encode()
            socket.curve_publickey = self.key.public.encode()
            socket.curve_secretkey = self.key.secret.encode()
        monitor = socket.get_monitor_socket()
        socket.connect(self._endpoint or f"tcp://127.0.0.1:{port}")
        return socket, monitor


def until(happened: Callable[[], bool]) -> None:
    """Wait for something that nobody tells of."""
    ends_at = time.monotonic() + DEADLINE_MS / 1000
    while not happened():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.01)
