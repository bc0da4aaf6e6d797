"""Connections by descriptor: what they may cost, who is kept out, and over which somebody was let in."""

import socket
import sys
from collections.abc import Iterator

import pytest

from zchat.broker.connections import LOCAL_PORT, ConnectionLimits, Connections

LIMITS = ConnectionLimits()
PORT, OTHER_PORT = 9242, 9243
HERE = "127.0.0.1"


@pytest.fixture
def connections() -> Connections:
    """With one connection, of descriptor 7."""
    made = Connections(LIMITS, OTHER_PORT)
    assert made.opened(7, PORT, HERE, 0) == []
    return made


def test_peers_are_lost_with_their_connection(connections: Connections) -> None:
    assert not connections.knows(b"\0a")
    connections.read(7, "ann", b"\0a")
    connections.read(7, "ann", b"\0a")
    assert connections.knows(b"\0a")
    assert connections.closed(7, PORT) == [b"\0a"]
    assert not connections.knows(b"\0a") and connections.closed(7, PORT) == [] and len(connections) == 0


def test_a_descriptor_that_is_used_again(connections: Connections) -> None:
    """The end of the connection before was not told."""
    connections.read(7, "ann", b"\0a")
    assert connections.opened(7, PORT, HERE, 5) == [b"\0a"]
    connections.read(7, "bob", b"\0b")
    assert connections.cut("ann", 5) == [] and connections.cut("bob", 5) == [7]


def test_what_is_not_known_is_harmless(connections: Connections) -> None:
    connections.read(8, "ann", b"\0a")
    assert not connections.knows(b"\0a")
    assert connections.subscribed(8, "ann") and not connections.malformed(8)


def test_too_many_subscriptions(connections: Connections) -> None:
    connections.opened(8, OTHER_PORT, HERE, 0)
    assert all(connections.subscribed(8, "ann") for _ in range(LIMITS.subscriptions_max))
    assert not connections.subscribed(8, "ann")


def test_the_subscriptions_of_a_key_are_counted_together() -> None:
    connections = few(subscriptions_max=3, subscriptions_per_key_max=5)
    for descriptor in (7, 8, 9):
        connections.opened(descriptor, OTHER_PORT, HERE, 0)
    asked = [connections.subscribed(descriptor, "ann") for descriptor in (7, 7, 7, 8, 8, 8)]
    assert asked == [True] * 5 + [False]
    assert connections.subscribed(9, "bob")
    connections.closed(7, OTHER_PORT)  # its own are counted no longer
    connections.opened(7, OTHER_PORT, HERE, 0)
    assert connections.subscribed(7, "ann")


def test_so_many_connections_of_a_key_subscribe() -> None:
    connections = few(subscribers_per_key_max=1)
    for descriptor in (7, 8):
        connections.opened(descriptor, OTHER_PORT, HERE, 0)
    connections.subscribed(7, "ann")
    connections.subscribed(7, "ann")
    assert connections.leaving == []
    connections.subscribed(8, "ann")
    connections.subscribed(8, "ann")
    assert connections.leaving == [8]
    for descriptor in (7, 8):
        connections.closed(descriptor, OTHER_PORT)
    connections.opened(9, OTHER_PORT, HERE, 0)
    connections.subscribed(9, "ann")
    assert connections.leaving == [8]


def test_too_much_that_is_malformed(connections: Connections) -> None:
    assert not any(connections.malformed(7) for _ in range(LIMITS.malformed_max))
    assert connections.malformed(7)
    connections.opened(8, PORT, HERE, 0)
    assert not connections.malformed(8)


def test_the_connections_of_a_key_are_cut_once(connections: Connections) -> None:
    connections.opened(8, OTHER_PORT, HERE, 0)
    connections.opened(9, PORT, HERE, 0)
    connections.read(7, "ann", b"\0a")
    connections.subscribed(8, "ann")
    connections.read(9, "bob", b"\0b")
    assert sorted(connections.cut("ann", 0)) == [7, 8]
    assert connections.cut("ann", 0) == []
    connections.opened(10, PORT, HERE, 0)
    connections.read(10, "ann", b"\0c")
    assert connections.cut("ann", 0) == [10]


