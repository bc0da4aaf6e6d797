"""Profiles, being away, ignoring, and keys of one's own. protocol.md, Presence and Keys of a User."""

from typing import Any

import pytest

from tests.unit.broker.crowd import DAN, Crowd, asked_by
from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, TIME_MS, delivered, hello, somebody
from zchat.broker.core.effects import CutSubscribers, Publish, Transmit
from zchat.broker.core.limits import Limits
from zchat.common import wire
from zchat.common.codes import Refusal

NEW = somebody("new")


def here(*people: wire.Person) -> Publish:
    return Publish(wire.HERE, wire.encode(wire.Presence(0, list(people))))


# ---- profiles ----


def test_a_profile(crowd: Crowd) -> None:
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    crowd.act(BOB, wire.Join(0, 0, "ops"))
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.OPERATOR, ""))
    crowd.act(BOB, wire.SetAway(0, 0, "lunch"))
    crowd.play.greet(BOB.elsewhere("quiet"), "bob", instance=2, quiet=True)
    crowd.play.now_ms += 7_000
    answer = crowd.ask(ANN, wire.Whois(0, 0, "BOB"))
    assert answer == wire.Profile(
        session=crowd.sessions[ANN],
        token=answer.token,
        nick="bob",
        keys=[BOB.key],
        since_ms=TIME_MS,
        seen_ms=TIME_MS + 7_000,
        sessions=2,
        present=True,
        away="lunch",
        idle_ms=7_000,
        role=wire.OPERATOR,
        maker="",
        rooms=["dev", "general"],
        ignored=[],
    )


def test_who_is_not_here(crowd: Crowd) -> None:
    crowd.play.now_ms += 3_000
    crowd.answers(crowd.asks(BOB, wire.Bye(0)))
    crowd.play.now_ms += 4_000
    answer = crowd.ask(ANN, wire.Whois(0, 0, "bob"))
    assert (answer.sessions, answer.present, answer.idle_ms) == (0, False, 0)
    assert answer.seen_ms == TIME_MS + 3_000
    crowd.send(ANN, "#general", "x")  # with which it is kept
    after = Crowd(ANN, play=crowd.play.restarted())
    assert after.ask(ANN, wire.Whois(0, 0, "bob")).seen_ms == TIME_MS + 3_000


def test_somebody_who_was_never_seen_by_this_broker(crowd: Crowd) -> None:
    after = Crowd(ANN, play=crowd.play.restarted())
    assert after.ask(ANN, wire.Whois(0, 0, "bob")).seen_ms == 0


def test_nobody_has_no_profile(crowd: Crowd) -> None:
    for nick in ("eve", "$", "a,b", "general"):
        assert crowd.refusal(ANN, wire.Whois(0, 0, nick)) is Refusal.NO_SUCH_USER
    assert crowd.refusal(ACCOUNT, wire.Whois(0, 0, "")) is Refusal.NO_SUCH_USER
    assert crowd.ask(ACCOUNT, wire.Whois(0, 0, "ann")).rooms == ["general"]


def test_which_rooms_are_told(crowd: Crowd) -> None:
    """Those of both; administrators see all public ones, and no private one that they are not in."""
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    private = crowd.private_room(BOB, CAT)
    rooms = {peer: crowd.ask(peer, wire.Whois(0, 0, "bob")).rooms for peer in (ANN, CAT, ACCOUNT, BOB)}
    assert rooms == {
        ANN: ["general"],
        CAT: ["general", private],
        ACCOUNT: ["dev", "general"],
        BOB: ["dev", "general", private],
    }
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "cat", wire.OPERATOR, ""))
    assert crowd.ask(CAT, wire.Whois(0, 0, "bob")).rooms == ["dev", "general", private]


# ---- being away ----


def test_who_is_away_is_seen_to_be(crowd: Crowd) -> None:
    crowd.play.elapse(100)
    crowd.play.skip()
    crowd.play.receive(request := crowd.asks(BOB, wire.SetAway(0, 0, "lunch")))
    crowd.play.expect(
        Transmit(BOB.peer, wire.Done(*asked_by(request.request), crowd.play.core._context.log.state.last_pos))
    )
    assert crowd.play.entries[-1] == wire.Acted("bob", "away", "", "bob", 0, "lunch", "")
    crowd.play.elapse(100)
    crowd.play.expect(here(wire.Person("bob", True, True)))
    people = {one.nick: one.away for one in crowd.ask(ANN, wire.ListPeople(0, 0, None, "")).people}
    assert people == {"ann": False, "bob": True, "cat": False}
    assert crowd.act(BOB, wire.SetAway(0, 0, "lunch")) == 0
    assert crowd.act(BOB, wire.SetAway(0, 0, "meeting")) > 0
    crowd.play.elapse(100)
    crowd.play.expect()  # away as before; why, is asked
    crowd.act(BOB, wire.SetAway(0, 0, ""))
    crowd.play.elapse(100)
    crowd.play.expect(here(wire.Person("bob", True, False)))


