"""Sends by counters and by keys, and acts: what is accepted, repeated or refused, and in which order."""

import pytest

from tests.unit.broker.play import (
    ANN,
    BOB,
    TIME_MS,
    Peer,
    Play,
    acked,
    acked_again,
    delivered,
    hello,
    published,
    refused,
    segment,
)
from zchat.broker.core import port
from zchat.broker.core.effects import Transmit
from zchat.broker.core.limits import Limits
from zchat.common import wire
from zchat.common.codes import Refusal

A, B = 1, 2  # the sessions of Ann and of Bob
HEAD = 4  # of the log and of #general, once both are registered


@pytest.fixture
def both(play: Play) -> Play:
    """Ann and Bob are greeted."""
    assert (play.greet(ANN, "ann"), play.greet(BOB, "bob")) == (A, B)
    return play


def send(
    token: int, counter: int, *texts: str, to: str = "#general", lowest: int = 0, session: int = A
) -> wire.Send:
    return wire.Send(session, token, lowest, to, counter, list(texts))


def keyed(token: int, key: str, text: str, to: str = "#general", session: int = A) -> wire.KeyedSend:
    return wire.KeyedSend(session, token, to, key, text)


def said(prev: int, first: int, counter: int, *texts: str, instance: int = 1) -> bytes:
    return segment("#general", prev, first, wire.Messages("ann", instance, counter, list(texts)))


# ---- counters ----


def test_a_send_is_told_when_it_is_durable(both: Play) -> None:
    both.hold()
    both.receive(ANN.asks(send(7, 0, "a", "b")))
    both.expect()
    both.carry_out(port.Write)
    both.expect(acked(ANN, A, (7, 5)), published(said(4, 5, 0, "a", "b")))


def test_a_direct_message_goes_to_all_sessions_of_both(both: Play) -> None:
    phone, quiet = BOB.elsewhere("phone"), BOB.elsewhere("script")
    assert (both.greet(phone, "bob", instance=2), both.greet(quiet, "bob", instance=3, quiet=True)) == (3, 4)
    both.receive(ANN.asks(send(7, 0, "psst", to="@Bob")))
    frame = segment("@ann,bob", 0, 5, wire.Messages("ann", 1, 0, ["psst"]))
    both.expect(
        acked(ANN, A, (7, 5)), delivered(ANN, A, frame), delivered(BOB, B, frame), delivered(phone, 3, frame)
    )


def test_a_message_to_oneself_comes_once(both: Play) -> None:
    both.receive(ANN.asks(send(7, 0, "note", to="@ann")))
    frame = segment("@ann,ann", 0, 5, wire.Messages("ann", 1, 0, ["note"]))
    both.expect(acked(ANN, A, (7, 5)), delivered(ANN, A, frame))


def test_a_repeat_while_the_first_waits_in_the_same_turn(both: Play) -> None:
    both.receive(ANN.asks(send(7, 0, "a")), ANN.asks(send(7, 0, "a")))
    rows = [wire.Stored(7, 5, TIME_MS, False), wire.Stored(7, 5, TIME_MS, True)]
    both.expect(Transmit(ANN.peer, wire.Ack(A, rows)), published(said(4, 5, 0, "a")))


def test_a_repeat_while_the_first_is_in_flight(both: Play) -> None:
    both.hold()
    both.receive(ANN.asks(send(7, 0, "a")))
    both.receive(ANN.asks(send(7, 0, "a")))
    both.expect()
    both.catch_up()
    both.expect(acked(ANN, A, (7, 5)), published(said(4, 5, 0, "a")), acked_again(ANN, A, 7, 5))


def test_a_repeat_of_what_is_durable_has_its_first_time(both: Play) -> None:
    both.receive(ANN.asks(send(7, 0, "a", "b")))
    both.skip()
    both.time_ms += 5_000
    both.receive(ANN.asks(send(8, 0, "a", "b", to="#GENERAL")))  # the same room
    both.expect(acked_again(ANN, A, 8, 5))