def test_a_key_that_was_cut_is_kept_out_for_a_while(connections: Connections) -> None:
    assert not connections.is_shut_out("ann", 0)
    connections.cut("ann", 1_000)
    assert connections.is_shut_out("ann", 1_000) and not connections.is_shut_out("bob", 1_000)
    connections.cut("ann", 2_000)  # again: from now on
    assert connections.is_shut_out("ann", 1_999 + LIMITS.shut_out_ms)
    assert not connections.is_shut_out("ann", 2_000 + LIMITS.shut_out_ms)
    assert not connections.is_shut_out("ann", 0)  # it is forgotten


def test_the_keys_that_are_kept_out_are_bounded(connections: Connections) -> None:
    for number in range(LIMITS.shut_out_keys_max + 1):
        connections.cut(f"key{number}", 0)
    assert not connections.is_shut_out("key0", 0)
    assert connections.is_shut_out("key1", 0) and connections.is_shut_out(f"key{LIMITS.shut_out_keys_max}", 0)


def test_a_late_subscription_does_not_change_whose_a_connection_is(connections: Connections) -> None:
    """What a flood left in the socket is read when its descriptor is another's already."""
    connections.read(7, "ann", b"\0a")
    for _ in range(LIMITS.subscriptions_max + 1):
        connections.subscribed(7, "flooder")
    assert connections.cut("flooder", 0) == []
    assert connections.subscribed(7, "ann")
    assert connections.cut("ann", 0) == [7]


def test_the_end_of_another_sockets_connection(connections: Connections) -> None:
    """The descriptor was closed over there and used again here, and the monitors are read one by one."""
    connections.read(7, "ann", b"\0a")
    assert connections.closed(7, OTHER_PORT) == []
    assert connections.knows(b"\0a")


# ---- who was let in ----


def few(**changes: int) -> Connections:
    """With limits that are soon reached."""
    return Connections(LIMITS._replace(**changes), OTHER_PORT)


def test_one_address_gets_so_many_connections_until_it_is_let_in() -> None:
    connections = few(unadmitted_per_address_max=2)
    for descriptor in (7, 8, 9):
        connections.opened(descriptor, PORT, HERE, 0)
    assert connections.leaving == [9]
    connections.opened(10, OTHER_PORT, "192.0.2.1", 0)
    connections.read(7, "ann", b"\0a")
    connections.opened(11, PORT, HERE, 0)
    assert connections.leaving == [9, 11]  # to have said something is not enough
    connections.admit("ann")
    connections.opened(12, PORT, HERE, 0)
    assert connections.leaving == [9, 11]


def test_who_was_let_in_is_not_shut_however_many_come() -> None:
    connections = few(connections_max=3)
    for descriptor in (7, 8):
        connections.opened(descriptor, PORT, HERE, 0)
        connections.read(descriptor, "ann", b"\0%d" % descriptor)
    connections.admit("ann")
    for descriptor in (9, 10, 11):
        connections.opened(descriptor, PORT, "192.0.2.1", 10**6)
    assert connections.leaving == [10, 11]
    assert not {7, 8} & set(late(connections))


def test_who_is_let_in_no_longer_has_the_time_of_anybody(connections: Connections) -> None:
    connections.read(7, "ann", b"\0a")
    connections.admit("ann")
    connections.opened(8, OTHER_PORT, HERE, 0)
    connections.subscribed(8, "ann")
    assert late(connections) == []
    connections.dismiss("ann", 0)
    connections.dismiss("bob", 0)
    assert sorted(late(connections)) == [7, 8]


