"""What is told when: order, durability, failed commits, back-pressure, and how writing resumes."""

import gc
from types import TracebackType

import pytest

from tests.unit.broker.play import (
    ANN,
    BOB,
    CAT,
    TIME_MS,
    Play,
    acked,
    acked_again,
    delivered,
    hello,
    published,
    refused,
    segment,
    welcome,
)
from zchat.broker.core import port
from zchat.broker.core.effects import Approve, Cut, Log, Publish, Transmit, TransmitSegments
from zchat.broker.core.events import Elapsed, MalformedReceived, Request, Stopping
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


def ann(token: int, counter: int, text: str, *, to: str = "#general", lowest: int = 0) -> Request:
    """A Send of Ann."""
    return ANN.asks(wire.Send(A, token, lowest, to, counter, [text]))


def bob(token: int, counter: int, text: str, *, to: str = "#general", lowest: int = 0) -> Request:
    """A Send of Bob."""
    return BOB.asks(wire.Send(B, token, lowest, to, counter, [text]))


def keyed(token: int, key: str, text: str) -> Request:
    """A message of Ann with a key."""
    return ANN.asks(wire.KeyedSend(A, token, "#general", key, text))


def by(nick: str, counter: int, text: str) -> wire.Messages:
    return wire.Messages(nick, 1, counter, [text])


def fail(play: Play, *, certain: bool, revives: bool = False) -> None:
    """A commit of Bob's fails, and the state is loaded again. Nobody has said anything since."""
    play.store.fail_next(certain, revives)
    play.receive(bob(900, 0, "lost"))
    play.expect(*([refused(BOB, B, 900, Refusal.STORAGE_UNAVAILABLE)] if certain else []))


# ---- order ----


def test_what_arrives_during_a_commit_is_the_next_one(both: Play) -> None:
    both.hold()
    both.receive(ann(1, 0, "a"))
    both.receive(bob(1, 0, "b"), ann(2, 1, "c"))
    both.receive(bob(2, 1, "d"))
    both.carry_out(port.Write)
    both.expect(acked(ANN, A, (1, 5)), published(segment("#general", 4, 5, by("ann", 0, "a"))))
    both.carry_out(port.Write)
    both.expect(
        acked(BOB, B, (1, 6), (2, 8)),
        acked(ANN, A, (2, 7)),
        published(segment("#general", 5, 6, by("bob", 0, "b"), by("ann", 1, "c"), by("bob", 1, "d"))),
    )
    assert both.waiting == []


def test_messages_are_grouped_by_conversation_between_barriers(both: Play) -> None:
    both.receive(
        ann(1, 0, "a"),
        ann(2, 1, "b", to="@bob"),
        bob(1, 0, "c"),
        ANN.asks(wire.SetTopic(A, 3, "general", "t")),
        bob(2, 1, "d", to="@ann"),
        ann(4, 2, "e"),
        bob(3, 2, "f", to="@ann"),
    )
    both.skip()
    assert both.segments[4:] == [
        segment("#general", 4, 5, by("ann", 0, "a"), by("bob", 0, "c")),
        segment("@ann,bob", 0, 7, by("ann", 1, "b")),
        segment("#general", 6, 8, wire.TopicSet("ann", "t")),
        segment("@ann,bob", 7, 9, by("bob", 1, "d"), by("bob", 2, "f")),
        segment("#general", 8, 11, by("ann", 2, "e")),
    ]


def test_time_never_decreases(both: Play) -> None:
    both.time_ms += 1_000
    both.receive(ann(1, 0, "a"))
    both.time_ms -= 5_000  # the clock was set back
    both.receive(ann(2, 1, "b"))
    later = TIME_MS + 1_000
    both.expect(
        acked(ANN, A, (1, 5), time_ms=later),
        published(segment("#general", 4, 5, by("ann", 0, "a"), time_ms=later)),
        acked(ANN, A, (2, 6), time_ms=later),
        published(segment("#general", 5, 6, by("ann", 1, "b"), time_ms=later)),
    )
    after = both.restarted()
    after.time_ms -= 5_000
    after.greet(ANN, "ann")
    after.receive(ann(3, 2, "c"))
    after.expect(
        acked(ANN, A, (3, 7), time_ms=later),
        published(segment("#general", 6, 7, by("ann", 2, "c"), time_ms=later)),
    )


