"""Roles in rooms and at the broker: who may do what, and against whom. protocol.md, Roles."""

from typing import Any

import pytest

from tests.unit.broker.crowd import DAN, FOR_EVER, Crowd, acts
from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, Peer
from zchat.common import wire
from zchat.common.codes import Refusal

NONE, VOICE, OPERATOR, OWNER = range(4)


def role(room: str, nick: str, number: int) -> wire.SetRole:
    return wire.SetRole(0, 0, room, nick, number, "because")


@pytest.fixture
def dev(crowd: Crowd) -> Crowd:
    """Ann made #dev, where Bob is and Cat is not. Dan administers the broker."""
    crowd.greet(DAN)
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    crowd.act(ACCOUNT, role("", "dan", OPERATOR))
    return crowd


def held(crowd: Crowd, room: str | None = "dev") -> dict[str, int]:
    """The roles as they are listed."""
    return {p.nick: p.role for p in crowd.ask(ANN, wire.ListPeople(0, 0, room, "")).people if p.role}


# ---- giving and taking ----


def test_who_creates_a_room_owns_it(dev: Crowd) -> None:
    assert held(dev) == {"ann": OWNER}
    assert held(dev, "general") == {}
    assert held(dev, None) == {"dan": OPERATOR}


def test_owners_give_and_take_every_role(dev: Crowd) -> None:
    for number in (VOICE, OPERATOR, OWNER, NONE):
        assert dev.act(ANN, role("dev", "bob", number)) > 0
        assert held(dev) == {"ann": OWNER} | ({"bob": number} if number else {})
        assert dev.act(ANN, role("dev", "bob", number)) == 0  # already so
    dev.act(ANN, role("dev", "bob", OWNER))
    dev.act(BOB, role("dev", "ann", NONE))  # an owner is not above another
    assert held(dev) == {"bob": OWNER}


def test_operators_give_and_take_voice_alone(dev: Crowd) -> None:
    dev.act(ANN, role("dev", "bob", OPERATOR))
    assert dev.act(BOB, role("dev", "cat", VOICE)) > 0
    for number in (OPERATOR, OWNER):
        assert dev.refusal(BOB, role("dev", "cat", number)) is Refusal.NOT_ALLOWED
        assert dev.refusal(BOB, role("dev", "bob", number - 1)) is Refusal.NOT_ALLOWED
    assert dev.refusal(BOB, role("dev", "ann", VOICE)) is Refusal.NOT_ALLOWED  # who is more
    assert dev.act(BOB, role("dev", "cat", NONE)) > 0


@pytest.mark.parametrize("own", [NONE, VOICE])
def test_others_give_nothing(dev: Crowd, own: int) -> None:
    dev.act(ANN, role("dev", "bob", own))
    for number in (NONE, VOICE, OPERATOR, OWNER):
        assert dev.refusal(BOB, role("dev", "bob", number)) is Refusal.NOT_ALLOWED
        assert dev.refusal(BOB, role("", "bob", number)) is Refusal.NOT_ALLOWED


@pytest.mark.parametrize("who", [DAN, ACCOUNT])
def test_who_administers_owns_every_public_room(dev: Crowd, who: Peer) -> None:
    dev.act(who, role("dev", "ann", NONE))
    dev.act(who, role("general", "cat", OWNER))
    assert held(dev) == {} and held(dev, "general") == {"cat": OWNER}


def test_a_role_for_nobody_or_nowhere(dev: Crowd) -> None:
    assert dev.refusal(ANN, role("dev", "eve", VOICE)) is Refusal.NO_SUCH_USER
    assert dev.refusal(ANN, role("nowhere", "bob", VOICE)) is Refusal.NO_SUCH_ROOM
    assert dev.refusal(DAN, role("", "eve", OPERATOR)) is Refusal.NO_SUCH_USER
    assert dev.refusal(DAN, role("", "$", OPERATOR)) is Refusal.NO_SUCH_USER
    assert dev.refusal(CAT, role("dev", "eve", VOICE)) is Refusal.NOT_ALLOWED  # which comes first


