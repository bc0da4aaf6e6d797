"""Nobody else can find out that a private room exists: each request about it has the effects, byte for byte,
of the same request about a room that does not exist."""

from copy import deepcopy
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.unit.broker.crowd import DAN, DIGEST, FOR_EVER, Crowd
from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, Peer, hello, somebody
from zchat.broker.core.events import MalformedReceived
from zchat.broker.core.limits import Limits
from zchat.common import wire

ROBO, SENDER, LEAVER, KICKED = somebody("robo"), somebody("sender"), somebody("leaver"), somebody("kicked")
ROOM = "ROOM"  # in place of the room's name
STRANGERS = (CAT, DAN, ROBO, SENDER, LEAVER, KICKED)


class Asked(NamedTuple):
    """Requests of one turn of the loop, with ROOM in them."""

    what: str
    requests: list[Any]


ADDRESSED: list[Asked] = [
    Asked("send", [wire.Send(0, 0, 0, "#ROOM", 1, ["x"])]),
    Asked("send to it in capitals", [wire.Send(0, 0, 0, "#OPS", 1, ["x"])]),
    Asked("send again", [wire.Send(0, 0, 0, "#ROOM", 0, ["earlier"])]),
    Asked("send out of order", [wire.Send(0, 0, 0, "#ROOM", 7, ["x"])]),
    Asked("send a used counter", [wire.Send(0, 0, 0, "#ROOM", 0, ["x"])]),
    Asked(
        "send around it",
        [
            wire.Send(0, 0, 0, "#general", 1, ["a"]),
            wire.Send(0, 0, 0, "#ROOM", 2, ["x"]),
            wire.Send(0, 0, 0, "#general", 2, ["b"]),
        ],
    ),
    Asked("send too much", [wire.Send(0, 0, 0, "#ROOM", 1, ["x" * 65_536] * 3)]),
    Asked("send with a key", [wire.KeyedSend(0, 0, "#ROOM", "new", "x")]),
    Asked("send with a key that was used", [wire.KeyedSend(0, 0, "#ROOM", "used", "x")]),
    Asked("send to a person called so", [wire.Send(0, 0, 0, "@ROOM", 1, ["x"])]),
    Asked("join", [wire.Join(0, 0, "ROOM")]),
    Asked("join and send", [wire.Join(0, 0, "ROOM"), wire.Send(0, 0, 0, "#ROOM", 1, ["x"])]),
    Asked("create", [wire.Join(0, 0, "ROOM", True)]),
    Asked("leave", [wire.Leave(0, 0, "ROOM")]),
    Asked("topic", [wire.SetTopic(0, 0, "ROOM", "x")]),
    Asked("no topic", [wire.SetTopic(0, 0, "ROOM", "")]),
    Asked("fetch after", [wire.Fetch(0, 0, "#ROOM", 0, 0)]),
    Asked("fetch before", [wire.Fetch(0, 0, "#ROOM", 1, 2**53 - 1)]),
    Asked("fetch since", [wire.Fetch(0, 0, "#ROOM", 2, 0)]),
    Asked("fetch from a person called so", [wire.Fetch(0, 0, "@ROOM", 0, 0)]),
    Asked("follow", [wire.Follow(0, 0, ["ROOM"], False)]),
    Asked("follow over ROUTER", [wire.Follow(0, 0, ["general", "ROOM"], True), wire.Ping(0, 0, 0, "")]),
    Asked("heads behind it", [wire.Ping(0, 0, 0, "#ROOM")]),
    Asked("people", [wire.ListPeople(0, 0, "ROOM", "")]),
    Asked("people behind", [wire.ListPeople(0, 0, "ROOM", "a")]),
    Asked("rooms behind", [wire.ListRooms(0, 0, "op")]),
    Asked("sanctions", [wire.ListSanctions(0, 0, "ROOM", "")]),
    Asked("role", [wire.SetRole(0, 0, "ROOM", "cat", wire.OWNER, "")]),
    Asked("role of nobody", [wire.SetRole(0, 0, "ROOM", "eve", wire.OWNER, "")]),
    Asked("mode", [wire.SetMode(0, 0, "ROOM", True)]),
    Asked("invite", [wire.InviteToRoom(0, 0, "ROOM", "cat")]),
    Asked("kick", [wire.Kick(0, 0, "ROOM", "ann", "")]),
    *(Asked(f"sanction {kind}", [wire.Sanction(0, 0, "ROOM", "bob", kind, FOR_EVER, "")]) for kind in (1, 2)),
    *(Asked(f"pardon {kind}", [wire.Pardon(0, 0, "ROOM", "bob", kind, "")]) for kind in (1, 2)),
    Asked("redact", [wire.Redact(0, 0, "#ROOM", 15, "")]),
    Asked("whois", [wire.Whois(0, 0, "ROOM")]),
    Asked("ignore", [wire.SetIgnored(0, 0, "ROOM", True)]),
    Asked("make an invite", [wire.MakeInvite(0, 0, "aaaaaaaa", DIGEST, "", "ROOM", 1, 0, "")]),
    Asked("make an invite for a nick", [wire.MakeInvite(0, 0, "aaaaaaaa", DIGEST, "ROOM", "", 1, 0, "")]),
    Asked("make a token", [wire.MakeToken(0, 0, "other", "o" * 40, ["general", "ROOM"], True, True, 0, "")]),
    Asked("make a token of that name", [wire.MakeToken(0, 0, "ROOM", "o" * 40, [], True, True, 0, "")]),
    Asked("make a token to send", [wire.MakeToken(0, 0, "other", "o" * 40, ["ROOM"], True, False, 0, "")]),
]  # fmt: skip


