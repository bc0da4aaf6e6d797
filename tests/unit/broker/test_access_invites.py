"""Invites: who is let in by one, how often, and until when. protocol.md, Admission and Invites."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from tests.unit.broker.crowd import DIGEST, FOR_EVER, SECRET, Crowd, acts
from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, TIME_MS, Peer, hello, somebody
from zchat.broker.core import port
from zchat.broker.core.effects import CutSubscribers, Transmit
from zchat.broker.core.events import Request
from zchat.broker.core.limits import Limits
from zchat.common import wire
from zchat.common.codes import Refusal

EVE, FAY = somebody("eve"), somebody("fay")
ID = "aaaaaaaa"
LINK = ID + SECRET


@pytest.fixture
def strict() -> Iterator[Crowd]:
    """A broker that registers by invite only. Ann is there, by one that is used up."""
    crowd = Crowd(ACCOUNT, limits=Limits(invite_only=True))
    crowd.act(ACCOUNT, invite(ID, nick="ann"))
    crowd.greet(ANN, invite=LINK)
    yield crowd
    crowd.play.check_kept()


def invite(
    name: str = ID, nick: str = "", room: str = "", uses: int = 1, lifetime_ms: int = FOR_EVER
) -> wire.MakeInvite:
    return wire.MakeInvite(0, 0, name, DIGEST, nick, room, uses, lifetime_ms, "because")


def left(crowd: Crowd) -> dict[str, int]:
    """How often each invite can still be used."""
    return {row.invite: row.uses for row in crowd.ask(ACCOUNT, wire.ListInvites(0, 0, "")).invites}


# ---- making ----


def test_who_administers_makes_them(crowd: Crowd) -> None:
    for request in (invite(), wire.EndInvite(0, 0, ID, ""), wire.ListInvites(0, 0, "")):
        assert crowd.refusal(ANN, request) is Refusal.NOT_ALLOWED
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "ann", wire.OPERATOR, ""))
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    pos = crowd.act(ANN, invite(nick="Dora", room="DEV", lifetime_ms=1_000))
    made = wire.Acted("ann", "invite_made", "", ID, TIME_MS + 1_000, "uses=1 nick=Dora room=dev", "because")
    assert crowd.entries(ANN, "$")[-1] == made
    assert crowd.act(ANN, invite("bbbbbbbb")) == pos + 1  # it stands in the log alone
    assert crowd.ask(ACCOUNT, wire.ListInvites(0, 0, "")).invites == [
        wire.InviteRow(ID, "ann", "Dora", "dev", 1, TIME_MS + 1_000),
        wire.InviteRow("bbbbbbbb", "ann", "", "", 1, wire.FOR_EVER),
    ]
    assert [row.invite for row in crowd.ask(ANN, wire.ListInvites(0, 0, ID)).invites] == ["bbbbbbbb"]


def test_one_that_is_there(crowd: Crowd) -> None:
    request = crowd.asks(ACCOUNT, invite())
    first, again = crowd.answers(request, request)
    assert first.pos > 0 and again.pos == 0
    other = wire.MakeInvite(0, 0, ID, sha256(b"another").digest(), "", "", 1, 0, "")
    assert crowd.refusal(ACCOUNT, other) is Refusal.ID_REUSED
    assert crowd.refusal_of_hello(EVE, invite=LINK) is None


def test_what_it_can_be_for(crowd: Crowd) -> None:
    for name in ("ann,bob", "all", "7", "x y"):
        assert crowd.refusal(ACCOUNT, invite(nick=name)) is Refusal.NAME_INVALID
        assert crowd.refusal(ACCOUNT, invite(room=name)) is Refusal.NAME_INVALID
    assert crowd.refusal(ACCOUNT, invite(room="nowhere")) is Refusal.NO_SUCH_ROOM
    crowd.act(ANN, wire.MakeToken(0, 0, "robo", "r" * 40, [], True, True, 0, ""))
    assert crowd.refusal(ACCOUNT, invite(nick="robo")) is Refusal.NOT_ALLOWED
    room = crowd.private_room(BOB, CAT)
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "ann", wire.OPERATOR, ""))
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "cat", wire.OPERATOR, ""))
    assert crowd.refusal(ANN, invite(room=room)) is Refusal.NO_SUCH_ROOM
    assert crowd.refusal(CAT, invite(room=room)) is Refusal.NOT_ALLOWED  # no operator there
    crowd.act(BOB, wire.SetRole(0, 0, room, "cat", wire.OPERATOR, ""))
    assert crowd.act(CAT, invite(room=room)) > 0
    assert crowd.act(ACCOUNT, invite("bbbbbbbb", room=room)) > 0  # it has the disk


def test_too_many() -> None:
    crowd = Crowd(ACCOUNT, limits=Limits(invites_max=1))
    crowd.act(ACCOUNT, invite())
    assert crowd.act(ACCOUNT, invite()) == 0
    assert crowd.refusal(ACCOUNT, invite("bbbbbbbb")) is Refusal.LIMIT_REACHED
    crowd.act(ACCOUNT, wire.EndInvite(0, 0, ID, ""))
    assert crowd.act(ACCOUNT, invite("bbbbbbbb")) > 0


def test_ending_one(strict: Crowd) -> None:
    strict.act(ACCOUNT, invite())
    assert strict.act(ACCOUNT, wire.EndInvite(0, 0, ID, "leaked")) > 0
    ended = wire.Acted("$", "invite_ended", "", ID, 0, "", "leaked")
    assert strict.entries(ACCOUNT, "$")[-1] == ended
    assert strict.refusal_of_hello(EVE, invite=LINK) is Refusal.INVITE_INVALID
    assert strict.refusal(ACCOUNT, wire.EndInvite(0, 0, ID, "")) is Refusal.NO_SUCH_ENTRY
    assert strict.refusal(ACCOUNT, wire.EndInvite(0, 0, "zzzzzzzz", "")) is Refusal.NO_SUCH_ENTRY


# ---- registering ----


def test_without_one_nobody_is_registered(strict: Crowd) -> None:
    assert strict.refusal_of_hello(EVE) is Refusal.NOT_INVITED
    assert strict.refusal_of_hello(ANN) is None  # who is known needs none
    strict.act(ACCOUNT, invite())
    for wrong in (
        "x",
        ID,
        SECRET,
        ID + SECRET[:-1],
        ID + SECRET + "a",
        ID + SECRET[:-1] + "a",
        ID + SECRET.upper(),
        "bbbbbbbb" + SECRET,
        ID + "a" * 32,
        ID + SECRET[:8] + "a" * 24,
        LINK[:-1] + "é",
        "é" * 40,
    ):
        assert strict.refusal_of_hello(EVE, invite=wrong) is Refusal.INVITE_INVALID, wrong
    assert left(strict) == {ID: 1}
    assert strict.refusal_of_hello(EVE, invite=LINK) is None
    assert left(strict) == {}


def test_what_it_leaves_in_the_log(strict: Crowd) -> None:
    strict.act(ACCOUNT, invite(uses=2))
    stored = len(strict.play.entries)
    strict.greet(EVE, invite=LINK)
    assert strict.play.entries[stored:] == [
        wire.Registered("eve", "eve", EVE.key, ID),
        wire.Joined("eve", False),
        wire.Acted("eve", "invite_used", "", ID, 0, "left=1", ""),
    ]
    assert SECRET[:10].encode() not in b"".join(strict.play.segments)


def test_it_is_used_exactly_as_often_as_it_says(strict: Crowd) -> None:
    strict.act(ACCOUNT, invite(uses=3))
    people = [somebody(f"user{n}") for n in range(5)]
    for number, peer in enumerate(people):
        for _ in range(2):
            told = strict.refusal_of_hello(peer, invite=LINK)
            assert told is (None if number < 3 else Refusal.INVITE_INVALID)
    assert left(strict) == {}


def test_two_in_the_same_turn(strict: Crowd) -> None:
    strict.act(ACCOUNT, invite())
    strict.play.receive(*(peer.asks(hello(name(peer), invite=LINK)) for peer in (EVE, FAY)))
    assert told(strict, EVE) == ["Welcome"]
    assert told(strict, FAY) == [Refusal.INVITE_INVALID]
    assert sorted(strict.play.core._context.log.state.users) == ["ann", "eve"]
    assert len(strict.play.core._context.sessions) == 3  # the account, Ann, Eve


def test_one_while_the_other_is_on_its_way_to_the_disk(strict: Crowd) -> None:
    strict.act(ACCOUNT, invite())
    strict.play.hold()
    strict.play.receive(EVE.asks(hello("eve", invite=LINK)))
    strict.play.receive(FAY.asks(hello("fay", invite=LINK)))
    assert told(strict, FAY) == []  # that it is used up is not yet on disk
    strict.play.catch_up()
    assert told(strict, FAY) == [Refusal.INVITE_INVALID]


def test_when_that_fails_the_next_one_has_it(strict: Crowd) -> None:
    strict.act(ACCOUNT, invite())
    strict.play.store.fail_next(certain=True)
    strict.play.receive(EVE.asks(hello("eve", invite=LINK)))
    assert told(strict, EVE) == [Refusal.STORAGE_UNAVAILABLE]
    strict.play.elapse(1_000)
    assert left(strict) == {ID: 1}
    assert strict.refusal_of_hello(FAY, invite=LINK) is None
    assert strict.refusal_of_hello(EVE, invite=LINK) is Refusal.INVITE_INVALID


@pytest.mark.parametrize("stored", [True, False])
def test_when_nobody_knows_whether_it_was_used(strict: Crowd, stored: bool) -> None:
    strict.act(ACCOUNT, invite())
    strict.play.hold()
    strict.play.receive(EVE.asks(hello("eve", invite=LINK)))
    write = strict.play.waiting.pop()
    assert isinstance(write, port.Write)
    if stored:
        strict.play.store.write(write)
    strict.play.handle(port.Failed(write.seq, certain=False))
    strict.play.catch_up()
    strict.play.elapse(1_000)
    assert left(strict) == ({} if stored else {ID: 1})
    assert strict.refusal_of_hello(EVE, invite=LINK) is None
    assert left(strict) == {}
    assert strict.refusal_of_hello(FAY, invite=LINK) is Refusal.INVITE_INVALID


def test_a_hello_that_is_repeated_uses_it_once(strict: Crowd) -> None:
    """At once, on another connection, after the answer was lost, after a restart."""
    strict.act(ACCOUNT, invite(uses=3))
    again, elsewhere = EVE.asks(hello("eve", invite=LINK)), EVE.elsewhere("elsewhere")
    strict.play.hold()
    strict.play.receive(again, again)
    strict.play.receive(again, elsewhere.asks(hello("eve", instance=2, invite=LINK)))
    strict.play.catch_up()
    strict.play.skip()
    assert left(strict) == {ID: 2}
    for peer in (EVE, elsewhere):
        assert strict.refusal_of_hello(peer, "eve", invite=LINK) is None
    after = Crowd(ACCOUNT, play=strict.play.restarted())
    assert after.refusal_of_hello(EVE, invite=LINK) is None
    assert left(after) == {ID: 2}


def test_with_another_nick_the_key_is_bound(strict: Crowd) -> None:
    strict.act(ACCOUNT, invite(uses=2))
    strict.greet(EVE, invite=LINK)
    assert strict.refusal_of_hello(EVE, "fay", invite=LINK) is Refusal.KEY_BOUND
    assert strict.refusal_of_hello(FAY, "eve", invite=LINK) is Refusal.NICK_TAKEN
    assert left(strict) == {ID: 1}


def test_without_register_it_is_looked_at_and_not_used(strict: Crowd) -> None:
    """What an examination hears."""
    strict.act(ACCOUNT, invite())
    for secret, wanted in (
        (LINK, Refusal.NOT_REGISTERED),
        (LINK[:-1], Refusal.INVITE_INVALID),
        ("", Refusal.NOT_INVITED),
    ):
        assert strict.refusal_of_hello(EVE, invite=secret, register=False) is wanted
    assert left(strict) == {ID: 1}


def test_an_open_broker_takes_them_as_well(crowd: Crowd) -> None:
    crowd.act(ACCOUNT, invite())
    assert crowd.refusal_of_hello(EVE, invite="bbbbbbbb" + SECRET) is Refusal.INVITE_INVALID
    assert crowd.refusal_of_hello(EVE, invite=LINK) is None
    assert left(crowd) == {}
    assert crowd.refusal_of_hello(FAY) is None


def test_who_is_known_is_let_in_whatever_secret_is_shown(crowd: Crowd) -> None:
    crowd.act(ACCOUNT, invite(uses=5))
    for secret in (LINK, "wrong", ID + "a" * 32):
        assert crowd.refusal_of_hello(ANN, invite=secret) is None
    assert left(crowd) == {ID: 5}


# ---- for a nick ----


def test_for_a_nick_that_is_free(strict: Crowd) -> None:
    strict.act(ACCOUNT, invite(nick="Eve"))
    assert strict.refusal_of_hello(FAY, invite=LINK) is Refusal.INVITE_INVALID
    assert strict.refusal_of_hello(EVE, "eVE", invite=LINK) is None  # nicks are compared, not spelt
    assert left(strict) == {}
    assert "eVE" in strict.play.core._context.log.state.users


def lost_key(crowd: Crowd) -> tuple[Peer, Peer]:
    """Bob's old key, which somebody else has by now and uses, and his new one."""
    crowd.act(ACCOUNT, invite(nick="BOB"))
    return BOB, somebody("new")


