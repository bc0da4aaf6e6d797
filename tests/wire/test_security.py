"""Security: who gets through the handshake, and whose request it is."""

import zmq

from tests.processes import BrokerProcess
from tests.wire.conftest import Connect
from tests.wire.raw import Client
from zchat.common import keys, wire
from zchat.common.codes import Refusal

FAILED = (
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    zmq.Event.HANDSHAKE_FAILED_AUTH,
)
HELLO = wire.Hello(1, 1, "eve", 1, 0, None, False, "raw/1", True)


def test_without_curve_nothing_is_answered(connect: Connect, broker: BrokerProcess) -> None:
    for port in (broker.port, broker.port + 1):
        client = connect(curve=False, port=port)
        client.say(HELLO)
        client.wait_for(*FAILED, zmq.Event.DISCONNECTED)
        assert not client.dealer.poll(0)


def test_with_a_wrong_server_key_nothing_is_answered(connect: Connect) -> None:
    client = connect(server_key=keys.draw().public)
    client.say(HELLO)
    client.wait_for(*FAILED, zmq.Event.DISCONNECTED)
    assert not client.dealer.poll(0)
    assert "eve" not in nicks(connect)


def test_any_key_is_admitted(connect: Connect) -> None:
    client = connect()
    client.wait_for(zmq.Event.HANDSHAKE_SUCCEEDED)
    client.sub
    client.wait_for(zmq.Event.HANDSHAKE_SUCCEEDED, sub=True)


def test_a_nick_belongs_to_its_key(connect: Connect, ann: Client) -> None:
    thief = connect()
    thief.say(wire.Hello(1, 1, ann.nick.upper(), 1, 0, None, False, "raw/1", True))
    assert thief.refusal() is Refusal.NICK_TAKEN
    assert connect(key=ann.key).greet(ann.nick.upper(), instance=2).nick == ann.nick


def test_a_key_has_one_nick(connect: Connect, ann: Client) -> None:
    client = connect(key=ann.key)
    client.say(wire.Hello(1, 1, "another", 2, 0, None, False, "raw/1", True))
    assert client.refusal() is Refusal.KEY_BOUND


def test_a_session_cannot_be_used_from_another_connection(ann: Client, bob: Client) -> None:
    bob.say(
        wire.Send(ann.session, 1, 0, "#general", 0, ["as ann"]),
        wire.Bye(ann.session),
        wire.Ping(ann.session, 2, 0, ""),
    )
    assert [bob.refusal(), bob.refusal()] == [Refusal.NOT_GREETED] * 2
    ann.send("#general", 0, "alive")
    bob.send("#general", 0, "too")


def test_not_even_with_the_same_key(connect: Connect, ann: Client) -> None:
    other = connect(key=ann.key)
    other.say(wire.Ping(ann.session, 2, 0, ""))
    assert other.answer(wire.Refused) == wire.Refused(
        ann.session, 2, Refusal.NOT_GREETED.value, "no such session here: greet, then repeat"
    )
    ann.send("#general", 0, "alive")


def test_another_key_on_a_freed_routing_id_gets_nothing(connect: Connect, bob: Client) -> None:
    """The id begins with a zero byte, so that the broker accepts it, and is taken over."""
    ann = connect(routing_id=b"\0abcd")
    ann.greet()
    session = ann.session
    ann.close()
    for _ in range(20):  # while the broker has not noticed that Ann has gone, it ignores the other one
        thief = connect(routing_id=b"\0abcd")
        thief.say(wire.Send(session, 1, 0, "#general", 0, ["as ann"]))
        if thief.dealer.poll(500):
            break
        thief.close()
    assert thief.refusal() is Refusal.NOT_GREETED
    bob.send(f"@{ann.nick}", 0, "for ann alone")
    assert thief.is_silent()
    again = connect(key=ann.key)
    again.greet(ann.nick)
    again.say(wire.Ping(session, 1, 0, ""))
    assert again.refusal() is Refusal.NOT_GREETED
    _, segments = again.fetch(f"@{bob.nick}", 0, 0)
    assert [s.entries for s in segments] == [[wire.Messages(bob.nick, 1, 0, ["for ann alone"])]]


def test_a_routing_id_without_a_zero_byte_is_cut(connect: Connect) -> None:
    client = connect(routing_id=b"abcd")
    client.say(HELLO)
    assert client.is_cut()
    assert "eve" not in nicks(connect)


def nicks(connect: Connect) -> list[str]:
    """Of all who are registered."""
    client = connect()
    client.greet(quiet=True)
    client.say(wire.ListPeople(client.session, client.token, None, ""))
    return [person.nick for person in client.answer(wire.People).people]
