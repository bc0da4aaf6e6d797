"""Receiving: the one rule, lists of heads, the floor, memberships, and a user who does not read."""

import pytest

from tests.unit.client.play import AWAY, Play, heads, message, said, segment, told, welcome
from zchat.client.core import inbox
from zchat.client.core.cursors import Snapshot
from zchat.client.core.effects import Deliver, Effect, Save, Subscribe, Transmit, Unsubscribe
from zchat.client.core.events import (
    Disconnected,
    Elapsed,
    HandshakeSucceeded,
    HeadsPublished,
    PresencePublished,
    SegmentDelivered,
    Started,
)
from zchat.client.messages import Came, MemberJoined, MemberLeft, Message, TopicChanged, Went
from zchat.common import wire
from zchat.common.codes import Refusal

GENERAL, ANN_BOB = "#general", "@ann,bob"


def fetch(token: int, to: str, bound: int, session: int = 1) -> Transmit:
    return Transmit(wire.Fetch(session, token, to, 0, bound))


def hears(play: Play, token: int, rows: list[tuple[str, int, int]], as_of: int, following: str = "") -> None:
    play.answer(wire.Heads(1, token, as_of, heads(rows), following))


def floor(play: Play) -> int | None:
    return play.core.snapshot().floor


def texts(effects: list[Effect]) -> list[str]:
    delivered = [update for effect in effects if isinstance(effect, Deliver) for update in effect.updates]
    return [update.text for update in delivered if isinstance(update, Message)]


# ---- the rule ----


def test_what_follows_is_delivered(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, said("bob", "a", "b")))
    play.expect(Deliver([message(GENERAL, 5, 6, "bob", "a"), message(GENERAL, 6, 7, "bob", "b", 1)]))


def test_what_was_delivered_is_dropped_and_of_an_overlap_the_rest_is_delivered(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, said("bob", "a")))
    play.forget()
    play.publish(segment(GENERAL, 5, 6, said("bob", "a")))
    play.expect()
    play.publish(segment(GENERAL, 5, 6, said("bob", "a", "b")))
    play.expect(Deliver([message(GENERAL, 6, 7, "bob", "b", 1)]))


def test_a_gap_is_fetched_once_and_what_comes_meanwhile_is_dropped(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 6, 7, said("bob", "b")), segment(GENERAL, 7, 8, said("bob", "c")))
    play.expect(fetch(1, GENERAL, 5))
    missing = segment(GENERAL, 5, 6, said("bob", "a")), segment(GENERAL, 6, 7, said("bob", "b"))
    play.page(1, 1, GENERAL, 7, *missing)
    play.expect(
        Deliver([message(GENERAL, 5, 6, "bob", "a")]),
        Deliver([message(GENERAL, 6, 7, "bob", "b")]),
        fetch(2, GENERAL, 7),  # the page did not have the last one yet
    )
    play.page(1, 2, GENERAL, 8, segment(GENERAL, 7, 8, said("bob", "c")))
    play.expect(Deliver([message(GENERAL, 7, 8, "bob", "c")]))


def test_direct_messages_come_over_the_request_socket(open_play: Play) -> None:
    play = open_play
    play.happen(SegmentDelivered(1, segment(ANN_BOB, 0, 6, said("bob", "psst"))))
    play.expect(Deliver([message(ANN_BOB, 0, 6, "bob", "psst")]))
    play.happen(SegmentDelivered(2, segment(ANN_BOB, 6, 7, said("bob", "of another session"))))
    play.expect()


def test_what_is_not_ours_or_makes_no_sense_is_dropped(open_play: Play) -> None:
    play = open_play
    odd = segment(GENERAL, 5, 6, said("bob", "a"))
    play.publish(
        segment("#other", 0, 6, said("bob", "a")),
        segment("@bob,cat", 0, 6, said("bob", "a")),
        segment("$", 0, 6, wire.Registered("cat", "cat", "k" * 40)),
        wire.Segment(GENERAL, 9, 6, 6, 0, odd.entries),
        wire.Segment(GENERAL, 5, 6, 9, 0, odd.entries),
        wire.Segment(GENERAL, 5, 6, 5, 0, odd.entries),
    )
    play.expect()