def test_at_the_broker_there_is_one_role(dev: Crowd) -> None:
    assert dev.refusal(ANN, role("", "ann", OPERATOR)) is Refusal.NOT_ALLOWED
    assert dev.act(DAN, role("", "ann", OWNER)) > 0
    assert held(dev, None) == {"ann": OPERATOR, "dan": OPERATOR}
    assert dev.refusal(ANN, role("", "dan", VOICE)) is Refusal.NOT_ALLOWED  # that takes the account
    assert dev.act(ACCOUNT, role("", "dan", VOICE)) > 0
    assert held(dev, None) == {"ann": OPERATOR}
    assert dev.refusal(DAN, role("", "dan", OPERATOR)) is Refusal.NOT_ALLOWED
    assert dev.act(ANN, role("", "ann", NONE)) > 0  # one's own


def test_a_role_in_a_public_room_outlives_membership(dev: Crowd) -> None:
    dev.act(ANN, wire.Leave(0, 0, "dev"))
    dev.act(ANN, wire.Kick(0, 0, "dev", "bob", ""))
    dev.act(ANN, wire.Join(0, 0, "dev"))
    assert held(dev) == {"ann": OWNER}


def test_a_role_in_a_private_room_ends_with_membership(dev: Crowd) -> None:
    room = dev.private_room(ANN, BOB)
    dev.act(ANN, role(room, "bob", OWNER))
    assert dev.refusal(ANN, role(room, "cat", VOICE)) is Refusal.NOT_ALLOWED  # no member
    dev.act(BOB, wire.Leave(0, 0, room))
    dev.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    dev.act(BOB, wire.Join(0, 0, room))
    assert held(dev, room) == {"ann": OWNER}


def test_it_is_told_in_the_room_to_the_person_and_in_the_log(dev: Crowd) -> None:
    pos = dev.act(ANN, role("dev", "bob", OPERATOR))
    entry = wire.Acted("ann", "role", "dev", "bob", 0, "operator", "because")
    assert dev.entries(BOB, "#dev")[-1] == dev.entries(BOB, "@ann")[-1] == entry
    assert dev.entries(DAN, "$")[-1] == entry
    (last,) = dev.ask(BOB, wire.Fetch(0, 0, "#dev", 0, pos - 1))
    assert last.first == pos  # the first of the three
    dev.act(ACCOUNT, role("", "bob", OPERATOR))
    broad = wire.Acted("$", "role", "", "bob", 0, "operator", "because")
    assert dev.entries(BOB, "@$")[-1] == dev.entries(DAN, "$")[-1] == broad
    dev.act(ANN, role("dev", "ann", NONE))  # about oneself: no conversation with oneself
    assert dev.entries(ANN, "@ann") == []


# ---- acting against others ----


def against(nick: str) -> list[Any]:
    return [
        wire.Kick(0, 0, "dev", nick, ""),
        wire.Sanction(0, 0, "dev", nick, wire.MUTE, FOR_EVER, ""),
        wire.Sanction(0, 0, "dev", nick, wire.BAN, FOR_EVER, ""),
        wire.Pardon(0, 0, "dev", nick, wire.MUTE, ""),
        wire.Pardon(0, 0, "dev", nick, wire.BAN, ""),
    ]


def test_operators_act_against_whoever_is_less(dev: Crowd) -> None:
    dev.act(ANN, role("dev", "bob", OPERATOR))
    dev.act(ANN, role("dev", "cat", VOICE))
    for act in against("cat"):
        assert dev.act(BOB, act) > 0


@pytest.mark.parametrize("number", [OPERATOR, OWNER])
def test_operators_do_not_act_against_each_other_or_owners(dev: Crowd, number: int) -> None:
    dev.act(ANN, role("dev", "bob", OPERATOR))
    dev.act(ANN, role("dev", "cat", number))
    for nick in ("cat", "ann", "bob", "dan"):
        for act in against(nick):
            assert dev.refusal(BOB, act) is Refusal.NOT_ALLOWED


@pytest.mark.parametrize("who", [ANN, DAN, ACCOUNT])
def test_owners_and_administrators_act_against_everybody(dev: Crowd, who: Peer) -> None:
    for nick in ("cat", "bob", "dan"):
        dev.act(ANN, role("dev", nick, OWNER))
        for act in against(nick)[1:4] + against(nick)[:1]:
            if who is DAN and nick == "dan" and getattr(act, "kind", wire.BAN) == wire.BAN:
                continue  # nobody kicks or bans himself
            assert dev.act(who, act) > 0
            dev.act(who, wire.Pardon(0, 0, "dev", nick, wire.BAN, ""))
            dev.act(who, role("dev", "ann", OWNER))


