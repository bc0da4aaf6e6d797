"""Clients of zchat that are no more than their sockets, as those of the peers are: what comes is counted by a
mark, and not looked at."""

import time
from collections.abc import Sequence
from typing import Final

import zmq

from zchat.common import keys, limits, wire
from zchat.common.links import Link

MARK: Final = b"~"
TEXT: Final = "x" * 127 + "~"
_DEADLINE_S: Final = 120.0
_SOCKETS_MAX: Final = 8_192


class Speaker:
    """One client: a DEALER and, with `reads`, a SUB, with a key of its own. `received` counts messages,
    `stored` those that were acknowledged."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", link: Link, nick: str, reads: bool) -> None:
        self.nick = nick
        self.received = 0
        self.stored = 0
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

    def welcomed(self) -> wire.Welcome:
        """Wait until it is let in."""
        assert self.dealer.poll(int(_DEADLINE_S * 1000)), "no Welcome"
        welcome = wire.decode_answer(self.dealer.recv())
        assert isinstance(welcome, wire.Welcome), welcome
        self._session = welcome.session
        self._welcome = welcome
        return welcome

    def subscribe(self) -> None:
        """Ask for `general` and the nonce; `confirmed` waits for both."""
        self.sub = self._socket(zmq.SUB, self._welcome.port)
        self.sub.subscribe(wire.room_topic("general"))
        self.sub.subscribe(wire.nonce_topic(self._welcome.nonce))

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
        lowest = self._counter - sum(self._window.values()) + messages
        texts = [TEXT] * messages
        self.dealer.send(wire.encode(wire.Send(self._session, self._token, lowest, to, self._counter, texts)))
        self._counter += messages

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
                    self._answer(wire.decode_answer(first))
        except zmq.Again:
            pass

    def _answer(self, answer: wire.Answer) -> None:
        if isinstance(answer, wire.Ack):
            self.stored += sum(self._window.pop(row.token, 0) for row in answer.results)
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
    """Clients of one broker in this process. Use it with `with`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, _SOCKETS_MAX)
        self._all: list[Speaker] = []
        self._poller = zmq.Poller()
        self._of: dict[object, Speaker] = {}

    def __enter__(self) -> "Speakers":
        return self

    def __exit__(self, *_: object) -> None:
        for speaker in self._all:
            speaker.close()
        self._context.destroy(0)

    def make(self, count: int, reads: bool) -> list[Speaker]:
        """So many more, which are let in and, when they read, confirmed."""
        start = len(self._all)
        made = [Speaker(self._context, self._link, f"n{start + n}", reads) for n in range(count)]
        self._all += made
        for speaker in made:
            speaker.welcomed()
        for speaker in made if reads else ():
            speaker.subscribe()
        for speaker in made if reads else ():
            speaker.confirmed()
        for speaker in made:
            for socket in (speaker.dealer, speaker.sub):
                if socket is not None:
                    self._poller.register(socket, zmq.POLLIN)
                    self._of[socket] = speaker
        return made

    def pump(
        self,
        senders: Sequence[tuple[Speaker, str]],
        receivers: Sequence[Speaker],
        messages: int,
        window: int,
        batch: int,
    ) -> None:
        """As `bench.raw.pump`. Without receivers the senders wait for what is stored alone."""
        each = len(senders) == len(receivers) and len(senders) > 1
        written = [0] * len(senders)
        begun = [receiver.received for receiver in receivers]
        stored = [sender.stored for sender, _ in senders]
        ends_at = time.monotonic() + _DEADLINE_S
        while True:
            came = [receiver.received - before for receiver, before in zip(receivers, begun, strict=True)]
            kept = [sender.stored - before for (sender, _), before in zip(senders, stored, strict=True)]
            least = min(came, default=min(kept))
            if least >= messages and min(kept) >= messages:
                return
            for place, (sender, to) in enumerate(senders):
                ahead = written[place] - min(kept[place], came[place] if each else least)
                count = min(batch, messages - written[place])
                if count > 0 and ahead + count <= window:
                    sender.send(to, count)
                    written[place] += count
            if time.monotonic() > ends_at:
                raise TimeoutError(f"{least} of {messages} came")
            for socket, _ in self._poller.poll(1):
                self._of[socket].read()

    def one_by_one(
        self, sender: Speaker, to: str, receivers: Sequence[Speaker], messages: int
    ) -> list[float]:
        """As `bench.raw.one_by_one`; without receivers until it is stored."""
        seconds = []
        for _ in range(messages):
            wanted = sum(receiver.received for receiver in receivers) + len(receivers)
            stored = sender.stored + 1
            begin = time.perf_counter()
            sender.send(to, 1)
            while sum(receiver.received for receiver in receivers) < wanted or (
                not receivers and sender.stored < stored
            ):
                for socket, _ in self._poller.poll(1000):
                    self._of[socket].read()
            seconds.append(time.perf_counter() - begin)
            while sender.stored < stored:
                for socket, _ in self._poller.poll(1000):
                    self._of[socket].read()
        return seconds