def test_entries_are_told_as_what_they_are_and_unknown_ones_only_move_the_cursor(open_play: Play) -> None:
    play = open_play
    play.publish(
        segment(GENERAL, 5, 6, wire.Joined("bob", False)),
        segment(GENERAL, 6, 7, wire.TopicSet("bob", "tea")),
        segment(GENERAL, 7, 8, wire.Unknown()),
        segment(GENERAL, 8, 9, wire.KeyedMessage("bob", "k", "hi")),
        segment(GENERAL, 9, 10, wire.Left("bob")),
    )
    play.expect(
        Deliver([MemberJoined(6, 5, 1000, "general", "bob", False)]),
        Deliver([TopicChanged(7, 6, 1000, "general", "bob", "tea")]),
        Deliver([Message(9, 8, 1000, "bob", GENERAL, "message", "k", "hi", GENERAL)]),
        Deliver([MemberLeft(10, 9, 1000, "general", "bob")]),
    )


def test_two_pages_are_open_at_once_the_others_wait(open_play: Play) -> None:
    play = open_play
    for other, pos in (("bob", 10), ("cat", 20), ("dan", 30)):
        play.happen(SegmentDelivered(1, segment(f"@ann,{other}", pos - 1, pos, said(other, "x"))))
    play.expect(fetch(1, "@bob", 5), fetch(2, "@cat", 5))
    play.page(1, 1, "@ann,bob", 10, segment("@ann,bob", 0, 9, said("bob", "w", "x")))
    assert play.wanted[-1] == fetch(3, "@dan", 5)


def test_a_page_that_does_not_come_is_asked_for_again(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 6, 7, said("bob", "b")))
    play.forget()
    play.wait(5_000)
    assert fetch(2, GENERAL, 5) in play.wanted or fetch(3, GENERAL, 5) in play.wanted


@pytest.mark.parametrize("refusal", [Refusal.BUSY, Refusal.UNREADABLE, Refusal.LIMIT_REACHED])
def test_a_refused_page_is_asked_for_later(open_play: Play, refusal: Refusal) -> None:
    play = open_play
    play.publish(segment(GENERAL, 6, 7, said("bob", "b")))
    play.forget()
    play.refuse(1, 1, refusal)
    play.expect()
    play.wait(100)
    play.expect(fetch(2, GENERAL, 5))
    play.refuse(1, 2, refusal)
    play.wait(199)
    play.expect()
    play.wait(1)
    play.expect(fetch(3, GENERAL, 5))


def test_a_page_without_news_or_with_a_gap_is_not_asked_for_at_once(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 6, 7, said("bob", "b")))
    play.forget()
    play.page(1, 1, GENERAL, 7, segment(GENERAL, 6, 7, said("bob", "b")))
    play.expect()
    play.wait(100)
    play.expect(fetch(2, GENERAL, 5))
    play.page(1, 2, "#other", 7)
    play.expect()
    play.wait(200)
    play.expect(fetch(3, GENERAL, 5))


def test_what_retention_has_taken_is_not_waited_for(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 40, 41, said("bob", "z")))
    play.forget()
    play.answer(wire.Page(1, 1, GENERAL, 60, 50))
    play.expect()
    play.publish(segment(GENERAL, 50, 61, said("bob", "new")))
    assert texts(play.wanted) == ["new"]


# ---- heads and the floor ----


def test_a_lost_last_message_is_found_by_the_next_heads(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    play.expect_sent(wire.Ping(1, 1, 5, ""))
    hears(play, 1, [(ANN_BOB, 7, 0)], as_of=7)
    play.expect(fetch(2, "@bob", 5))
    assert floor(play) == 5
    play.page(1, 2, ANN_BOB, 7, segment(ANN_BOB, 0, 7, said("bob", "lost")))
    assert texts(play.wanted) == ["lost"]
    play.take(1)
    assert floor(play) == 7


def test_the_floor_rises_over_what_is_reached_and_a_room_keeps_its_position(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, said("bob", "a")))
    play.take(1)
    assert play.core.snapshot().positions == {GENERAL: 6}
    play.wait(5_000)
    hears(play, 1, [(GENERAL, 6, 2)], as_of=9)
    assert play.core.snapshot() == Snapshot(9, {GENERAL: 6}, frozenset({GENERAL}), frozenset())