def test_reports_of_another_commit_are_ignored(both: Play) -> None:
    both.hold()
    both.receive(ann(1, 0, "a"))
    write = both.waiting[0]
    assert isinstance(write, port.Write)
    for report in (
        port.Durable(write.seq - 1),
        port.Failed(write.seq + 1, True),
        port.Ordered(write.seq, [], TIME_MS),
        port.Found(99, None),
        port.InstanceLoaded(99, None),
        port.PageRead(99, [], 0),
        port.Unreadable(99),
    ):
        both.handle(report)
    both.expect()
    both.carry_out(port.Write)
    both.expect(acked(ANN, A, (1, 5)), published(segment("#general", 4, 5, by("ann", 0, "a"))))
    both.handle(port.Durable(write.seq))


# ---- nothing before it is durable, and what is exempt ----


def test_nothing_that_a_crash_could_take_back_is_told(both: Play) -> None:
    """Ann makes a room and is registered nowhere else; while that is written, everybody asks."""
    both.hold()
    both.receive(ANN.asks(wire.Join(A, 1, "dev")), ann(2, 0, "a"))
    both.receive(
        BOB.asks(wire.Follow(B, 1, ["dev"], True)),
        BOB.asks(wire.ListRooms(B, 2, "")),
        BOB.asks(wire.ListPeople(B, 3, "dev", "")),
        BOB.asks(wire.Fetch(B, 4, "#dev", 0, 0)),
        BOB.asks(wire.Follow(B, 5, ["nowhere"], False)),
        BOB.asks(wire.ListPeople(B, 6, "nowhere", "")),
        BOB.asks(wire.Fetch(B, 7, "#nowhere", 0, 0)),
        CAT.asks(hello("Ann")),
    )
    both.expect()
    both.carry_out(port.Write)
    joined = segment("#dev", 0, 5, wire.Joined("ann", True))
    both.expect(
        Transmit(ANN.peer, wire.Done(A, 1, 5)),
        acked(ANN, A, (2, 6)),
        published(joined),
        delivered(BOB, B, joined),
        published(segment("#general", 4, 6, by("ann", 0, "a"))),
        delivered(BOB, B, segment("#general", 4, 6, by("ann", 0, "a"))),
        Transmit(BOB.peer, wire.Followed(B, 1, 4, [wire.Head("#dev", 0, 0)], "n.2.2")),
        Transmit(BOB.peer, wire.Rooms(B, 2, [wire.Room("dev", "", 1), wire.Room("general", "", 2)], "")),
        Transmit(BOB.peer, wire.People(B, 3, [wire.Person("ann", True, role=wire.OWNER)], "")),
        Transmit(BOB.peer, wire.Page(B, 4, "#dev", 0, 0)),
        refused(BOB, B, 5, Refusal.NO_SUCH_ROOM),
        refused(BOB, B, 6, Refusal.NO_SUCH_ROOM),
        refused(BOB, B, 7, Refusal.NO_SUCH_ROOM),
        refused(CAT, 0, 0, Refusal.NICK_TAKEN),
    )


