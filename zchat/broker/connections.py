"""The connections of both sockets by file descriptor: whom they belong to, and what they may cost."""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

SUBSCRIPTIONS_MAX: Final = 10_000  # that one connection asks for, ever
UNREADABLE_BYTES_MAX: Final = (
    4 * 1024 * 1024
)  # received without a readable message, and for each second of it:
UNREADABLE_BYTES_PER_SECOND: Final = 1024
MALFORMED_MAX: Final = 100  # requests of one connection that cannot be read
SHUT_OUT_MS: Final = 30_000  # how long a key that was cut for abuse is not admitted again
SHUT_OUT_KEYS_MAX: Final = 10_000
_BYTES_RECEIVED_OFFSET: Final = 128  # of tcpi_bytes_received in Linux's struct tcp_info


class _Connection:
    __slots__ = ("is_cut", "key", "malformed", "peers", "received", "since_ms", "subscriptions", "was_read")

    def __init__(self, now_ms: int) -> None:
        self.key = ""
        self.peers: list[bytes] = []
        self.subscriptions = 0
        self.malformed = 0
        self.is_cut = False
        self.received = 0  # bytes, when a message of it was last read
        self.since_ms = now_ms
        self.was_read = False


class Connections:
    """Told by the socket monitors and by what is read; says whom to cut. Times are monotonic milliseconds.

    A descriptor is libzmq's, and may be closed and used again at any moment: to shut the wrong one down is
    harmless, its client comes back.
    """

    def __init__(self) -> None:
        self._by_descriptor: dict[int, _Connection] = {}
        self._descriptor_of_peer: dict[bytes, int] = {}
        self._shut_out: dict[str, int] = {}  # keys, and until when

    def __len__(self) -> int:
        return len(self._by_descriptor)

    def opened(self, descriptor: int, now_ms: int) -> list[bytes]:
        """A connection was accepted. Returns the peers of one before it whose end was not told."""
        lost = self.closed(descriptor)
        self._by_descriptor[descriptor] = _Connection(now_ms)
        return lost

    def closed(self, descriptor: int) -> list[bytes]:
        """A connection ended. Returns its peers, who are lost."""
        connection = self._by_descriptor.pop(descriptor, None)
        peers = connection.peers if connection else []
        for peer in peers:
            self._descriptor_of_peer.pop(peer, None)
        return peers

    def knows(self, peer: bytes) -> bool:
        """Whether something was read of this routing id before."""
        return peer in self._descriptor_of_peer

    def read(self, descriptor: int, key: str, peer: bytes) -> None:
        """A request of `peer` was read from the connection."""
        connection = self._by_descriptor.get(descriptor)
        if connection is None:
            return
        connection.was_read = True
        if self._descriptor_of_peer.get(peer) != descriptor:
            connection.key = key
            connection.peers.append(peer)
            self._descriptor_of_peer[peer] = descriptor

    def malformed(self, descriptor: int) -> bool:
        """What was read from the connection was no request. True: it has sent too much of the kind."""
        connection = self._by_descriptor.get(descriptor)
        if connection is None:
            return False
        connection.malformed += 1
        return connection.malformed > MALFORMED_MAX

    def subscribed(self, descriptor: int, key: str) -> bool:
        """A subscription was read from the connection. False: it is ignored, for it asked for too many."""
        connection = self._by_descriptor.get(descriptor)
        if connection is None or connection.key not in ("", key):  # left over from one before it
            return True
        connection.key = key
        connection.was_read = True
        connection.subscriptions += 1
        return connection.subscriptions <= SUBSCRIPTIONS_MAX

    def cut(self, key: str, now_ms: int) -> list[int]:
        """Shut a key out for a while. Returns those of its connections that were not cut before."""
        self._shut_out.pop(key, None)
        while len(self._shut_out) >= SHUT_OUT_KEYS_MAX:
            del self._shut_out[next(iter(self._shut_out))]
        self._shut_out[key] = now_ms + SHUT_OUT_MS
        found = [(d, c) for d, c in self._by_descriptor.items() if c.key == key and not c.is_cut]
        for _, connection in found:
            connection.is_cut = True
        return [descriptor for descriptor, _ in found]

    def is_shut_out(self, key: str, now_ms: int) -> bool:
        """Whether a key was cut for abuse a short while ago."""
        until_ms = self._shut_out.get(key)
        if until_ms is not None and now_ms >= until_ms:
            del self._shut_out[key]
        return until_ms is not None and now_ms < until_ms

    def flooding(self, now_ms: int) -> Iterator[int]:
        """The connections that sent more than they may without one message that could be read. To be asked
        once a second, and only while both sockets were read empty (protocol.md, Limits; Linux only)."""
        for descriptor, connection in list(self._by_descriptor.items()):
            received = bytes_received(descriptor)
            if received is None:
                continue
            if connection.was_read:
                connection.was_read = False
                connection.received, connection.since_ms = received, now_ms
                continue
            seconds = (now_ms - connection.since_ms) // 1000
            if received - connection.received > UNREADABLE_BYTES_MAX + UNREADABLE_BYTES_PER_SECOND * seconds:
                yield descriptor


def bytes_received(descriptor: int) -> int | None:
    """What the kernel has received on a TCP connection, in bytes; None where that cannot be known."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None or sys.platform != "linux":
        return None
    try:
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=descriptor)
    except OSError:
        return None
    try:
        info = probe.getsockopt(socket.IPPROTO_TCP, option, _BYTES_RECEIVED_OFFSET + 8)
        return int(struct.unpack_from("Q", info, _BYTES_RECEIVED_OFFSET)[0])
    except (OSError, struct.error):
        return None
    finally:
        probe.detach()


def shut(descriptor: int) -> None:
    """Shut a connection down under libzmq, which then sees it end."""
    with suppress(OSError):
        probe = socket.socket(fileno=os.dup(descriptor))
        with probe:
            probe.shutdown(socket.SHUT_RDWR)
