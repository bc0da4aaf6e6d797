"""Rooms that may be read no longer: kicked, banned, or refused without a word."""

import pytest

from tests.unit.client.play import Play, heads, message, said, segment, told
from zchat.client.core.cursors import Snapshot
from zchat.client.core.effects import Deliver, Refuse, Resolve, Transmit, Unsubscribe
from zchat.client.core.events import (
    Disconnected,
    FollowChanged,
    HandshakeSucceeded,
    HeadsPublished,
    SegmentDelivered,
)
from zchat.client.messages import Act, MemberJoined, Status
from zchat.common import wire
from zchat.common.codes import Refusal

GENERAL, TEA, DIRECT = "#general", "#tea", "@ann,bob"
UNSUBSCRIBED = Unsubscribe(wire.room_topic("general"))


def acted(
    act: str = "kicked", room: str = "general", subject: str = "ann", reason: str = "spam"
) -> wire.Acted:
    return wire.Acted("bob", act, room, subject, 0, "", reason)


def act(conversation: str, prev: int, pos: int, act: str = "kicked", room: str = "general") -> Deliver:
    return Deliver([Act(pos, prev, 1000, conversation, "bob", act, room, "ann", 0, "", "spam")])


def read_no_longer(room: str, why: str) -> list[object]:
    return told(Status("expelled", f"{room} is read no longer: {why}"))


def follow(token: int, *rooms: str, session: int = 1) -> Transmit:
    return Transmit(wire.Follow(session, token, [*rooms], False))


@pytest.fixture
def following(open_play: Play) -> Play:
    """Following #coffee and #tea, both from behind position 8."""
    open_play.happen(FollowChanged(1, ["Tea", "coffee"]))
    open_play.answer(wire.Followed(1, 1, 9, heads([("#coffee", 8, 8), (TEA, 8, 8)]), "nonce-1"))
    open_play.forget()
    return open_play


# ---- joined rooms ----


@pytest.mark.parametrize("name", ["kicked", "banned"])
def test_a_room_that_tells_of_it_is_read_no_longer(open_play: Play, name: str) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, acted(name)), segment(GENERAL, 6, 7, said("bob", "gone")))
    play.expect(act(GENERAL, 5, 6, name), UNSUBSCRIBED)
    assert play.core.joined == frozenset()


@pytest.mark.parametrize("name", ["kicked", "banned"])
def test_a_direct_conversation_that_tells_of_it_does_the_same(open_play: Play, name: str) -> None:
    play = open_play
    play.happen(SegmentDelivered(1, segment(DIRECT, 0, 7, acted(name))))
    play.publish(segment(GENERAL, 5, 6, said("bob", "late")))
    play.expect(act(DIRECT, 0, 7, name), UNSUBSCRIBED)
    assert play.core.joined == frozenset()
    play.take(1)
    play.wait(5_000)
    play.answer(wire.Heads(1, 1, 9, heads([(DIRECT, 7, 0)]), ""))
    assert play.core.snapshot() == Snapshot(9, {}, frozenset(), frozenset())


def test_what_is_done_to_others_or_less_ends_no_reading(open_play: Play) -> None:
    play = open_play
    play.publish(
        segment(GENERAL, 5, 6, acted(subject="cat")),
        segment(GENERAL, 6, 7, acted("muted")),
        segment(GENERAL, 7, 8, said("bob", "hi")),
    )
    play.happen(
        SegmentDelivered(1, segment(DIRECT, 0, 9, acted("banned", room=""))),
        SegmentDelivered(1, segment(DIRECT, 9, 10, acted(room="tea"))),
    )
    assert play.core.joined == {GENERAL}
    assert Deliver([message(GENERAL, 7, 8, "bob", "hi")]) in play.wanted


