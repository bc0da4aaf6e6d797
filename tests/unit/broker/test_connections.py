"""Connections by descriptor: what they may cost, and who is kept out."""

import os
import socket
import sys
from collections.abc import Iterator

import pytest

from zchat.broker.connections import (
    MALFORMED_MAX,
    SHUT_OUT_KEYS_MAX,
    SHUT_OUT_MS,
    SUBSCRIPTIONS_MAX,
    UNREADABLE_BYTES_MAX,
    UNREADABLE_BYTES_PER_SECOND,
    Connections,
    bytes_received,
    shut,
)


@pytest.fixture
def connections() -> Connections:
    """With one connection, of descriptor 7."""
    made = Connections()
    assert made.opened(7, 0) == []
    return made


def test_peers_are_lost_with_their_connection(connections: Connections) -> None:
    assert not connections.knows(b"\0a")
    connections.read(7, "ann", b"\0a")
    connections.read(7, "ann", b"\0a")
    assert connections.knows(b"\0a")
    assert connections.closed(7) == [b"\0a"]
    assert not connections.knows(b"\0a") and connections.closed(7) == [] and len(connections) == 0


def test_a_descriptor_that_is_used_again(connections: Connections) -> None:
    """The end of the connection before was not told."""
    connections.read(7, "ann", b"\0a")
    assert connections.opened(7, 5) == [b"\0a"]
    connections.read(7, "bob", b"\0b")
    assert connections.cut("ann", 5) == [] and connections.cut("bob", 5) == [7]


def test_what_is_not_known_is_harmless(connections: Connections) -> None:
    connections.read(8, "ann", b"\0a")
    assert not connections.knows(b"\0a")
    assert connections.subscribed(8, "ann") and not connections.malformed(8)


def test_too_many_subscriptions(connections: Connections) -> None:
    assert all(connections.subscribed(7, "ann") for _ in range(SUBSCRIPTIONS_MAX))
    assert not connections.subscribed(7, "ann")


def test_too_much_that_is_malformed(connections: Connections) -> None:
    assert not any(connections.malformed(7) for _ in range(MALFORMED_MAX))
    assert connections.malformed(7)
    connections.opened(8, 0)
    assert not connections.malformed(8)


def test_the_connections_of_a_key_are_cut_once(connections: Connections) -> None:
    connections.opened(8, 0)
    connections.opened(9, 0)
    connections.read(7, "ann", b"\0a")
    connections.subscribed(8, "ann")
    connections.read(9, "bob", b"\0b")
    assert sorted(connections.cut("ann", 0)) == [7, 8]
    assert connections.cut("ann", 0) == []
    connections.opened(10, 0)
    connections.read(10, "ann", b"\0c")
    assert connections.cut("ann", 0) == [10]


def test_a_key_that_was_cut_is_kept_out_for_a_while(connections: Connections) -> None:
    assert not connections.is_shut_out("ann", 0)
    connections.cut("ann", 1_000)
    assert connections.is_shut_out("ann", 1_000) and not connections.is_shut_out("bob", 1_000)
    connections.cut("ann", 2_000)  # again: from now on
    assert connections.is_shut_out("ann", 1_999 + SHUT_OUT_MS)
    assert not connections.is_shut_out("ann", 2_000 + SHUT_OUT_MS)
    assert not connections.is_shut_out("ann", 0)  # it is forgotten


def test_the_keys_that_are_kept_out_are_bounded(connections: Connections) -> None:
    for number in range(SHUT_OUT_KEYS_MAX + 1):
        connections.cut(f"key{number}", 0)
    assert not connections.is_shut_out("key0", 0)
    assert connections.is_shut_out("key1", 0) and connections.is_shut_out(f"key{SHUT_OUT_KEYS_MAX}", 0)


def test_a_late_subscription_does_not_change_whose_a_connection_is(connections: Connections) -> None:
    """What a flood left in the socket is read when its descriptor is another's already."""
    connections.read(7, "ann", b"\0a")
    for _ in range(SUBSCRIPTIONS_MAX + 1):
        connections.subscribed(7, "flooder")
    assert connections.cut("flooder", 0) == []
    assert connections.subscribed(7, "ann")
    assert connections.cut("ann", 0) == [7]


# ---- with real connections ----

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
    with near, far:
        yield near, far


linux = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO is Linux's")


def drained(pair: Pair, size: int) -> int:
    """The descriptor of the far end, after it got so many bytes more."""
    near, far = pair
    near.settimeout(10)
    far.settimeout(10)
    while size > 0:
        part = min(size, 65_536)
        near.sendall(b"x" * part)
        got = 0
        while got < part:
            got += len(far.recv(part - got))
        size -= part
    return far.fileno()


@linux
def test_bytes_received(pair: Pair) -> None:
    assert bytes_received(pair[1].fileno()) == 0
    assert bytes_received(drained(pair, 100_000)) == 100_000
    assert pair[1].fileno() >= 0  # it is still open


def test_bytes_of_what_is_no_connection() -> None:
    reading, writing = os.pipe()
    assert bytes_received(reading) is None
    os.close(reading)
    os.close(writing)
    assert bytes_received(reading) is None


@linux
def test_a_flood_without_a_message(pair: Pair) -> None:
    connections = Connections()
    connections.opened(drained(pair, 0), 0)
    descriptor = drained(pair, UNREADABLE_BYTES_MAX)
    assert list(connections.flooding(0)) == []
    drained(pair, 3 * UNREADABLE_BYTES_PER_SECOND)
    assert list(connections.flooding(2_999)) == [descriptor]
    assert list(connections.flooding(3_000)) == []  # a heartbeat a second is no flood
    drained(pair, 1)
    assert list(connections.flooding(3_000)) == [descriptor]


@linux
def test_whoever_sends_messages_may_send_much(pair: Pair) -> None:
    connections = Connections()
    connections.opened(drained(pair, 0), 0)
    descriptor = drained(pair, 2 * UNREADABLE_BYTES_MAX)
    connections.read(descriptor, "ann", b"\0a")
    assert list(connections.flooding(1_000)) == []
    drained(pair, UNREADABLE_BYTES_MAX)
    assert list(connections.flooding(1_000)) == []
    drained(pair, 1)
    assert list(connections.flooding(1_000)) == [descriptor]
    connections.subscribed(descriptor, "ann")
    assert list(connections.flooding(1_000)) == []


def test_shutting_down(pair: Pair) -> None:
    near, far = pair
    shut(far.fileno())
    near.settimeout(10)
    assert near.recv(1) == b""
    assert far.fileno() >= 0
    shut(-1)
    shut(far.fileno())