def test_a_repeat_after_a_restart(both: Play) -> None:
    both.receive(ANN.asks(send(7, 0, "a", "b")), ANN.asks(send(8, 2, "c")))
    both.skip()
    after = both.restarted()
    after.receive(ANN.asks(send(7, 0, "a", "b")))
    after.expect(refused(ANN, A, 7, Refusal.NOT_GREETED))
    after.time_ms += 5_000
    assert after.greet(ANN, "ann") == 1
    after.receive(ANN.asks(send(7, 0, "a", "b")), ANN.asks(send(8, 2, "c")), ANN.asks(send(9, 3, "d")))
    rows = [wire.Stored(7, 5, TIME_MS, True), wire.Stored(8, 7, TIME_MS, True)]
    time_ms = TIME_MS + 5_000
    after.expect(
        Transmit(ANN.peer, wire.Ack(A, [*rows, wire.Stored(9, 8, time_ms, False)])),
        published(segment("#general", 7, 8, wire.Messages("ann", 1, 3, ["d"]), time_ms=time_ms)),
    )


def test_another_instance_counts_by_itself(both: Play) -> None:
    both.receive(ANN.asks(send(7, 0, "a")))
    both.skip()
    other = ANN.elsewhere("b")
    assert both.greet(other, "ann", instance=2) == 3
    both.receive(other.asks(send(7, 0, "a", session=3)))
    both.expect(acked(other, 3, (7, 6)), published(said(5, 6, 0, "a", instance=2)))


@pytest.mark.parametrize(
    ("texts", "to"), [(["a"], "#general"), (["a", "c"], "#general"), (["a", "b"], "@bob")]
)
def test_a_counter_with_another_content_is_reused(both: Play, texts: list[str], to: str) -> None:
    both.receive(ANN.asks(send(7, 0, "a", "b")))
    both.skip()
    both.receive(ANN.asks(send(8, 0, *texts, to=to)))
    both.expect(refused(ANN, A, 8, Refusal.ID_REUSED))


@pytest.mark.parametrize("counter", [1, 3, 2**53 - 1])
def test_a_counter_that_is_not_expected_is_out_of_order(both: Play, counter: int) -> None:
    both.receive(ANN.asks(send(7, 0, "a", "b")))
    both.skip()
    both.receive(ANN.asks(send(8, counter, "c")))
    both.expect(refused(ANN, A, 8, Refusal.OUT_OF_ORDER))
    both.receive(ANN.asks(send(9, 2, "c")))  # the refusal moved nothing
    both.expect(acked(ANN, A, (9, 7)), published(said(6, 7, 2, "c")))


def test_out_of_order_is_told_before_a_wrong_addressee(both: Play) -> None:
    """The addressee may exist when the Send is repeated in order."""
    both.receive(ANN.asks(send(7, 3, "a", to="#nowhere")), ANN.asks(send(8, 0, "a", to="#nowhere")))
    both.expect(refused(ANN, A, 7, Refusal.OUT_OF_ORDER), refused(ANN, A, 8, Refusal.NO_SUCH_ROOM))


def test_a_final_refusal_moves_nothing_and_lowest_passes_it(both: Play) -> None:
    both.receive(
        ANN.asks(send(7, 0, "a", to="@nobody")),
        ANN.asks(send(8, 1, "b")),
        ANN.asks(send(8, 1, "b", lowest=1)),
    )
    both.expect(
        refused(ANN, A, 7, Refusal.NO_SUCH_USER),
        refused(ANN, A, 8, Refusal.OUT_OF_ORDER),
        acked(ANN, A, (8, 5)),
        published(said(4, 5, 1, "b")),
    )


def test_below_lowest_nothing_is_remembered(both: Play) -> None:
    both.receive(ANN.asks(send(7, 0, "a")), ANN.asks(send(8, 1, "b", lowest=1)))
    both.skip()
    both.receive(ANN.asks(send(7, 0, "a", lowest=1)), ANN.asks(send(8, 1, "b", lowest=0)))
    both.expect(refused(ANN, A, 7, Refusal.OUT_OF_ORDER), acked_again(ANN, A, 8, 6))


