"""Abuse: crowds of connections, keys and sessions. Each costs a bounded amount, and others do not wait for
it.

`pytest tests/wire/test_abuse.py -s -n 0` prints the numbers; `--long` makes the crowds larger.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from tests.fuzz.crowds import Crowd
from tests.fuzz.curve import Curve, Ended, Pair
from tests.fuzz.oracle import MIB, Latency, Witness, connections, descriptors, wait_until
from tests.processes import BrokerProcess
from tests.wire.raw import Client, unused
from zchat.broker.connections import ConnectionLimits
from zchat.common import keys, wire
from zchat.common.codes import Refusal

LIMITS = ConnectionLimits()
P99_MS_MAX = 2_000.0  # of others meanwhile, also where a disk has others; 50 on a machine with nothing else
RETURN_S_MAX = 20.0
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what a process needs is read from /proc")


class Scene:
    """A broker, somebody who goes on talking there, and what the broker needed before."""

    def __init__(self, broker: BrokerProcess, witness: Witness) -> None:
        self.broker = broker
        self.witness = witness
        self.before = witness.latency()
        self.rss_bytes = broker.rss_bytes
        self.connections = connections(broker)

    def check(self, *, what: str, rss_mib: int, opened_max: int) -> Latency:
        """Others do not wait, and the broker needs at most so much more than before."""
        latency = self.witness.latency()
        grown, opened = (
            (self.broker.rss_bytes - self.rss_bytes) / MIB,
            connections(self.broker) - self.connections,
        )
        print(
            f"\n{what}: {grown:.1f} MiB and {opened} connections more"
            f"\n  before {self.before}\n  now    {latency}"
        )
        assert latency.delivered_p99 < P99_MS_MAX, latency
        assert grown < rss_mib
        assert opened <= opened_max
        return latency

    def wait_for_the_end(self) -> None:
        """All descriptors are given back."""
        wait_until(
            lambda: connections(self.broker) <= self.connections, RETURN_S_MAX, "all connections ended"
        )


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker in which nothing takes long that is waited for here."""
    settings = "[broker.limits]\nunadmitted_ms_max = 4000\n"
    with BrokerProcess(tmp_path_factory.mktemp("abuse") / "data", settings=settings) as broker:
        yield broker
        assert broker.is_running
        assert broker.stop() == 0
        assert not [line for line in broker.log_lines() if "Traceback" in line]


@pytest.fixture
def scene(attacked: BrokerProcess) -> Iterator[Scene]:
    """With a witness of its own."""
    with Witness(attacked.link, unused("witness")) as witness:
        yield Scene(attacked, witness)


@pytest.fixture
def context() -> "Iterator[zmq.Context[zmq.Socket[bytes]]]":
    """For ordinary clients."""
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(0)


# ---- connections of nobody ----


def test_handshakes_that_are_never_finished(
    scene: Scene, context: "zmq.Context[zmq.Socket[bytes]]", long: bool
) -> None:
    """Of one address so many are kept; others from there still get in, and who is in stays."""
    broker, count = scene.broker, 12_000 if long else 3_000
    ann = Client(broker, context)
    ann.greet()
    ann.confirm()
    with Crowd(broker) as crowd:
        crowd.hang(count)
        at_once = LIMITS.unadmitted_per_address_max
        scene.check(what=f"{count} unfinished handshakes", rss_mib=64, opened_max=at_once + 300)
        newcomer, began = Client(broker, context), time.monotonic()
        newcomer.greet()
        print(f"  a newcomer from the same address got in after {time.monotonic() - began:.2f} s")
        wait_until(lambda: crowd.left == 0, RETURN_S_MAX, "all were shut, in the end")
        ann.send("#general", 0, "in the same session")
        assert not ann.sub.poll(0)  # a subscriber that came back would have its nonce confirmed again
    ann.close()
    newcomer.close()
    scene.wait_for_the_end()


def test_handshakes_without_a_hello(scene: Scene, long: bool) -> None:
    """They cost 41 KiB each, and not for long."""
    count = 5_000 if long else 600
    with Crowd(scene.broker) as crowd:
        crowd.shake_hands(count)
        scene.check(what=f"{count} handshakes and no Hello", rss_mib=160, opened_max=2_100)
        wait_until(lambda: crowd.left == 0, RETURN_S_MAX, "nobody says Hello")
    scene.wait_for_the_end()


def test_connections_that_come_and_go(scene: Scene, long: bool) -> None:
    ends_at, count = time.monotonic() + (60 if long else 3), 0
    while time.monotonic() < ends_at:
        with Crowd(scene.broker) as crowd:
            crowd.hang(100)
            count += 100
    scene.check(what=f"{count} connections, one after the other", rss_mib=32, opened_max=200)
    scene.wait_for_the_end()


def test_a_broker_with_few_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    """It keeps some for itself, so that it does not turn in circles over those that it cannot accept."""
    from tests import processes

    command = processes.broker_command
    limited = ["sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"]
    monkeypatch.setattr(processes, "broker_command", lambda *given: [*limited, *command(*given)])
    with BrokerProcess(tmp_path / "broker") as broker, Witness(broker.link) as witness:
        with Crowd(broker, "127.0.0.2") as crowd, Crowd(broker, "127.0.0.3") as another:
            crowd.hang(500)
            another.hang(500)
            witness.latency()
            wait_until(lambda: descriptors(broker) < 200, RETURN_S_MAX, "those above the limit were shut")
            began, used = time.monotonic(), cpu_s(broker)
            latency = witness.latency()
            busy = (cpu_s(broker) - used) / (time.monotonic() - began)
            print(f"\n256 descriptors, 1,000 connections: {busy:.0%} of a CPU\n  now {latency}")
            assert latency.delivered_p99 < P99_MS_MAX
            assert busy < 0.6
            newcomer = Client(broker, context)
            newcomer.greet()
            newcomer.close()
        assert broker.stop() == 0


