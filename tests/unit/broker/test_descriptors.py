"""What the kernel knows of a connection: both its ends, and what came over it."""

import os
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from zchat.broker.descriptors import Ends, bytes_received, ends, most_descriptors, shut, traffic

Pair = tuple[socket.socket, socket.socket]
linux = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO is Linux's")


@contextmanager
def connected(listening: socket.socket, host: str) -> Iterator[Pair]:
    """Both ends of a connection, the one that was accepted last."""
    with socket.create_connection((host, listening.getsockname()[1])) as near:
        far, _ = listening.accept()
        with far:
            yield near, far


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening, connected(listening, "127.0.0.1") as both:
        yield both


def test_the_ends_of_a_connection() -> None:
    """A machine is counted by its IPv4 address however it came, and with its network by IPv6."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listening:
        port = listening.getsockname()[1]
        for host, address in (("127.0.0.1", "127.0.0.1"), ("::1", "::/64")):
            with connected(listening, host) as (_, far):
                assert ends(far.fileno()) == Ends(port, address)


def test_the_ends_of_a_unix_socket() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert ends(near.fileno()) == Ends(0, "")


def test_what_is_no_connection() -> None:
    reading, writing = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        for descriptor in (reading, listening.fileno(), -1, 10**9):
            assert ends(descriptor) is None
        for descriptor in (reading, -1, 10**9):
            assert bytes_received(descriptor) is None
            shut(descriptor)
    os.close(reading)
    os.close(writing)
    assert bytes_received(reading) is None


@linux
def test_bytes_received(pair: Pair) -> None:
    near, far = pair
    assert bytes_received(far.fileno()) == 0
    near.sendall(b"x" * 50_000)
    far.settimeout(10)
    got = 0
    while got < 50_000:
        got += len(far.recv(50_000))
    assert bytes_received(far.fileno()) == 50_000
    assert far.fileno() >= 0  # it is still open


@linux
def test_whose_turn_it_is(pair: Pair) -> None:
    near, far = pair
    near.sendall(b"x")
    far.settimeout(10)
    far.recv(1)
    begun = time.monotonic()
    while (seen := traffic(far.fileno())) is not None and seen.silent_ms:
        assert time.monotonic() < begun + 10
        near.sendall(b"x")  # later than what was counted as said when the connection began
        far.recv(1)
        time.sleep(0.01)
    far.sendall(b"y")
    begun = time.monotonic()
    while (seen := traffic(far.fileno())) is not None and seen.silent_ms < 20:
        assert time.monotonic() < begun + 10
        time.sleep(0.01)
    assert traffic(near.fileno()) is not None


def test_shutting_down(pair: Pair) -> None:
    near, far = pair
    shut(far.fileno())
    near.settimeout(10)
    assert near.recv(1) == b""
    assert far.fileno() >= 0
    shut(far.fileno())


def test_shutting_down_needs_no_descriptor(pair: Pair) -> None:
    """When there are none left it is needed most."""
    near, far = pair
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (far.fileno() + 1, hard))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(far.fileno()))
        shut(far.fileno())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)
    near.settimeout(10)
    assert near.recv(1) == b""


def test_how_many_there_may_be() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert most_descriptors() == soft