def test_hello_names_the_first_counter(both: Play) -> None:
    other = ANN.elsewhere("b")
    assert both.greet(other, "ann", instance=2, lowest=40) == 3
    both.receive(other.asks(send(1, 0, "a", session=3)), other.asks(send(2, 40, "a", session=3)))
    both.expect(
        refused(other, 3, 1, Refusal.OUT_OF_ORDER),
        acked(other, 3, (2, 5)),
        published(said(4, 5, 40, "a", instance=2)),
    )


def test_too_many_sends_above_lowest() -> None:
    play = Play(Limits(remembered_sends_max=2))
    play.greet(ANN, "ann")
    play.receive(*(ANN.asks(send(n, n, "a")) for n in range(3)))
    play.expect(
        refused(ANN, A, 2, Refusal.BUSY),
        acked(ANN, A, (0, 3), (1, 4)),
        published(segment("#general", 2, 3, *(wire.Messages("ann", 1, n, ["a"]) for n in range(2)))),
    )
    play.receive(
        ANN.asks(send(1, 1, "a")), ANN.asks(send(2, 2, "a", lowest=1))
    )  # a repeat is no more of them
    rows = [wire.Stored(1, 4, TIME_MS, True), wire.Stored(2, 5, TIME_MS, False)]
    play.expect(Transmit(ANN.peer, wire.Ack(A, rows)), published(said(4, 5, 2, "a")))


def test_an_ack_has_at_most_a_thousand_rows(both: Play) -> None:
    both.hold()
    both.receive(ANN.asks(send(0, 0, "a")))
    both.receive(*(ANN.asks(send(n, n, "a")) for n in range(1, 1002)))
    both.catch_up()
    acks = [e for e in both.effects if isinstance(e, Transmit)]
    assert acks == [
        acked(ANN, A, (0, 5)),
        acked(ANN, A, *((n, 5 + n) for n in range(1, 1001))),
        acked(ANN, A, (1001, 1006)),
    ]
    both.skip()


# ---- sizes and addressees ----


@pytest.mark.parametrize(
    "texts",
    [
        ["x" * 65_536],
        ["x" * 65_536] * 2,
        ["é" * 32_768],
        ["x" * 512] * 256,
        ["line\r\n" * 10_000 + "Ende 🎉"],
    ],
)
def test_texts_as_large_as_allowed(both: Play, texts: list[str]) -> None:
    both.receive(ANN.asks(send(7, 0, *texts)), ANN.asks(keyed(8, "k", texts[0])))
    assert both.entries[-2:] == [wire.Messages("ann", 1, 0, texts), wire.KeyedMessage("ann", "k", texts[0])]
    both.skip()


@pytest.mark.parametrize(
    "texts", [["é" * 32_768 + "x"], ["🎉" * 20_000], ["x" * 65_536, "x" * 65_535, "xx"], ["x" * 513] * 256]
)
def test_texts_a_byte_too_large(both: Play, texts: list[str]) -> None:
    both.receive(ANN.asks(send(7, 0, *texts)))
    both.expect(refused(ANN, A, 7, Refusal.TOO_LARGE))
    if len(texts) == 1:
        both.receive(ANN.asks(keyed(8, "k", texts[0])))
        both.expect(refused(ANN, A, 8, Refusal.TOO_LARGE))
    assert both.store.load().last_pos == HEAD