def cpu_s(broker: BrokerProcess) -> float:
    """What it has used so far."""
    fields = Path(f"/proc/{broker.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_broker_to_which_nobody_has_spoken_yet(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    """Its monitors are read, or libzmq waits for that for ever once they are full."""
    with BrokerProcess(tmp_path / "broker") as broker:
        for _ in range(1_500):
            socket.create_connection(("127.0.0.1", broker.port), 10).close()
        ann = Client(broker, context)
        ann.greet()
        ann.close()
        assert broker.stop() == 0


def test_a_broker_is_stopped_while_they_come(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "broker") as broker, Crowd(broker) as crowd:
        crowd.hang(1_500)
        crowd.close()
        crowd.hang(1_500)
        assert broker.stop() == 0


# ---- keys of nobody ----


def test_a_key_cannot_be_claimed(scene: Scene, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    """What a client says of itself in the handshake does not come before what CURVE has shown."""
    ann = Client(scene.broker, context)
    ann.greet()
    claims = {b"User-Id": ann.key.public.encode(), b"__fd": b"3", b"Peer-Address": b"192.0.2.1"}
    thief = curve(scene.broker)
    thief.shake_hands(properties=claims)
    thief.say(wire.encode(hello(ann.nick, 2)))
    assert refusal(thief) is Refusal.NICK_TAKEN
    thief.say(wire.encode(wire.Send(ann.session, 1, 0, "#general", 0, ["as ann"])))
    assert refusal(thief) is Refusal.NOT_GREETED
    thief.close()
    ann.close()


def test_hellos_that_are_refused_again_and_again(scene: Scene, long: bool) -> None:
    """So many are read of a connection, and few of them make a line in the log."""
    said, lines = wire.encode(hello("witness1", 1)), len(scene.broker.log_lines())
    ends_at, count, ended = time.monotonic() + (60 if long else 3), 0, 0
    while time.monotonic() < ends_at:
        one = curve(scene.broker)
        try:
            one.shake_hands()
            for _ in range(LIMITS.unadmitted_requests_max // 50 * 3):
                one.say(*[said])
                one.tcp.sendall(b"".join(one.sealed(0, said) for _ in range(49)))
                count += 50
        except (OSError, Ended):
            ended += 1
        one.close()
    scene.check(what=f"{count} Hellos on {ended} connections", rss_mib=32, opened_max=100)
    assert ended
    assert len(scene.broker.log_lines()) - lines < 4_000
    scene.wait_for_the_end()


# ---- those who are let in ----


def test_a_key_that_opens_a_thousand_sessions(scene: Scene) -> None:
    key, nick = draw(), unused("greedy")
    opened, outcomes = [], {"welcomed": 0, "refused": 0, "shut": 0}
    for instance in range(1, 1_001):
        one = curve(scene.broker, key)
        opened.append(one)
        try:
            one.shake_hands()
            one.say(wire.encode(hello(nick, instance)))
            answer = wire.decode_answer(next(one.hear())[1])
            outcomes["welcomed" if isinstance(answer, wire.Welcome) else "refused"] += 1
        except (OSError, Ended):
            outcomes["shut"] += 1
    scene.check(
        what=f"1,000 sessions: {outcomes}", rss_mib=64, opened_max=LIMITS.connections_per_key_max + 50
    )
    assert outcomes["welcomed"] == 100
    assert outcomes["shut"] >= 1_000 - LIMITS.connections_per_key_max - 50
    for one in opened:
        one.close()
    scene.wait_for_the_end()


def test_a_session_that_subscribes_to_a_crowd_of_prefixes(
    scene: Scene, context: "zmq.Context[zmq.Socket[bytes]]", long: bool
) -> None:
    count = 100_000 if long else 20_000
    flooder = Client(scene.broker, context)
    flooder.greet()
    flooder.subscribe(*(b"#%d\0" % number for number in range(count)))
    assert flooder.is_cut(sub=True)
    scene.check(what=f"{count} prefixes", rss_mib=64, opened_max=20)
    flooder.close()
    scene.wait_for_the_end()


def curve(broker: BrokerProcess, key: Pair | None = None) -> Curve:
    """A connection to ROUTER."""
    return Curve(broker.port, z85.decode(broker.key.encode()), key)


def draw() -> Pair:
    """A key that makes many connections."""
    made = keys.draw()
    return Pair(z85.decode(made.public.encode()), z85.decode(made.secret.encode()))


def hello(nick: str, instance: int) -> wire.Hello:
    """Of somebody who registers."""
    return wire.Hello(1, 1, nick, instance, 0, None, True, "abuse/1", True)


def refusal(one: Curve) -> Refusal:
    """The next thing that comes is one."""
    answer = wire.decode_answer(next(one.hear())[1])
    assert isinstance(answer, wire.Refused), answer
    return Refusal(answer.code)