def test_in_place_of_a_lost_key(crowd: Crowd) -> None:
    thief, new = lost_key(crowd)
    second = thief.elsewhere("second")
    two = crowd.play.greet(second, "bob", instance=2)
    assert crowd.refusal_of_hello(EVE, "bob") is Refusal.NICK_TAKEN
    stored = len(crowd.play.entries)
    crowd.play.receive(new.asks(hello("Bob", instance=3, invite=LINK)))
    assert crowd.play.entries[stored:] == [
        wire.Acted("bob", "key_replaced", "", "bob", 0, "", ""),
        wire.Acted("bob", "invite_used", "", ID, 0, "left=0", ""),
    ]
    ended = (wire.Refused, Refusal.NOT_GREETED.value)
    for peer, number in ((thief, crowd.sessions[BOB]), (second, two)):
        (gone,) = [e.answer for e in crowd.play.effects if isinstance(e, Transmit) and e.peer == peer.peer]
        assert isinstance(gone, wire.Refused) and (type(gone), gone.code) == ended
        assert (gone.session, gone.token) == (number, 0)
    assert CutSubscribers((thief.key,), "the key was replaced") in crowd.play.effects
    (welcome,) = [e.answer for e in crowd.play.effects if isinstance(e, Transmit) and e.peer == new.peer]
    assert isinstance(welcome, wire.Welcome) and (welcome.nick, welcome.registered) == ("bob", False)
    crowd.play.skip()
    assert crowd.refusal_of_hello(thief) is Refusal.NICK_TAKEN
    assert not crowd.subscribes(thief, b"#general\0") and crowd.subscribes(new, b"#general\0")
    assert crowd.refusal_of_hello(thief, invite=LINK) is Refusal.NICK_TAKEN  # it was for one use
    assert crowd.refusal_of_hello(new, "bob", invite=LINK) is None
    assert crowd.refusal_of_hello(thief, "thief") is None  # a key like any other