@pytest.mark.parametrize(
    ("to", "refusal"),
    [
        ("#nowhere", Refusal.NO_SUCH_ROOM),
        ("#a b", Refusal.NO_SUCH_ROOM),
        ("#bob", Refusal.NO_SUCH_ROOM),
        ("@nobody", Refusal.NO_SUCH_USER),
        ("@general", Refusal.NO_SUCH_USER),
        ("@,,", Refusal.NO_SUCH_USER),
        ("general", Refusal.MALFORMED),
        ("$$", Refusal.MALFORMED),
    ],
)
def test_an_addressee_that_is_none(both: Play, to: str, refusal: Refusal) -> None:
    both.receive(ANN.asks(send(7, 0, "a", to=to)), ANN.asks(wire.Fetch(A, 9, to, 0, 0)))
    both.expect(refused(ANN, A, 9, refusal), refused(ANN, A, 7, refusal))
    both.receive(ANN.asks(keyed(8, "k", "a", to=to)))
    both.expect(refused(ANN, A, 8, refusal))
    assert both.store.load().last_pos == HEAD


def test_a_person_in_place_of_a_room_is_suggested(both: Play) -> None:
    both.receive(ANN.asks(send(7, 0, "a", to="#BOB")), ANN.asks(send(8, 0, "a", to="@general")))
    both.expect(
        Transmit(ANN.peer, wire.Refused(A, 7, 300, "there is no room #bob; did you mean @bob?")),
        Transmit(
            ANN.peer, wire.Refused(A, 8, 301, "nobody is registered as @general; did you mean #general?")
        ),
    )


def test_a_refusal_by_the_state_waits_for_the_commit_of_its_turn(both: Play) -> None:
    both.hold()
    both.receive(BOB.asks(send(1, 0, "a", session=B)), ANN.asks(send(7, 0, "a", to="@nobody")))
    both.expect()
    both.catch_up()
    both.expect(
        refused(ANN, A, 7, Refusal.NO_SUCH_USER),
        acked(BOB, B, (1, 5)),
        published(segment("#general", 4, 5, wire.Messages("bob", 1, 0, ["a"]))),
    )


# ---- keys ----


def test_a_key_holds_in_every_session_and_after_a_restart(both: Play) -> None:
    both.receive(ANN.asks(keyed(7, "k", "a")))
    both.expect(
        acked(ANN, A, (7, 5)), published(segment("#general", 4, 5, wire.KeyedMessage("ann", "k", "a")))
    )
    other = ANN.elsewhere("b")
    assert both.greet(other, "ann", instance=2) == 3
    both.receive(other.asks(keyed(1, "k", "a", session=3)))
    both.expect(acked_again(other, 3, 1, 5))
    after = both.restarted()
    after.greet(ANN, "ann", instance=9)
    after.receive(
        ANN.asks(keyed(1, "k", "a")), ANN.asks(keyed(2, "k", "b")), ANN.asks(keyed(3, "k", "a", "@ann"))
    )
    after.expect(
        acked_again(ANN, A, 1, 5),
        refused(ANN, A, 2, Refusal.ID_REUSED),
        refused(ANN, A, 3, Refusal.ID_REUSED),
    )


def test_keys_that_are_repeated_together_are_answered_together(both: Play) -> None:
    both.receive(
        ANN.asks(keyed(1, "k", "a")), ANN.asks(keyed(2, "l", "b")), BOB.asks(keyed(1, "k", "c", session=B))
    )
    both.skip()
    both.receive(
        ANN.asks(keyed(3, "k", "a")), ANN.asks(keyed(4, "l", "b")), BOB.asks(keyed(2, "k", "c", session=B))
    )
    rows = [wire.Stored(3, 5, TIME_MS, True), wire.Stored(4, 6, TIME_MS, True)]
    both.expect(Transmit(ANN.peer, wire.Ack(A, rows)), acked_again(BOB, B, 2, 7))


def test_the_keys_of_two_users_are_two(both: Play) -> None:
    both.receive(ANN.asks(keyed(7, "k", "a")), BOB.asks(keyed(8, "k", "b", session=B)))
    both.expect(
        acked(ANN, A, (7, 5)),
        acked(BOB, B, (8, 6)),
        published(
            segment("#general", 4, 5, wire.KeyedMessage("ann", "k", "a"), wire.KeyedMessage("bob", "k", "b"))
        ),
    )