def test_what_was_read_of_a_later_membership_is_newer(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, acted()))
    play.happen(SegmentDelivered(1, segment(GENERAL, 8, 9, wire.Joined("ann", False))))
    assert play.core.joined == {GENERAL}
    play.happen(SegmentDelivered(1, segment(DIRECT, 0, 7, acted())))
    assert play.core.joined == {GENERAL}
    play.forget()
    play.publish(segment(GENERAL, 9, 10, said("bob", "hi")))
    play.expect(Deliver([message(GENERAL, 9, 10, "bob", "hi")]))


def test_a_later_membership_that_a_list_tells_of_is_newer(open_play: Play) -> None:
    """Kicked at 8 and back at 10, while news were lost: what was said before is fetched, too."""
    play = open_play
    play.happen(
        HeadsPublished("nonce1", wire.Heads(1, 0, 12, heads([(GENERAL, 12, 10), (DIRECT, 9, 0)]), ""))
    )
    play.page(1, 2, DIRECT, 9, segment(DIRECT, 0, 9, acted()))
    assert play.core.joined == {GENERAL}
    play.forget()
    play.page(
        1, 1, GENERAL, 12, segment(GENERAL, 5, 7, said("bob", "before")), segment(GENERAL, 7, 8, acted())
    )
    play.expect(
        Deliver([message(GENERAL, 5, 7, "bob", "before")]),
        act(GENERAL, 7, 8),
        Transmit(wire.Fetch(1, 3, GENERAL, 0, 9)),
    )
    joined = segment(GENERAL, 8, 10, wire.Joined("ann", False))
    play.page(1, 3, GENERAL, 12, joined, segment(GENERAL, 10, 12, said("bob", "after")))
    play.expect(
        Deliver([MemberJoined(10, 8, 1000, "general", "ann", False)]),
        Deliver([message(GENERAL, 10, 12, "bob", "after")]),
    )
    play.take(5)
    assert play.core.snapshot() == Snapshot(12, {GENERAL: 12}, frozenset({GENERAL}), frozenset())


def test_a_list_that_is_older_brings_no_membership_back(open_play: Play) -> None:
    play = open_play
    play.happen(SegmentDelivered(1, segment(DIRECT, 0, 7, acted())))
    play.happen(HeadsPublished("nonce1", wire.Heads(1, 0, 6, heads([(GENERAL, 6, 2)]), "")))
    assert play.core.joined == frozenset()


@pytest.mark.parametrize("refusal", [Refusal.NO_SUCH_ROOM, Refusal.NOT_ALLOWED])
def test_a_page_that_is_refused_ends_the_reading_and_the_floor_rises(
    open_play: Play, refusal: Refusal
) -> None:
    play = open_play
    play.wait(5_000)
    play.answer(wire.Heads(1, 1, 9, heads([(GENERAL, 7, 2)]), ""))
    assert play.wanted[-1] == Transmit(wire.Fetch(1, 2, GENERAL, 0, 5))
    play.forget()
    play.refuse(1, 2, refusal)
    play.expect(UNSUBSCRIBED)
    assert play.core.joined == frozenset()
    assert play.core.snapshot().floor == 9
    play.wait(4_999)
    play.expect_sent()  # and it is not asked for again