def secretive() -> tuple[Crowd, str, str]:
    """A broker with one private room, and a name of one that does not exist and looks like it. Everybody has
    sent something before; some were in it."""
    crowd = Crowd(ANN, BOB, CAT, DAN, LEAVER, KICKED, ACCOUNT, limits=Limits(rooms_max=50))
    for nick, rooms, read in (("robo", [], True), ("sender", ["general"], False)):
        peer = somebody(nick)
        crowd.act(ANN, wire.MakeToken(0, 0, nick, peer.key, rooms, True, read, 0, ""))
        crowd.greet(peer)
    room = crowd.private_room(ANN, BOB, LEAVER, KICKED, base="ops")
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "dan", wire.OPERATOR, ""))
    crowd.act(LEAVER, wire.Leave(0, 0, room))
    crowd.act(ANN, wire.Kick(0, 0, room, "kicked", ""))
    crowd.act(ANN, wire.SetTopic(0, 0, room, "secret"))
    crowd.act(ANN, wire.Sanction(0, 0, room, "bob", wire.MUTE, FOR_EVER, ""))
    crowd.send(ANN, f"#{room}", "secret")
    for peer in STRANGERS:
        crowd.send(peer, "#general", "earlier")
        crowd.ask(peer, wire.KeyedSend(0, 0, "#general", "used", "earlier"))
    missing = f"ops+{int(room[4:]) + 1}"
    assert len(missing) == len(room) and missing not in crowd.play.core._context.log.state.rooms
    return crowd, room, missing


@pytest.fixture(scope="module")
def begun() -> tuple[Crowd, str, str]:
    return secretive()


def copied(crowd: Crowd) -> Crowd:
    """The broker once more, with nothing on disk that was there before."""
    copy = deepcopy(crowd)
    copy.play.store._segments.clear()
    copy.play.lines.clear()
    return copy


def said(crowd: Crowd, room: str) -> bytes:
    """All that leaves the broker, the lines for the operator, what waits for the store and what is in it,
    with ROOM in place of the name."""
    play = crowd.play
    seen = msgspec.msgpack.encode(
        [
            [(type(effect).__name__, tuple(effect)) for effect in play.effects],
            play.lines,
            [(type(command).__name__, str(command)) for command in play.waiting],
            play.segments,
            play.admitted,
        ]
    )
    play.skip()
    return seen.replace(room.encode(), b"ROOM").replace(room.upper().encode(), b"ROOM")


def conversation(crowd: Crowd, who: Peer, asked: Asked, room: str, hold: bool) -> list[bytes]:
    """What is to be seen after each step, on a copy of the broker."""
    crowd = copied(crowd)
    requests = [crowd.asks(who, renamed(one, room)) for one in asked.requests]
    seen = []
    if hold:
        crowd.play.hold()
        crowd.play.receive(crowd.says(BOB, "#general", "on its way to the disk"))
    crowd.play.receive(*requests)
    seen.append(said(crowd, room))
    if hold:
        while crowd.play.waiting:
            crowd.play.carry_out(type(crowd.play.waiting[0]))
            seen.append(said(crowd, room))
    crowd.play.receive(crowd.asks(who, wire.Ping(0, 0, 0, "")))
    seen.append(said(crowd, room))
    return seen


def renamed(request: Any, room: str) -> Any:
    """The request about this room. What begins with OPS is written in capitals."""
    fields = [getattr(request, name) for name in request.__struct_fields__]
    return type(request)(*[_renamed(value, room) for value in fields])


def _renamed(value: Any, room: str) -> Any:
    if isinstance(value, list):
        return [_renamed(one, room) for one in value]
    return value.replace("ROOM", room).replace("OPS", room.upper()) if isinstance(value, str) else value


@pytest.mark.parametrize("who", STRANGERS, ids=lambda peer: peer.peer[1:].decode())
@pytest.mark.parametrize("asked", ADDRESSED, ids=lambda asked: asked.what)
@pytest.mark.parametrize("hold", [False, True], ids=["at once", "beside a commit"])
def test_requests_about_it(begun: tuple[Crowd, str, str], asked: Asked, who: Peer, hold: bool) -> None:
    crowd, room, missing = begun
    assert conversation(crowd, who, asked, room, hold) == conversation(crowd, who, asked, missing, hold)