def test_what_uses_durable_data_only_does_not_wait(both: Play) -> None:
    both.hold()
    both.receive(ann(1, 0, "a"))
    both.receive(
        ANN.asks(wire.Ping(A, 2, 0, "")),
        BOB.asks(wire.Fetch(B, 1, "#general", 0, 3)),
        CAT.asks(wire.Ping(7, 3, 0, "")),
    )
    both.handle(MalformedReceived(BOB.peer, BOB.key, "why", False))
    both.handle(MalformedReceived(BOB.peer, BOB.key, "why", True))
    both.subscribe(BOB, b"#general\0")
    both.subscribe(BOB, b"~n.2.1\0")
    both.carry_out(port.Read)
    both.expect(
        Transmit(ANN.peer, wire.Heads(A, 2, 4, [wire.Head("#general", 4, 2)], "")),
        refused(CAT, 7, 3, Refusal.NOT_GREETED),
        Transmit(BOB.peer, wire.Refused(0, 0, Refusal.MALFORMED.value, "why")),
        Transmit(BOB.peer, wire.Refused(0, 0, Refusal.MALFORMED.value, "why")),
        Cut(BOB.key, "frames that no client sends"),
        Approve(b"#general\0"),
        Approve(b"~n.2.1\0"),
        Publish(b"~n.2.1\0", wire.encode(wire.Heads(B, 0, 4, [wire.Head("#general", 4, 4)], ""))),
        TransmitSegments(
            BOB.peer,
            wire.Page(B, 1, "#general", 0, 4),
            [segment("#general", 2, 4, wire.Joined("bob", False))],
        ),
    )
    both.catch_up()
    both.expect(acked(ANN, A, (1, 5)), published(segment("#general", 4, 5, by("ann", 0, "a"))))


# ---- a commit that certainly failed ----


def test_after_a_certain_failure_what_was_new_is_refused(both: Play) -> None:
    both.receive(ann(1, 0, "a"), keyed(2, "k", "b"))
    both.skip()
    both.store.fail_next(certain=True)
    both.receive(
        ann(1, 0, "a"),  # a repeat of what is durable: silence, and asked again it is known
        ann(3, 1, "c"),
        bob(1, 0, "d", to="@nobody"),  # a decision that may have depended on the state
        BOB.asks(wire.Join(B, 2, "dev")),
        BOB.asks(wire.Join(B, 3, "general")),
        CAT.asks(hello("cat")),
    )
    both.expect(
        refused(ANN, A, 3, Refusal.STORAGE_UNAVAILABLE),
        refused(BOB, B, 2, Refusal.STORAGE_UNAVAILABLE),
        refused(CAT, 0, 0, Refusal.STORAGE_UNAVAILABLE),
    )
    assert both.store.load().last_pos == 6


def test_a_repeat_of_what_was_acknowledged_is_never_refused(both: Play) -> None:
    both.receive(ann(1, 0, "a"), keyed(2, "k", "b"))
    both.expect(
        acked(ANN, A, (1, 5)),
        published(segment("#general", 4, 5, by("ann", 0, "a"))),
        acked(ANN, A, (2, 6)),
        published(segment("#general", 5, 6, wire.KeyedMessage("ann", "k", "b"))),
    )
    both.store.fail_next(certain=True)
    both.receive(ann(1, 0, "a"), ann(3, 1, "c"))
    both.expect(refused(ANN, A, 3, Refusal.STORAGE_UNAVAILABLE))
    both.receive(ann(1, 0, "a"), keyed(2, "k", "b"))  # while broken
    both.expect(acked_again(ANN, A, 1, 5), acked_again(ANN, A, 2, 6))
    both.receive(ann(4, 0, "x"), keyed(5, "k", "x"))
    both.expect(refused(ANN, A, 4, Refusal.ID_REUSED), refused(ANN, A, 5, Refusal.ID_REUSED))
    both.elapse(1_000)
    both.skip()
    both.receive(ann(1, 0, "a"), keyed(2, "k", "b"))
    both.expect(acked_again(ANN, A, 1, 5), acked_again(ANN, A, 2, 6))


def test_new_sends_while_broken_are_refused_for_good(both: Play) -> None:
    """Not out of order: the client gave up the counters that were refused, and `lowest` says so."""
    both.store.fail_next(certain=True)
    both.receive(ann(1, 0, "a"))
    both.expect(refused(ANN, A, 1, Refusal.STORAGE_UNAVAILABLE))
    both.receive(
        ann(2, 1, "b", lowest=1),
        ann(3, 2, "c", lowest=2),
        keyed(4, "k", "d"),
        ANN.asks(wire.Join(A, 5, "dev")),
        ANN.asks(wire.SetTopic(A, 6, "general", "t")),
        ANN.asks(wire.Leave(A, 7, "general")),
    )
    both.expect(
        refused(ANN, A, 2, Refusal.STORAGE_UNAVAILABLE),
        refused(ANN, A, 3, Refusal.STORAGE_UNAVAILABLE),
        *(refused(ANN, A, token, Refusal.STORAGE_UNAVAILABLE) for token in (5, 6, 7)),
        refused(ANN, A, 4, Refusal.STORAGE_UNAVAILABLE),
    )
    both.receive(ann(8, 4, "e", lowest=3))  # the one before it has no answer yet
    both.expect(refused(ANN, A, 8, Refusal.OUT_OF_ORDER))