def test_what_the_old_key_asks_in_the_same_commit(crowd: Crowd) -> None:
    thief, new = lost_key(crowd)
    crowd.play.hold()
    crowd.play.receive(crowd.asks(ACCOUNT, wire.SetAway(0, 0, "")), crowd.says(ANN, "#general", "a"))
    crowd.play.receive(
        crowd.says(thief, "#general", "before"),
        new.asks(hello("bob", instance=3, invite=LINK)),
        crowd.says(thief, "#general", "after"),
        crowd.asks(thief, wire.KeyedSend(0, 0, "#general", "k", "after")),
        crowd.asks(thief, wire.Join(0, 0, "ops")),
        crowd.asks(thief, wire.ChangeKey(0, 0, "t" * 40)),
    )
    crowd.play.catch_up()
    said = [e.texts for e in crowd.play.entries if isinstance(e, wire.Messages)]
    assert said == [["a"], ["before"]]
    assert "ops" not in crowd.play.core._context.log.state.rooms
    assert crowd.play.core._context.log.state.users["bob"].keys == {new.key}
    assert not [e for e in crowd.play.entries if isinstance(e, wire.KeyedMessage)]


def test_two_who_want_the_same_nick(crowd: Crowd) -> None:
    """By one use: the first one has it."""
    lost_key(crowd)
    crowd.play.receive(
        EVE.asks(hello("bob", instance=4, invite=LINK)), FAY.asks(hello("bob", instance=5, invite=LINK))
    )
    assert told(crowd, EVE) == ["Welcome"] and told(crowd, FAY) == [Refusal.NICK_TAKEN]


