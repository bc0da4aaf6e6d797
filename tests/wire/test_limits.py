"""Limits: how much of anything a user and a connection may have."""

import itertools
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import zmq

from tests.processes import BrokerProcess
from tests.wire.conftest import Connect
from tests.wire.raw import DEADLINE_MS, Client, until, unused
from zchat.common import limits, wire
from zchat.common.codes import Refusal

MIB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="what a connection received is known on Linux")


def test_sessions_of_a_user(connect: Connect, ann: Client) -> None:
    others = [connect(key=ann.key) for _ in range(100)]
    for instance, other in enumerate(others[:99], 2):
        other.greet(ann.nick, instance=instance, quiet=True)
    others[99].say(wire.Hello(1, 1, ann.nick, 101, 0, None, True, "raw/1", True))
    assert others[99].refusal() is Refusal.LIMIT_REACHED
    others[99].greet(ann.nick, instance=50, quiet=True)  # takes one over


def done(client: Client, acts: Iterable[wire.Request]) -> None:
    """All of them, of which few are on their way at once: the queue for answers has 64 places, and libzmq
    tells only of each 32nd that it is free again."""
    waiting = iter(acts)
    while part := list(itertools.islice(waiting, 30)):
        client.say(*part)
        for _ in part:
            client.answer(wire.Done)


def test_rooms_of_a_user(ann: Client) -> None:
    stem = unused("r")
    done(ann, (wire.Join(ann.session, number, f"{stem}-{number}") for number in range(999)))
    ann.say(wire.Join(ann.session, 1, f"{stem}-999"))
    assert ann.refusal() is Refusal.LIMIT_REACHED


def test_rooms_with_long_topics_fit_the_clients_frames(ann: Client) -> None:
    """All at once they are more than a MiB: libzmq would end the connection, and again each time."""
    rooms, topic = [f"{unused('t')}-{number}" for number in range(600)], "é" * 512
    done(ann, (wire.Join(ann.session, 1, room) for room in rooms))
    done(ann, (wire.SetTopic(ann.session, 2, room, topic) for room in rooms))
    found: list[str] = []
    after, more = "", True
    while more:
        ann.say(wire.ListRooms(ann.session, 3, after))
        answer = ann.answer(wire.Rooms)
        found += [room.name for room in answer.rooms if room.topic == topic]
        after, more = answer.next, bool(answer.next)
    assert found == sorted(rooms)


def test_a_frame_over_the_limit_ends_the_connection(ann: Client) -> None:
    """libzmq counts what CURVE adds to a frame, 33 bytes."""
    ann.say_raw(b"x" * (limits.ROUTER_FRAME_BYTES_MAX - 33))  # malformed, but not too large
    assert ann.refusal() is Refusal.MALFORMED
    ann.say_raw(b"x" * (limits.ROUTER_FRAME_BYTES_MAX + 1))
    ann.wait_for(zmq.Event.DISCONNECTED)
    ann.wait_for(zmq.Event.HANDSHAKE_SUCCEEDED)  # nobody is kept out for it
    ann.say(wire.Ping(ann.session, 1, 0, ""))
    assert ann.refusal() is Refusal.NOT_GREETED
    ann.greet()


def test_a_subscription_over_the_frame_limit_ends_the_connection(ann: Client) -> None:
    ann.confirm()
    ann.subscribe(b"x" * 600)
    ann.wait_for(zmq.Event.DISCONNECTED, sub=True)
    ann.send("#general", 0, "the other one goes on")


def test_so_many_subscriptions_are_allowed(ann: Client) -> None:
    ann.subscribe(*(b"#%d\0" % number for number in range(4_095)))
    ann.confirm()


def test_a_hundred_malformed_requests_are_answered_and_no_more(connect: Connect, ann: Client) -> None:
    for _ in range(100):
        ann.say_raw(b"\xc1")
    for _ in range(100):
        assert ann.refusal() is Refusal.MALFORMED
    ann.send("#general", 0, "still here")
    ann.say_raw(b"\xc1")
    assert ann.is_cut()
    again = connect(key=ann.key)  # nor is a new connection of the key admitted
    again.wait_for(zmq.Event.HANDSHAKE_FAILED_AUTH)