def test_the_connections_of_a_key_are_admitted_in_any_order(connections: Connections) -> None:
    """Of somebody who comes back, the subscriber may be faster than the Hello."""
    connections.opened(8, OTHER_PORT, HERE, 0)
    connections.subscribed(8, "ann")
    connections.read(7, "ann", b"\0a")
    connections.admit("ann")
    connections.opened(9, OTHER_PORT, HERE, 0)
    connections.opened(10, OTHER_PORT, HERE, 0)
    connections.subscribed(9, "ann")
    connections.subscribed(10, "bob")
    assert late(connections) == [10]


def late(connections: Connections) -> list[int]:
    """Those over which nobody was let in, of all that began at 0."""
    seconds = range(2 + LIMITS.unadmitted_ms_max // 1_000)
    return [descriptor for second in seconds for descriptor in connections.overdue(1_000 * second)]


def test_nobody_is_remembered_without_a_connection(connections: Connections) -> None:
    connections.admit("bob")
    connections.read(7, "ann", b"\0a")
    connections.admit("ann")
    connections.closed(7, PORT)
    for descriptor, key in ((7, "ann"), (8, "bob")):
        connections.opened(descriptor, PORT, HERE, 0)
        connections.read(descriptor, key, key.encode())
    assert connections.key_of(b"ann") == "ann" and connections.key_of(b"\0a") == ""


def test_who_is_cut_has_to_be_let_in_again(connections: Connections) -> None:
    connections.read(7, "ann", b"\0a")
    connections.admit("ann")
    connections.cut("ann", 0)
    connections.opened(8, PORT, HERE, 0)
    connections.read(8, "ann", b"\0b")
    assert late(connections) == [8]
    connections.opened(9, PORT, HERE, 0)
    connections.read(9, "ann", b"\0c")
    connections.admit("ann")
    assert late(connections) == []


def test_what_is_left_over_of_another_keeps_nobody_out(connections: Connections) -> None:
    """A subscription of before is read first; the one whose connection it is now is let in all the same."""
    connections.opened(7, OTHER_PORT, HERE, 0)
    connections.subscribed(7, "before")
    connections.subscribed(7, "ann")
    connections.admit("ann")
    assert late(connections) == []


def test_what_is_left_over_of_another_lets_nobody_in(connections: Connections) -> None:
    """Somebody who was let in had the descriptor before, on either port."""
    connections.opened(6, PORT, HERE, 0)
    connections.read(6, "before", b"\0a")
    connections.admit("before")
    connections.read(7, "before", b"\0b")
    connections.read(7, "stranger", b"\0c")
    connections.opened(8, OTHER_PORT, HERE, 0)
    connections.read(8, "before", b"\0d")
    connections.opened(9, OTHER_PORT, HERE, 0)
    connections.subscribed(9, "before")
    connections.subscribed(9, "stranger")
    assert sorted(late(connections)) == [7, 8, 9]


def test_subscribers_are_found_whatever_was_left_over(connections: Connections) -> None:
    """Late requests of a connection that had the descriptor before make it no other one than it is."""
    connections.opened(8, OTHER_PORT, HERE, 0)
    connections.read(8, "ann", b"\0a")
    assert not connections.knows(b"\0a")
    connections.subscribed(8, "ann")
    connections.read(8, "ann", b"\0b")
    connections.read(7, "ann", b"\0c")
    connections.opened(9, OTHER_PORT, HERE, 0)
    connections.subscribed(9, "before")
    connections.subscribed(9, "ann")
    assert connections.is_subscriber(8) and not connections.is_subscriber(7)
    assert connections.subscribers("ann") == [8, 9]
    assert connections.subscribers("ann") == []  # they are shut already


def test_what_is_left_over_hides_no_flood(connections: Connections) -> None:
    connections.opened(8, OTHER_PORT, HERE, 0)
    connections.subscribed(8, "before")
    assert all(connections.subscribed(8, "ann") for _ in range(LIMITS.subscriptions_max))
    assert not connections.subscribed(8, "ann")
    assert connections.cut("ann", 0) == [8]


def test_a_key_gets_so_many_connections() -> None:
    connections = few(connections_per_key_max=2)
    for descriptor in (7, 8, 9):
        connections.opened(descriptor, PORT, HERE, 0)
        connections.read(descriptor, "ann", b"\0%d" % descriptor)
    assert connections.leaving == [9]
    connections.admit("ann")
    connections.closed(7, PORT)
    connections.opened(10, OTHER_PORT, HERE, 0)
    connections.subscribed(10, "ann")
    assert connections.leaving == [9, 10]  # the ninth has not ended yet


def test_so_many_requests_are_read_until_one_is_let_in() -> None:
    connections = few(unadmitted_requests_max=2)
    for descriptor in (7, 8):
        connections.opened(descriptor, PORT, HERE, 0)
        connections.read(descriptor, "ann", b"\0a")
        connections.read(descriptor, "ann", b"\0a")
    assert connections.leaving == []
    connections.read(7, "ann", b"\0a")
    connections.read(7, "ann", b"\0a")
    assert connections.leaving == [7]
    connections.admit("ann")
    connections.read(8, "ann", b"\0a")
    connections.read(8, "ann", b"\0a")
    assert connections.leaving == [7]


def test_the_owners_connections_are_not_counted() -> None:
    connections = few(unadmitted_per_address_max=1, connections_max=1, unadmitted_requests_max=0)
    for descriptor in (7, 8, 9):
        connections.opened(descriptor, LOCAL_PORT, "", 0)
        connections.read(descriptor, "", b"\0%d" % descriptor)
    assert connections.leaving == [] and late(connections) == []


@pytest.mark.parametrize("descriptors", [64, 256, 1_024, 20_000, 10**6])
def test_limits_within_what_the_process_may_have(descriptors: int) -> None:
    limits = LIMITS.within(descriptors)
    assert limits.unadmitted_per_address_max * 2 <= limits.unadmitted_max <= limits.connections_max // 2
    assert limits.connections_max <= min(LIMITS.connections_max, descriptors - 32)
    if descriptors == 10**6:
        assert limits == LIMITS


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
def test_a_flood_without_a_message(pair: Pair) -> None:
    connections = Connections(LIMITS, OTHER_PORT)
    connections.opened(drained(pair, 0), PORT, HERE, 0)
    descriptor = drained(pair, LIMITS.unreadable_bytes_max)
    assert connections.flooding(0) == []
    drained(pair, 3 * LIMITS.unreadable_bytes_per_second)
    assert connections.flooding(2_999) == [descriptor]
    assert connections.flooding(3_000) == []  # a heartbeat a second is no flood
    drained(pair, 1)
    assert connections.flooding(3_000) == [descriptor]


@linux
def test_whoever_sends_messages_may_send_much(pair: Pair) -> None:
    connections = Connections(LIMITS, OTHER_PORT)
    connections.opened(drained(pair, 0), PORT, HERE, 0)
    descriptor = drained(pair, 2 * LIMITS.unreadable_bytes_max)
    connections.read(descriptor, "ann", b"\0a")
    assert connections.flooding(1_000) == []
    drained(pair, LIMITS.unreadable_bytes_max)
    assert connections.flooding(1_000) == []
    drained(pair, 1)
    assert connections.flooding(1_000) == [descriptor]
    connections.read(descriptor, "ann", b"\0a")
    assert connections.flooding(1_000) == []


def test_many_are_looked_at_part_by_part(connections: Connections) -> None:
    assert connections.look_interval_ms == 1_000
    for descriptor in range(10**6, 10**6 + 1_200):  # none of them is open
        connections.opened(descriptor, PORT, HERE, 0)
    assert connections.look_interval_ms == 333
    assert [connections.flooding(now) for now in range(4)] == [[], [], [], []]
