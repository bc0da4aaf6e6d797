"""Private rooms: who is in, who may come, and how it ends. protocol.md, Private Rooms."""

from typing import Any

import pytest

from tests.unit.broker.crowd import FOR_EVER, Crowd, acts, texts
from tests.unit.broker.play import (
    ACCOUNT,
    ANN,
    BOB,
    CAT,
    Peer,
    acked,
    delivered,
    hello,
    somebody,
)
from zchat.broker.core.effects import Publish, Transmit, TransmitSegments
from zchat.broker.core.limits import Limits
from zchat.common import wire
from zchat.common.codes import Refusal


def private(base: str) -> wire.Join:
    return wire.Join(0, 0, base, True)


# ---- creating ----


def test_its_name_is_that_of_its_first_entry(crowd: Crowd) -> None:
    done = crowd.ask(ANN, private("Ops"))
    assert done.name == f"ops+{done.pos}"
    assert crowd.entries(ANN, f"#{done.name}") == [wire.Joined("ann", True)]
    (listed,) = [room for room in crowd.ask(ANN, wire.ListRooms(0, 0, "")).rooms if room.private]
    assert listed == wire.Room(done.name, "", 1, True, False)
    people = crowd.ask(ANN, wire.ListPeople(0, 0, done.name, "")).people
    assert [(one.nick, one.role) for one in people] == [("ann", wire.OWNER)]


def test_each_request_makes_another_room_and_its_repeat_none(crowd: Crowd) -> None:
    first = crowd.asks(ANN, private("ops"))
    second = crowd.asks(ANN, private("ops"))
    one, again, other = crowd.answers(first, first, second)
    assert one == again and one.name != other.name
    (later,) = crowd.answers(first)
    assert later == one
    crowd.greet(ANN)  # a new session of the same instance
    repeated = ANN.asks(wire.Join(crowd.sessions[ANN], first.request.token, "ops", True))
    assert crowd.answers(repeated)[0].name == one.name


def test_whose_request_it_was_counts(crowd: Crowd) -> None:
    """Bob is in Ann's room, and counts his requests as she does."""
    room = crowd.ask(ANN, private("ops"))
    crowd.act(ANN, wire.InviteToRoom(0, 0, room.name, "bob"))
    crowd.act(BOB, wire.Join(0, 0, room.name))
    own = crowd.answers(BOB.asks(wire.Join(crowd.sessions[BOB], room.token, "ops", True)))[0]
    assert own.name and own.name != room.name


@pytest.mark.parametrize("base", ["ops+1", "ann,bob", "x" * 31, "help", "7", "é" * 32, "#ops"])
def test_names_that_cannot_begin_one(crowd: Crowd, base: str) -> None:
    assert crowd.refusal(ANN, private(base)) is Refusal.NAME_INVALID


def test_it_may_begin_like_a_room_or_a_person(crowd: Crowd) -> None:
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    for base in ("dev", "bob", "general", "c+"):
        assert crowd.ask(BOB, private(base)).name.startswith(f"{base}+")


def test_too_many_rooms() -> None:
    crowd = Crowd(ANN, limits=Limits(rooms_max=2))
    crowd.private_room(ANN)
    assert crowd.refusal(ANN, private("ops")) is Refusal.LIMIT_REACHED
    few = Crowd(ANN, limits=Limits(joined_rooms_max=2))
    few.private_room(ANN)
    for join in (private("ops"), wire.Join(0, 0, "dev"), wire.Join(0, 0, "dev+1")):
        assert few.refusal(ANN, join) is Refusal.LIMIT_REACHED


def test_nobody_chooses_such_a_name(crowd: Crowd) -> None:
    assert crowd.refusal(ANN, wire.Join(0, 0, "ops+99")) is Refusal.NO_SUCH_ROOM
    stranger = somebody("ops+99")
    assert crowd.refusal_of_hello(stranger, "ops+99") is Refusal.NAME_INVALID
    assert crowd.refusal_of_hello(stranger, "OPS+099") is Refusal.NAME_INVALID
    token = wire.MakeToken(0, 0, "ops+99", stranger.key, [], True, True, 0, "")
    assert crowd.refusal(ANN, token) is Refusal.NAME_INVALID


# ---- coming in ----


