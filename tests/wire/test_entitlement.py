"""Somebody who is let in asks for everything that is not theirs, with raw sockets, and gets nothing of it.

The room exists, and beside each request about it the same is asked about one that does not: the answers are
the same, so nobody can tell whether it exists.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.wire.conftest import Connect
from tests.wire.raw import Client, Told
from zchat.common import keys, wire
from zchat.common.codes import Refusal

SECRET = "nobody-else-reads-this"
DIGEST = bytes(32)
NOWHERE = 10**9  # a position that no room was created at


class Private(NamedTuple):
    """A private room of ann and bob, in which something was said, and what they said to each other."""

    ann: Client
    bob: Client
    eve: Client
    name: str
    absent: str
    pos: int


@pytest.fixture
def private(connect: Connect, ann: Client, bob: Client) -> Private:
    """Eve is let in at the broker, and not into the room."""
    ann.say(wire.Join(ann.session, ann.token, "ops", True))
    name = ann.answer(wire.Done).name
    ann.act(wire.InviteToRoom(ann.session, 0, name, bob.nick))
    bob.act(wire.Join(bob.session, 0, name))
    quiet = connect(key=ann.key)
    quiet.greet(ann.nick, instance=2, quiet=True)
    pos = quiet.send(f"#{name}", 0, SECRET).pos
    quiet.send(f"@{bob.nick}", 1, SECRET)
    quiet.say(wire.SetTopic(quiet.session, quiet.token, name, SECRET))
    quiet.answer(wire.Done)
    eve = connect()
    eve.greet()
    return Private(quiet, bob, eve, name, f"ops+{NOWHERE}", pos)


def about(name: str, eve: Client, nick: str) -> Iterator[wire.Request]:
    """Everything that can be asked about a room."""
    session, address = eve.session, f"#{name}"
    yield wire.Send(session, 0, 0, address, 0, ["x"])
    yield wire.Send(session, 0, 0, address, 7, ["x"])
    yield wire.KeyedSend(session, 0, address, "unused", "x")
    yield wire.KeyedSend(session, 0, address, "used", "x")
    yield wire.Join(session, 0, name)
    yield wire.Join(session, 0, name.upper())
    yield wire.Join(session, 0, name, True)
    yield wire.Leave(session, 0, name)
    yield wire.SetTopic(session, 0, name, "x")
    for direction in range(3):
        yield wire.Fetch(session, 0, address, direction, 0)
    yield wire.Follow(session, 0, [name], False)
    yield wire.Follow(session, 0, [name], True)
    yield wire.ListPeople(session, 0, name, "")
    yield wire.SetRole(session, 0, name, nick, wire.OWNER, "")
    yield wire.SetMode(session, 0, name, True)
    yield wire.InviteToRoom(session, 0, name, eve.nick)
    yield wire.Kick(session, 0, name, nick, "")
    yield wire.Kick(session, 0, name, "nobody", "")
    yield wire.Sanction(session, 0, name, nick, wire.BAN, 0, "")
    yield wire.Pardon(session, 0, name, nick, wire.BAN, "")
    yield wire.ListSanctions(session, 0, name, "")
    yield wire.Redact(session, 0, address, 1, "")
    yield wire.MakeToken(session, 0, f"bot-of-{eve.nick}", keys.draw().public, [name], True, True, 0, "")
    yield wire.MakeInvite(session, 0, "aaaaaaaa", DIGEST, "", name, 1, 1, "")


def without_names(answer: wire.Answer, *names: str) -> object:
    """An answer as it would be for any room and any request."""
    assert isinstance(answer, wire.Refused), answer
    reason = answer.reason
    for name in names:
        reason = reason.replace(name, "ROOM")
    return answer.code, reason, answer.retry_after_ms


def test_nobody_can_tell_whether_a_private_room_exists(private: Private) -> None:
    """The list of attempts: each is refused, in the same words as for a room that there is not."""
    eve = private.eve
    eve.say(wire.KeyedSend(eve.session, eve.token, "#general", "used", "x"))
    eve.answer(wire.Ack)
    attempts = zip(
        about(private.name, eve, private.bob.nick), about(private.absent, eve, private.bob.nick), strict=True
    )
    for real, imagined in attempts:
        found, missing = eve.ask(real).answer, eve.ask(imagined).answer
        assert without_names(found, private.name) == without_names(missing, private.absent), real
    assert private.name not in {room.name for room in _rooms(eve.ask(wire.ListRooms(eve.session, 0, "")))}
    profile = eve.ask(wire.Whois(eve.session, 0, private.ann.nick)).answer
    assert isinstance(profile, wire.Profile) and profile.rooms == ["general"]


def _rooms(told: Told) -> list[wire.Room]:
    assert isinstance(told.answer, wire.Rooms)
    return told.answer.rooms


def test_nobody_takes_the_name_of_a_private_room(private: Private, connect: Connect) -> None:
    for name in (private.name, private.absent, "dev+1"):
        assert private.eve.refused(wire.Join(private.eve.session, 0, name)) is Refusal.NO_SUCH_ROOM
        stranger = connect()
        stranger.say(wire.Hello(1, 1, name, 1, 0, None, False, "raw/1", True))
        assert stranger.refusal() is Refusal.NAME_INVALID


def test_whoever_subscribes_to_everything_gets_public_rooms_alone(private: Private) -> None:
    """Each prefix that there is, topics as they would be, and the nonces of others: only what is said in
    public comes."""
    eve, ann, bob = private.eve, private.ann, private.bob
    eve.subscribe(b"", b"#", b"@", b"$", b"$\0", b"~", b"!", b"#ops", b"#ops+", b"#ops\0")
    eve.subscribe(*(bytes([value]) for value in range(256)))
    eve.subscribe(wire.room_topic(private.name), f"@{ann.nick},{bob.nick}\0".encode())
    eve.subscribe(wire.nonce_topic(bob.nonce), wire.nonce_topic(ann.nonce))
    eve.subscribe(wire.room_topic("general"))
    ours = {wire.room_topic("general"), wire.nonce_topic(eve.nonce), wire.HERE}
    assert {published.topic for published in eve.confirm()[1]} <= ours
    ann.send(f"#{private.name}", 2, SECRET)
    ann.send(f"@{bob.nick}", 3, SECRET)
    public = ann.send("#general", 4, "for all").pos
    last = 0
    while last != public:
        published = eve.hear_published()
        assert SECRET.encode() not in published.payload and b"ops" not in published.payload
        assert published.topic in ours
        if published.topic == wire.room_topic("general"):
            last = wire.decode_segment(published.payload).last
    assert eve.is_silent()


def test_over_router_nothing_comes_that_is_not_ones_own(private: Private) -> None:
    eve, ann = private.eve, private.ann
    eve.say(wire.Follow(eve.session, eve.token, ["general"], True))
    eve.answer(wire.Followed)
    ann.send(f"#{private.name}", 2, SECRET)
    ann.send(f"@{private.bob.nick}", 3, SECRET)
    pos = ann.send("#general", 4, "for all").pos
    while True:
        told = eve.hear()
        if isinstance(told.answer, wire.Presence):
            continue
        assert isinstance(told.answer, wire.Deliver)
        (segment,) = told.segments
        assert segment.conversation == "#general"
        if segment.last == pos:
            break


def test_what_two_others_said_is_not_reached(private: Private) -> None:
    """A direct conversation is found by the session's own nick, so that of two others has no address."""
    eve, ann, bob = private.eve, private.ann, private.bob
    for address in (f"@{ann.nick}", f"@{bob.nick}"):
        for direction in range(3):
            told = eve.ask(wire.Fetch(eve.session, 0, address, direction, 0))
            assert isinstance(told.answer, wire.Page) and not told.segments
            assert eve.nick in told.answer.conversation
    for address in (f"@{ann.nick},{bob.nick}", f"@$,{eve.nick}", "#ann,bob", f"#@{ann.nick}", "$,", "$$"):
        if len(address) <= 33:
            assert eve.refused(wire.Fetch(eve.session, 0, address, 0, 0))
    assert eve.refused(wire.Fetch(eve.session, 0, "$", 0, 0)) is Refusal.NOT_ALLOWED
    heads = eve.ask(wire.Ping(eve.session, 0, 0, "")).answer
    assert isinstance(heads, wire.Heads)
    assert {head.conversation for head in heads.heads} <= {"#general"}


