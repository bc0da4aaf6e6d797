"""Sessions: Hello and Welcome, what ends a session, and names."""

import pytest

from tests.processes import BrokerProcess
from tests.wire.conftest import Connect
from tests.wire.raw import Client, unused
from zchat import __version__
from zchat.common import wire
from zchat.common.codes import Refusal


def hello(nick: str, **changed: int) -> wire.Hello:
    return wire.Hello(
        changed.get("first", 1),
        changed.get("last", 1),
        nick,
        changed.get("instance", 1),
        0,
        None,
        False,
        "raw/1",
        True,
    )


def test_a_free_nick_is_registered_only_on_request(connect: Connect) -> None:
    nick = unused("ann")
    client = connect()
    client.say(wire.Hello(1, 1, nick, 1, 0, None, False, "raw/1", False))
    assert client.refusal() is Refusal.NOT_REGISTERED
    welcome = client.greet(nick)
    assert welcome.registered
    client.say(wire.Hello(1, 1, nick, 2, 0, None, False, "raw/1", False))
    assert not client.answer(wire.Welcome).registered


def test_the_welcome(connect: Connect, broker: BrokerProcess) -> None:
    client = connect()
    nick = unused("Ann")
    welcome = client.greet(nick)
    assert welcome.registered and welcome.nick == nick
    assert welcome.heads == [wire.Head("#general", welcome.floor + 1, welcome.floor + 1)]
    assert (welcome.version, welcome.port, welcome.next) == (1, broker.port + 1, "")
    assert (welcome.heartbeat_ms, welcome.timeout_ms) == (5_000, 15_000)
    assert (welcome.text_bytes_max, welcome.send_bytes_max, welcome.send_messages_max) == (
        65_536,
        131_072,
        256,
    )
    assert welcome.broker == f"zchat/{__version__}"
    assert welcome.as_of == welcome.floor + 1
    again = client.greet(nick, floor=welcome.as_of)
    assert not again.registered and again.floor == welcome.as_of and again.heads == []
    assert again.session != welcome.session and again.nonce != welcome.nonce


@pytest.mark.parametrize(("first", "last"), [(2, 5), (0, 0), (5, 0), (2**53 - 1, 2**53 - 1)])
def test_no_version_in_common(connect: Connect, first: int, last: int) -> None:
    client = connect()
    client.say(hello(unused("ann"), first=first, last=last))
    answer = client.answer(wire.Refused)
    assert (answer.session, answer.token, answer.code) == (0, 0, Refusal.VERSION_UNSUPPORTED.value)


@pytest.mark.parametrize(
    ("nick", "reason"),
    [
        ("ann,bob", "has the character ','"),
        ("ann bob", "has the character ' '"),
        ("a:b", "has the character ':'"),
        ("a/b", "has the character '/'"),
        ("a'b", 'has the character "\'"'),
        ("a`b", "has the character '`'"),
        ("a\\b", "has the character '\\\\'"),
        ("a“b", "has the character '“'"),
        ("#ann", "begins with '#'"),
        ("@ann", "begins with '@'"),
        ("-ann", "begins with '-'"),
        ("+ann", "begins with '+'"),
        ("2026", "is digits only"),
        ("٣٤", "is digits only"),
        ("ZChat", "is a reserved word"),
        ("Everyone", "is a reserved word"),
        ("pаul", "mixes scripts: cyrillic, latin"),
        ("a\nb", "has a control character"),
        ("a\u202eb", "has a character that no name may have"),
        ("a\u200db", "has a character that no name may have"),
        (" ", "is empty"),
        ("字" * 32, "is longer than 64 bytes"),
        ("ﷺ" * 2, "has"),
    ],
)
def test_an_invalid_name_and_its_reason(connect: Connect, nick: str, reason: str) -> None:
    client = connect()
    client.say(hello(nick))
    answer = client.answer(wire.Refused)
    assert answer.code == Refusal.NAME_INVALID.value
    assert answer.reason.startswith(f"the name {reason}"), answer.reason


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Émile", "Émile"),
        ("ﬁnn", "finn"),
        ("x_1.y", "x_1.y"),
        ("Ｗｉｄｅ", "Wide"),
        ("東京タワー", "東京タワー"),
        ("Ольга", "Ольга"),
        ("n" * 32, "n" * 32),
        ("é" * 32, "é" * 32),
        ("😀", "😀"),
    ],
)
def test_a_valid_name_as_it_is_shown(connect: Connect, typed: str, shown: str) -> None:
    assert connect().greet(typed).nick == shown