def test_a_key_twice_in_a_turn(both: Play) -> None:
    both.hold()
    both.receive(ANN.asks(keyed(1, "k", "a")), ANN.asks(keyed(2, "k", "a")), ANN.asks(keyed(3, "k", "b")))
    assert both.waiting == [port.Look(1, [("ann", "k")] * 3)]  # one for the turn
    both.catch_up()
    rows = [wire.Stored(1, 5, TIME_MS, False), wire.Stored(2, 5, TIME_MS, True)]
    both.expect(
        refused(ANN, A, 3, Refusal.ID_REUSED),
        Transmit(ANN.peer, wire.Ack(A, rows)),
        published(segment("#general", 4, 5, wire.KeyedMessage("ann", "k", "a"))),
    )


def test_a_key_of_the_commit_in_flight(both: Play) -> None:
    """It was looked up before the Write of the first was given to the store."""
    other = ANN.elsewhere("b")
    assert both.greet(other, "ann", instance=2) == 3
    both.hold()
    both.receive(ANN.asks(keyed(1, "k", "a")))
    both.receive(other.asks(keyed(2, "k", "a", session=3)), other.asks(keyed(3, "k", "b", session=3)))
    both.carry_out(port.Look)
    both.carry_out(port.Look)  # finds nothing
    both.expect()
    both.carry_out(port.Write)
    both.expect(
        acked(ANN, A, (1, 5)),
        published(segment("#general", 4, 5, wire.KeyedMessage("ann", "k", "a"))),
        refused(other, 3, 3, Refusal.ID_REUSED),
        acked_again(other, 3, 2, 5),
    )
    assert both.waiting == []


def test_a_message_with_a_key_does_not_move_counters(both: Play) -> None:
    both.receive(ANN.asks(keyed(1, "k", "a")), ANN.asks(send(2, 0, "b")))
    both.expect(
        acked(ANN, A, (1, 5), (2, 6)),
        published(
            segment("#general", 4, 5, wire.KeyedMessage("ann", "k", "a"), wire.Messages("ann", 1, 0, ["b"]))
        ),
    )


def test_sends_behind_a_look_up_keep_their_order(both: Play) -> None:
    both.hold()
    both.receive(ANN.asks(send(1, 0, "0")), ANN.asks(keyed(2, "k", "1")), ANN.asks(send(3, 1, "2")))
    both.receive(
        ANN.asks(send(4, 2, "3")), ANN.asks(keyed(5, "l", "4")), BOB.asks(send(6, 0, "b", session=B))
    )
    both.receive(ANN.asks(send(7, 3, "5")))
    both.catch_up()
    texts = [
        entry.text if isinstance(entry, wire.KeyedMessage) else entry.texts[0]  # type: ignore[union-attr]
        for entry in both.entries[HEAD:]
    ]
    assert texts == ["0", "b", "1", "2", "3", "4", "5"]  # Bob's waits for nobody
    both.skip()


def test_an_act_waits_for_no_look_up(both: Play) -> None:
    both.hold()
    both.receive(ANN.asks(keyed(2, "k", "1")), ANN.asks(wire.SetTopic(A, 3, "general", "t")))
    both.catch_up()
    both.expect(
        Transmit(ANN.peer, wire.Done(A, 3, 5)),
        published(segment("#general", 4, 5, wire.TopicSet("ann", "t"))),
        acked(ANN, A, (2, 6)),
        published(segment("#general", 5, 6, wire.KeyedMessage("ann", "k", "1"))),
    )


def test_a_look_up_that_cannot_be_made_is_not_answered(both: Play) -> None:
    """Nobody knows whether the message is there. What came behind it goes on."""
    both.unreadable = True
    both.receive(ANN.asks(keyed(2, "k", "1")), ANN.asks(send(3, 0, "2")))
    both.expect(acked(ANN, A, (3, 5)), published(said(4, 5, 0, "2")))
    both.unreadable = False
    both.receive(ANN.asks(keyed(2, "k", "1")))
    both.expect(
        acked(ANN, A, (2, 6)), published(segment("#general", 5, 6, wire.KeyedMessage("ann", "k", "1")))
    )