def test_one_nick_is_one_use(crowd: Crowd) -> None:
    assert crowd.refusal(ACCOUNT, invite(nick="bob", uses=2)) is Refusal.NOT_ALLOWED


def test_of_two_invites_for_one_nick_the_first_one_used_ends_the_other(crowd: Crowd) -> None:
    """Else whoever has the other link could take the nick over, as long as that lasts."""
    for nick, link, other in (("bob", "aaaaaaaa", "bbbbbbbb"), ("gus", "cccccccc", "dddddddd")):
        for name in (link, other):
            crowd.act(ACCOUNT, invite(name, nick=nick))
        assert crowd.refusal_of_hello(EVE if nick == "bob" else FAY, nick, invite=link + LINK[8:]) is None
        taken = crowd.refusal_of_hello(somebody("thief"), nick, invite=other + LINK[8:])
        assert taken is Refusal.NICK_TAKEN


def test_an_invite_for_a_free_nick_takes_it_from_nobody(crowd: Crowd) -> None:
    """Somebody else came in under it meanwhile."""
    crowd.act(ACCOUNT, invite("aaaaaaaa", nick="gus"))
    crowd.act(ACCOUNT, invite("bbbbbbbb"))
    assert crowd.refusal_of_hello(FAY, "gus", invite="bbbbbbbb" + LINK[8:]) is None
    assert crowd.refusal_of_hello(EVE, "gus", invite=LINK) is Refusal.NICK_TAKEN