@pytest.mark.parametrize("number", [NONE, VOICE])
def test_others_act_against_nobody(dev: Crowd, number: int) -> None:
    dev.act(ANN, role("dev", "bob", number))
    for act in against("cat") + against("bob") + [wire.SetMode(0, 0, "dev", True)]:
        assert dev.refusal(BOB, act) is Refusal.NOT_ALLOWED
    assert dev.refusal(BOB, wire.ListSanctions(0, 0, "dev", "")) is Refusal.NOT_ALLOWED


def test_acts_against_nobody_and_nowhere(dev: Crowd) -> None:
    for act in against("eve"):
        assert dev.refusal(ANN, act) is Refusal.NO_SUCH_USER
    assert dev.refusal(ANN, wire.Kick(0, 0, "nowhere", "bob", "")) is Refusal.NO_SUCH_ROOM
    assert dev.refusal(ANN, wire.Kick(0, 0, "#", "bob", "")) is Refusal.NO_SUCH_ROOM


def test_at_the_broker_administrators_act_against_no_other_one(dev: Crowd) -> None:
    dev.act(ACCOUNT, role("", "cat", OPERATOR))
    for kind in (wire.MUTE, wire.BAN):
        assert dev.act(DAN, wire.Sanction(0, 0, "", "bob", kind, FOR_EVER, "")) > 0
        assert dev.act(DAN, wire.Pardon(0, 0, "", "bob", kind, "")) > 0
        for nick in ("cat", "dan"):
            sanction = wire.Sanction(0, 0, "", nick, kind, FOR_EVER, "")
            assert dev.refusal(DAN, sanction) is Refusal.NOT_ALLOWED
            assert dev.refusal(ANN, sanction) is Refusal.NOT_ALLOWED
    assert dev.act(ACCOUNT, wire.Sanction(0, 0, "", "cat", wire.MUTE, FOR_EVER, "")) > 0


@pytest.mark.parametrize("act", ["kick", "ban"])
def test_who_was_put_out_moderates_no_more(dev: Crowd, act: str) -> None:
    """Also with a role: an owner whom an administrator banned does not pardon himself."""
    dev.act(ANN, role("dev", "bob", OWNER))
    if act == "kick":
        dev.act(DAN, wire.Kick(0, 0, "dev", "bob", ""))
    else:
        dev.act(DAN, wire.Sanction(0, 0, "dev", "bob", wire.BAN, FOR_EVER, ""))
    for tried in (
        *against("cat"),
        *against("bob"),
        role("dev", "cat", VOICE),
        wire.SetMode(0, 0, "dev", True),
        wire.SetTopic(0, 0, "dev", "x"),
        wire.ListSanctions(0, 0, "dev", ""),
    ):
        assert dev.refusal(BOB, tried) is Refusal.NOT_ALLOWED, tried
    dev.act(DAN, wire.Pardon(0, 0, "dev", "bob", wire.BAN, ""))
    dev.act(BOB, wire.Join(0, 0, "dev"))
    assert dev.act(BOB, role("dev", "cat", VOICE)) > 0


def test_who_administers_is_not_kept_from_it_by_an_owner(dev: Crowd) -> None:
    dev.act(ANN, wire.Sanction(0, 0, "dev", "dan", wire.BAN, FOR_EVER, ""))
    assert dev.refusal(DAN, wire.Join(0, 0, "dev")) is Refusal.NOT_ALLOWED
    assert dev.act(DAN, wire.Pardon(0, 0, "dev", "dan", wire.BAN, "")) > 0