def test_a_look_up_of_a_session_that_has_ended(both: Play) -> None:
    both.hold()
    both.receive(ANN.asks(keyed(1, "k", "a")))
    both.receive(ANN.asks(send(2, 0, "b")), ANN.asks(wire.Bye(A)))
    both.catch_up()
    both.expect()
    assert both.core.is_idle and both.core.accepting
    assert both.store.load().last_pos == HEAD


# ---- acts ----


def test_joining_creates_a_room_and_tells_it(both: Play) -> None:
    both.receive(ANN.asks(wire.Join(A, 1, "Dev")), BOB.asks(wire.Join(B, 2, "dev")))
    both.expect(
        Transmit(ANN.peer, wire.Done(A, 1, 5)),
        Transmit(BOB.peer, wire.Done(B, 2, 6)),
        published(segment("#dev", 0, 5, wire.Joined("ann", True))),
        published(segment("#dev", 5, 6, wire.Joined("bob", False))),
    )


def test_acts_that_change_nothing(both: Play) -> None:
    both.receive(
        ANN.asks(wire.Join(A, 1, "general")),
        ANN.asks(wire.SetTopic(A, 2, "general", "")),
        ANN.asks(wire.Join(A, 3, "dev")),
        BOB.asks(wire.Leave(B, 4, "dev")),
        ANN.asks(wire.Join(A, 5, "DEV")),
    )
    both.expect(
        *(Transmit(ANN.peer, wire.Done(A, token, pos)) for token, pos in ((1, 0), (2, 0), (3, 5))),
        Transmit(BOB.peer, wire.Done(B, 4, 0)),
        Transmit(ANN.peer, wire.Done(A, 5, 0)),
        published(segment("#dev", 0, 5, wire.Joined("ann", True))),
    )


def test_leaving_and_topics(both: Play) -> None:
    both.receive(ANN.asks(wire.SetTopic(A, 1, "General", "ä\nb")), ANN.asks(wire.Leave(A, 2, "general")))
    both.expect(
        Transmit(ANN.peer, wire.Done(A, 1, 5)),
        Transmit(ANN.peer, wire.Done(A, 2, 6)),
        published(segment("#general", 4, 5, wire.TopicSet("ann", "ä\nb"))),
        published(segment("#general", 5, 6, wire.Left("ann"))),
    )


def test_an_act_that_changes_nothing_waits_for_what_it_saw(both: Play) -> None:
    """Bob asks again for what Ann's act, not yet durable, has done already."""
    both.hold()
    both.receive(ANN.asks(wire.SetTopic(A, 1, "general", "t")))
    both.receive(BOB.asks(wire.SetTopic(B, 2, "general", "t")))
    both.expect()
    both.catch_up()
    both.expect(
        Transmit(ANN.peer, wire.Done(A, 1, 5)),
        published(segment("#general", 4, 5, wire.TopicSet("ann", "t"))),
        Transmit(BOB.peer, wire.Done(B, 2, 0)),
    )


@pytest.mark.parametrize(
    ("act", "refusal"),
    [
        (wire.Join(A, 1, "a b"), Refusal.NAME_INVALID),
        (wire.Join(A, 1, "Bob"), Refusal.NAME_INVALID),
        (wire.Join(A, 1, "#x"), Refusal.NAME_INVALID),
        (wire.Leave(A, 1, "nowhere"), Refusal.NO_SUCH_ROOM),
        (wire.Leave(A, 1, "a b"), Refusal.NO_SUCH_ROOM),
        (wire.SetTopic(A, 1, "nowhere", "t"), Refusal.NO_SUCH_ROOM),
        (wire.SetTopic(A, 1, "general", "é" * 513), Refusal.TOO_LARGE),
    ],
)
def test_acts_that_are_refused(
    both: Play, act: wire.Join | wire.Leave | wire.SetTopic, refusal: Refusal
) -> None:
    both.receive(ANN.asks(act))
    both.expect(refused(ANN, A, 1, refusal))


