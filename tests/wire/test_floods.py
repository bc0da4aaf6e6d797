"""Floods of subscriptions: memory stays bounded, and whoever floods is cut and kept out."""

import sys

import pytest
import zmq

from tests.processes import BrokerProcess
from tests.wire.conftest import Connect
from tests.wire.raw import Client
from zchat.common import wire

MIB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="what a connection received is known on Linux")


def test_one_more_is_cut(ann: Client, broker: BrokerProcess) -> None:
    ann.subscribe(*(b"#%d\0" % number for number in range(4_097)))
    assert ann.is_cut(sub=True)
    assert any("too many subscriptions" in line for line in broker.log_lines())


@linux
@pytest.mark.parametrize("sockets", [1, 5])
def test_a_flood_of_subscriptions_costs_little_and_is_kept_out(
    connect: Connect, broker: BrokerProcess, sockets: int
) -> None:
    clients = [connect() for _ in range(sockets)]
    for client in clients:
        client.greet()
    before = peak = broker.rss_bytes
    topics = [b"#%d\0" % number for number in range(100_000)]
    for client in clients:
        client.subscribe(*topics)
    for client in clients:
        for event in client.events(sub=True):
            peak = max(peak, broker.rss_bytes)
            if event == zmq.Event.HANDSHAKE_FAILED_AUTH:
                break
        else:
            raise AssertionError("it was not kept out")
    assert max(peak, broker.rss_bytes) - before < 64 * MIB


@linux
def test_strangers_that_subscribe_are_shut_at_once(
    connect: Connect, broker: BrokerProcess, account: Client
) -> None:
    """What libzmq keeps of each subscription costs memory, whether it is approved or not."""
    before = broker.rss_bytes
    strangers = [connect() for _ in range(8)]
    for stranger in strangers:
        stranger.subscribe(*(b"#" + b"%d" % n * 14 + b"\0" for n in range(3_000)))
    for stranger in strangers:
        stranger.wait_for(zmq.Event.DISCONNECTED, sub=True)
    assert any("nobody's subscription" in line for line in broker.log_lines())
    assert not any(stranger.sub.poll(0) for stranger in strangers)
    assert broker.rss_bytes - before < 16 * MIB
    account.act(wire.MakeInvite(account.session, 0, "aaaaaaaa", bytes(32), "", "", 1, 0, ""))
