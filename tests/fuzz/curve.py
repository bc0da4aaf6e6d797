"""ZMTP 3.1 with CURVE over a plain TCP socket, written by hand: every step can be left out or done wrong.

RFC 23 (ZMTP), RFC 26 (CURVEZMQ). The boxes are those of the libsodium that pyzmq brings along.
"""

import ctypes
import secrets
import socket
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import zmq
from zmq.utils import z85

MORE, LONG, COMMAND = 1, 2, 4  # flags of a frame; within a box a command has 2
_TIMEOUT_S = 10.0


def greeting(mechanism: bytes = b"CURVE", version: tuple[int, int] = (3, 1), as_server: int = 0) -> bytes:
    """The 64 bytes with which both sides begin."""
    signature = b"\xff" + bytes(8) + b"\x7f"
    return signature + bytes(version) + mechanism.ljust(20, b"\0")[:20] + bytes([as_server]) + bytes(31)


def frame(flags: int, body: bytes) -> bytes:
    """A frame with its header."""
    if len(body) > 255:
        return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


def command(name: bytes, body: bytes) -> bytes:
    """What a command holds."""
    return bytes([len(name)]) + name + body


def metadata(properties: dict[bytes, bytes]) -> bytes:
    """As INITIATE carries it."""
    return b"".join(
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
        for name, value in properties.items()
    )


class Pair(NamedTuple):
    """A key pair, as bytes."""

    public: bytes
    secret: bytes


def draw() -> Pair:
    """A new key pair."""
    public, secret = zmq.curve_keypair()
    return Pair(z85.decode(public), z85.decode(secret))


class Curve:
    """The client's side of one connection. Raises OSError or Ended when the other side ends it."""

    def __init__(
        self, port: int, server_key: bytes, key: Pair | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.key = key or draw()
        self.server_key = server_key
        self.short = draw()
        self.tcp = socket.create_connection((host, port), _TIMEOUT_S)
        self._theirs = b""  # their short-term public key
        self._cookie = b""
        self._nonce = 0

    def close(self) -> None:
        """The connection."""
        self.tcp.close()

    # ---- the handshake, step by step ----

    def shake_hands(self, kind: bytes = b"DEALER", properties: dict[bytes, bytes] | None = None) -> None:
        """All of it, as an honest client."""
        self.tcp.sendall(greeting())
        self._exactly(64)
        self.tcp.sendall(frame(COMMAND, self.hello()))
        self.read_welcome()
        described = metadata({b"Socket-Type": kind, b"Identity": b""} | (properties or {}))
        self.tcp.sendall(frame(COMMAND, self.initiate(described)))
        self.read_ready()

    def hello(self) -> bytes:
        """The first command, 200 bytes."""
        nonce = self.next_nonce()
        sealed = seal(bytes(64), b"CurveZMQHELLO---" + nonce, self.server_key, self.short.secret)
        return command(b"HELLO", b"\1\0" + bytes(72) + self.short.public + nonce + sealed)

    def read_welcome(self) -> None:
        """The answer to it, with the broker's short-term key and its cookie."""
        _, body = self.read_frame()
        if not body.startswith(b"\7WELCOME"):
            raise Ended(body)
        plain = unseal(body[24:], b"WELCOME-" + body[8:24], self.server_key, self.short.secret)
        self._theirs, self._cookie = plain[:32], plain[32:]

    def initiate(
        self, described: bytes, *, vouched: bytes | None = None, claimed: bytes | None = None
    ) -> bytes:
        """The second command: who one is. `vouched` and `claimed` replace what the key says of itself."""
        vouch_nonce = secrets.token_bytes(16)
        vouched = self.short.public + self.server_key if vouched is None else vouched
        vouch = vouch_nonce + seal(vouched, b"VOUCH---" + vouch_nonce, self._theirs, self.key.secret)
        plain = (claimed or self.key.public) + vouch + described
        nonce = self.next_nonce()
        sealed = seal(plain, b"CurveZMQINITIATE" + nonce, self._theirs, self.short.secret)
        return command(b"INITIATE", self._cookie + nonce + sealed)

    def read_ready(self) -> None:
        """The broker lets one in."""
        _, body = self.read_frame()
        if not body.startswith(b"\5READY"):
            raise Ended(body)

    # ---- afterwards ----

    def sealed(self, flags: int, body: bytes) -> bytes:
        """A frame that holds a box with these flags."""
        nonce = self.next_nonce()
        box = seal(bytes([flags]) + body, b"CurveZMQMESSAGEC" + nonce, self._theirs, self.short.secret)
        return frame(0, command(b"MESSAGE", nonce + box))

    def say(self, *frames: bytes) -> None:
        """One message."""
        last = len(frames) - 1
        self.tcp.sendall(b"".join(self.sealed(MORE if n < last else 0, one) for n, one in enumerate(frames)))

    def order(self, name: bytes, body: bytes = b"") -> None:
        """One command of ZMTP, such as PING or SUBSCRIBE."""
        self.tcp.sendall(self.sealed(2, command(name, body)))

    def hear(self) -> Iterator[tuple[int, bytes]]:
        """What comes, with its flags, commands among it."""
        while True:
            _, body = self.read_frame()
            plain = unseal(body[16:], b"CurveZMQMESSAGES" + body[8:16], self._theirs, self.short.secret)
            yield plain[0], plain[1:]

    def next_nonce(self) -> bytes:
        """8 bytes, larger than those before."""
        self._nonce += 1
        return struct.pack(">Q", self._nonce)

    def read_frame(self) -> tuple[int, bytes]:
        """One frame from the other side."""
        [flags] = self._exactly(1)
        size = int.from_bytes(self._exactly(8 if flags & LONG else 1), "big")
        return flags, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = self.tcp.recv(size - len(got))
            if not part:
                raise Ended(got)
            got += part
        return got


class Ended(Exception):
    """The other side ended the connection, or said something else than the handshake needs."""


# ---- boxes ----


@cache
def _sodium() -> ctypes.CDLL:
    """The libsodium that is in pyzmq's wheel, or else the system's."""
    package = Path(zmq.__file__).parent
    found = [*package.parent.glob("pyzmq.libs/libsodium*"), *package.glob(".dylibs/libsodium*")]
    return ctypes.CDLL(str(found[0]) if found else "libsodium.so.23")


def seal(plain: bytes, nonce: bytes, public: bytes, secret: bytes) -> bytes:
    """A box: 16 bytes more than what is in it."""
    box = ctypes.create_string_buffer(len(plain) + 16)
    if _sodium().crypto_box_easy(box, plain, ctypes.c_ulonglong(len(plain)), nonce, public, secret):
        raise Ended(b"no box can be made for this key")
    return box.raw


def unseal(box: bytes, nonce: bytes, public: bytes, secret: bytes) -> bytes:
    """What is in a box."""
    if len(box) < 16:
        raise Ended(box)
    plain = ctypes.create_string_buffer(max(1, len(box) - 16))
    if _sodium().crypto_box_open_easy(plain, box, ctypes.c_ulonglong(len(box)), nonce, public, secret):
        raise Ended(box)
    return plain.raw[: len(box) - 16]
