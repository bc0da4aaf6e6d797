"""Clients of zchat that are no more than their sockets, as those of the peers are: what comes is counted by a
mark, and not looked at."""

import time
from collections.abc import Sequence
from typing import Final

import zmq

from zchat.common import keys, limits, wire
from zchat.common.links import Link

MARK: Final = b"~~~~"  # ends each text; nothing else in a segment looks like that
TEXT: Final = "x" * (128 - len(MARK)) + MARK.decode()
_DEADLINE_S: Final = 120.0
_PING_S: Final = limits.HEARTBEAT_MS / 1000
_SOCKETS_MAX: Final = 8_192


class Speaker:
    """One client: a DEALER and, with `reads`, a SUB, with a key of its own. `received` counts messages that
    came, `unanswered` those it sent that were not acknowledged."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", link: Link, nick: str, reads: bool) -> None:
        self.nick = nick
        self.reads = reads
        self.received = 0
        self.unanswered = 0
        self.may_send = True
        self._context = context
        self._link = link
        self._key = keys.draw()
        self._counter = 0
        self._token = 0
        self._window: dict[int, int] = {}  # token of a Send: its messages
        self.dealer = self._socket(zmq.DEALER, link.port)
        self.sub: zmq.Socket[bytes] | None = None
        hello = wire.Hello(1, 1, nick, time.time_ns() % 2**62, 0, None, not reads, "bench/1", True)
        self.dealer.send(wire.encode(hello))

    def welcomed(self) -> None:
        """Wait until it is let in."""
        welcome = wire.decode_answer(self.answer()[0])
        assert isinstance(welcome, wire.Welcome), welcome
        self._session = welcome.session
        self._welcome = welcome

    def subscribe(self) -> None:
        """Ask for what a client reads: presence, `general`, and the nonce; `confirmed` waits for it."""
        self.sub = self._socket(zmq.SUB, self._welcome.port)
        for topic in (wire.HERE, wire.room_topic("general"), wire.nonce_topic(self._welcome.nonce)):
            self.sub.subscribe(topic)

    def confirmed(self) -> None:
        """Wait until what it subscribed to is in force."""
        assert self.sub is not None
        topic = wire.nonce_topic(self._welcome.nonce)
        while True:
            assert self.sub.poll(int(_DEADLINE_S * 1000)), "not confirmed"
            if self.sub.recv_multipart()[0] == topic:
                return

    def send(self, to: str, messages: int) -> None:
        """One Send of so many messages."""
        self._token += 1
        self._window[self._token] = messages
        lowest = self._counter - self.unanswered
        texts = [TEXT] * messages
        self.dealer.send(wire.encode(wire.Send(self._session, self._token, lowest, to, self._counter, texts)))
        self._counter += messages
        self.unanswered += messages

    def join(self, room: str) -> None:
        """Become a member of a room, which is made if there is none."""
        self._token += 1
        self.dealer.send(wire.encode(wire.Join(self._session, self._token, room)))
        while not isinstance(wire.decode_answer(self.answer()[0]), wire.Done):
            pass

    def page(self, to: str, before: int, entries: int) -> list[bytes]:
        """The segments of a page of so many entries before a position."""
        self._token += 1
        self.dealer.send(wire.encode(wire.Fetch(self._session, self._token, to, 1, before, entries)))
        while True:
            header, *segments = self.answer()
            if isinstance(wire.decode_answer(header), wire.Page):
                return segments

    def answer(self) -> list[bytes]:
        """The next answer, as its frames."""
        assert self.dealer.poll(int(_DEADLINE_S * 1000)), "no answer"
        return self.dealer.recv_multipart()

    def read(self) -> None:
        """Count all that has come."""
        if self.sub is not None:
            self._drain(self.sub)
        self._drain(self.dealer)

    def ping(self) -> None:
        """A sign of life."""
        self.dealer.send(wire.encode(wire.Ping(self._session, 0, 2**53 - 1, "")))

    def close(self) -> None:
        """End its connections."""
        self.dealer.close(0)
        if self.sub is not None:
            self.sub.close(0)

    def _drain(self, socket: "zmq.Socket[bytes]") -> None:
        try:
            while True:
                first = socket.recv(zmq.DONTWAIT)
                if socket.getsockopt(zmq.RCVMORE):
                    while True:
                        self.received += socket.recv().count(MARK)
                        if not socket.getsockopt(zmq.RCVMORE):
                            break
                elif socket is self.dealer:
                    self._answered(wire.decode_answer(first))
        except zmq.Again:
            pass

    def _answered(self, answer: wire.Answer) -> None:
        if isinstance(answer, wire.Ack):
            self.unanswered -= sum(self._window.pop(row.token, 0) for row in answer.results)
        elif isinstance(answer, wire.Refused):
            raise AssertionError(answer)

    def _socket(self, kind: int, port: int) -> "zmq.Socket[bytes]":
        made = self._context.socket(kind)
        made.linger = 0
        made.set_hwm(0)
        made.setsockopt(zmq.MAXMSGSIZE, limits.CLIENT_FRAME_BYTES_MAX)
        made.curve_serverkey = self._link.key.encode()
        made.curve_publickey = self._key.public.encode()
        made.curve_secretkey = self._key.secret.encode()
        made.connect(f"tcp://{self._link.host}:{port}")
        return made


class Speakers:
    """The clients of one broker in this process."""

    def __init__(self, link: Link, prefix: str = "n") -> None:
        self._link = link
        self._prefix = prefix  # of their nicks
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, _SOCKETS_MAX)
        self._all: list[Speaker] = []
        self._poller = zmq.Poller()
        self._of: dict[object, Speaker] = {}
        self._next = 0  # to give a sign of life
        self._pinged = time.monotonic()

    def make(self, count: int, reads: bool) -> Sequence[Speaker]:
        """So many more, which are let in and, when they read, confirmed."""
        start = len(self._all)
        made = [Speaker(self._context, self._link, f"{self._prefix}{start + n}", reads) for n in range(count)]
        for speaker in made:
            speaker.welcomed()
        for speaker in made if reads else ():
            speaker.subscribe()
        for speaker in made if reads else ():
            speaker.confirmed()
        self._all += made
        for speaker in made:
            for socket in (speaker.dealer, speaker.sub):
                if socket is not None:
                    self._poller.register(socket, zmq.POLLIN)
                    self._of[socket] = speaker
        return made

    def wait(self, seconds: float) -> None:
        """Read what has come, or what comes first within that time; and give signs of life, in turn."""
        for socket, _ in self._poller.poll(max(1, int(seconds * 1000))):
            self._of[socket].read()
        due = int((time.monotonic() - self._pinged) / _PING_S * len(self._all))
        if due > 0:
            self._pinged = time.monotonic()
        for _ in range(min(due, len(self._all))):
            self._next = (self._next + 1) % len(self._all)
            self._all[self._next].ping()

    def close(self) -> None:
        """End them all."""
        for speaker in self._all:
            speaker.close()
        self._context.destroy(0)