def test_whoever_administers_no_longer_has_invited_nobody(crowd: Crowd) -> None:
    for end in (
        wire.SetRole(0, 0, "", "bob", wire.NONE, ""),
        wire.Sanction(0, 0, "", "bob", wire.BAN, 0, ""),
    ):
        crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.OPERATOR, ""))
        crowd.act(BOB, invite("aaaaaaaa"))
        crowd.act(ACCOUNT, end)
        assert crowd.refusal_of_hello(EVE, "eve", invite=LINK) is Refusal.INVITE_INVALID


def test_a_key_is_replaced_on_request_only(crowd: Crowd) -> None:
    _, new = lost_key(crowd)
    assert crowd.refusal_of_hello(new, "bob", invite=LINK, register=False) is Refusal.NOT_REGISTERED
    assert left(crowd) == {ID: 1}
    assert crowd.refusal_of_hello(BOB) is None


def test_a_key_of_somebody_else_replaces_none(crowd: Crowd) -> None:
    lost_key(crowd)
    assert crowd.refusal_of_hello(CAT, "bob", invite=LINK) is Refusal.KEY_BOUND
    assert left(crowd) == {ID: 1}


def test_who_is_banned_is_not_let_in_with_another_key(crowd: Crowd) -> None:
    _, new = lost_key(crowd)
    crowd.act(ACCOUNT, wire.Sanction(0, 0, "", "bob", wire.BAN, FOR_EVER, ""))
    assert crowd.refusal_of_hello(new, "bob", invite=LINK) is Refusal.BANNED
    assert left(crowd) == {ID: 1}