def test_no_more_rooms_than_allowed() -> None:
    play = Play(Limits(rooms_max=2))
    play.greet(ANN, "ann")
    play.receive(ANN.asks(wire.Join(A, 1, "dev")), ANN.asks(wire.Join(A, 2, "ops")))
    play.expect(
        Transmit(ANN.peer, wire.Done(A, 1, 3)),
        refused(ANN, A, 2, Refusal.LIMIT_REACHED),
        published(segment("#dev", 0, 3, wire.Joined("ann", True))),
    )


def test_no_more_rooms_of_a_user_than_allowed() -> None:
    play = Play(Limits(joined_rooms_max=1))
    play.greet(ANN, "ann")
    play.receive(
        ANN.asks(wire.Join(A, 1, "dev")),
        ANN.asks(wire.Leave(A, 2, "general")),
        ANN.asks(wire.Join(A, 3, "dev")),
    )
    play.expect(
        refused(ANN, A, 1, Refusal.LIMIT_REACHED),
        Transmit(ANN.peer, wire.Done(A, 2, 3)),
        Transmit(ANN.peer, wire.Done(A, 3, 4)),
        published(segment("#general", 2, 3, wire.Left("ann"))),
        published(segment("#dev", 0, 4, wire.Joined("ann", True))),
    )


def test_requests_of_a_connection_that_is_not_greeted(play: Play) -> None:
    """In every form: before Hello, with another number, by another key, after the end."""
    requests: list[wire.Request] = [
        send(1, 0, "a"),
        keyed(1, "k", "a"),
        wire.Join(A, 1, "dev"),
        wire.Leave(A, 1, "dev"),
        wire.SetTopic(A, 1, "general", "t"),
        wire.Fetch(A, 1, "#general", 0, 0),
        wire.Follow(A, 1, [], False),
        wire.Ping(A, 1, 0, ""),
        wire.ListPeople(A, 1, None, ""),
        wire.ListRooms(A, 1, ""),
    ]
    for request in requests:
        play.receive(ANN.asks(request), ANN.asks(wire.Bye(A)))
        play.expect(refused(ANN, A, 1, Refusal.NOT_GREETED))
    play.greet(BOB, "bob")  # has the number 1
    for request in requests:
        play.receive(ANN.asks(request))
        play.expect(refused(ANN, A, 1, Refusal.NOT_GREETED))
    play.receive(BOB.asks(wire.Ping(2, 5, 0, "")))
    play.expect(refused(BOB, 2, 5, Refusal.NOT_GREETED))


def test_a_request_before_the_welcome_is_not_greeted(play: Play) -> None:
    play.hold()
    play.receive(ANN.asks(hello("ann")), ANN.asks(wire.Ping(A, 5, 0, "")))
    play.expect(refused(ANN, A, 5, Refusal.NOT_GREETED))
    play.catch_up()
    play.skip()


def test_another_key_on_a_routing_id_ends_the_session(both: Play) -> None:
    thief = Peer(ANN.peer, BOB.key)
    both.receive(thief.asks(send(1, 0, "as ann")))
    both.expect(refused(thief, A, 1, Refusal.NOT_GREETED))
    both.receive(BOB.asks(send(1, 0, "psst", to="@ann", session=B)))
    frame = segment("@ann,bob", 0, 5, wire.Messages("bob", 1, 0, ["psst"]))
    both.expect(acked(BOB, B, (1, 5)), delivered(BOB, B, frame))
    both.receive(ANN.asks(wire.Ping(A, 2, 0, "")))
    both.expect(refused(ANN, A, 2, Refusal.NOT_GREETED))


def test_another_key_may_greet_on_a_routing_id(both: Play) -> None:
    thief = Peer(ANN.peer, BOB.key)
    assert both.greet(thief, "bob", instance=2) == 3
    both.receive(ANN.asks(wire.Ping(A, 2, 0, "")))
    both.expect(refused(ANN, A, 2, Refusal.NOT_GREETED))