def test_what_waited_behind_a_failed_commit(both: Play) -> None:
    """Acts and registrations are refused. Sends may be repeats: silence, and their clients repeat them."""
    both.hold()
    both.store.fail_next(certain=True)
    both.receive(ann(1, 0, "a"))
    both.receive(ann(2, 1, "b"), BOB.asks(wire.Join(B, 1, "dev")), CAT.asks(hello("cat")))
    both.carry_out(port.Write)
    both.expect(
        refused(BOB, B, 1, Refusal.STORAGE_UNAVAILABLE),
        refused(CAT, 0, 0, Refusal.STORAGE_UNAVAILABLE),
        refused(ANN, A, 1, Refusal.STORAGE_UNAVAILABLE),
    )
    both.catch_up()
    both.expect()
    assert both.core.accepting


def test_held_answers_of_a_failed_commit_cannot_be_given(both: Play) -> None:
    both.hold()
    both.store.fail_next(certain=True)
    both.receive(ANN.asks(wire.Join(A, 1, "dev")))
    both.receive(
        BOB.asks(wire.ListRooms(B, 1, "")),
        BOB.asks(wire.Follow(B, 2, ["dev"], False)),
        CAT.asks(hello("ann")),  # refused by the state: the client asks again
        BOB.asks(wire.Ping(B, 3, 4, "")),
    )
    both.expect(Transmit(BOB.peer, wire.Heads(B, 3, 4, [], "")))
    both.carry_out(port.Write)
    both.expect(
        refused(ANN, A, 1, Refusal.STORAGE_UNAVAILABLE),
        refused(BOB, B, 1, Refusal.UNREADABLE),
        refused(BOB, B, 2, Refusal.UNREADABLE),
    )
    both.catch_up()
    both.receive(BOB.asks(wire.Follow(B, 3, ["dev"], False)))
    both.expect(refused(BOB, B, 3, Refusal.NO_SUCH_ROOM))


def test_the_fold_is_thrown_away(both: Play) -> None:
    """After a failed commit the state is that of the disk: rooms, members, heads, and what was followed."""
    both.store.fail_next(certain=True)
    both.receive(
        ANN.asks(wire.Join(A, 1, "dev")), ANN.asks(wire.SetTopic(A, 2, "general", "t")), ann(3, 0, "a")
    )
    both.skip()
    both.receive(
        ANN.asks(wire.ListRooms(A, 4, "")),
        ANN.asks(wire.Ping(A, 5, 0, "")),
        ANN.asks(wire.Fetch(A, 6, "#dev", 0, 0)),
    )
    both.expect(
        Transmit(ANN.peer, wire.Rooms(A, 4, [wire.Room("general", "", 2)], "")),
        Transmit(ANN.peer, wire.Heads(A, 5, 4, [wire.Head("#general", 4, 2)], "")),
        refused(ANN, A, 6, Refusal.NO_SUCH_ROOM),
    )


def test_reading_goes_on_while_writing_does_not(both: Play) -> None:
    fail(both, certain=False)
    both.receive(
        ANN.asks(wire.Ping(A, 1, 3, "")),
        ANN.asks(wire.ListPeople(A, 2, None, "")),
        ANN.asks(wire.Follow(A, 3, ["general"], False)),
        ANN.asks(wire.Fetch(A, 4, "#general", 1, 4)),
    )
    heads = [wire.Head("#general", 4, 2)]
    both.expect(
        Transmit(ANN.peer, wire.Heads(A, 1, 4, heads, "")),
        Transmit(ANN.peer, wire.People(A, 2, [wire.Person("ann", True), wire.Person("bob", True)], "")),
        Transmit(ANN.peer, wire.Followed(A, 3, 4, heads, "n.1.2")),
        TransmitSegments(
            ANN.peer,
            wire.Page(A, 4, "#general", 0, 4),
            [segment("#general", 0, 2, wire.Joined("ann", True))],
        ),
    )


