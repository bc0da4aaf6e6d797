"""How sessions begin and end: Hello, registration, Welcome, takeover, Bye and expiry."""

import pytest

from tests.unit.broker.play import (
    ANN,
    BOB,
    CAT,
    Play,
    acked,
    acked_again,
    hello,
    published,
    refused,
    segment,
    somebody,
    welcome,
)
from zchat.broker.core import port
from zchat.broker.core.effects import Log, Transmit
from zchat.broker.core.events import Elapsed, PeerLost
from zchat.broker.core.limits import Limits
from zchat.common import wire
from zchat.common.codes import Refusal

JOINED = segment("#general", 0, 2, wire.Joined("ann", True))


def test_a_free_nick_is_registered_and_welcomed_when_that_is_durable(play: Play) -> None:
    play.hold()
    play.receive(ANN.asks(hello("Ann")))
    play.expect()
    play.carry_out(port.Write)
    joined = segment("#general", 0, 2, wire.Joined("Ann", True))
    play.expect(published(joined))
    play.carry_out(port.LoadInstance)
    play.expect(Transmit(ANN.peer, welcome(1, "Ann", registered=True, as_of=2, heads=[("#general", 2, 2)])))
    assert play.segments == [segment("$", 0, 1, wire.Registered("Ann", "ann", ANN.key)), joined]


def test_the_second_user_finds_the_room_there(play: Play) -> None:
    play.greet(ANN, "ann")
    play.receive(BOB.asks(hello("bob")))
    play.expect(
        published(segment("#general", 2, 4, wire.Joined("bob", False))),
        Transmit(BOB.peer, welcome(2, "bob", registered=True, floor=3, as_of=4, heads=[("#general", 4, 4)])),
    )


def test_a_registered_nick_is_welcomed_in_its_registered_form(play: Play) -> None:
    play.greet(ANN, "Ann")
    play.receive(ANN.elsewhere("b").asks(hello("aNN", instance=2)))
    play.expect(Transmit(b"\0b", welcome(2, "Ann", as_of=2, heads=[("#general", 2, 2)])))


def test_a_client_with_a_floor_hears_of_news_only(play: Play) -> None:
    play.greet(ANN, "ann")
    play.receive(ANN.elsewhere("b").asks(hello("ann", instance=2, floor=2)))
    play.expect(Transmit(b"\0b", welcome(2, "ann", floor=2, as_of=2, heads=[])))


def test_a_nick_of_another_key_is_taken(play: Play) -> None:
    play.greet(ANN, "ann")
    for typed in ("ann", "ANN", "Ａnn"):
        play.receive(BOB.asks(hello(typed)))
        play.expect(refused(BOB, 0, 0, Refusal.NICK_TAKEN))


def test_who_does_not_ask_for_it_is_not_registered(play: Play) -> None:
    play.receive(ANN.asks(hello("ann", register=False)))
    play.expect(refused(ANN, 0, 0, Refusal.NOT_REGISTERED))
    play.greet(ANN, "ann")
    play.receive(ANN.elsewhere("b").asks(hello("ann", instance=2, register=False)))
    play.expect(Transmit(b"\0b", welcome(2, "ann", as_of=2, heads=[("#general", 2, 2)])))


def test_a_lunate_sigma_does_not_take_over_a_sigma(play: Play) -> None:
    play.greet(ANN, "Σοφία")
    play.receive(BOB.asks(hello("Ϲοφία")))  # U+03F9, lower-cased ϲ, which is compatible with σ
    play.expect(refused(BOB, 0, 0, Refusal.NICK_TAKEN))
    play.receive(ANN.elsewhere("b").asks(hello("Ϲοφία", instance=2)))
    play.expect(Transmit(b"\0b", welcome(2, "Σοφία", as_of=2, heads=[("#general", 2, 2)])))


def test_a_sigma_does_not_take_over_a_lunate_sigma(play: Play) -> None:
    play.greet(ANN, "Ϲοφία")
    play.receive(BOB.asks(hello("σοφία")))
    play.expect(refused(BOB, 0, 0, Refusal.NICK_TAKEN))


