"""Rights that are decided on and not yet on disk: what is given does not count yet, what is taken does."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.broker.crowd import FOR_EVER, Crowd, texts
from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, Peer, hello, somebody
from zchat.broker.core import port
from zchat.broker.core.effects import Approve, CutSubscribers, Transmit, TransmitSegments
from zchat.broker.core.events import Request
from zchat.common import wire
from zchat.common.codes import Refusal

ROBO = somebody("robo")


def told_to(crowd: Crowd, who: Peer) -> list[Any]:
    """What somebody was told since the last look."""
    effects, crowd.play.effects = crowd.play.effects, []
    return [e for e in effects if isinstance(e, Transmit | TransmitSegments) and e.peer == who.peer]


def unwritten(crowd: Crowd, who: Peer, act: Any) -> Request:
    """An act is decided on; the disk has yet to take it."""
    crowd.play.skip()
    crowd.play.hold()
    request = crowd.asks(who, act)
    crowd.play.receive(request)
    crowd.play.expect()
    return request


def fail(crowd: Crowd, certain: bool = True) -> None:
    """The commit under way fails, and the broker recovers."""
    crowd.play.store.fail_next(certain)
    crowd.play.catch_up()
    crowd.play.elapse(1_000)
    crowd.play.skip()


def make_token(*rooms: str, send: bool = True, read: bool = True) -> wire.MakeToken:
    return wire.MakeToken(0, 0, "robo", ROBO.key, list(rooms), send, read, FOR_EVER, "")


# ---- what is given ----


def test_a_private_room_is_not_read_before_the_join_is_on_disk(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.send(ANN, f"#{room}", "secret")
    crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    unwritten(crowd, BOB, wire.Join(0, 0, room))
    fetch = crowd.asks(BOB, wire.Fetch(0, 0, f"#{room}", 0, 0))
    follow = crowd.asks(BOB, wire.Follow(0, 0, [room], True))
    crowd.play.receive(fetch, follow)
    crowd.play.carry_out(port.Read)
    assert told_to(crowd, BOB) == []
    crowd.play.receive(crowd.asks(BOB, wire.Ping(0, 0, 0, "")))
    (heads,) = told_to(crowd, BOB)
    assert f"#{room}" not in [head.conversation for head in heads.answer.heads]
    crowd.play.catch_up()
    assert texts([e for s in crowd.answer(fetch) for e in s.entries]) == ["secret"]
    assert isinstance(crowd.answer(follow), wire.Followed)


def test_nor_when_it_never_gets_there(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    unwritten(crowd, BOB, wire.Join(0, 0, room))
    crowd.play.receive(
        crowd.asks(BOB, wire.Fetch(0, 0, f"#{room}", 0, 0)),
        crowd.asks(BOB, wire.Follow(0, 0, [room], True)),
    )
    crowd.play.carry_out(port.Read)
    crowd.play.store.fail_next(certain=True)
    crowd.play.catch_up()
    codes = [Refusal(effect.answer.code) for effect in told_to(crowd, BOB)]
    assert codes == [Refusal.STORAGE_UNAVAILABLE, Refusal.UNREADABLE, Refusal.UNREADABLE]
    crowd.play.elapse(1_000)
    crowd.send(ANN, f"#{room}", "secret")
    crowd.play.skip()
    assert f"#{room}" not in [h.conversation for h in crowd.ask(BOB, wire.Ping(0, 0, 0, "")).heads]
    crowd.play.receive(crowd.says(ANN, f"#{room}", "secret too"))
    assert told_to(crowd, BOB) == []


def test_a_page_that_comes_while_the_state_is_being_loaded_again(crowd: Crowd) -> None:
    room = crowd.private_room(ANN)
    crowd.act(ANN, wire.InviteToRoom(0, 0, room, "bob"))
    unwritten(crowd, BOB, wire.Join(0, 0, room))
    fetch = crowd.asks(BOB, wire.Fetch(0, 0, f"#{room}", 0, 0))
    crowd.play.receive(fetch)
    crowd.play.store.fail_next(certain=False)
    crowd.play.carry_out(port.Write)
    crowd.play.carry_out(port.Read)
    assert Refusal(crowd.answer(fetch).code) is Refusal.UNREADABLE
    crowd.play.catch_up()
    crowd.play.elapse(1_000)


def test_the_log_is_not_read_before_the_role_is_on_disk(crowd: Crowd) -> None:
    unwritten(crowd, ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.OPERATOR, ""))
    fetch = crowd.asks(BOB, wire.Fetch(0, 0, "$", 0, 0))
    crowd.play.receive(fetch)
    crowd.play.carry_out(port.Read)
    assert told_to(crowd, BOB) == []
    crowd.play.catch_up()
    assert crowd.answer(fetch)


def test_a_pardon_that_never_gets_there(crowd: Crowd) -> None:
    """Bob followed by a right that was then lost."""
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(ANN, wire.Sanction(0, 0, "dev", "bob", wire.BAN, FOR_EVER, ""))
    unwritten(crowd, ANN, wire.Pardon(0, 0, "dev", "bob", wire.BAN, ""))
    crowd.play.receive(crowd.asks(BOB, wire.Follow(0, 0, ["dev"], True)))
    crowd.play.subscribe(BOB, b"#dev\0")
    crowd.play.expect()
    fail(crowd)
    crowd.play.receive(crowd.says(ANN, "#dev", "not for Bob"))
    assert told_to(crowd, BOB) == []
    crowd.play.subscribe(BOB, b"#dev\0")
    crowd.play.expect()
    assert "#dev" not in [h.conversation for h in crowd.ask(BOB, wire.Ping(0, 0, 0, "")).heads]


def test_a_key_that_is_not_yet_anybodys_subscribes_to_nothing(crowd: Crowd) -> None:
    dan = somebody("dan")
    crowd.play.hold()
    crowd.play.receive(dan.asks(hello("dan")))
    unwritten(crowd, ANN, make_token())
    for peer in (dan, ROBO):
        for topic in (b"#general\0", b"!here\0"):
            crowd.play.subscribe(peer, topic)
            crowd.play.expect(CutSubscribers((peer.key,), "nobody's subscription"))
    crowd.play.catch_up()
    crowd.play.skip()
    for peer in (dan, ROBO):
        crowd.play.subscribe(peer, b"#general\0")
        crowd.play.expect(Approve(b"#general\0"))


def test_a_new_key_whose_change_fails_opens_no_session(crowd: Crowd) -> None:
    new = somebody("new")
    unwritten(crowd, ANN, wire.ChangeKey(0, 0, new.key))
    crowd.play.receive(new.asks(hello("ann", instance=2)))
    crowd.play.store.fail_next(certain=True)
    crowd.play.catch_up()
    crowd.play.elapse(1_000)
    assert [Refusal(effect.answer.code) for effect in told_to(crowd, new)] == [Refusal.NICK_TAKEN]
    assert crowd.act(ANN, wire.SetAway(0, 0, "still here")) > 0


# ---- what is taken ----


@pytest.mark.parametrize("certain", [True, False])
def test_a_kick_that_never_gets_there(crowd: Crowd, certain: bool) -> None:
    """Bob subscribes and follows meanwhile; nothing has changed in the end."""
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    crowd.ask(BOB, wire.Follow(0, 0, [], True))
    unwritten(crowd, ANN, wire.Kick(0, 0, "dev", "bob", ""))
    crowd.play.subscribe(BOB, b"#dev\0")
    crowd.play.expect(Approve(b"#dev\0"))  # until it is on disk; then the connection is cut
    fail(crowd, certain)
    crowd.play.receive(crowd.says(ANN, "#dev", "also for Bob"))
    assert len(told_to(crowd, BOB)) == 1
    assert isinstance(crowd.send(BOB, "#dev", "here I am"), int)


def test_a_page_is_refused_by_a_kick_only_when_that_is_on_disk(crowd: Crowd) -> None:
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    unwritten(crowd, ANN, wire.Kick(0, 0, "dev", "bob", "enough"))
    fetch = crowd.asks(BOB, wire.Fetch(0, 0, "#dev", 0, 0))
    crowd.play.receive(fetch)
    crowd.play.expect()
    crowd.play.catch_up()
    answer = crowd.answer(fetch)
    assert (answer.code, answer.reason) == (
        Refusal.NOT_ALLOWED.value,
        "you were kicked out of #dev by ann: enough; joining lets you in again",
    )


@pytest.mark.parametrize("private", [False, True])
def test_a_page_that_was_being_read_when_the_kick_came(crowd: Crowd, private: bool) -> None:
    room = crowd.private_room(ANN, BOB) if private else "dev"
    if not private:
        crowd.act(ANN, wire.Join(0, 0, room))
    crowd.send(ANN, f"#{room}", "before")
    crowd.play.hold()
    fetch = crowd.asks(BOB, wire.Fetch(0, 0, f"#{room}", 0, 0))
    crowd.play.receive(fetch)
    crowd.play.receive(crowd.asks(ANN, wire.Kick(0, 0, room, "bob", "enough")))
    crowd.play.carry_out(port.Read)
    assert told_to(crowd, BOB) == []  # what is told depends on the kick
    crowd.play.catch_up()
    answer = crowd.answer(fetch)
    wanted = Refusal.NO_SUCH_ROOM if private else Refusal.NOT_ALLOWED
    assert Refusal(answer.code) is wanted
    assert answer.reason == crowd.reason(BOB, wire.Fetch(0, 0, f"#{room}", 0, 0))


def test_a_page_of_the_log_that_was_being_read_when_the_role_went(crowd: Crowd) -> None:
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.OPERATOR, ""))
    crowd.play.hold()
    fetch = crowd.asks(BOB, wire.Fetch(0, 0, "$", 0, 0))
    crowd.play.receive(fetch, crowd.asks(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.NONE, "")))
    crowd.play.catch_up()
    assert Refusal(crowd.answer(fetch).code) is Refusal.NOT_ALLOWED
    assert "administers" in crowd.answer(fetch).reason


ENDINGS: list[Callable[[Crowd], tuple[Peer, Any]]] = [
    lambda crowd: (ANN, wire.EndToken(0, 0, "robo", "")),
    lambda crowd: (ACCOUNT, wire.Sanction(0, 0, "", "robo", wire.BAN, FOR_EVER, "")),
    lambda crowd: (ACCOUNT, wire.Sanction(0, 0, "", "ann", wire.BAN, FOR_EVER, "")),
]


@pytest.mark.parametrize("ending", ENDINGS, ids=["token", "ban", "ban of the maker"])
def test_a_bot_whose_right_is_ending_has_no_other_one_meanwhile(
    crowd: Crowd, ending: Callable[[Crowd], tuple[Peer, Any]]
) -> None:
    """It may send to one room; without its token it is not somebody who may do everything."""
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(ANN, make_token("dev", read=False))
    crowd.greet(ROBO)
    crowd.send(BOB, "#general", "secret")
    unwritten(crowd, *ending(crowd))
    asked: list[Any] = [
        wire.Fetch(0, 0, "#general", 0, 0),
        wire.Fetch(0, 0, "#dev", 0, 0),
        wire.ListPeople(0, 0, None, ""),
        wire.Follow(0, 0, ["general"], True),
        wire.Join(0, 0, "general"),
        wire.Join(0, 0, "ops", True),
        wire.KeyedSend(0, 0, "#general", "k", "x"),
        wire.MakeToken(0, 0, "other", "o" * 40, [], True, True, 0, ""),
        wire.Redact(0, 0, "#general", 8, ""),
    ]
    stored = len(crowd.play.entries)
    crowd.play.receive(crowd.says(ROBO, "#dev", "x"), *(crowd.asks(ROBO, one) for one in asked))
    crowd.play.subscribe(ROBO, b"#general\0")
    assert Approve(b"#general\0") not in crowd.play.effects
    crowd.play.catch_up()
    answers = [effect.answer for effect in told_to(crowd, ROBO) if isinstance(effect, Transmit)]
    assert {type(answer) for answer in answers} == {wire.Refused}
    assert {Refusal(a.code) for a in answers} <= {Refusal.NOT_ALLOWED, Refusal.NOT_GREETED}
    assert {type(entry) for entry in crowd.play.entries[stored:]} <= {wire.Acted, wire.Left}


def test_who_is_being_banned_gets_no_page_any_more(crowd: Crowd) -> None:
    unwritten(crowd, ACCOUNT, wire.Sanction(0, 0, "", "bob", wire.BAN, FOR_EVER, ""))
    fetch = crowd.asks(BOB, wire.Fetch(0, 0, "#general", 0, 0))
    crowd.play.receive(fetch)
    if any(isinstance(one, port.Read) for one in crowd.play.waiting):
        crowd.play.carry_out(port.Read)
    assert told_to(crowd, BOB) == []
    crowd.play.catch_up()
    direct, ended = told_to(crowd, BOB)  # what the account did, and that the session is over
    assert isinstance(direct, TransmitSegments) and isinstance(direct.header, wire.Deliver)
    assert Refusal(ended.answer.code) is Refusal.NOT_GREETED
    assert crowd.play.dismissed == [BOB.key]


def test_who_greets_while_being_banned_is_told_so(crowd: Crowd) -> None:
    """When the ban is on disk. What it looked up before does not count."""
    elsewhere = BOB.elsewhere("elsewhere")
    crowd.play.hold()
    crowd.play.receive(elsewhere.asks(hello("bob", instance=5)))
    crowd.play.receive(
        crowd.asks(ACCOUNT, wire.Sanction(0, 0, "", "bob", wire.BAN, FOR_EVER, "spam")),
        elsewhere.asks(hello("bob", instance=6)),
    )
    crowd.play.expect()
    crowd.play.catch_up()
    told = told_to(crowd, elsewhere)
    assert [Refusal(e.answer.code) for e in told] == [Refusal.BANNED] and told[0].answer.session == 0


def test_a_hello_under_way_when_its_user_is_banned(crowd: Crowd) -> None:
    elsewhere = BOB.elsewhere("elsewhere")
    crowd.play.hold()
    crowd.play.receive(crowd.asks(ACCOUNT, wire.Sanction(0, 0, "", "cat", wire.MUTE, FOR_EVER, "")))
    crowd.play.receive(elsewhere.asks(hello("bob", instance=5)))  # its look-up waits behind the first Write
    crowd.play.receive(crowd.asks(ACCOUNT, wire.Sanction(0, 0, "", "bob", wire.BAN, FOR_EVER, "")))
    crowd.play.catch_up()
    assert [Refusal(e.answer.code) for e in told_to(crowd, elsewhere)] == [Refusal.BANNED]
    assert crowd.refusal_of_hello(BOB) is Refusal.BANNED


def test_a_hello_under_way_when_a_ban_has_ended_and_that_is_not_on_disk(crowd: Crowd) -> None:
    dan = somebody("dan")
    crowd.play.hold()
    crowd.play.receive(crowd.says(CAT, "#general", "x"))
    crowd.play.receive(
        dan.asks(hello("dan")),
        crowd.asks(ACCOUNT, wire.Sanction(0, 0, "", "dan", wire.BAN, 60_000, "")),
    )
    crowd.play.carry_out(port.Write)
    crowd.play.receive(crowd.says(CAT, "#general", "y"))
    crowd.play.time_ms += 60_000
    crowd.play.carry_out(port.Write)  # the ban is on disk, and its end is decided
    crowd.play.carry_out(port.LoadInstance)
    assert told_to(crowd, dan) == []
    crowd.play.store.fail_next(certain=True)
    crowd.play.carry_out(port.Write)
    crowd.play.catch_up()
    assert [Refusal(e.answer.code) for e in told_to(crowd, dan)] == [Refusal.BANNED]
    crowd.play.elapse(1_000)
    crowd.play.elapse(1_000)
    assert crowd.refusal_of_hello(dan) is None


# ---- commits of unknown outcome ----


def found_after_all(crowd: Crowd) -> None:
    """The commit under way fails at its end, and is on disk all the same."""
    write = next(one for one in crowd.play.waiting if isinstance(one, port.Write))
    crowd.play.waiting.remove(write)
    crowd.play.store.write(write)
    crowd.play.handle(port.Failed(write.seq, certain=False))
    crowd.play.catch_up()
    crowd.play.elapse(1_000)


def test_a_ban_that_turns_out_to_be_on_disk(crowd: Crowd) -> None:
    unwritten(crowd, ACCOUNT, wire.Sanction(0, 0, "", "bob", wire.BAN, FOR_EVER, ""))
    found_after_all(crowd)
    cuts = [e for e in crowd.play.effects if isinstance(e, CutSubscribers)]
    assert cuts and all(cut.keys == (BOB.key,) for cut in cuts)
    assert [Refusal(e.answer.code) for e in told_to(crowd, BOB)] == [Refusal.NOT_GREETED]
    assert crowd.refusal_of_hello(BOB) is Refusal.BANNED
    assert not crowd.subscribes(BOB, wire.HERE)


def test_a_kick_that_turns_out_to_be_on_disk(crowd: Crowd) -> None:
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.ask(BOB, wire.Follow(0, 0, ["dev"], True))
    unwritten(crowd, ANN, wire.Kick(0, 0, "dev", "bob", ""))
    found_after_all(crowd)
    assert CutSubscribers((BOB.key,), "kicked") in crowd.play.effects
    crowd.play.skip()
    crowd.play.receive(crowd.says(ANN, "#dev", "not for Bob"))
    assert told_to(crowd, BOB) == []
    assert isinstance(crowd.send(BOB, "#general", "still here"), int)


@pytest.mark.parametrize("act", ["ChangeKey", "EndToken"])
def test_a_key_that_turns_out_to_be_nobodys(crowd: Crowd, act: str) -> None:
    new = somebody("new")
    crowd.act(ANN, make_token())
    crowd.greet(ROBO)
    who = ANN if act == "ChangeKey" else ROBO
    unwritten(crowd, ANN, wire.ChangeKey(0, 0, new.key) if who is ANN else wire.EndToken(0, 0, "robo", ""))
    found_after_all(crowd)
    told = [e.answer for e in told_to(crowd, who) if isinstance(e, Transmit)]
    assert [(a.session, a.code) for a in told if isinstance(a, wire.Refused)] == [
        (crowd.sessions[who], Refusal.NOT_GREETED.value)
    ]
    assert crowd.refusal_of_hello(who, "ann" if who is ANN else "robo") is Refusal.NICK_TAKEN
    if who is ANN:
        assert crowd.refusal_of_hello(new, "ann") is None


def test_a_leaving_that_turns_out_to_be_on_disk(crowd: Crowd) -> None:
    room = crowd.private_room(ANN, BOB)
    unwritten(crowd, BOB, wire.Leave(0, 0, room))
    found_after_all(crowd)
    crowd.play.skip()
    crowd.play.receive(crowd.says(ANN, f"#{room}", "not for Bob"))
    assert told_to(crowd, BOB) == []
    assert crowd.refusal(BOB, wire.Fetch(0, 0, f"#{room}", 0, 0)) is Refusal.NO_SUCH_ROOM