def test_it_holds_for_all_sessions_and_over_restarts(crowd: Crowd) -> None:
    crowd.act(BOB, wire.SetAway(0, 0, "lunch"))
    crowd.play.elapse(200)
    crowd.play.skip()
    after = Crowd(play=crowd.play.restarted())
    after.greet(BOB)
    after.greet(ANN)
    after.play.elapse(100)
    after.play.expect(here(wire.Person("bob", True, True), wire.Person("ann", True, False)))
    assert after.ask(ANN, wire.Whois(0, 0, "bob")).away == "lunch"


def test_it_is_told_over_router_as_well(crowd: Crowd) -> None:
    crowd.ask(ANN, wire.Follow(0, 0, [], True))
    crowd.play.elapse(100)
    crowd.act(BOB, wire.SetAway(0, 0, "lunch"))
    crowd.play.elapse(100)
    change = wire.Person("bob", True, True)
    crowd.play.expect(here(change), Transmit(ANN.peer, wire.Presence(crowd.sessions[ANN], [change])))


def test_it_is_not_told_before_it_is_on_disk(crowd: Crowd) -> None:
    crowd.play.elapse(100)
    crowd.play.skip()
    crowd.play.hold()
    crowd.play.receive(crowd.asks(BOB, wire.SetAway(0, 0, "lunch")))
    crowd.play.receive(DAN.asks(hello("dan")))
    other = BOB.elsewhere("b")
    crowd.play.receive(other.asks(hello("bob", instance=2)))
    crowd.play.elapse(200)
    crowd.play.expect()
    crowd.play.store.fail_next(certain=True)
    crowd.play.catch_up()
    crowd.play.elapse(1_000)
    told = [e for e in crowd.play.effects if isinstance(e, Publish)]
    assert told == []
    crowd.play.skip()
    assert crowd.ask(ANN, wire.Whois(0, 0, "bob")).away == ""


# ---- ignoring ----


def test_whom_one_ignores_is_kept(crowd: Crowd) -> None:
    assert crowd.act(ANN, wire.SetIgnored(0, 0, "BOB", True)) > 0
    assert crowd.play.entries[-1] == wire.Acted("ann", "ignored", "", "bob", 0, "", "")
    assert crowd.act(ANN, wire.SetIgnored(0, 0, "bob", True)) == 0
    crowd.act(ANN, wire.SetIgnored(0, 0, "cat", True))
    assert crowd.ask(ANN, wire.Whois(0, 0, "")).ignored == ["bob", "cat"]
    assert crowd.ask(BOB, wire.Whois(0, 0, "ann")).ignored == []
    assert crowd.ask(ACCOUNT, wire.Whois(0, 0, "ann")).ignored == []
    after = Crowd(ANN, BOB, play=crowd.play.restarted())
    assert after.ask(ANN, wire.Whois(0, 0, "ann")).ignored == ["bob", "cat"]
    assert after.act(ANN, wire.SetIgnored(0, 0, "bob", False)) > 0
    assert after.play.entries[-1] == wire.Acted("ann", "unignored", "", "bob", 0, "", "")
    assert after.act(ANN, wire.SetIgnored(0, 0, "bob", False)) == 0
    assert after.ask(ANN, wire.Whois(0, 0, "")).ignored == ["cat"]
    assert after.refusal(ANN, wire.SetIgnored(0, 0, "eve", True)) is Refusal.NO_SUCH_USER
    after.play.check_kept()


def test_what_the_ignored_write_is_delivered(crowd: Crowd) -> None:
    """Clients pass it over: positions are the same for all."""
    crowd.act(ANN, wire.SetIgnored(0, 0, "bob", True))
    pos = crowd.send(BOB, "@ann", "x")
    assert [h.pos for h in crowd.ask(ANN, wire.Ping(0, 0, 0, "")).heads if h.conversation == "@ann,bob"] == [
        pos
    ]


def test_too_many_to_ignore() -> None:
    crowd = Crowd(ANN, BOB, CAT, limits=Limits(ignored_max=1))
    crowd.act(ANN, wire.SetIgnored(0, 0, "bob", True))
    assert crowd.refusal(ANN, wire.SetIgnored(0, 0, "cat", True)) is Refusal.LIMIT_REACHED
    crowd.act(ANN, wire.SetIgnored(0, 0, "bob", False))
    assert crowd.act(ANN, wire.SetIgnored(0, 0, "cat", True)) > 0


# ---- another key ----