def test_a_key_has_one_nick(play: Play) -> None:
    play.greet(ANN, "ann")
    play.receive(ANN.elsewhere("b").asks(hello("eve", instance=2)))
    play.expect(refused(ANN.elsewhere("b"), 0, 0, Refusal.KEY_BOUND))


def test_the_refusal_of_a_nick_that_is_not_yet_durable_waits(play: Play) -> None:
    play.hold()
    play.receive(ANN.asks(hello("ann")), BOB.asks(hello("bob")))
    play.carry_out(port.Write)
    play.skip()
    play.receive(ANN.asks(hello("ann")), CAT.asks(hello("cat")))  # the Write of cat is under way
    play.receive(BOB.asks(hello("Cat", instance=2)), somebody("dan").asks(hello("CAT")))
    play.expect()
    play.catch_up()
    assert [e for e in play.effects if isinstance(e, Transmit) and e.peer == b"\0dan"] == [
        Transmit(
            b"\0dan",
            wire.Refused(0, 0, Refusal.NICK_TAKEN.value, "the nick cat belongs to another key"),
        )
    ]
    play.skip()


@pytest.mark.parametrize(
    "nick", ["ann,bob", "#ann", "2026", "Help", "pаul", " ", "a b", "a\u202eb", "ß" * 33]
)
def test_an_invalid_name(play: Play, nick: str) -> None:
    play.receive(ANN.asks(hello(nick)))
    play.expect(refused(ANN, 0, 0, Refusal.NAME_INVALID))
    assert play.segments == []


def test_the_name_of_a_room_is_no_nick(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    play.receive(ANN.asks(wire.Join(ann, 1, "dev")))
    play.skip()
    for nick in ("Dev", "general"):
        play.receive(BOB.asks(hello(nick)))
        play.expect(refused(BOB, 0, 0, Refusal.NAME_INVALID))


def test_general_is_no_nick_even_of_the_first(play: Play) -> None:
    play.receive(ANN.asks(hello("General")))
    play.expect(refused(ANN, 0, 0, Refusal.NAME_INVALID))


@pytest.mark.parametrize(
    ("versions", "spoken"), [((1, 9), True), ((0, 1), True), ((2, 9), False), ((0, 0), False)]
)
def test_versions(play: Play, versions: tuple[int, int], spoken: bool) -> None:
    play.receive(ANN.asks(hello("ann", versions=versions)))
    if spoken:
        assert play.effects.pop() == Transmit(
            ANN.peer, welcome(1, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])
        )
        play.skip()
    else:
        play.expect(refused(ANN, 0, 0, Refusal.VERSION_UNSUPPORTED))


def test_two_spellings_of_one_key_in_one_commit_make_one_user(play: Play) -> None:
    other = ANN.elsewhere("b")
    play.receive(ANN.asks(hello("Ann", instance=1)), other.asks(hello("ann", instance=2)))
    play.expect(
        published(segment("#general", 0, 2, wire.Joined("Ann", True))),
        Transmit(ANN.peer, welcome(1, "Ann", registered=True, as_of=2, heads=[("#general", 2, 2)])),
        Transmit(b"\0b", welcome(2, "Ann", registered=False, as_of=2, heads=[("#general", 2, 2)])),
    )
    play.receive(other.asks(wire.Send(2, 7, 0, "#general", 0, ["hi"])))
    play.expect(
        acked(other, 2, (7, 3)), published(segment("#general", 2, 3, wire.Messages("Ann", 2, 0, ["hi"])))
    )
    play.receive(other.asks(wire.Send(2, 8, 1, "@ANN", 1, ["me"])))
    assert play.entries[-1] == wire.Messages("Ann", 2, 1, ["me"])
    assert wire.decode_segment(play.segments[-1]).conversation == "@Ann,Ann"
    play.skip()
    play.elapse(100)
    assert [e.payload for e in play.effects] == [wire.encode(wire.Presence(0, [wire.Person("Ann", True)]))]  # type: ignore[union-attr]
    play.skip()