def test_who_administers_is_nobody_in_a_private_room(dev: Crowd) -> None:
    room = dev.private_room(ANN, BOB)
    tried = [
        wire.Kick(0, 0, room, "bob", ""),
        wire.Sanction(0, 0, room, "bob", wire.MUTE, FOR_EVER, ""),
        wire.Pardon(0, 0, room, "bob", wire.MUTE, ""),
        wire.SetMode(0, 0, room, True),
        wire.InviteToRoom(0, 0, room, "cat"),
        role(room, "bob", VOICE),
        wire.ListSanctions(0, 0, room, ""),
    ]
    for who in (DAN, ACCOUNT):
        for one in tried:
            assert dev.refusal(who, one) is Refusal.NO_SUCH_ROOM, one
    dev.act(ANN, wire.InviteToRoom(0, 0, room, "dan"))
    dev.act(DAN, wire.Join(0, 0, room))
    for one in tried:
        assert dev.refusal(DAN, one) is Refusal.NOT_ALLOWED, one
    dev.act(ANN, role(room, "dan", OPERATOR))
    assert dev.act(DAN, tried[1]) > 0


# ---- announce mode ----


def test_in_an_announce_room_who_has_a_role_writes(dev: Crowd) -> None:
    assert dev.act(ANN, wire.SetMode(0, 0, "dev", True)) > 0
    assert dev.act(ANN, wire.SetMode(0, 0, "dev", True)) == 0
    keyed = wire.KeyedSend(0, 0, "#dev", "k", "x")
    for who in (BOB, CAT):
        assert dev.send(who, "#dev", "x") is Refusal.NOT_ALLOWED
        assert dev.refusal(who, keyed) is Refusal.NOT_ALLOWED
        assert dev.refusal(who, wire.SetTopic(0, 0, "dev", "x")) is Refusal.NOT_ALLOWED
    for who in (ANN, DAN):
        assert isinstance(dev.send(who, "#dev", "x"), int)
        dev.act(who, wire.SetTopic(0, 0, "dev", f"by {who.key}"))
    for number in (VOICE, OPERATOR, OWNER):
        dev.act(ANN, role("dev", "bob", number))
        assert isinstance(dev.send(BOB, "#dev", "x"), int)
        topic = dev.ask(BOB, wire.SetTopic(0, 0, "dev", f"{number}"))
        assert isinstance(topic, wire.Refused if number == VOICE else wire.Done)
    (room,) = [r for r in dev.ask(CAT, wire.ListRooms(0, 0, "")).rooms if r.name == "dev"]
    assert room.announce and not room.private
    assert dev.act(ANN, wire.SetMode(0, 0, "dev", False)) > 0
    assert isinstance(dev.send(CAT, "#dev", "x"), int)
    modes = [e.details for e in dev.entries(CAT, "#dev") if isinstance(e, wire.Acted) and e.act == "mode"]
    assert modes == ["announce", "open"]


def test_a_private_room_can_be_for_announcements(dev: Crowd) -> None:
    room = dev.private_room(ANN, BOB)
    dev.act(BOB, wire.SetTopic(0, 0, room, "members set it"))
    dev.act(ANN, wire.SetMode(0, 0, room, True))
    assert dev.send(BOB, f"#{room}", "x") is Refusal.NOT_ALLOWED
    assert dev.refusal(BOB, wire.SetTopic(0, 0, room, "x")) is Refusal.NOT_ALLOWED
    dev.act(ANN, role(room, "bob", VOICE))
    assert isinstance(dev.send(BOB, f"#{room}", "x"), int)


def test_general_has_no_owner(crowd: Crowd) -> None:
    assert held(crowd, "general") == {}
    for act in (wire.SetMode(0, 0, "general", True), wire.Kick(0, 0, "general", "bob", "")):
        assert crowd.refusal(ANN, act) is Refusal.NOT_ALLOWED
    crowd.act(ACCOUNT, wire.SetMode(0, 0, "general", True))
    assert crowd.send(ANN, "#general", "x") is Refusal.NOT_ALLOWED
    assert acts(crowd.entries(ANN, "#general")) == [("$", "mode", "")]


@pytest.mark.parametrize("private", [False, True])
def test_nobody_bans_themselves(crowd: Crowd, private: bool) -> None:
    """A private room would be left without an owner."""
    room = crowd.private_room(ANN, BOB) if private else "dev"
    crowd.act(ANN, wire.Join(0, 0, room))
    assert crowd.refusal(ANN, wire.Sanction(0, 0, room, "ann", wire.BAN, FOR_EVER, "")) is Refusal.NOT_ALLOWED
    assert crowd.act(ANN, wire.Sanction(0, 0, room, "ann", wire.MUTE, FOR_EVER, "")) > 0