@pytest.mark.parametrize("asked", ADDRESSED, ids=lambda asked: asked.what)
def test_requests_of_the_account(begun: tuple[Crowd, str, str], asked: Asked) -> None:
    """It has the disk, so it may make invites and tokens for one; nothing else."""
    crowd, room, missing = begun
    if asked.what.startswith("make a"):
        return
    assert conversation(crowd, ACCOUNT, asked, room, False) == conversation(
        crowd, ACCOUNT, asked, missing, False
    )


@pytest.mark.parametrize("who", [*STRANGERS, somebody("nobody")], ids=lambda peer: peer.peer[1:].decode())
@pytest.mark.parametrize("topic", ["#ROOM\0", "#ROOM", "#ROO", "#ROOM\0x", "~ROOM\0", "ROOM\0", "@ROOM\0"])
def test_subscriptions(begun: tuple[Crowd, str, str], topic: str, who: Peer) -> None:
    crowd, room, missing = begun
    seen = []
    for name in (room, missing):
        copy = copied(crowd)
        copy.play.subscribe(who, topic.replace("ROOM", name).encode())
        copy.play.receive(copy.says(ANN, f"#{room}", "secret"))
        effects = said(copy, name)
        seen.append([type(effect).__name__ for effect in copy.play.effects] + [effects.count(b"Approve")])
        assert b"Approve" not in effects and b"Publish" not in effects
    assert seen[0] == seen[1]


@pytest.mark.parametrize("invite", ["", "aaaaaaaa" + "a" * 32])
def test_nicks(begun: tuple[Crowd, str, str], invite: str) -> None:
    """Somebody new, and somebody who is known."""
    crowd, room, missing = begun
    for peer in (somebody("nobody"), CAT):
        seen = []
        for name in (room, missing):
            copy = copied(crowd)
            copy.play.receive(peer.asks(hello(name, instance=5, invite=invite), "192.0.2.1"))
            seen.append(said(copy, name))
        assert seen[0] == seen[1]


def test_bytes_that_are_no_request(begun: tuple[Crowd, str, str]) -> None:
    crowd, room, missing = begun
    seen = []
    for name in (room, missing):
        copy = copied(crowd)
        copy.play.handle(MalformedReceived(CAT.peer, CAT.key, "a reason", False))
        seen.append(said(copy, name))
    assert seen[0] == seen[1]


def test_the_test_sees_a_difference(begun: tuple[Crowd, str, str]) -> None:
    """Those who may know are told otherwise."""
    crowd, room, missing = begun
    asked = Asked("people", [wire.ListPeople(0, 0, "ROOM", "")])
    for hold in (False, True):
        assert conversation(crowd, BOB, asked, room, hold) != conversation(crowd, BOB, asked, missing, hold)


def test_lists_are_those_of_a_broker_without_it() -> None:
    """Rooms, people, profiles and heads, but for positions."""
    crowd, room, _ = secretive()
    for who in STRANGERS[:3]:
        for request in (
            wire.ListRooms(0, 0, ""),
            wire.ListPeople(0, 0, None, ""),
            wire.Whois(0, 0, "ann"),
            wire.Whois(0, 0, "bob"),
            wire.Ping(0, 0, 0, ""),
        ):
            answer = crowd.ask(who, request)
            assert not isinstance(answer, wire.Refused)
            assert room not in str(answer)
        welcomed = deepcopy(crowd)
        welcomed.play.receive(who.asks(hello(who.peer[1:].decode(), instance=9)))
        assert room not in str(welcomed.play.effects)


def test_nothing_of_it_reaches_a_stranger() -> None:
    """Not with any subscription or option, whatever happens in it."""
    crowd, room, missing = secretive()
    for who in STRANGERS:
        crowd.play.receive(crowd.asks(who, wire.Follow(0, 0, [], True)))
        crowd.play.receive(crowd.asks(who, wire.Follow(0, 0, [room], True)))
    crowd.play.skip()
    crowd.play.receive(
        crowd.says(ANN, f"#{room}", "secret"),
        crowd.asks(ANN, wire.SetTopic(0, 0, room, "secret too")),
        crowd.asks(ANN, wire.SetMode(0, 0, room, True)),
        crowd.asks(ANN, wire.Kick(0, 0, room, "bob", "")),
        crowd.asks(ANN, wire.Sanction(0, 0, room, "bob", wire.BAN, FOR_EVER, "")),
    )
    reached = {
        effect.peer for effect in crowd.play.effects if getattr(effect, "peer", b"") not in (b"", ANN.peer)
    }
    assert reached <= {BOB.peer}
    assert not any(type(effect).__name__ == "Publish" for effect in crowd.play.effects)
    assert missing != room