def test_who_has_all_sessions_taken_gets_the_nick_back() -> None:
    crowd = Crowd(ACCOUNT, BOB, limits=Limits(sessions_per_user_max=1))
    crowd.act(ACCOUNT, invite(nick="bob"))
    assert crowd.refusal_of_hello(BOB.elsewhere("b"), "bob", instance=2) is Refusal.LIMIT_REACHED
    assert crowd.refusal_of_hello(EVE, "bob", instance=2, invite=LINK) is None
    assert crowd.play.core._context.sessions.of("bob")[0].key == EVE.key


def test_a_bot_gets_no_other_key_by_an_invite(crowd: Crowd) -> None:
    """Not by one that was made before the bot was: it would be somebody without limits."""
    crowd.act(ACCOUNT, invite(nick="robo"))
    crowd.act(ANN, wire.MakeToken(0, 0, "robo", "r" * 40, [], True, False, 0, ""))
    assert crowd.refusal_of_hello(EVE, "robo", invite=LINK) is Refusal.NICK_TAKEN
    crowd.act(ANN, wire.EndToken(0, 0, "robo", ""))
    assert crowd.refusal_of_hello(EVE, "robo", invite=LINK) is Refusal.NICK_TAKEN
    assert left(crowd) == {ID: 1}


# ---- with a room ----


@pytest.mark.parametrize("private", [False, True])
def test_somebody_new_comes_into_the_room(strict: Crowd, private: bool) -> None:
    room = strict.ask(ANN, wire.Join(0, 0, "ops", private)).name or "ops"
    strict.act(ACCOUNT, invite(room=room, uses=2))
    stored = len(strict.play.entries)
    strict.greet(EVE, invite=LINK)
    assert strict.play.entries[stored + 2 :] == [
        wire.Acted("eve", "invite_used", "", ID, 0, "left=1", ""),
        wire.Joined("eve", False),
    ]
    assert strict.entries(EVE, f"#{room}")[-1] == wire.Joined("eve", False)
    assert isinstance(strict.send(EVE, f"#{room}", "hello"), int)
    heads = [head.conversation for head in strict.ask(EVE, wire.Ping(0, 0, 0, "")).heads]
    assert f"#{room}" in heads
    assert strict.refusal_of_hello(EVE, invite=LINK) is None
    assert left(strict) == {ID: 1}


@pytest.mark.parametrize("private", [False, True])
def test_somebody_known_comes_into_the_room(crowd: Crowd, private: bool) -> None:
    room = crowd.ask(ANN, wire.Join(0, 0, "ops", private)).name or "ops"
    crowd.act(ACCOUNT, invite(room=room, uses=3))
    assert crowd.refusal_of_hello(BOB, invite=LINK, register=False) is None  # only on request
    assert left(crowd) == {ID: 3}
    assert crowd.refusal_of_hello(BOB, invite=LINK) is None
    assert left(crowd) == {ID: 2}
    assert crowd.entries(BOB, f"#{room}")
    assert crowd.refusal_of_hello(BOB, invite=LINK) is None  # a member already
    assert crowd.refusal_of_hello(ANN, invite=LINK) is None
    assert left(crowd) == {ID: 2}