def test_whoever_does_not_read_costs_little(connect: Connect, broker: BrokerProcess) -> None:
    """Pages of 256 KiB are asked for and never taken."""
    room = unused("room")
    writer = connect()
    writer.greet(quiet=True)
    writer.join(room)
    writer.send(f"#{room}", 0, "x" * 65_536, "y" * 65_536)
    greedy = connect()
    greedy.greet(quiet=True)
    before = broker.rss_bytes
    for token in range(5_000):
        greedy.say(wire.Fetch(greedy.session, token, f"#{room}", 0, 0))
    token = writer.token
    for _ in range(20):
        writer.say(wire.Ping(writer.session, token, 0, ""))
        writer.answer(wire.Heads)
    if sys.platform == "linux":
        assert broker.rss_bytes - before < 64 * MIB


class Relay:
    """Carries the bytes of one connection to the broker up to a limit, and stays connected."""

    def __init__(self, port: int, bytes_max: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._far = socket.create_connection(("127.0.0.1", port))
        self._near: socket.socket | None = None
        self._bytes_max = bytes_max
        self.port = int(self._listening.getsockname()[1])
        self.forwarded = threading.Event()
        self.cut = threading.Event()
        self._threads = [threading.Thread(target=one) for one in (self._carry, self._carry_back)]
        self._connected = threading.Event()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        ends = [end for end in (self._listening, self._far, self._near) if end is not None]
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._connected.set()
        for thread in self._threads:
            thread.join()
        for end in ends:
            end.close()

    def _carry(self) -> None:
        with suppress(OSError):
            self._near, _ = self._listening.accept()
            self._connected.set()
            carried = 0
            while carried < self._bytes_max:
                part = self._near.recv(min(65_536, self._bytes_max - carried))
                if not part:
                    return
                self._far.sendall(part)
                carried += len(part)
            self.forwarded.set()

    def _carry_back(self) -> None:
        self._connected.wait()
        with suppress(OSError):
            while part := self._far.recv(65_536):
                if self._near is not None:
                    self._near.sendall(part)
        self.cut.set()


@contextmanager
def endless(connect: Connect, broker: BrokerProcess, bytes_max: int) -> Iterator[Relay]:
    """Somebody whose message of many frames never ends, after so many bytes."""
    relay = Relay(broker.port, bytes_max)
    try:
        client: Client = connect(port=relay.port)
        client.say_raw(*[b"x" * 60_000] * (bytes_max // 60_000 + 50))
        assert relay.forwarded.wait(DEADLINE_MS / 1000)
        yield relay
    finally:
        relay.close()


@linux
def test_a_message_without_an_end_is_cut(connect: Connect, broker: BrokerProcess) -> None:
    """Both are looked at in the same turn, so the smaller one is allowed when the larger one is cut."""
    with endless(connect, broker, 7 * MIB // 2) as small, endless(connect, broker, 6 * MIB) as large:
        assert large.cut.wait(3)
        assert any("a flood without a message" in line for line in broker.log_lines())
        assert not small.cut.wait(0.2)


def test_what_was_sent_by_many_is_answered_to_all(connect: Connect) -> None:
    clients = [connect() for _ in range(30)]
    for client in clients:
        client.greet(quiet=True)
    for client in clients:
        client.say(*(wire.Send(client.session, n, 0, "#general", n, ["x" * 2_000]) for n in range(100)))
    for client in clients:
        rows = 0
        while rows < 100:
            rows += len(client.answer(wire.Ack).results)


def test_descriptors_are_given_back(connect: Connect, broker: BrokerProcess) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells of other processes in /proc")

    def descriptors() -> int:
        return len(list(Path(f"/proc/{broker.pid}/fd").iterdir()))

    clients = [connect() for _ in range(50)]
    for client in clients:
        client.greet(quiet=True)
        client.confirm()
    most = descriptors()
    assert most >= 100
    for client in clients:
        client.close()
    until(lambda: descriptors() <= most - 100)