def test_a_list_goes_on_over_pages_and_counts_for_the_smallest_as_of(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    play.forget()
    hears(play, 1, [], as_of=9, following="@ann,bob")
    play.expect(Transmit(wire.Ping(1, 2, 5, "@ann,bob")))
    hears(play, 2, [], as_of=12)
    assert floor(play) == 9


def test_a_list_without_end_is_left(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    hears(play, 1, [], as_of=9, following="x")
    play.forget()
    hears(play, 2, [], as_of=9, following="x")
    play.expect()
    assert floor(play) == 5


def test_an_old_answer_to_ping_is_ignored(open_play: Play) -> None:
    play = open_play
    play.wait(10_000)
    play.forget()
    hears(play, 1, [(GENERAL, 9, 2)], as_of=9)
    play.expect()
    hears(play, 2, [(GENERAL, 9, 2)], as_of=9)
    play.expect(fetch(3, GENERAL, 5))


def test_heads_on_another_nonce_are_ignored(open_play: Play) -> None:
    play = open_play
    play.happen(HeadsPublished("old", wire.Heads(1, 0, 9, heads([(GENERAL, 9, 2)]), "")))
    play.expect()
    play.happen(HeadsPublished("nonce1", wire.Heads(1, 0, 9, heads([(GENERAL, 9, 2)]), "")))
    play.expect(fetch(1, GENERAL, 5))


def test_a_newer_list_does_not_move_the_goal(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    hears(play, 1, [(GENERAL, 6, 2)], as_of=6)
    play.wait(4_000)
    play.publish(segment(GENERAL, 5, 6, said("bob", "a")))
    play.take(1)
    assert floor(play) == 6


# ---- where reading begins ----


def test_without_a_state_reading_begins_now(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    play.answer(welcome(rows=((GENERAL, 90, 2), (ANN_BOB, 80, 0)), as_of=95))
    assert not [e for e in play.wanted if isinstance(e, Transmit)]
    assert floor(play) == 95


def test_a_new_installation_gets_direct_messages_since_the_registration_and_rooms_from_now() -> None:
    play = Play(resume=True)
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    play.answer(welcome(rows=((GENERAL, 90, 2), (ANN_BOB, 80, 0)), floor=1, as_of=95))
    assert [e for e in play.wanted if isinstance(e, Transmit)] == [fetch(1, "@bob", 1)]
    assert Save() in play.wanted
    assert play.core.snapshot() == Snapshot(1, {GENERAL: 90}, frozenset({GENERAL}), frozenset())


def test_the_first_list_of_a_new_installation_may_have_several_pages() -> None:
    play = Play(resume=True)
    play.happen(Started(), HandshakeSucceeded())
    play.answer(welcome(rows=((GENERAL, 90, 2),), floor=1, as_of=95, following=GENERAL))
    assert Transmit(wire.Ping(1, 1, 1, GENERAL)) in play.wanted
    assert floor(play) is None
    play.forget()
    hears(play, 1, [("#tea", 70, 3)], as_of=96)
    assert play.core.joined == {GENERAL, "#tea"}
    assert Save() in play.wanted
    assert not [e for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Fetch)]
    assert floor(play) == 95


def test_with_a_state_what_was_missed_is_fetched() -> None:
    play = Play(resume=True, snapshot=Snapshot(10, {ANN_BOB: 12}, frozenset({GENERAL}), frozenset()))
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    rows = ((GENERAL, 20, 2), ("@ann,cat", 15, 0), (ANN_BOB, 12, 0))
    play.answer(welcome(rows=rows, floor=10, as_of=20))
    assert [e for e in play.wanted if isinstance(e, Transmit)] == [
        fetch(1, GENERAL, 10),
        fetch(2, "@cat", 10),
    ]
    play.page(1, 1, GENERAL, 20, segment(GENERAL, 10, 20, said("bob", "missed")))
    play.page(1, 2, "@ann,cat", 15, segment("@ann,cat", 0, 15, said("cat", "hello")))
    assert texts(play.wanted) == ["missed", "hello"]
    play.take(1)
    assert floor(play) == 10
    play.take(1)
    assert play.core.snapshot() == Snapshot(20, {GENERAL: 20}, frozenset({GENERAL}), frozenset())


def test_after_a_reconnect_the_cursor_stays(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, said("bob", "a")))
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.forget()
    play.answer(welcome(2, ((GENERAL, 8, 2),), floor=5, as_of=8))
    assert fetch(1, GENERAL, 6, session=2) in play.wanted


# ---- members ----


def test_our_joining_elsewhere_is_found_in_a_list_and_read_from_the_join(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    play.forget()
    hears(play, 1, [("#tea", 9, 7)], as_of=9)
    play.expect(Transmit(wire.Follow(1, 2, [], False)), fetch(3, "#tea", 7))
    play.answer(wire.Followed(1, 2, 9, [], "nonce2"))
    play.expect(Subscribe(b"#tea\0"), Unsubscribe(b"~nonce1\0"), Subscribe(b"~nonce2\0"))
    assert play.core.joined == {GENERAL, "#tea"}


def test_our_joining_that_is_seen_begins_the_reading(open_play: Play) -> None:
    play = open_play
    play.happen(SegmentDelivered(1, segment("#tea", 6, 7, wire.Joined("ann", False))))
    play.expect(
        Deliver([MemberJoined(7, 6, 1000, "tea", "ann", False)]), Transmit(wire.Follow(1, 1, [], False))
    )


def test_our_leaving_ends_the_reading_and_an_old_joining_does_not_begin_it_again(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, wire.Left("ann")))
    play.expect(Deliver([MemberLeft(6, 5, 1000, "general", "ann")]), Unsubscribe(b"#general\0"))
    play.publish(
        segment(GENERAL, 6, 7, said("bob", "gone")), segment(GENERAL, 0, 2, wire.Joined("ann", True))
    )
    play.expect()
    play.wait(5_000)
    play.forget()
    hears(play, 1, [(GENERAL, 5, 2)], as_of=5)  # older than the leaving
    play.expect()
    assert play.core.joined == frozenset()


def test_a_room_that_was_left_elsewhere_is_found_by_one_page() -> None:
    play = Play(resume=True, snapshot=Snapshot(10, {}, frozenset({GENERAL}), frozenset()))
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    play.answer(welcome(rows=(), floor=10, as_of=20))
    assert fetch(1, GENERAL, 10) in play.wanted
    assert floor(play) == 10
    play.forget()
    missed = segment(GENERAL, 10, 11, said("bob", "before")), segment(GENERAL, 11, 12, wire.Left("ann"))
    play.page(1, 1, GENERAL, 15, *missed, segment(GENERAL, 12, 15, said("bob", "after")))
    assert texts(play.wanted) == ["before"]
    assert play.core.joined == frozenset()
    play.take(2)
    assert floor(play) == 20


def test_who_left_and_came_back_meanwhile_goes_on_with_the_later_joining() -> None:
    play = Play(resume=True, snapshot=Snapshot(10, {}, frozenset({GENERAL}), frozenset()))
    play.happen(Started(), HandshakeSucceeded())
    play.answer(welcome(rows=((GENERAL, 16, 15),), floor=10, as_of=20))
    play.forget()
    play.page(
        1,
        1,
        GENERAL,
        16,
        segment(GENERAL, 10, 11, wire.Left("ann")),
        segment(GENERAL, 11, 12, said("bob", "between")),
        segment(GENERAL, 12, 15, wire.Joined("ann", False)),
        segment(GENERAL, 15, 16, said("bob", "after")),
    )
    assert texts(play.wanted) == ["after"]
    assert play.core.joined == {GENERAL}


def test_a_room_that_is_gone_does_not_hold_the_floor() -> None:
    play = Play(resume=True, snapshot=Snapshot(10, {}, frozenset({"#gone"}), frozenset()))
    play.happen(Started(), HandshakeSucceeded())
    play.answer(welcome(rows=(), floor=10, as_of=20))
    play.refuse(1, 1, Refusal.NO_SUCH_ROOM)
    assert floor(play) == 20
    assert play.core.joined == frozenset()


# ---- the user ----


def test_what_is_saved_trails_what_the_user_has_taken(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, said("bob", "a", "b", "c")))
    assert play.core.snapshot().positions == {GENERAL: 5}
    play.take(2)
    assert play.core.snapshot().positions == {GENERAL: 7}
    play.take(1)
    assert play.core.snapshot().positions == {GENERAL: 8}


def test_a_user_who_takes_nothing_costs_bounded_memory_and_misses_nothing(
    open_play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "UPDATES_MAX", 4)
    play = open_play
    play.publish(segment(GENERAL, 5, 6, said("bob", *"abcd")))
    play.forget()
    play.publish(segment(GENERAL, 9, 10, said("bob", "e")), segment(GENERAL, 10, 11, said("bob", "f")))
    play.happen(PresencePublished(wire.Presence(0, [wire.Person("bob", True)])))
    play.expect()
    play.wait(5_000)
    hears(play, 1, [(GENERAL, 11, 2)], as_of=11)
    assert not [e for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Fetch)]
    play.take(1)
    play.forget()
    play.take(1)
    play.expect(Transmit(wire.Ping(1, 2, 5, "")), fetch(3, GENERAL, 9))