def test_who_is_invited_joins_once(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    invite = wire.InviteToRoom(0, 0, room.upper(), "BOB")
    assert crowd.refusal(BOB, wire.Join(0, 0, room)) is Refusal.NO_SUCH_ROOM
    assert crowd.act(ANN, invite) > 0
    assert crowd.act(ANN, invite) == 0
    assert acts(crowd.entries(BOB, "@ann")) == [("ann", "invited", "bob")]
    assert crowd.refusal(CAT, wire.Join(0, 0, room)) is Refusal.NO_SUCH_ROOM
    assert crowd.act(BOB, wire.Join(0, 0, room)) > 0
    assert crowd.act(BOB, wire.Join(0, 0, room)) == 0
    assert crowd.act(ANN, invite) == 0  # a member
    assert crowd.act(BOB, wire.Leave(0, 0, room)) > 0
    assert crowd.refusal(BOB, wire.Join(0, 0, room)) is Refusal.NO_SUCH_ROOM
    assert crowd.act(ANN, invite) > 0
    assert crowd.act(BOB, wire.Join(0, 0, room)) > 0


def test_what_the_invited_may_do(crowd: Crowd) -> None:
    """They see that it is there, without its topic; nothing more before they join."""
    room = crowd.private_room(ANN)
    crowd.act(ANN, wire.SetTopic(0, 0, room, "secret"))
    crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    assert wire.Room(room, "", 1, True, False) in crowd.ask(BOB, wire.ListRooms(0, 0, "")).rooms
    tried: list[Any] = [
        wire.Fetch(0, 0, f"#{room}", 0, 0),
        wire.Send(0, 0, 0, f"#{room}", 0, ["x"]),
        wire.KeyedSend(0, 0, f"#{room}", "k", "x"),
        wire.Follow(0, 0, [room], False),
        wire.ListPeople(0, 0, room, ""),
        wire.SetTopic(0, 0, room, "x"),
        wire.SetMode(0, 0, room, True),
        wire.Kick(0, 0, room, "ann", ""),
        wire.InviteToRoom(0, 0, room, "cat"),
        wire.ListSanctions(0, 0, room, ""),
    ]
    for one in tried:
        assert crowd.refusal(BOB, one) is Refusal.NOT_ALLOWED, one
    assert "join it first" in crowd.reason(BOB, tried[0])
    assert not crowd.subscribes(BOB, wire.room_topic(room))
    heads = crowd.ask(BOB, wire.Ping(0, 0, 0, "")).heads
    assert f"#{room}" not in [head.conversation for head in heads]


def test_an_invitation_can_be_given_back(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    assert crowd.act(BOB, wire.Leave(0, 0, room)) == 0
    assert crowd.refusal(BOB, wire.Join(0, 0, room)) is Refusal.NO_SUCH_ROOM
    after = Crowd(BOB, play=crowd.play.restarted())
    assert after.refusal(BOB, wire.Join(0, 0, room)) is Refusal.NO_SUCH_ROOM


def test_who_may_invite(crowd: Crowd) -> None:
    room = crowd.private_room(ANN, BOB)
    invite = wire.InviteToRoom(0, 0, room, "cat")
    assert crowd.refusal(BOB, invite) is Refusal.NOT_ALLOWED
    crowd.act(ANN, wire.SetRole(0, 0, room, "bob", wire.OPERATOR, ""))
    assert crowd.act(BOB, invite) > 0
    assert crowd.refusal(ANN, wire.InviteToRoom(0, 0, room, "eve")) is Refusal.NO_SUCH_USER
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    for nobody in ("dev", "general"):
        assert crowd.refusal(ANN, wire.InviteToRoom(0, 0, nobody, "cat")) is Refusal.NOT_ALLOWED


def test_who_is_banned_is_not_invited(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    crowd.act(ANN, wire.Sanction(0, 0, room, "bob", wire.BAN, FOR_EVER, ""))
    assert crowd.refusal(BOB, wire.Join(0, 0, room)) is Refusal.NO_SUCH_ROOM  # it takes the invitation
    assert crowd.refusal(ANN, wire.InviteToRoom(0, 0, room, "bob")) is Refusal.NOT_ALLOWED
    crowd.act(ANN, wire.Pardon(0, 0, room, "bob", wire.BAN, ""))
    assert crowd.refusal(BOB, wire.Join(0, 0, room)) is Refusal.NO_SUCH_ROOM
    assert crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob")) > 0
    assert crowd.act(BOB, wire.Join(0, 0, room)) > 0


@pytest.mark.parametrize("how", ["kick", "ban"])
def test_who_was_put_out_needs_another_invitation(crowd: Crowd, how: str) -> None:
    room = crowd.private_room(ANN, BOB)
    crowd.send(ANN, f"#{room}", "before")
    if how == "kick":
        assert crowd.act(ANN, wire.Kick(0, 0, room, "bob", "")) > 0
        assert crowd.act(ANN, wire.Kick(0, 0, room, "bob", "")) == 0
    else:
        crowd.act(ANN, wire.Sanction(0, 0, room, "bob", wire.BAN, FOR_EVER, ""))
        crowd.act(ANN, wire.Pardon(0, 0, room, "bob", wire.BAN, ""))
    for request in (
        wire.Join(0, 0, room),
        wire.Leave(0, 0, room),
        wire.Fetch(0, 0, f"#{room}", 0, 0),
        wire.KeyedSend(0, 0, f"#{room}", "k", "x"),
    ):
        assert crowd.refusal(BOB, request) is Refusal.NO_SUCH_ROOM
    crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    crowd.act(BOB, wire.Join(0, 0, room))
    assert texts(crowd.entries(BOB, f"#{room}")) == ["before"]  # members read all of it
    assert isinstance(crowd.send(BOB, f"#{room}", "again"), int)


# ---- who gets what ----


def test_it_goes_to_members_alone_and_never_to_subscribers(crowd: Crowd) -> None:
    quiet = BOB.elsewhere("quiet")
    room = crowd.private_room(ANN, BOB)
    a, b = crowd.sessions[ANN], crowd.sessions[BOB]
    crowd.play.greet(quiet, "bob", instance=2, quiet=True)
    crowd.ask(CAT, wire.Follow(0, 0, [], True))
    crowd.play.receive(request := crowd.says(BOB, f"#{room}", "x"))
    frame = crowd.play.segments[-1]
    crowd.play.expect(
        acked(BOB, b, (request.request.token, wire.decode_segment(frame).first)),
        delivered(ANN, a, frame),
        delivered(BOB, b, frame),
    )
    for peer in (ANN, BOB, CAT):
        assert not crowd.subscribes(peer, wire.room_topic(room))
    assert not [e for e in crowd.play.effects if isinstance(e, Publish)]


def test_it_is_among_the_heads_of_members(crowd: Crowd) -> None:
    room = crowd.private_room(ANN, BOB)
    pos = crowd.send(ANN, f"#{room}", "x")
    for peer, listed in ((BOB, [pos]), (CAT, [])):
        heads = crowd.ask(peer, wire.Ping(0, 0, 0, "")).heads
        assert [head.pos for head in heads if head.conversation == f"#{room}"] == listed
        crowd.play.receive(peer.elsewhere("new").asks(hello(peer.peer[1:].decode(), instance=9)))
        (told,) = [e for e in crowd.play.effects if isinstance(e, Transmit)]
        welcomed: Any = told.answer
        assert [h.pos for h in welcomed.heads if h.conversation == f"#{room}"] == listed
        crowd.play.skip()


def test_members_follow_it_as_any_room(crowd: Crowd) -> None:
    room = crowd.private_room(ANN, BOB)
    followed = crowd.ask(BOB, wire.Follow(0, 0, [room], False))
    assert [head.conversation for head in followed.heads] == [f"#{room}"]
    crowd.act(BOB, wire.Leave(0, 0, room))
    crowd.send(ANN, f"#{room}", "x")
    assert f"#{room}" not in [h.conversation for h in crowd.ask(BOB, wire.Ping(0, 0, 0, "")).heads]


@pytest.mark.parametrize("over_router", [False, True])
def test_who_leaves_gets_nothing_after_that(crowd: Crowd, over_router: bool) -> None:
    """Also what is in the same commit, and what is in it before."""
    room = crowd.private_room(ANN, BOB)
    a, b = crowd.sessions[ANN], crowd.sessions[BOB]
    crowd.ask(BOB, wire.Follow(0, 0, [room], over_router))
    crowd.play.receive(
        one := crowd.says(ANN, f"#{room}", "before"),
        leave := crowd.asks(BOB, wire.Leave(0, 0, room)),
        two := crowd.says(ANN, f"#{room}", "after"),
    )
    before, left, after = crowd.play.segments[-3:]
    pos = wire.decode_segment(before).first
    crowd.play.expect(
        Transmit(BOB.peer, wire.Done(b, leave.request.token, pos + 1)),
        acked(ANN, a, (one.request.token, pos), (two.request.token, pos + 2)),
        delivered(ANN, a, before),
        delivered(BOB, b, before),
        delivered(ANN, a, left),
        delivered(BOB, b, left),
        delivered(ANN, a, after),
    )
    assert crowd.refusal(BOB, wire.Fetch(0, 0, f"#{room}", 0, 0)) is Refusal.NO_SUCH_ROOM


def test_the_last_one_may_leave(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.act(ANN, wire.Leave(0, 0, room))
    assert crowd.refusal(ANN, wire.Join(0, 0, room)) is Refusal.NO_SUCH_ROOM
    assert not [r for r in crowd.ask(ANN, wire.ListRooms(0, 0, "")).rooms if r.private]


def test_an_administrator_is_shown_none(crowd: Crowd) -> None:
    room = crowd.private_room(ANN, BOB)
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "cat", wire.OPERATOR, ""))
    for who in (CAT, ACCOUNT):
        assert room not in [r.name for r in crowd.ask(who, wire.ListRooms(0, 0, "")).rooms]
        assert room not in crowd.ask(who, wire.Whois(0, 0, "bob")).rooms
    assert room in crowd.ask(ANN, wire.Whois(0, 0, "bob")).rooms


def test_a_message_a_kick_and_a_message(crowd: Crowd) -> None:
    """In one commit, over ROUTER."""
    room = crowd.private_room(ANN, BOB, CAT)
    a, b, c = (crowd.sessions[peer] for peer in (ANN, BOB, CAT))
    crowd.play.receive(
        one := crowd.says(ANN, f"#{room}", "before"),
        kick := crowd.asks(ANN, wire.Kick(0, 0, room, "bob", "")),
        two := crowd.says(ANN, f"#{room}", "after"),
        three := crowd.says(BOB, f"#{room}", "not any more"),
    )
    before, kicked, told, _, after = crowd.play.segments[-5:]
    pos = wire.decode_segment(before).first
    frames = {peer: frames_to(crowd, peer) for peer in (ANN, BOB, CAT)}
    assert frames == {
        ANN: [before, kicked, told, after],
        BOB: [before, kicked, told],
        CAT: [before, kicked, after],
    }
    assert crowd.answer(kick).pos == pos + 1
    assert crowd.answer(one).pos == pos and crowd.answer(two).pos == pos + 4
    assert Refusal(crowd.answer(three).code) is Refusal.NO_SUCH_ROOM
    assert len({a, b, c}) == 3 and not [e for e in crowd.play.effects if isinstance(e, Publish)]


def frames_to(crowd: Crowd, peer: Peer) -> list[bytes]:
    """What was delivered to somebody, in order."""
    return [
        frame
        for effect in crowd.play.effects
        if isinstance(effect, TransmitSegments) and effect.peer == peer.peer
        for frame in effect.segments
    ]


# ---- who is left behind ----


def test_the_only_owner_stays_while_others_are_there(crowd: Crowd) -> None:
    """Nobody could give the room another one, not even who runs the broker."""
    room = crowd.private_room(ANN, BOB)
    for going in (wire.Leave(0, 0, room), wire.SetRole(0, 0, room, "ann", wire.OPERATOR, "")):
        assert crowd.refusal(ANN, going) is Refusal.NOT_ALLOWED
    assert crowd.act(BOB, wire.Leave(0, 0, room)) > 0
    assert crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob")) > 0
    assert crowd.act(BOB, wire.Join(0, 0, room)) > 0
    assert crowd.act(ANN, wire.SetRole(0, 0, room, "bob", wire.OWNER, "")) > 0
    assert crowd.act(ANN, wire.Leave(0, 0, room)) > 0
    assert crowd.act(BOB, wire.Leave(0, 0, room)) > 0  # and the last one of all may go


def test_a_kick_takes_back_an_invitation(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    assert crowd.act(ANN, wire.Kick(0, 0, room, "bob", "")) > 0
    assert crowd.refusal(BOB, wire.Join(0, 0, room)) is Refusal.NO_SUCH_ROOM


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("how", ["kick", "ban", "leave"])
def test_the_bots_of_who_is_out_are_out_as_well(crowd: Crowd, how: str, read: bool) -> None:
    """Else one would go on reading and writing by them."""
    room = crowd.private_room(ANN, BOB)
    crowd.act(ANN, wire.SetRole(0, 0, room, "bob", wire.OPERATOR, ""))
    robo = somebody("robo")
    crowd.act(BOB, wire.MakeToken(0, 0, "robo", robo.key, [room], True, read, 0, ""))
    crowd.greet(robo)
    assert isinstance(crowd.send(robo, f"#{room}", "x"), int)
    if how == "leave":
        crowd.act(BOB, wire.Leave(0, 0, room))
    else:
        act = wire.Sanction(0, 0, room, "bob", wire.BAN, 0, "") if how == "ban" else None
        crowd.act(ANN, act or wire.Kick(0, 0, room, "bob", ""))
    said = crowd.send(ANN, f"#{room}", "among us")
    assert isinstance(said, int)
    assert isinstance(crowd.send(robo, f"#{room}", "y"), Refusal)
    assert isinstance(crowd.refusal(robo, wire.Fetch(0, 0, f"#{room}", 0, 0)), Refusal)
    assert "among us" not in str(crowd.play.effects)