def test_two_hellos_of_one_user_at_once(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.act(ACCOUNT, invite(room=room, uses=3))
    elsewhere = BOB.elsewhere("elsewhere")
    crowd.play.receive(
        BOB.asks(hello("bob", invite=LINK)), elsewhere.asks(hello("bob", instance=2, invite=LINK))
    )
    assert told(crowd, BOB)[-1:] == ["Welcome"] and told(crowd, elsewhere) == ["Welcome"]
    assert left(crowd) == {ID: 2}


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("how", ["kick", "ban"])
def test_not_back_into_one_that_one_was_put_out_of(crowd: Crowd, private: bool, how: str) -> None:
    room = crowd.ask(ANN, wire.Join(0, 0, "ops", private)).name or "ops"
    crowd.act(ACCOUNT, invite(room=room, uses=3))
    crowd.refusal_of_hello(BOB, invite=LINK)
    if how == "kick":
        crowd.act(ANN, wire.Kick(0, 0, room, "bob", ""))
    else:
        crowd.act(ANN, wire.Sanction(0, 0, room, "bob", wire.BAN, FOR_EVER, ""))
    assert crowd.refusal_of_hello(BOB, invite=LINK) is None
    assert left(crowd) == {ID: 2}
    wanted = Refusal.NO_SUCH_ROOM if private else Refusal.NOT_ALLOWED
    assert crowd.refusal(BOB, wire.Fetch(0, 0, f"#{room}", 0, 0)) is wanted


def test_another_key_and_a_room_that_one_was_banned_from(crowd: Crowd) -> None:
    room = crowd.private_room(ANN, BOB)
    crowd.act(ANN, wire.Sanction(0, 0, room, "bob", wire.BAN, FOR_EVER, ""))
    crowd.act(ACCOUNT, invite(nick="bob", room=room))
    assert crowd.refusal_of_hello(EVE, "bob", invite=LINK) is None
    assert crowd.refusal(EVE, wire.Fetch(0, 0, f"#{room}", 0, 0)) is Refusal.NO_SUCH_ROOM
    assert left(crowd) == {}


def test_another_key_and_a_room(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.act(ACCOUNT, invite(nick="bob", room=room))
    assert crowd.refusal_of_hello(EVE, "bob", invite=LINK) is None
    assert crowd.entries(EVE, f"#{room}")[-1] == wire.Joined("bob", False)


def test_for_a_nick_and_a_room(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.act(ACCOUNT, invite(nick="bob", room=room))
    assert crowd.refusal_of_hello(CAT, invite=LINK) is None
    assert crowd.refusal(CAT, wire.Fetch(0, 0, f"#{room}", 0, 0)) is Refusal.NO_SUCH_ROOM
    assert crowd.refusal_of_hello(BOB, invite=LINK) is None
    assert crowd.entries(BOB, f"#{room}")


def test_who_is_in_as_many_rooms_as_allowed() -> None:
    crowd = Crowd(ANN, BOB, ACCOUNT, limits=Limits(joined_rooms_max=2))
    room = crowd.private_room(ANN)
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    crowd.act(ACCOUNT, invite(room=room))
    assert crowd.refusal_of_hello(BOB, invite=LINK) is None
    assert left(crowd) == {ID: 1}
    crowd.act(BOB, wire.Leave(0, 0, "dev"))
    assert crowd.refusal_of_hello(BOB, invite=LINK) is None
    assert left(crowd) == {} and crowd.entries(BOB, f"#{room}")


def test_bots_use_none(crowd: Crowd) -> None:
    robo = somebody("robo")
    room = crowd.private_room(ANN)
    crowd.act(ANN, wire.MakeToken(0, 0, "robo", robo.key, [], True, True, 0, ""))
    crowd.act(ACCOUNT, invite(room=room))
    assert crowd.refusal_of_hello(robo, invite=LINK) is None
    assert left(crowd) == {ID: 1}


# ---- ends ----


def test_one_that_has_ended(strict: Crowd) -> None:
    strict.act(ACCOUNT, invite(uses=2, lifetime_ms=60_000))
    strict.play.time_ms += 59_999
    assert strict.refusal_of_hello(EVE, invite=LINK) is None
    strict.play.time_ms += 1  # the log's time, which nobody has told yet
    strict.play.receive(FAY.asks(hello("fay", invite=LINK)))
    assert told(strict, FAY) == [Refusal.INVITE_INVALID]
    assert strict.play.entries[-1] == wire.Acted("$", "expired", "", ID, 0, "invite", "")
    assert left(strict) == {}


def test_the_last_use_and_the_end_at_once(strict: Crowd) -> None:
    """The end comes first."""
    strict.act(ACCOUNT, invite(lifetime_ms=60_000))
    strict.play.time_ms += 60_000
    strict.play.receive(EVE.asks(hello("eve", invite=LINK)))
    assert told(strict, EVE) == [Refusal.INVITE_INVALID]
    assert acts(strict.play.entries)[-1] == ("$", "expired", ID)


# ---- how many may try ----


def knocks(peer: Peer, address: str, secret: str = "x") -> Request:
    return peer.asks(hello(name(peer), invite=secret), address)


def test_greetings_are_counted_by_address() -> None:
    crowd = Crowd(ACCOUNT, ANN, limits=Limits(greetings_per_second=1, greetings_burst=3))
    refusals = []
    for number in range(5):
        crowd.play.receive(knocks(somebody(f"u{number}"), "192.0.2.1"))
        (effect,) = crowd.play.effects
        assert isinstance(effect, Transmit)
        refusals.append(effect.answer)
        crowd.play.skip()
    codes = [Refusal(a.code) for a in refusals if isinstance(a, wire.Refused)]
    assert codes == [Refusal.INVITE_INVALID] * 3 + [Refusal.RATE_LIMITED] * 2
    assert [a.retry_after_ms for a in refusals if isinstance(a, wire.Refused)] == [0, 0, 0, 1001, 1001]
    crowd.play.receive(knocks(EVE, "192.0.2.2"))  # another address
    assert told(crowd, EVE) == [Refusal.INVITE_INVALID]
    crowd.play.receive(ANN.asks(hello("ann"), "192.0.2.1"))  # somebody who is known
    assert told(crowd, ANN)[-1:] == ["Welcome"]
    crowd.play.now_ms += 1_001
    crowd.play.receive(knocks(EVE, "192.0.2.1"))
    assert told(crowd, EVE) == [Refusal.INVITE_INVALID]
    assert len(crowd.play.core._context.sessions) == 2


def test_no_more_addresses_are_remembered_than_sessions() -> None:
    crowd = Crowd(limits=Limits(greetings_burst=1, greetings_per_second=1, sessions_max=2))
    for number in range(4):
        crowd.play.receive(knocks(EVE, f"192.0.2.{number}"))
        assert told(crowd, EVE) == [Refusal.INVITE_INVALID]
    crowd.play.receive(knocks(EVE, "192.0.2.3"))
    assert told(crowd, EVE) == [Refusal.RATE_LIMITED]
    assert len(crowd.play.core._context.meters._addresses) == 2


# ---- inside ----


def name(peer: Peer) -> str:
    return peer.peer[1:].decode()


def told(crowd: Crowd, peer: Peer) -> list[Any]:
    """What somebody was answered to a Hello: welcome, or why not."""
    found: list[Any] = []
    for effect in crowd.play.effects:
        if isinstance(effect, Transmit) and effect.peer == peer.peer:
            answer = effect.answer
            found.append(Refusal(answer.code) if isinstance(answer, wire.Refused) else type(answer).__name__)
    crowd.play.effects = [
        e for e in crowd.play.effects if not (isinstance(e, Transmit) and e.peer == peer.peer)
    ]
    return found