def test_two_keys_want_one_nick_in_one_commit(play: Play) -> None:
    play.receive(ANN.asks(hello("ann")), BOB.asks(hello("Ann")))
    play.expect(
        refused(BOB, 0, 0, Refusal.NICK_TAKEN),
        published(JOINED),
        Transmit(ANN.peer, welcome(1, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])),
    )
    assert len(play.segments) == 2


def test_one_key_wants_two_nicks_in_one_commit(play: Play) -> None:
    other = ANN.elsewhere("b")
    play.receive(ANN.asks(hello("ann")), other.asks(hello("eve", instance=2)))
    play.expect(
        refused(other, 0, 0, Refusal.KEY_BOUND),
        published(JOINED),
        Transmit(ANN.peer, welcome(1, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])),
    )


def test_two_hellos_of_one_instance_for_a_free_nick_make_one_session(play: Play) -> None:
    other = ANN.elsewhere("b")
    play.receive(ANN.asks(hello("ann")), other.asks(hello("ann")))
    play.expect(
        published(JOINED),
        Transmit(b"\0b", welcome(2, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])),
    )
    play.handle(PeerLost(ANN.peer))
    play.receive(other.asks(wire.Send(2, 1, 0, "#general", 0, ["a"])))
    play.expect(
        acked(other, 2, (1, 3)), published(segment("#general", 2, 3, wire.Messages("ann", 1, 0, ["a"])))
    )


def test_two_spellings_of_one_instance_make_one_session(play: Play) -> None:
    other = ANN.elsewhere("b")
    play.receive(ANN.asks(hello("Ann")), other.asks(hello("ann")))
    assert play.effects.pop() == Transmit(
        b"\0b", welcome(2, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])
    )
    play.skip()
    play.receive(ANN.asks(wire.Ping(1, 1, 0, "")), other.asks(wire.Send(2, 1, 0, "#general", 0, ["a"])))
    play.expect(
        refused(ANN, 1, 1, Refusal.NOT_GREETED),
        acked(other, 2, (1, 3)),
        published(segment("#general", 2, 3, wire.Messages("ann", 1, 0, ["a"]))),
    )


def test_a_second_hello_before_the_welcome_takes_the_place_of_the_first(play: Play) -> None:
    play.receive(ANN.asks(hello("ann", instance=1)), ANN.asks(hello("ann", instance=2)))
    play.expect(
        published(JOINED),
        Transmit(ANN.peer, welcome(2, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])),
    )
    play.receive(ANN.asks(wire.Bye(2)))
    play.elapse(20_000)
    play.expect()
    assert play.core.deadline_ms() is None  # no session is left


def test_a_welcome_waits_for_its_own_registration(play: Play) -> None:
    """The second Hello is read while the registration of the nick is being written: the state has it."""
    play.hold()
    play.receive(ANN.asks(hello("ann")))
    play.receive(ANN.elsewhere("b").asks(hello("ann", instance=2)))
    play.carry_out(port.Write)
    play.expect(published(JOINED))
    play.catch_up()
    play.expect(
        Transmit(b"\0b", welcome(2, "ann", as_of=2, heads=[("#general", 2, 2)])),
        Transmit(ANN.peer, welcome(1, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])),
    )


def test_no_welcome_for_a_registration_that_is_not_on_disk(play: Play) -> None:
    play.hold()
    play.store.fail_next(certain=True)
    play.receive(ANN.asks(hello("ann")))
    play.receive(ANN.elsewhere("b").asks(hello("ann", instance=2)))
    play.catch_up()
    play.expect(refused(ANN, 0, 0, Refusal.STORAGE_UNAVAILABLE))  # the other one is silent, and asks again
    assert play.segments == []
    play.elapse(1_000)
    play.receive(ANN.elsewhere("b").asks(hello("ann", instance=2)))
    play.expect(
        published(JOINED),
        Transmit(b"\0b", welcome(3, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])),
    )