def test_a_direct_conversation_that_may_not_be_read_stops_nothing(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    play.answer(wire.Heads(1, 1, 9, heads([(DIRECT, 7, 0)]), ""))
    assert play.wanted[-1] == Transmit(wire.Fetch(1, 2, "@bob", 0, 5))
    play.refuse(1, 2, Refusal.NOT_ALLOWED)
    assert play.core.joined == {GENERAL}
    assert play.core.snapshot().floor == 9


# ---- followed rooms ----


def test_a_followed_room_is_followed_no_longer_and_that_is_told(following: Play) -> None:
    play = following
    play.happen(SegmentDelivered(1, segment(DIRECT, 0, 9, acted(room="tea"))))
    play.expect(
        act(DIRECT, 0, 9, room="tea"),
        *read_no_longer(TEA, "bob kicked you: spam"),
        follow(2, "coffee"),
    )
    answer = wire.Followed(1, 2, 9, heads([("#coffee", 8, 8)]), "nonce-2")
    play.answer(answer)
    assert Unsubscribe(wire.room_topic("tea")) in play.wanted
    assert Unsubscribe(wire.room_topic("coffee")) not in play.wanted
    play.forget()
    play.publish(segment(TEA, 8, 10, said("bob", "x")), segment("#coffee", 8, 11, said("bob", "hi")))
    play.expect(Deliver([message("#coffee", 8, 11, "bob", "hi")]))


def test_it_is_followed_no_longer_also_when_it_is_told_in_the_room(following: Play) -> None:
    play = following
    play.publish(segment(TEA, 8, 9, acted("banned", room="tea", reason="")))
    assert follow(2, "coffee") in play.wanted
    assert read_no_longer(TEA, "bob banned you")[0] in play.wanted


def test_of_followed_rooms_that_are_refused_together_the_others_are_read_on(following: Play) -> None:
    """Kicked out of #tea while away. The refusal does not say which room it is, so each is asked for."""
    play = following
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.answer(
        wire.Welcome(
            2, 1, "ann", False, 5, 9, [], "", 9243, "nonce2", 5_000, 15_000, 65536, 131072, 256, "broker"
        )
    )
    play.page(2, 3, GENERAL, 5)
    play.forget()
    play.refuse(2, 2, Refusal.NOT_ALLOWED, "no")
    play.expect(Transmit(wire.Fetch(2, 4, "#coffee", 0, 8)), Transmit(wire.Fetch(2, 5, TEA, 0, 8)))
    play.page(2, 4, "#coffee", 8)
    play.refuse(2, 5, Refusal.NOT_ALLOWED, "bob kicked you")
    play.expect(*read_no_longer(TEA, "bob kicked you"), follow(6, "coffee", session=2))
    play.answer(wire.Followed(2, 6, 9, heads([("#coffee", 8, 8)]), "nonce-2"))
    play.forget()
    play.publish(segment("#coffee", 8, 11, said("bob", "hi")))
    play.expect(Deliver([message("#coffee", 8, 11, "bob", "hi")]))


def test_what_a_user_asks_for_at_the_moment_is_for_the_broker_to_refuse(following: Play) -> None:
    play = following
    play.happen(FollowChanged(2, ["tea", "milk"]))
    play.forget()
    play.happen(SegmentDelivered(1, segment(DIRECT, 0, 9, acted(room="tea"))))
    play.expect(act(DIRECT, 0, 9, room="tea"), *read_no_longer(TEA, "bob kicked you: spam"))
    play.refuse(1, 2, Refusal.NOT_ALLOWED, "bob kicked you")
    play.expect(Refuse([2], Refusal.NOT_ALLOWED, "bob kicked you"), follow(3, "coffee"))


def test_a_room_that_is_joined_again_after_that_is_read_from_there(following: Play) -> None:
    play = following
    play.happen(SegmentDelivered(1, segment(DIRECT, 0, 9, acted(room="tea"))))
    play.answer(wire.Followed(1, 2, 9, heads([("#coffee", 8, 8)]), "nonce-2"))
    play.happen(HeadsPublished("nonce-2", wire.Heads(1, 0, 12, heads([(TEA, 12, 10)]), "")))
    assert play.core.joined == {GENERAL, TEA}
    assert play.wanted[-2:] == [follow(3, "coffee"), Transmit(wire.Fetch(1, 4, TEA, 0, 10))]


def test_a_room_of_one_that_was_left_alone_is_followed_by_asking_anew(following: Play) -> None:
    play = following
    play.happen(SegmentDelivered(1, segment(DIRECT, 0, 9, acted(room="tea"))))
    play.answer(wire.Followed(1, 2, 9, heads([("#coffee", 8, 8)]), "nonce-2"))
    play.happen(FollowChanged(2, ["tea"]))
    answer = wire.Followed(1, 3, 20, heads([(TEA, 20, 20)]), "nonce-3")
    play.answer(answer)
    assert Resolve(2, answer, []) in play.wanted
