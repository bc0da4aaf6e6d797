"""Attacks of those who are not let in: bytes, greetings, handshakes, and frames before and after them."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random

from tests.fuzz.curve import COMMAND, LONG, MORE, Curve, Ended, command, frame, greeting, metadata
from tests.fuzz.mutation import EDGES, mutated
from tests.fuzz.target import Target

Attack = Callable[[Random, Target], None]
PATIENCE_S = 0.02  # for an answer: most of what is said here has none


@contextmanager
def plain(rng: Random, target: Target) -> Iterator[socket.socket]:
    """A TCP connection to one of the ports. At its end it is closed, or reset, or left as it is."""
    tcp = socket.create_connection(("127.0.0.1", rng.choice(target.ports)), 10)
    tcp.settimeout(PATIENCE_S)
    with suppress(OSError):  # the broker ended it
        yield tcp
    target.leave(rng, tcp)


def raw_bytes(rng: Random, target: Target) -> None:
    """Anything but ZMTP."""
    with plain(rng, target) as tcp:
        tcp.sendall(
            rng.choice(
                (
                    b"",
                    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(40),
                    rng.randbytes(rng.choice((1, 11, 63, 64, 65, 1_000, 100_000))),
                    bytes(rng.choice((1, 64, 100_000))),
                    b"\xff" * rng.choice((1, 64, 100_000)),
                    b"\1\0" * 1_000,
                )
            )
        )
        if rng.random() < 0.3:
            tcp.recv(1_000)


def greetings(rng: Random, target: Target) -> None:
    """Valid and broken ones, of every version and mechanism, at once, byte by byte, or in part."""
    mechanism = rng.choice(
        (b"CURVE", b"CURVE", b"NULL", b"PLAIN", b"GSSAPI", b"curve", b"", rng.randbytes(20))
    )
    version = rng.choice(((3, 1), (3, 0), (3, 255), (2, 0), (1, 0), (0, 0), (255, 255)))
    said = greeting(mechanism, version, rng.choice((0, 0, 0, 1, 255)))
    if rng.random() < 0.3:
        said = mutated(rng, said)
    if rng.random() < 0.3:
        said = said[: rng.randrange(len(said) + 1)]
    with plain(rng, target) as tcp:
        if rng.random() < 0.3:
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(said)):
                tcp.sendall(said[at : at + 1])
        else:
            tcp.sendall(said)
        if rng.random() < 0.5:
            tcp.sendall(_frames(rng))
        if rng.random() < 0.3:
            tcp.recv(1_000)


def _frames(rng: Random) -> bytes:
    """Frames and headers of frames, as CURVE, NULL and older versions have them."""
    ready = command(
        b"READY", metadata({b"Socket-Type": b"DEALER", b"Identity": rng.randbytes(rng.randrange(9))})
    )
    parts = (
        frame(COMMAND, ready),
        frame(COMMAND, command(b"HELLO", b"\4user\4pass")),
        frame(COMMAND, command(rng.choice((b"HELLO", b"INITIATE", b"ERROR")), rng.randbytes(194))),
        frame(rng.randrange(256), rng.randbytes(rng.randrange(300))),
        bytes([rng.choice((LONG, LONG | MORE, LONG | COMMAND, 255))]) + struct.pack(">Q", rng.choice(EDGES)),
        frame(MORE, b"x" * rng.choice((0, 1, 300))) * 50,
        frame(COMMAND, b"") * 3,
        frame(COMMAND, b"\xff"),
        b"\1\0",
    )
    return b"".join(rng.choice(parts) for _ in range(rng.randint(1, 4)))


def handshakes(rng: Random, target: Target) -> None:
    """CURVE as far as it goes, with a step that is wrong: its bytes, its size, its order, its key, or
    none."""
    with curve(rng, target) as one:
        one.tcp.sendall(greeting())
        wrong = rng.choice(
            ("hello", "initiate", "vouch", "key", "order", "twice", "silence", "metadata", "nothing")
        )
        hello = frame(COMMAND, one.hello())
        if wrong == "hello":
            hello = mutated(rng, hello)
        if wrong == "order":
            hello = frame(COMMAND, command(b"INITIATE", rng.randbytes(rng.choice((247, 248, 500)))))
        one.tcp.sendall(hello * (2 if wrong == "twice" else 1))
        one._exactly(64)
        one.read_welcome()
        if wrong == "silence":
            return
        described = metadata(
            {b"Socket-Type": rng.choice((b"DEALER", b"SUB", b"REQ", b"XSUB", b"PUB", b"ROUTER"))}
        )
        if wrong == "metadata":
            described = mutated(rng, described + metadata(_properties(rng)))
        initiate = one.initiate(
            described,
            vouched=rng.randbytes(64) if wrong == "vouch" else None,
            claimed=rng.choice((bytes(32), rng.randbytes(32))) if wrong == "key" else None,
        )
        if wrong == "initiate":
            initiate = mutated(rng, initiate)
        one.tcp.sendall(frame(COMMAND, initiate) * (1 + (wrong == "twice")))
        if rng.random() < 0.7:
            one.read_ready()


def _properties(rng: Random) -> dict[bytes, bytes]:
    names = (
        b"Identity",
        b"User-Id",
        b"Peer-Address",
        b"__fd",
        b"Socket-Type",
        b"",
        b"x" * 255,
        rng.randbytes(5),
    )
    return {rng.choice(names): rng.randbytes(rng.choice((0, 1, 5, 255, 256, 60_000))) for _ in range(3)}


def boxes(rng: Random, target: Target) -> None:
    """After a handshake: commands, heartbeats, frames without an end, boxes that are wrong."""
    with curve(rng, target) as one:
        sub = one.tcp.getpeername()[1] == target.ports[1]
        one.shake_hands(b"SUB" if sub else rng.choice((b"DEALER", b"DEALER", b"REQ", b"ROUTER")))
        for _ in range(rng.randint(1, 12)):
            _box(rng, one)
        if rng.random() < 0.3:
            next(one.hear())


def _box(rng: Random, one: Curve) -> None:
    match rng.randrange(9):
        case 0:
            one.order(rng.choice((b"PING", b"PONG")), rng.randbytes(rng.choice((0, 1, 2, 3, 18, 19, 400))))
        case 1:
            one.order(rng.choice((b"SUBSCRIBE", b"CANCEL")), rng.randbytes(rng.choice((0, 1, 128, 129, 400))))
        case 2:
            one.order(rng.choice((b"", b"ERROR", b"READY", b"HELLO", rng.randbytes(5))), rng.randbytes(9))
        case 3:
            one.tcp.sendall(one.sealed(rng.randrange(256), rng.randbytes(rng.choice((0, 1, 2, 300, 5_000)))))
        case 4:
            one.tcp.sendall(
                one.sealed(2, rng.choice((b"", b"\0", b"\xff", b"\4PING", b"\4PIN", b"\11SUBSCRIB")))
            )
        case 5:
            many = rng.choice((2, 10, 300, 3_000))
            one.tcp.sendall(b"".join(one.sealed(MORE, b"x" * rng.choice((0, 100))) for _ in range(many)))
        case 6:
            one.tcp.sendall(mutated(rng, one.sealed(0, rng.randbytes(20))))
        case 7:
            one.say(*(rng.randbytes(rng.choice((0, 5, 400))) for _ in range(rng.choice((1, 1, 2, 5)))))
        case _:
            one.tcp.sendall(_frames(rng))


@contextmanager
def curve(rng: Random, target: Target) -> Iterator[Curve]:
    """A connection that speaks CURVE with a key of nobody, or without the right key of the broker."""
    server_key = target.server_key if rng.random() < 0.95 else rng.randbytes(32)
    one = Curve(rng.choice(target.ports), server_key)
    one.tcp.settimeout(PATIENCE_S)
    with suppress(OSError, Ended):
        yield one
    target.leave(rng, one.tcp)


ATTACKS: tuple[Attack, ...] = (raw_bytes, greetings, greetings, handshakes, handshakes, boxes, boxes)