def test_writing_resumes_by_itself(both: Play) -> None:
    fail(both, certain=True)
    for _ in range(3):
        both.store.fail_next(certain=True)
        both.elapse(1_000)  # one probe
        both.skip()
        both.receive(bob(901, 1, "still", lowest=1))
        both.expect(refused(BOB, B, 901, Refusal.STORAGE_UNAVAILABLE))
    both.elapse(1_000)
    both.receive(bob(2, 1, "b", lowest=1), ann(1, 0, "a"))
    both.expect(
        acked(BOB, B, (2, 5)),
        acked(ANN, A, (1, 6)),
        published(segment("#general", 4, 5, by("bob", 1, "b"), by("ann", 0, "a"))),
    )
    assert Log("storage_failed", "certain") in both.lines
    assert [line.details for line in both.lines if line.event == "loaded"] == [
        "pos=0 writing=True",
        "pos=4 writing=False",
        "pos=4 writing=True",
    ]


def test_a_probe_a_second_and_not_more(both: Play) -> None:
    both.elapse(500)
    both.skip()
    fail(both, certain=True)
    both.hold()
    both.elapse(999)
    assert both.waiting == []
    both.elapse(1)
    assert [type(one) for one in both.waiting] == [port.Write]
    write = both.waiting[0]
    assert isinstance(write, port.Write) and write[1:5] == ([], [], [], [])
    both.elapse(10_000)
    assert len(both.waiting) == 1  # at most one Write is unanswered
    both.skip()
    both.catch_up()


def test_while_a_probe_is_under_way_answers_by_the_state_do_not_wait(both: Play) -> None:
    fail(both, certain=True)
    both.hold()
    both.elapse(1_000)
    both.skip()
    both.receive(ANN.asks(wire.ListRooms(A, 1, "")))
    both.expect(Transmit(ANN.peer, wire.Rooms(A, 1, [wire.Room("general", "", 2)], "")))
    both.catch_up()


def test_a_load_that_fails_is_made_again(both: Play) -> None:
    both.hold()
    both.store.fail_next(certain=True)
    both.receive(ann(1, 0, "a"))
    both.carry_out(port.Write)
    both.skip()
    both.unreadable = True
    both.carry_out(port.Load)
    assert not both.core.accepting
    both.elapse(1_000)
    both.skip()
    both.carry_out(port.Load)
    assert not both.core.accepting
    both.unreadable = False
    both.catch_up()
    both.elapse(1_000)  # the load
    assert both.core.accepting
    both.elapse(1_000)  # the probe
    both.receive(ann(2, 1, "b", lowest=1))
    both.expect(acked(ANN, A, (2, 5)), published(segment("#general", 4, 5, by("ann", 1, "b"))))


def test_a_store_that_cannot_be_read_at_start_is_asked_again() -> None:
    play = Play()
    play.unreadable = True
    play.handle(port.Failed(0, True))
    assert play.core.deadline_ms() == 1_000
    play.elapse(1_000)
    assert play.core.deadline_ms() == 2_000
    play.unreadable = False
    play.elapse(1_000)
    assert play.core.deadline_ms() is None and play.core.accepting


# ---- a commit of which nobody knows ----


def test_an_uncertain_failure_is_silent(both: Play) -> None:
    both.store.fail_next(certain=False, revives=True)
    both.receive(ann(1, 0, "a"), BOB.asks(wire.Join(B, 1, "dev")), CAT.asks(hello("cat")))
    both.expect()