def test_the_nick_gets_another_key(crowd: Crowd) -> None:
    """Done comes to the session that asked, then all of the old key end."""
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    second = BOB.elsewhere("second")
    two = crowd.play.greet(second, "bob", instance=2)
    request = crowd.asks(BOB, wire.ChangeKey(0, 0, NEW.key))
    crowd.play.receive(request)
    pos = crowd.play.core._context.log.state.last_pos
    assert crowd.play.entries[-1] == wire.Acted("bob", "key_changed", "", "bob", 0, "", "")
    why = "the session has ended: the key was changed"
    crowd.play.expect(
        Transmit(BOB.peer, wire.Done(*asked_by(request.request), pos)),
        CutSubscribers((BOB.key,), "the key was changed"),
        Transmit(BOB.peer, wire.Refused(crowd.sessions[BOB], 0, Refusal.NOT_GREETED.value, why)),
        Transmit(second.peer, wire.Refused(two, 0, Refusal.NOT_GREETED.value, why)),
    )
    assert crowd.refusal_of_hello(BOB) is Refusal.NICK_TAKEN
    assert not crowd.subscribes(BOB, b"#dev\0")
    assert crowd.refusal_of_hello(NEW, "bob") is None
    assert crowd.subscribes(NEW, b"#dev\0")
    assert isinstance(crowd.send(NEW, "#dev", "still me"), int)
    assert crowd.refusal_of_hello(BOB, "robert") is None  # the old one is nobody's


def test_a_key_that_is_taken(crowd: Crowd) -> None:
    assert crowd.refusal(BOB, wire.ChangeKey(0, 0, ANN.key)) is Refusal.KEY_BOUND
    assert crowd.act(BOB, wire.ChangeKey(0, 0, BOB.key)) == 0
    assert isinstance(crowd.send(BOB, "#general", "still here"), int)


def test_what_comes_behind_it_in_the_same_commit(crowd: Crowd) -> None:
    """From the old key: nothing of it is stored. From the new one: a session."""
    stored = len(crowd.play.entries)
    crowd.play.receive(
        crowd.says(BOB, "#general", "before"),
        crowd.asks(BOB, wire.ChangeKey(0, 0, NEW.key)),
        crowd.says(BOB, "#general", "after"),
        crowd.asks(BOB, wire.Join(0, 0, "dev")),
        crowd.asks(BOB, wire.ChangeKey(0, 0, "x" * 40)),
        NEW.asks(hello("bob", instance=5)),
    )
    assert [type(e) for e in crowd.play.entries[stored:]] == [wire.Messages, wire.Acted]
    crowd.play.skip()
    assert crowd.refusal_of_hello(NEW, "bob") is None


def test_what_was_sent_with_the_old_key_is_not_stored_twice(crowd: Crowd) -> None:
    """Ids belong to the user, not to a key."""
    send = crowd.says(BOB, "#general", "once")
    keyed = crowd.asks(BOB, wire.KeyedSend(0, 0, "#general", "k", "once"))
    first = crowd.answers(send, keyed)
    crowd.act(BOB, wire.ChangeKey(0, 0, NEW.key))
    number = crowd.greet(NEW, "bob")
    again: Any = [
        NEW.asks(
            type(one.request)(number, *[getattr(one.request, f) for f in one.request.__struct_fields__[1:]])
        )
        for one in (send, keyed)
    ]
    told = crowd.answers(*again)
    assert [(a.pos, a.duplicate) for a in told] == [(a.pos, True) for a in first]


def test_after_a_restart_the_new_key_counts(crowd: Crowd) -> None:
    crowd.act(BOB, wire.ChangeKey(0, 0, NEW.key))
    after = Crowd(play=crowd.play.restarted())
    assert after.refusal_of_hello(BOB) is Refusal.NICK_TAKEN
    assert after.refusal_of_hello(NEW, "bob") is None


@pytest.mark.parametrize("certain", [True, False])
def test_a_change_that_fails_leaves_the_old_one(crowd: Crowd, certain: bool) -> None:
    crowd.play.store.fail_next(certain)
    request = crowd.asks(BOB, wire.ChangeKey(0, 0, NEW.key))
    (answer,) = crowd.answers(request)
    assert (answer is None) == (not certain)
    crowd.play.elapse(1_000)
    assert crowd.refusal_of_hello(NEW, "bob") is Refusal.NICK_TAKEN
    assert isinstance(crowd.send(BOB, "#general", "still here"), int)
    assert crowd.answers(request)[0].pos > 0


# ---- the account ----


def test_the_account_has_no_name_and_is_not_seen(crowd: Crowd) -> None:
    crowd.play.elapse(200)
    assert ["$" in str(effect) for effect in crowd.play.effects] == [False]
    crowd.play.skip()
    assert "$" not in [one.nick for one in crowd.ask(ANN, wire.ListPeople(0, 0, None, "")).people]
    crowd.answers(crowd.asks(ACCOUNT, wire.Bye(0)))
    crowd.play.elapse(200)
    crowd.play.expect()
    assert crowd.refusal_of_hello(somebody("$"), "$") is Refusal.NAME_INVALID


