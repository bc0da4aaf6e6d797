"""Attacks of those who were let in, or have a key at least: requests and subscriptions, over pyzmq."""

from contextlib import suppress
from random import Random
from typing import Final

import zmq

from tests.fuzz import mutation
from tests.fuzz.target import Target
from zchat.common import limits, wire

_USERS_MAX: Final = 6
_SILENT_MS: Final = 50  # a broker that cut the key does not answer


class User:
    """A key with a DEALER and a SUB, and the session that it was given last."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", target: Target, number: int) -> None:
        self.nick = f"f{number}"
        self.session = 0
        self.nonce = ""
        public, secret = zmq.curve_keypair()
        self.dealer, self.sub = (context.socket(kind) for kind in (zmq.DEALER, zmq.SUB))
        for made, port in zip((self.dealer, self.sub), target.ports, strict=True):
            made.linger = 0
            made.sndhwm = made.rcvhwm = 100
            made.curve_serverkey = target.broker.key.encode()
            made.curve_publickey, made.curve_secretkey = public, secret
            made.setsockopt(zmq.MAXMSGSIZE, limits.CLIENT_FRAME_BYTES_MAX)
            made.connect(f"tcp://127.0.0.1:{port}")

    def greet(self, rng: Random) -> None:
        """Open a session, as an honest client does."""
        hello = wire.Hello(1, 1, self.nick, rng.getrandbits(63), 0, None, rng.random() < 0.5, "fuzz", True)
        self.say(wire.encode(hello))
        self.listen(_SILENT_MS)

    def say(self, *frames: bytes) -> None:
        """One message, if there is room for it."""
        with suppress(zmq.Again):
            self.dealer.send_multipart(frames, zmq.DONTWAIT)

    def listen(self, timeout_ms: int = 0) -> None:
        """Read what has come. Whatever the broker sends can be decoded."""
        while self.dealer.poll(timeout_ms):
            header, *segments = self.dealer.recv_multipart()
            answer = wire.decode_answer(header)
            for segment in segments:
                wire.decode_segment(segment)
            if isinstance(answer, wire.Welcome):
                self.session, self.nonce = answer.session, answer.nonce
            if isinstance(answer, wire.Followed):
                self.nonce = answer.nonce
            timeout_ms = 0
        while self.sub.poll(0):
            self.sub.recv_multipart()

    def close(self) -> None:
        """Both sockets, with what they hold."""
        self.dealer.close(0)
        self.sub.close(0)


class Users:
    """A few of them at a time; one that was cut, or has had its time, is followed by another."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._users: list[User] = []
        self._made = 0

    def attack(self, rng: Random) -> None:
        """One of them does something."""
        if len(self._users) < _USERS_MAX or rng.random() < 0.02:
            self._add(rng)
        user = rng.choice(self._users)
        for _ in range(rng.choice((1, 1, 3, 20))):
            _act(rng, user)
        if rng.random() < 0.8:  # the others let it wait
            user.listen()

    def close(self) -> None:
        """All of them."""
        for user in self._users:
            user.close()
        self._context.destroy(0)

    def _add(self, rng: Random) -> None:
        if len(self._users) >= _USERS_MAX:
            self._users.pop(rng.randrange(_USERS_MAX)).close()
        self._made += 1
        user = User(self._context, self._target, self._made % 1_000)
        self._users.append(user)
        if rng.random() < 0.8:
            user.greet(rng)


def _act(rng: Random, user: User) -> None:
    match rng.randrange(12):
        case 0 | 1 | 2:
            user.say(mutation.request(rng, user.session))
        case 3 | 4:
            user.say(mutation.mutated(rng, mutation.request(rng, user.session)))
        case 5 | 6:
            user.say(mutation.beyond(rng, user.session))
        case 7:
            user.say(mutation.packed(rng))
        case 8:
            if rng.random() < 0.1:  # who does it is cut
                user.say(*(mutation.packed(rng) for _ in range(rng.choice((2, 3, 50)))))
        case 9:
            user.greet(rng)
        case _:
            _subscribe(rng, user)


def _subscribe(rng: Random, user: User) -> None:
    topics = (
        wire.room_topic("general"),
        wire.HERE,
        wire.nonce_topic(user.nonce),
        b"",
        b"#",
        rng.randbytes(rng.choice((1, 10, 128))),
        rng.choice((b"#", b"~", b"!", b"")) + rng.randbytes(rng.choice((0, 1, 2, 30))) + b"\0",
        rng.randbytes(129) if rng.random() < 0.05 else b"~",
        b"x" * 600 if rng.random() < 0.05 else b"!here",
    )
    for _ in range(rng.choice((1, 1, 5, 200))):
        change = user.sub.subscribe if rng.random() < 0.8 else user.sub.unsubscribe
        with suppress(zmq.ZMQError):  # never subscribed to
            change(rng.choice(topics) + (b"%d" % rng.randrange(500) if rng.random() < 0.2 else b""))