def test_what_is_in_doubt_is_not_answered_and_everything_else_is(both: Play) -> None:
    other = ANN.elsewhere("b")
    assert both.greet(other, "ann", instance=2) == 3
    both.receive(ann(1, 0, "durable"), keyed(2, "old", "x"))
    both.skip()
    both.store.fail_next(certain=False, revives=True)
    both.hold()
    both.receive(keyed(3, "k", "b"))
    both.carry_out(port.Look)
    both.carry_out(port.Write)
    both.catch_up()
    both.expect()
    both.receive(  # the key is in doubt, whoever repeats it; counters are not
        keyed(3, "k", "b"),
        other.asks(wire.KeyedSend(3, 1, "#general", "k", "other")),
        keyed(4, "new", "b"),
        keyed(2, "old", "x"),
        ann(1, 0, "durable"),
        ann(5, 1, "new"),
    )
    both.expect(
        refused(ANN, A, 4, Refusal.STORAGE_UNAVAILABLE),
        Transmit(ANN.peer, wire.Ack(A, [wire.Stored(2, 6, TIME_MS, True), wire.Stored(1, 5, TIME_MS, True)])),
        refused(ANN, A, 5, Refusal.STORAGE_UNAVAILABLE),
    )


def test_an_instance_in_doubt_is_not_answered_at_all(both: Play) -> None:
    both.receive(ann(1, 0, "a"))
    both.skip()
    both.store.fail_next(certain=False, revives=True)
    both.receive(ann(2, 1, "b"))
    both.receive(ann(1, 0, "a"), ann(2, 1, "b"), ann(3, 2, "c"), ann(4, 7, "c"))
    both.expect()
    both.receive(bob(1, 0, "b"))  # another instance
    both.expect(refused(BOB, B, 1, Refusal.STORAGE_UNAVAILABLE))


def test_an_act_in_doubt_is_not_answered(both: Play) -> None:
    both.store.fail_next(certain=False, revives=True)
    both.receive(ANN.asks(wire.Join(A, 1, "dev")))
    both.receive(
        ANN.asks(wire.Join(A, 1, "dev")), ANN.asks(wire.Join(A, 2, "ops")), ANN.asks(wire.Leave(A, 3, "dev"))
    )
    both.expect(
        refused(ANN, A, 2, Refusal.STORAGE_UNAVAILABLE), refused(ANN, A, 3, Refusal.STORAGE_UNAVAILABLE)
    )


def test_a_failed_probe_does_not_end_the_doubt(both: Play) -> None:
    both.store.fail_next(certain=False, revives=True)
    both.receive(ann(1, 0, "a"))
    both.store.fail_next(certain=True)
    both.elapse(1_000)
    both.skip()
    both.receive(ann(1, 0, "a"))
    both.expect()


def test_the_doubt_ends_when_a_probe_succeeded_and_the_store_was_asked(both: Play) -> None:
    both.store.fail_next(certain=False, revives=True)
    both.receive(ann(1, 0, "a"))
    both.elapse(900)
    both.skip()
    both.hold()
    both.elapse(100)
    both.carry_out(port.Write)
    both.receive(ann(1, 0, "a"))
    assert not both.core.accepting
    both.carry_out(port.Load)
    both.expect()
    both.catch_up()
    both.receive(ann(1, 0, "a"), ann(2, 1, "b"))
    both.expect(
        acked(ANN, A, (1, 5), (2, 6)),
        published(segment("#general", 4, 5, by("ann", 0, "a"), by("ann", 1, "b"))),
    )


def test_a_doubt_that_is_over_is_forgotten(both: Play) -> None:
    both.store.fail_next(certain=False)
    both.receive(ann(1, 0, "a"))
    both.elapse(1_000)
    both.skip()
    both.receive(ann(1, 0, "a"))
    both.expect(acked(ANN, A, (1, 5)), published(segment("#general", 4, 5, by("ann", 0, "a"))))
    fail(both, certain=True)
    both.receive(ann(1, 0, "a"), ann(2, 1, "b"))
    both.expect(acked_again(ANN, A, 1, 5), refused(ANN, A, 2, Refusal.STORAGE_UNAVAILABLE))