def test_a_look_at_the_disk_before_the_failure_does_not_count(play: Play) -> None:
    """The answer to LoadInstance was asked for by the state that is thrown away."""
    play.hold()
    play.store.fail_next(certain=False)
    play.receive(ANN.asks(hello("ann")))
    play.receive(ANN.elsewhere("b").asks(hello("ann", instance=2)))
    play.carry_out(port.Write)
    play.carry_out(port.LoadInstance)
    play.expect()
    play.catch_up()
    play.expect()


def test_a_registration_in_doubt_is_not_answered(play: Play) -> None:
    play.store.fail_next(certain=False, revives=True)
    play.receive(ANN.asks(hello("ann")))
    play.receive(BOB.asks(hello("ann")))  # nobody knows whether the nick is free
    play.expect()
    play.receive(CAT.asks(hello("cat")))
    play.expect(refused(CAT, 0, 0, Refusal.STORAGE_UNAVAILABLE))
    play.elapse(1_000)
    play.receive(BOB.asks(hello("ann")))
    assert play.effects.pop() == Transmit(
        BOB.peer, welcome(2, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])
    )
    play.skip()


def test_whoever_is_registered_is_welcomed_while_the_broker_cannot_write(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    play.store.fail_next(certain=True)
    play.receive(ANN.asks(wire.Join(ann, 1, "dev")))
    play.expect(refused(ANN, 1, 1, Refusal.STORAGE_UNAVAILABLE))
    play.receive(ANN.elsewhere("b").asks(hello("ann", instance=2)))
    play.expect(Transmit(b"\0b", welcome(2, "ann", as_of=2, heads=[("#general", 2, 2)])))
    play.receive(BOB.asks(hello("bob")))
    play.expect(refused(BOB, 0, 0, Refusal.STORAGE_UNAVAILABLE))


def test_a_store_that_cannot_be_read_at_hello(play: Play) -> None:
    play.greet(ANN, "ann")
    play.unreadable = True
    other = ANN.elsewhere("b")
    play.receive(other.asks(hello("ann", instance=2)))
    play.expect(refused(other, 0, 0, Refusal.STORAGE_UNAVAILABLE))
    play.unreadable = False
    play.receive(other.asks(hello("ann", instance=2)))
    play.expect(Transmit(b"\0b", welcome(3, "ann", as_of=2, heads=[("#general", 2, 2)])))


def test_an_open_session_whose_instance_cannot_be_read_again_ends(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    play.hold()
    play.store.fail_next(certain=True)
    play.receive(ANN.asks(wire.Send(ann, 1, 0, "#general", 0, ["a"])))
    play.carry_out(port.Write)
    play.carry_out(port.Load)
    play.expect(refused(ANN, ann, 1, Refusal.STORAGE_UNAVAILABLE))
    play.unreadable = True
    play.carry_out(port.LoadInstance)
    play.unreadable = False
    play.catch_up()
    play.receive(ANN.asks(wire.Send(ann, 2, 1, "#general", 1, ["b"])))
    play.expect(refused(ANN, ann, 2, Refusal.NOT_GREETED))  # never silence for ever: it greets again
    play.elapse(1_000)
    play.skip()
    again = play.greet(ANN, "ann", lowest=1)
    play.receive(ANN.asks(wire.Send(again, 2, 1, "#general", 1, ["b"])))
    play.expect(
        acked(ANN, again, (2, 3)), published(segment("#general", 2, 3, wire.Messages("ann", 1, 1, ["b"])))
    )


def test_a_second_hello_ends_the_session_even_when_it_is_refused(play: Play) -> None:
    play.greet(ANN, "ann")
    play.receive(ANN.asks(hello("Help")), ANN.asks(wire.Ping(1, 5, 0, "")))
    play.expect(refused(ANN, 0, 0, Refusal.NAME_INVALID), refused(ANN, 1, 5, Refusal.NOT_GREETED))


def test_a_second_hello_opens_a_new_session(play: Play) -> None:
    play.greet(ANN, "ann")
    play.receive(ANN.asks(hello("ann", floor=2)), ANN.asks(wire.Ping(1, 5, 0, "")))
    play.expect(
        refused(ANN, 1, 5, Refusal.NOT_GREETED),
        Transmit(ANN.peer, welcome(2, "ann", floor=2, as_of=2, heads=[])),
    )


def test_an_instance_is_taken_over_on_another_connection(play: Play) -> None:
    play.greet(ANN, "ann")
    other = ANN.elsewhere("b")
    assert play.greet(other, "ann") == 2
    play.receive(ANN.asks(wire.Ping(1, 1, 0, "")), other.asks(wire.Ping(2, 2, 2, "")))
    play.expect(refused(ANN, 1, 1, Refusal.NOT_GREETED), Transmit(b"\0b", wire.Heads(2, 2, 2, [], "")))


def test_what_a_taken_over_session_sent_is_known_to_the_next(play: Play) -> None:
    """The old connection's Send is being written when the new one takes over and repeats it."""
    ann = play.greet(ANN, "ann")
    other = ANN.elsewhere("b")
    play.hold()
    play.receive(ANN.asks(wire.Send(ann, 1, 0, "#general", 0, ["a"])))
    play.receive(other.asks(hello("ann", floor=2)))
    play.expect()
    play.catch_up()
    play.expect(
        published(segment("#general", 2, 3, wire.Messages("ann", 1, 0, ["a"]))),
        Transmit(b"\0b", welcome(2, "ann", floor=2, as_of=3, heads=[("#general", 3, 2)])),
    )
    play.receive(other.asks(wire.Send(2, 1, 0, "#general", 0, ["a"])))
    play.expect(acked_again(other, 2, 1, 3))


def test_the_same_instance_of_another_user_is_left_alone(play: Play) -> None:
    ann = play.greet(ANN, "ann", instance=1)
    play.greet(BOB, "bob", instance=1)
    play.receive(ANN.asks(wire.Ping(ann, 1, 4, "")))
    play.expect(Transmit(ANN.peer, wire.Heads(ann, 1, 4, [], "")))


def test_bye(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    play.receive(ANN.asks(wire.Bye(ann)), ANN.asks(wire.Bye(ann)), ANN.asks(wire.Ping(ann, 3, 0, "")))
    play.expect(refused(ANN, ann, 3, Refusal.NOT_GREETED))
    assert Log("session_ended", "nick=ann session=1 why='bye'") in play.lines


def test_what_was_sent_before_bye_is_stored_if_it_was_under_way(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    play.hold()
    play.receive(ANN.asks(wire.Send(ann, 1, 0, "#general", 0, ["a"])))
    play.receive(ANN.asks(wire.Bye(ann)))
    play.catch_up()
    play.expect(published(segment("#general", 2, 3, wire.Messages("ann", 1, 0, ["a"]))))


def test_a_silent_session_expires(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    play.elapse(15_000)
    play.skip()  # presence
    play.receive(ANN.asks(wire.Ping(ann, 1, 2, "")))
    play.expect(Transmit(ANN.peer, wire.Heads(ann, 1, 2, [], "")))
    play.elapse(17_000)
    play.skip()
    play.receive(ANN.asks(wire.Ping(ann, 2, 2, "")))
    play.expect(refused(ANN, ann, 2, Refusal.NOT_GREETED))
    play.elapse(1_000)
    assert play.core.deadline_ms() is None  # nothing is left to look after


def test_a_session_that_says_something_does_not_expire(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    for token in range(20):
        play.elapse(10_000)
        play.skip()
        play.receive(ANN.asks(wire.Ping(ann, token, 2, "")))
        play.expect(Transmit(ANN.peer, wire.Heads(ann, token, 2, [], "")))


def test_a_loop_that_was_stopped_expires_nobody(play: Play) -> None:
    """The process was stopped for a minute: its clients had no chance to be heard."""
    ann = play.greet(ANN, "ann")
    play.elapse(1_000)
    play.skip()
    play.now_ms += 60_000
    play.handle(Elapsed())
    play.elapse(14_000)
    play.receive(ANN.asks(wire.Ping(ann, 1, 2, "")))
    play.expect(Transmit(ANN.peer, wire.Heads(ann, 1, 2, [], "")))
    play.elapse(17_000)
    play.skip()
    play.receive(ANN.asks(wire.Ping(ann, 1, 2, "")))
    play.expect(refused(ANN, ann, 1, Refusal.NOT_GREETED))


def test_nobody_expires_while_the_broker_reads_no_requests() -> None:
    play = Play(Limits(commit_bytes_max=1))
    ann = play.greet(ANN, "ann")
    play.hold()
    play.receive(ANN.asks(wire.Send(ann, 1, 0, "#general", 0, ["a"])))
    play.receive(ANN.asks(wire.Send(ann, 2, 0, "#general", 1, ["b"])))
    assert not play.core.accepting
    play.elapse(60_000)
    play.skip()
    play.catch_up()
    play.expect(
        acked(ANN, ann, (1, 3)),
        published(segment("#general", 2, 3, wire.Messages("ann", 1, 0, ["a"]))),
        acked(ANN, ann, (2, 4)),
        published(segment("#general", 3, 4, wire.Messages("ann", 1, 1, ["b"]))),
    )


def test_nothing_is_sent_to_a_session_that_is_silent_for_too_long(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    bob = play.greet(BOB, "bob")
    play.now_ms += 15_001  # before the next look at the sessions
    play.receive(BOB.asks(wire.Send(bob, 1, 0, "@ann", 0, ["psst"])))
    assert {e.peer for e in play.effects if hasattr(e, "peer")} == {BOB.peer}
    play.skip()
    assert ann != bob


def test_an_answer_to_a_session_that_is_silent_for_too_long_is_not_sent(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    play.hold()
    play.receive(ANN.asks(wire.Send(ann, 1, 0, "#general", 0, ["a"])))
    play.now_ms += 15_001
    play.carry_out(port.Write)
    assert play.effects.pop(0) == published(segment("#general", 2, 3, wire.Messages("ann", 1, 0, ["a"])))
    play.skip()  # presence


@pytest.mark.parametrize("limits", [Limits(users_max=1), Limits(sessions_max=1)])
def test_no_more_users_and_sessions_than_allowed(limits: Limits) -> None:
    play = Play(limits)
    play.greet(ANN, "ann")
    play.receive(BOB.asks(hello("bob")))
    play.expect(refused(BOB, 0, 0, Refusal.LIMIT_REACHED))
    play.receive(ANN.elsewhere("b").asks(hello("ann")))  # takes over, so it is not one more
    play.expect(Transmit(b"\0b", welcome(2, "ann", as_of=2, heads=[("#general", 2, 2)])))


def test_no_more_sessions_of_a_user_than_allowed() -> None:
    play = Play(Limits(sessions_per_user_max=2))
    play.greet(ANN, "ann", instance=1)
    play.greet(ANN.elsewhere("b"), "ann", instance=2)
    third = ANN.elsewhere("c")
    play.receive(third.asks(hello("ann", instance=3)))
    play.expect(refused(third, 0, 0, Refusal.LIMIT_REACHED))
    play.receive(third.asks(hello("ann", instance=2)))
    play.expect(Transmit(b"\0c", welcome(3, "ann", as_of=2, heads=[("#general", 2, 2)])))


def test_the_operator_reads_neither_keys_nor_texts(play: Play) -> None:
    ann = play.greet(ANN, "ann")
    play.receive(
        ANN.asks(wire.Send(ann, 1, 0, "#general", 0, ["a secret"])),
        ANN.asks(wire.Send(ann, 2, 0, "@nobody", 1, ["a secret"])),
        ANN.asks(wire.KeyedSend(ann, 3, "#nowhere", "mykey", "a secret")),
        ANN.asks(wire.SetTopic(ann, 4, "general", "a secret")),
        BOB.asks(hello("ann")),
        BOB.asks(hello("Help")),
    )
    play.skip()
    play.receive(ANN.asks(wire.Bye(ann)))
    assert [line.event for line in play.lines] == [
        "loaded", "registered", "session_opened", "refused", "refused", "refused", "refused", "session_ended",
    ]  # fmt: skip
    for line in play.lines:
        assert "secret" not in line.details and "mykey" not in line.details
        assert ANN.key not in line.details and BOB.key not in line.details