def test_nicks_and_rooms_share_a_namespace(connect: Connect, ann: Client) -> None:
    room = unused("Room")
    ann.join(room)
    client = connect()
    client.say(hello(room.upper()))
    assert client.refusal() is Refusal.NAME_INVALID
    ann.say(wire.Join(ann.session, ann.token, ann.nick.upper()))
    assert ann.refusal() is Refusal.NAME_INVALID


def test_a_second_hello_ends_the_session_also_when_it_is_refused(ann: Client) -> None:
    first = ann.session
    ann.say(hello("Help"), wire.Ping(first, 1, 0, ""))
    assert [ann.refusal(), ann.refusal()] == [Refusal.NAME_INVALID, Refusal.NOT_GREETED]
    ann.greet()
    ann.say(wire.Ping(first, 2, 0, ""))
    assert ann.refusal() is Refusal.NOT_GREETED


def test_an_instance_is_taken_over(connect: Connect, ann: Client) -> None:
    new = connect(key=ann.key)
    new.greet(ann.nick)
    ann.say(wire.Ping(ann.session, 1, 0, ""))
    assert ann.refusal() is Refusal.NOT_GREETED
    new.send("#general", 0, "here")


def test_another_instance_is_another_session(connect: Connect, ann: Client) -> None:
    other = connect(key=ann.key)
    other.greet(ann.nick, instance=2)
    ann.send("#general", 0, "one")
    other.send("#general", 0, "two")


def test_two_hellos_of_one_instance_at_once(connect: Connect) -> None:
    """A client that gave up waiting says Hello on new sockets, and both arrive."""
    for _ in range(10):
        one = connect()
        other = connect(key=one.key)
        nick = unused("ann")
        for client in (one, other):
            client.say(hello(nick))
        for client in (one, other):
            client.dealer.poll(100)
        sessions = []
        for client in (one, other):
            if client.dealer.poll(0):
                client.session = client.answer(wire.Welcome).session
                client.say(wire.Ping(client.session, 1, 0, ""))
                sessions.append(client.hear().answer)
        assert [type(answer) for answer in sessions].count(wire.Heads) == 1, sessions


def test_requests_before_hello(connect: Connect) -> None:
    client = connect()
    requests: list[wire.Request] = [
        wire.Send(7, 1, 0, "#general", 0, ["x"]),
        wire.KeyedSend(7, 2, "#general", "k", "x"),
        wire.Join(7, 3, "dev"),
        wire.Leave(7, 4, "dev"),
        wire.SetTopic(7, 5, "dev", ""),
        wire.Fetch(7, 6, "#general", 0, 0),
        wire.Follow(7, 7, [], True),
        wire.Ping(7, 8, 0, ""),
        wire.ListPeople(7, 9, None, ""),
        wire.ListRooms(7, 10, ""),
    ]
    client.say(wire.Bye(7), *requests)
    for token in range(1, 11):
        answer = client.answer(wire.Refused)
        assert (answer.session, answer.token, answer.code) == (7, token, Refusal.NOT_GREETED.value)


def test_bye(ann: Client) -> None:
    ann.send("#general", 0, "last words")
    ann.say(wire.Bye(ann.session), wire.Ping(ann.session, 1, 0, ""))
    assert ann.refusal() is Refusal.NOT_GREETED


def test_after_a_restart_the_client_greets_again_and_repeats(
    connect: Connect, ann: Client, broker: BrokerProcess, witness: Client
) -> None:
    first = ann.send("#general", 0, "before")
    broker.kill()
    broker.start()
    ann.say(wire.Ping(ann.session, 1, 0, ""))
    assert ann.refusal() is Refusal.NOT_GREETED
    welcome = ann.greet(floor=first.pos)
    assert welcome.as_of >= first.pos
    repeated = ann.send("#general", 0, "before")
    assert (repeated.pos, repeated.time_ms, repeated.duplicate) == (first.pos, first.time_ms, True)
    assert ann.send("#general", 1, "after").pos > first.pos
    witness.say(wire.Ping(witness.session, 1, 0, ""))
    assert witness.refusal() is Refusal.NOT_GREETED
    witness.greet("witness", quiet=True)