def test_what_was_in_doubt_turns_out_to_be_there(both: Play) -> None:
    """It was committed, whatever COMMIT said."""
    both.hold()
    both.store.fail_next(certain=False, revives=True)
    both.receive(ann(1, 0, "a"))
    both.carry_out(port.Write)
    both.store = both.store.crash()
    both.catch_up()
    both.receive(ann(1, 0, "a"))
    both.expect()
    both.elapse(1_000)
    both.skip()
    both.receive(ann(1, 0, "a"), ann(2, 1, "b"))
    rows = [wire.Stored(1, 5, TIME_MS, True), wire.Stored(2, 6, TIME_MS, False)]
    both.expect(
        Transmit(ANN.peer, wire.Ack(A, rows)), published(segment("#general", 5, 6, by("ann", 1, "b")))
    )


def test_a_crash_in_doubt_brings_it_back_once(both: Play) -> None:
    both.store.fail_next(certain=False, revives=True)
    both.receive(ann(1, 0, "a"))
    after = both.restarted()
    after.receive(ANN.asks(hello("ann", floor=4)))
    after.expect(Transmit(ANN.peer, welcome(1, "ann", floor=4, as_of=5, heads=[("#general", 5, 2)])))
    after.receive(ann(1, 0, "a"))
    after.expect(acked_again(ANN, A, 1, 5))


def test_a_repeat_that_waited_during_an_uncertain_failure_is_silent(both: Play) -> None:
    both.hold()
    both.store.fail_next(certain=False)
    both.receive(ann(1, 0, "a"), bob(1, 0, "b"))
    both.receive(ann(1, 0, "a"), ann(2, 1, "c"), BOB.asks(wire.Join(B, 2, "dev")))
    both.carry_out(port.Write)
    both.expect(refused(BOB, B, 2, Refusal.STORAGE_UNAVAILABLE))
    both.catch_up()
    both.expect()


def test_a_session_that_greets_while_its_instance_is_in_doubt(both: Play) -> None:
    """Its Welcome comes, its Sends are answered when the doubt is over."""
    both.store.fail_next(certain=False, revives=True)
    both.receive(ann(1, 0, "a"))
    other = ANN.elsewhere("b")
    assert both.greet(other, "ann") == 3
    both.receive(other.asks(wire.Send(3, 1, 0, "#general", 0, ["a"])))
    both.expect()
    both.elapse(1_000)
    both.skip()
    both.receive(other.asks(wire.Send(3, 1, 0, "#general", 0, ["a"])))
    both.expect(acked(other, 3, (1, 5)), published(segment("#general", 4, 5, by("ann", 0, "a"))))


def test_a_look_up_across_a_failed_commit(both: Play) -> None:
    """Found before the commit failed, the key is in doubt all the same."""
    other = ANN.elsewhere("b")
    assert both.greet(other, "ann", instance=2) == 3
    both.hold()
    both.store.fail_next(certain=False, revives=True)
    both.receive(keyed(1, "k", "a"))
    both.receive(other.asks(wire.KeyedSend(3, 2, "#general", "k", "a")))
    both.carry_out(port.Look)
    both.carry_out(port.Look)
    both.carry_out(port.Write)
    both.catch_up()
    both.expect()
    both.elapse(1_000)
    both.skip()
    both.receive(keyed(1, "k", "a"), other.asks(wire.KeyedSend(3, 2, "#general", "k", "a")))
    both.expect(
        acked(ANN, A, (1, 5)),
        acked_again(other, 3, 2, 5),
        published(segment("#general", 4, 5, wire.KeyedMessage("ann", "k", "a"))),
    )


def test_a_key_of_a_certainly_failed_commit_is_free_again(both: Play) -> None:
    both.store.fail_next(certain=True)
    both.receive(keyed(1, "k", "a"))
    both.expect(refused(ANN, A, 1, Refusal.STORAGE_UNAVAILABLE))
    both.elapse(1_000)
    both.skip()
    both.receive(keyed(2, "k", "b"))
    both.expect(
        acked(ANN, A, (2, 5)), published(segment("#general", 4, 5, wire.KeyedMessage("ann", "k", "b")))
    )


