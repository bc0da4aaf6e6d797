"""What the kernel knows of a connection by its descriptor: where it leads, and what came over it.

The descriptors are libzmq's, and may be closed, and be another's, at any moment. What is learned of the wrong
one is of no use for long; to shut the wrong one down is harmless, for its client comes back.
"""

import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

_LAST_DATA_SENT_OFFSET: Final = 44  # of tcpi_last_data_sent in Linux's struct tcp_info, in ms
_LAST_DATA_RECEIVED_OFFSET: Final = 52
_BYTES_RECEIVED_OFFSET: Final = 128
_NETWORK_BYTES: Final = 8  # of an IPv6 address: one customer has at least a /64
_DESCRIPTORS_UNKNOWN: Final = 65_536
_V4_MAPPED: Final = "::ffff:"
_NO_CONNECTION: Final = (OSError, ValueError)


class Ends(NamedTuple):
    """Where a connection came to and from. `port` is this side's, 0 for a Unix socket; `address` is the other
    side's, of IPv6 its network (/64), "" for a Unix socket."""

    port: int
    address: str


def ends(descriptor: int) -> Ends | None:
    """Both ends of a connection; None when the descriptor is none, or none any more."""
    with suppress(*_NO_CONNECTION), _borrowed(descriptor) as connection:
        near, far = connection.getsockname(), connection.getpeername()
        if not isinstance(near, tuple) or not isinstance(far, tuple):
            return Ends(0, "")
        return Ends(int(near[1]), _network(str(far[0])))
    return None


class Traffic(NamedTuple):
    """What came over a connection: bytes, and for how many ms nothing did since this side said something; 0
    when it is this side's turn."""

    received: int
    silent_ms: int


def traffic(descriptor: int) -> Traffic | None:
    """What the kernel knows of a TCP connection; None where that cannot be known."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None or sys.platform != "linux":
        return None
    with suppress(*_NO_CONNECTION, struct.error), _borrowed(descriptor) as connection:
        info = connection.getsockopt(socket.IPPROTO_TCP, option, _BYTES_RECEIVED_OFFSET + 8)
        [sent_ms] = struct.unpack_from("I", info, _LAST_DATA_SENT_OFFSET)
        [received_ms] = struct.unpack_from("I", info, _LAST_DATA_RECEIVED_OFFSET)
        [received] = struct.unpack_from("Q", info, _BYTES_RECEIVED_OFFSET)
        return Traffic(received, sent_ms if sent_ms <= received_ms else 0)
    return None


def bytes_received(descriptor: int) -> int | None:
    """What the kernel has received on a TCP connection, in bytes; None where that cannot be known."""
    seen = traffic(descriptor)
    return seen.received if seen else None


def shut(descriptor: int) -> None:
    """Shut a connection down under libzmq, which then sees it end. This takes no descriptor: there may be
    none left."""
    with suppress(*_NO_CONNECTION), _borrowed(descriptor) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def most_descriptors() -> int:
    """How many this process may have."""
    try:
        import resource
    except ImportError:  # Windows
        return _DESCRIPTORS_UNKNOWN
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _DESCRIPTORS_UNKNOWN if soft == resource.RLIM_INFINITY else soft


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """The connection as a socket that does not own it. IPv6 leaves room for the addresses of other
    families."""
    connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, fileno=descriptor)
    try:
        yield connection
    finally:
        connection.detach()


def _network(address: str) -> str:
    if ":" not in address or address.startswith(_V4_MAPPED):
        return address.removeprefix(_V4_MAPPED)
    network = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:_NETWORK_BYTES]
    return f"{socket.inet_ntop(socket.AF_INET6, network + bytes(16 - _NETWORK_BYTES))}/{8 * _NETWORK_BYTES}"