def test_redacting_finds_nothing_out(private: Private) -> None:
    """Where there is a message of others and where there is none, the answer is the same."""
    eve, ann = private.eve, private.ann
    answers = {
        without_names(eve.ask(wire.Redact(eve.session, 0, f"@{ann.nick}", pos, "")).answer, str(pos))
        for pos in (private.pos, private.pos + 1, NOWHERE)
    }
    assert len(answers) == 1


def test_administration_is_for_those_who_administer(private: Private) -> None:
    eve, nick, session = private.eve, private.ann.nick, private.eve.session
    for request in (
        wire.MakeInvite(session, 0, "aaaaaaaa", DIGEST, "", "", 1, 1, ""),
        wire.EndInvite(session, 0, "aaaaaaaa", ""),
        wire.ListInvites(session, 0, ""),
        wire.ListLimits(session, 0),
        wire.ListSanctions(session, 0, "", ""),
        wire.SetRole(session, 0, "", eve.nick, wire.OPERATOR, ""),
        wire.Sanction(session, 0, "", nick, wire.BAN, 0, ""),
        wire.Pardon(session, 0, "", nick, wire.BAN, ""),
        wire.SetRole(session, 0, "general", eve.nick, wire.OPERATOR, ""),
        wire.SetMode(session, 0, "general", True),
        wire.Kick(session, 0, "general", nick, ""),
        wire.Fetch(session, 0, "$", 0, 0),
        wire.Send(session, 0, 0, "$", 0, ["x"]),
        wire.Send(session, 0, 0, "@$", 0, ["x"]),
    ):
        assert eve.refused(request) in (Refusal.NOT_ALLOWED, Refusal.MALFORMED), request


def test_members_get_everything(private: Private) -> None:
    """The same room, read by who is in it: the tests above could fail."""
    bob, name = private.bob, private.name
    pos = private.ann.send(f"#{name}", 2, "again").pos
    seen = []
    while not seen or seen[-1] < pos:
        told = bob.hear()
        seen += [segment.last for segment in told.segments if segment.conversation == f"#{name}"]
    page = bob.ask(wire.Fetch(bob.session, 0, f"#{name}", 0, 0))
    texts = [t for s in page.segments for e in s.entries if isinstance(e, wire.Messages) for t in e.texts]
    assert SECRET in texts and "again" in texts
    assert name in {room.name for room in _rooms(bob.ask(wire.ListRooms(bob.session, 0, "")))}