def test_what_was_dropped_while_the_user_did_not_read_is_looked_for_when_the_list_is_complete(
    open_play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two pages of the list the user takes nothing for a while."""
    monkeypatch.setattr(inbox, "UPDATES_MAX", 4)
    play = open_play
    play.wait(5_000)
    hears(play, 1, [(GENERAL, 9, 2)], as_of=9, following=GENERAL)
    play.happen(SegmentDelivered(1, segment(ANN_BOB, 0, 6, said("bob", *"abcd"))))
    play.page(1, 3, GENERAL, 9, segment(GENERAL, 5, 9, said("bob", "missed")))
    play.take(4)
    play.forget()
    hears(play, 4, [], as_of=9)
    play.expect(fetch(5, GENERAL, 5))
    play.page(1, 5, GENERAL, 9, segment(GENERAL, 5, 9, said("bob", "missed")))
    play.take(1)
    assert floor(play) == 9


def test_presence_is_told(open_play: Play) -> None:
    play = open_play
    changes = [wire.Person("bob", True), wire.Person("cat", False)]
    play.happen(PresencePublished(wire.Presence(0, changes)))
    play.answer(wire.Presence(1, changes))
    play.expect(Deliver([Came("bob"), Went("cat")]), Deliver([Came("bob"), Went("cat")]))


def test_a_quiet_client_reads_nothing() -> None:
    play = Play(quiet=True)
    play.happen(Started(), HandshakeSucceeded())
    assert play.wanted[-1] == Transmit(wire.Hello(1, 1, "ann", 77, 0, 2**53 - 1, True, "client", True))
    play.answer(welcome(rows=((GENERAL, 90, 2),)))
    play.forget()
    play.publish(segment(GENERAL, 90, 91, said("bob", "x")))
    play.happen(SegmentDelivered(1, segment(ANN_BOB, 0, 92, said("bob", "x"))))
    play.expect()
    play.wait(5_000)
    play.expect(Transmit(wire.Ping(1, 1, 2**53 - 1, "")))
    hears(play, 1, [(GENERAL, 99, 2)], as_of=99)
    play.happen(Elapsed())
    play.expect()
    play.happen(Disconnected())
    play.expect(*told(AWAY))