def test_presence_and_subscriptions_go_on_while_broken(both: Play) -> None:
    fail(both, certain=True)
    both.elapse(100)
    both.expect(
        Publish(
            wire.HERE, wire.encode(wire.Presence(0, [wire.Person("ann", True), wire.Person("bob", True)]))
        )
    )
    both.subscribe(ANN, wire.HERE)
    both.expect(Approve(wire.HERE))


# ---- bounds ----


def test_requests_are_not_read_while_a_commit_is_full() -> None:
    play = Play(Limits(commit_bytes_max=100))
    play.greet(ANN, "ann")
    play.hold()
    play.receive(ann(1, 0, "a" * 60))
    assert play.core.accepting  # it is on its way, and nothing waits
    play.receive(ann(2, 1, "b" * 60))
    assert play.core.accepting
    play.receive(ann(3, 2, "c" * 60))
    assert not play.core.accepting
    play.carry_out(port.Write)
    play.skip()
    assert play.core.accepting
    play.catch_up()
    play.expect(
        acked(ANN, A, (2, 4)),
        published(segment("#general", 3, 4, by("ann", 1, "b" * 60))),
        acked(ANN, A, (3, 5)),
        published(segment("#general", 4, 5, by("ann", 2, "c" * 60))),
    )
    assert play.core.is_idle


def test_look_ups_and_sends_behind_them_count_as_waiting() -> None:
    play = Play(Limits(commit_bytes_max=200))
    play.greet(ANN, "ann")
    play.hold()
    play.receive(keyed(1, "k", "a" * 60))
    play.receive(ann(2, 0, "b" * 60))
    play.receive(keyed(3, "l", "c" * 60))
    assert not play.core.accepting
    play.receive(ANN.asks(wire.Bye(A)))
    assert play.core.accepting  # what was behind the look-up is gone
    play.catch_up()
    play.expect()
    assert play.core.accepting and play.core.is_idle


@pytest.mark.parametrize("certain", [True, False])
def test_a_failed_commit_leaves_no_bytes_behind(certain: bool) -> None:
    play = Play(Limits(commit_bytes_max=300))
    assert (play.greet(ANN, "ann"), play.greet(BOB, "bob")) == (A, B)
    play.hold()
    play.store.fail_next(certain)
    play.receive(ann(1, 0, "a"))
    play.receive(keyed(2, "k", "a" * 60), ann(3, 1, "b" * 60), bob(1, 0, "c" * 60))
    play.receive(BOB.asks(wire.Join(B, 4, "dev")))
    assert not play.core.accepting
    play.catch_up()
    play.elapse(1_000)
    play.skip()
    play.receive(bob(5, 1, "d" * 60, lowest=1))
    assert play.core.accepting and play.core.is_idle
    assert play.entries[-1] == by("bob", 1, "d" * 60)
    play.skip()


def test_a_stopping_broker_reads_no_more_and_answers_what_it_read(both: Play) -> None:
    both.hold()
    both.receive(keyed(1, "k", "a"), bob(1, 0, "b"))
    both.handle(Stopping())
    assert not both.core.accepting and not both.core.is_idle
    both.catch_up()
    both.skip()
    assert both.core.is_idle and both.store.load().last_pos == 6
    both.handle(Elapsed())


def test_refusals_leave_nothing_behind(play: Play) -> None:
    """While nothing can be written: what is raised anew keeps no frames of before."""
    play.greet(ANN, "ann")
    play.store.fail_next(certain=True)
    for counter in range(3):
        play.receive(ANN.asks(wire.Send(1, 1 + counter, 0, "#general", counter, ["a"])))
    gc.collect()
    before = sum(isinstance(one, TracebackType) for one in gc.get_objects())
    for counter in range(50):
        play.receive(ANN.asks(wire.Send(1, 9 + counter, 0, "#general", 0, ["a"])))
    play.skip()
    gc.collect()
    assert sum(isinstance(one, TracebackType) for one in gc.get_objects()) <= before
    play.elapse(1_000)
    play.skip()
