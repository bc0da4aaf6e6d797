"""Presence: who came and who went."""

from tests.wire.conftest import Connect
from tests.wire.raw import Client
from zchat.common import wire


def change(client: Client, nick: str) -> bool:
    """What is told next of somebody."""
    while True:
        topic, payload = client.hear_published()
        answer = wire.decode_answer(payload)
        assert topic == wire.HERE and isinstance(answer, wire.Presence) and answer.session == 0
        for person in answer.changes:
            if person.nick == nick:
                return person.present


def subscribed(client: Client) -> Client:
    client.subscribe(wire.HERE)
    client.confirm()
    return client


def test_who_comes_and_who_goes(connect: Connect, ann: Client) -> None:
    subscribed(ann)
    bob = connect()
    bob.greet()
    assert change(ann, bob.nick) is True
    bob.say(wire.Bye(bob.session))
    assert change(ann, bob.nick) is False


def test_a_closed_connection(connect: Connect, ann: Client) -> None:
    subscribed(ann)
    bob = connect()
    bob.greet()
    assert change(ann, bob.nick) is True
    bob.close()
    assert change(ann, bob.nick) is False


def test_no_flicker(connect: Connect, ann: Client) -> None:
    """Bob is greeted again and again, and is told to be here once."""
    subscribed(ann)
    bob = connect()
    for _ in range(20):
        bob.greet()
    assert change(ann, bob.nick) is True
    second = connect(key=bob.key)
    second.greet(bob.nick, instance=2)
    bob.say(wire.Bye(bob.session))
    cat = connect()
    cat.greet()
    told = []
    while (wire.Person(cat.nick, True)) not in told:
        answer = wire.decode_answer(ann.hear_published().payload)
        assert isinstance(answer, wire.Presence)
        told += answer.changes
    assert bob.nick not in {person.nick for person in told}


def test_quiet_sessions_do_not_appear(connect: Connect, ann: Client) -> None:
    subscribed(ann)
    script, cat = connect(), connect()
    script.greet(quiet=True)
    cat.greet()
    told = []
    while (wire.Person(cat.nick, True)) not in told:
        answer = wire.decode_answer(ann.hear_published().payload)
        assert isinstance(answer, wire.Presence)
        told += answer.changes
    assert script.nick not in {person.nick for person in told}
    ann.say(wire.ListPeople(ann.session, 1, None, ""))
    people = ann.answer(wire.People).people
    assert wire.Person(script.nick, False) in people and wire.Person(cat.nick, True) in people


def test_over_router(connect: Connect, ann: Client) -> None:
    ann.say(wire.Follow(ann.session, 1, [], True))
    ann.answer(wire.Followed)
    bob = connect()
    bob.greet()
    changes: list[wire.Person] = []
    while wire.Person(bob.nick, True) not in changes:
        answer = ann.hear().answer
        if isinstance(answer, wire.Presence):
            assert answer.session == ann.session
            changes += answer.changes