NOT_OF_THE_ACCOUNT = [
    wire.Send(0, 0, 0, "#general", 0, ["x"]),
    wire.KeyedSend(0, 0, "@ann", "k", "x"),
    wire.Join(0, 0, "dev"),
    wire.Join(0, 0, "dev", True),
    wire.Leave(0, 0, "general"),
    wire.Follow(0, 0, ["general"], True),
    wire.SetTopic(0, 0, "general", "x"),
    wire.ChangeKey(0, 0, "x" * 40),
    wire.SetAway(0, 0, "x"),
    wire.SetIgnored(0, 0, "ann", True),
]


@pytest.mark.parametrize("request_", NOT_OF_THE_ACCOUNT, ids=lambda one: type(one).__name__)
def test_it_is_for_administration(crowd: Crowd, request_: Any) -> None:
    assert crowd.refusal(ACCOUNT, request_) is Refusal.NOT_ALLOWED


def test_what_it_may_ask(crowd: Crowd) -> None:
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    for request in (
        wire.Ping(0, 0, 0, ""),
        wire.ListPeople(0, 0, None, ""),
        wire.ListPeople(0, 0, "dev", ""),
        wire.ListRooms(0, 0, ""),
        wire.Whois(0, 0, "ann"),
        wire.ListInvites(0, 0, ""),
        wire.ListTokens(0, 0, ""),
        wire.ListSanctions(0, 0, "", ""),
        wire.ListSanctions(0, 0, "dev", ""),
        wire.ListLimits(0, 0),
        wire.Fetch(0, 0, "$", 0, 0),
        wire.Fetch(0, 0, "#dev", 0, 0),
    ):
        assert not isinstance(crowd.ask(ACCOUNT, request), wire.Refused), request
    assert crowd.entries(ACCOUNT, "$")[0] == wire.Registered("ann", "ann", ANN.key)


def test_its_sessions(crowd: Crowd) -> None:
    """They are greeted like others, but need no nick; the version counts, and the instance."""
    other = ACCOUNT._replace(peer=b"control 2")
    assert crowd.refusal_of_hello(other, "$", versions=(2, 3)) is Refusal.VERSION_UNSUPPORTED
    assert crowd.refusal_of_hello(other, "whatever", instance=2) is None
    first = crowd.sessions[ACCOUNT]
    assert crowd.refusal_of_hello(other, "$", instance=1) is None  # of the first one
    crowd.play.receive(ACCOUNT.asks(wire.Ping(first, 1, 0, "")))
    (told,) = crowd.play.effects
    assert isinstance(told, Transmit) and isinstance(told.answer, wire.Refused)
    assert told.answer.code == Refusal.NOT_GREETED.value
    few = Crowd(ACCOUNT, limits=Limits(sessions_per_user_max=1))
    assert few.refusal_of_hello(other, "$", instance=2) is Refusal.LIMIT_REACHED


def test_it_is_let_in_while_nothing_can_be_written(crowd: Crowd) -> None:
    crowd.play.store.fail_next(certain=True)
    assert (
        crowd.refusal(ACCOUNT, wire.SetRole(0, 0, "", "ann", wire.OPERATOR, ""))
        is Refusal.STORAGE_UNAVAILABLE
    )
    other = ACCOUNT._replace(peer=b"control 2")
    assert crowd.refusal_of_hello(other, "$", instance=2) is None
    assert crowd.ask(ACCOUNT, wire.ListRooms(0, 0, "")).rooms


def test_limits_are_told_to_who_administers(crowd: Crowd) -> None:
    bounds = {bound.name: bound.value for bound in crowd.ask(ACCOUNT, wire.ListLimits(0, 0)).limits}
    assert bounds == {name: int(value) for name, value in Limits()._asdict().items()}
    assert crowd.refusal(ANN, wire.ListLimits(0, 0)) is Refusal.NOT_ALLOWED
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "ann", wire.OPERATOR, ""))
    assert crowd.ask(ANN, wire.ListLimits(0, 0)).limits


def test_the_log_is_delivered_to_nobody(crowd: Crowd) -> None:
    crowd.act(ACCOUNT, wire.SetRole(0, 0, "", "ann", wire.OPERATOR, ""))
    crowd.ask(ANN, wire.Follow(0, 0, [], True))
    crowd.play.receive(crowd.asks(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.OPERATOR, "")))
    direct = crowd.play.segments[-2]
    crowd.play.effects.pop(0)  # Done
    crowd.play.expect(delivered(BOB, crowd.sessions[BOB], direct))
    for who in (ANN, ACCOUNT):
        heads = [head.conversation for head in crowd.ask(who, wire.Ping(0, 0, 0, "")).heads]
        assert "$" not in heads
