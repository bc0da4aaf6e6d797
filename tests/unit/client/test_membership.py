"""Rooms that the user joins and leaves while they are followed, or not read at all."""

import pytest

from tests.unit.client.play import Play, heads, message, said, segment, welcome
from zchat.client.core.effects import Deliver, Resolve, Transmit, Unsubscribe
from zchat.client.core.events import (
    Disconnected,
    FollowChanged,
    HandshakeSucceeded,
    HeadsPublished,
    SegmentDelivered,
    Started,
)
from zchat.client.messages import MemberJoined, MemberLeft
from zchat.common import wire

GENERAL, TEA = "#general", "#tea"


@pytest.fixture
def following(open_play: Play) -> Play:
    """Following #tea, which begins behind position 8."""
    open_play.happen(FollowChanged(1, ["tea"]))
    open_play.answer(wire.Followed(1, 1, 9, heads([(TEA, 8, 8)]), "nonce-1"))
    open_play.forget()
    return open_play


def test_the_joining_of_others_begins_no_reading(open_play: Play) -> None:
    play = open_play
    play.happen(SegmentDelivered(1, segment(TEA, 6, 7, wire.Joined("bob", False))))
    play.publish(segment(TEA, 6, 7, wire.Joined("Ann", True)), segment(TEA, 7, 8, said("ann", "x")))
    play.expect()
    assert play.core.joined == {GENERAL}


def test_a_followed_room_that_is_joined_is_read_also_when_it_is_followed_no_longer(following: Play) -> None:
    play = following
    play.publish(segment(TEA, 8, 9, wire.Joined("ann", False)))
    play.expect(Deliver([MemberJoined(9, 8, 1000, "tea", "ann", False)]))
    assert play.core.joined == {GENERAL, TEA}
    play.happen(FollowChanged(2, []))
    play.answer(wire.Followed(1, 2, 9, [], "nonce-2"))
    assert Unsubscribe(wire.room_topic("tea")) not in play.wanted
    play.forget()
    play.publish(segment(TEA, 9, 10, said("bob", "hi")))
    play.expect(Deliver([message(TEA, 9, 10, "bob", "hi")]))


def test_a_followed_room_that_is_left_is_read_further(following: Play) -> None:
    play = following
    play.publish(segment(TEA, 8, 9, wire.Joined("ann", False)), segment(TEA, 9, 10, wire.Left("ann")))
    play.forget()
    assert play.core.joined == {GENERAL}
    play.publish(segment(TEA, 10, 11, said("bob", "hi")))
    play.expect(Deliver([message(TEA, 10, 11, "bob", "hi")]))


def test_the_leaving_of_others_ends_no_reading(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, wire.Left("bob")), segment(GENERAL, 6, 7, said("cat", "hi")))
    play.expect(
        Deliver([MemberLeft(6, 5, 1000, "general", "bob")]), Deliver([message(GENERAL, 6, 7, "cat", "hi")])
    )
    assert play.core.joined == {GENERAL}


def test_what_was_said_before_we_left_is_not_looked_for_any_more(open_play: Play) -> None:
    """The broker says that we have left at 9; 6 to 8 were lost. The floor does not wait for them."""
    play = open_play
    play.ask(1, wire.Leave(0, 0, "general"))
    play.publish(segment(GENERAL, 7, 8, said("bob", "gap")))
    play.forget()
    play.answer(wire.Done(1, 1, 9))
    play.expect(Resolve(1, wire.Done(1, 1, 9), []), Unsubscribe(wire.room_topic("general")))
    play.page(1, 2, GENERAL, 9, segment(GENERAL, 5, 7, said("bob", "late")))
    play.expect()
    play.wait(5_000)
    play.answer(wire.Heads(1, 3, 12, [], ""))
    assert play.core.snapshot().floor == 12


def test_a_room_that_is_joined_again_begins_with_the_later_joining(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, wire.Left("ann")))
    play.happen(SegmentDelivered(1, segment(GENERAL, 9, 10, wire.Joined("ann", False))))
    play.publish(segment(GENERAL, 6, 9, said("bob", "between")))
    play.publish(segment(GENERAL, 10, 11, said("bob", "after")))
    told = [update for effect in play.wanted if isinstance(effect, Deliver) for update in effect.updates]
    assert told == [
        MemberLeft(6, 5, 1000, "general", "ann"),
        MemberJoined(10, 9, 1000, "general", "ann", False),
        message(GENERAL, 10, 11, "bob", "after"),
    ]
    follows = [e.request for e in play.wanted if isinstance(e, Transmit)]
    assert follows == [wire.Follow(1, 1, [], False)]  # a new round, since a gap may lie between


# ---- rooms that are followed, and joined unnoticed ----


def unfollow(play: Play, token: int) -> None:
    """Nothing is followed any more."""
    play.happen(FollowChanged(2, []))
    play.answer(wire.Followed(1, token, 9, [], "nonce-2"))


@pytest.fixture
def unnoticed(open_play: Play) -> Play:
    """#tea was joined at 7, before Follow was answered; what was said there at 8 is being fetched."""
    open_play.happen(FollowChanged(1, ["tea"]))
    open_play.answer(wire.Followed(1, 1, 9, heads([(TEA, 8, 7)]), "nonce-1"))
    assert Transmit(wire.Fetch(1, 2, TEA, 0, 7)) in open_play.wanted
    open_play.forget()
    return open_play


def test_what_is_missing_of_a_joined_room_is_not_given_up_when_it_is_followed_no_longer(
    unnoticed: Play,
) -> None:
    play = unnoticed
    play.happen(HeadsPublished("nonce-1", wire.Heads(1, 0, 9, heads([(TEA, 8, 7)]), "")))
    unfollow(play, 3)
    play.page(1, 2, TEA, 8, segment(TEA, 7, 8, said("bob", "hi")))
    assert play.core.snapshot().floor == 5
    play.forget()
    play.happen(HeadsPublished("nonce-2", wire.Heads(1, 0, 9, heads([(TEA, 8, 7)]), "")))
    assert play.core.joined == {GENERAL, TEA}
    fetch = next(
        e.request for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Fetch)
    )
    assert (fetch.to, fetch.bound) == (TEA, 7)
    play.forget()
    play.page(1, fetch.token, TEA, 8, segment(TEA, 7, 8, said("bob", "hi")))
    play.expect(Deliver([message(TEA, 7, 8, "bob", "hi")]))
    play.take(1)
    assert play.core.snapshot().floor == 9


def test_a_list_that_came_meanwhile_does_not_raise_the_floor_over_it(unnoticed: Play) -> None:
    play = unnoticed
    rows = heads([(TEA, 8, 7)])
    play.happen(HeadsPublished("nonce-1", wire.Heads(1, 0, 9, rows, TEA)))
    play.expect(Transmit(wire.Ping(1, 3, 5, "")))
    play.answer(wire.Heads(1, 3, 9, rows, TEA))
    unfollow(play, 5)
    play.answer(wire.Heads(1, 4, 9, [], ""))
    assert play.core.snapshot().floor == 5


def test_a_room_that_is_asked_for_no_longer_was_not_joined_when_a_list_names_it(open_play: Play) -> None:
    """The broker has got the first Follow and not yet the second."""
    play = open_play
    play.wait(5_000)
    play.happen(FollowChanged(1, ["tea"]), FollowChanged(2, []))
    play.answer(wire.Heads(1, 1, 9, heads([(TEA, 8, 8)]), ""))
    assert play.core.joined == {GENERAL}
    play.answer(wire.Followed(1, 3, 9, [], "nonce-2"))
    play.happen(HeadsPublished("nonce-2", wire.Heads(1, 0, 9, heads([(TEA, 8, 7)]), "")))
    assert play.core.joined == {GENERAL, TEA}


def test_a_room_that_only_the_session_before_followed_was_joined_when_a_list_names_it(
    open_play: Play,
) -> None:
    play = open_play
    play.happen(FollowChanged(1, ["tea"]))
    play.answer(wire.Followed(1, 1, 9, heads([(TEA, 8, 8)]), "nonce-1"))
    play.happen(FollowChanged(2, ["coffee"]), Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.answer(welcome(2, ((GENERAL, 5, 2),), following=GENERAL))
    ping = next(
        e.request for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Ping)
    )
    play.answer(wire.Heads(2, ping.token, 10, heads([(TEA, 10, 9)]), ""))
    assert play.core.joined == {GENERAL, TEA}


def test_where_following_began_nobody_joined(open_play: Play) -> None:
    """#general was left elsewhere at 6; the broker follows it since 9, and its answer is lost."""
    play = open_play
    play.wait(5_000)
    play.happen(FollowChanged(1, ["general"]))
    play.answer(wire.Heads(1, 1, 9, heads([(GENERAL, 9, 9)]), ""))
    missed = segment(GENERAL, 5, 6, wire.Left("ann")), segment(GENERAL, 6, 9, said("bob", "hi"))
    play.page(1, 3, GENERAL, 9, *missed)
    assert play.core.joined == frozenset()


def test_a_welcome_that_is_older_than_the_leaving_brings_no_membership_back(open_play: Play) -> None:
    play = open_play
    play.happen(FollowChanged(1, ["general"]))
    play.answer(wire.Followed(1, 1, 5, heads([(GENERAL, 5, 2)]), "nonce-1"))
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.publish(segment(GENERAL, 5, 6, wire.Left("ann")))
    play.answer(welcome(2, ((GENERAL, 5, 2),)))
    assert play.core.joined == frozenset()


def test_a_new_installation_begins_a_joined_room_now_although_it_is_to_be_followed() -> None:
    play = Play(resume=True)
    play.happen(FollowChanged(1, ["general"]), Started(), HandshakeSucceeded())
    play.answer(welcome(rows=((GENERAL, 90, 2),), floor=1, as_of=95))
    assert play.core.joined == {GENERAL}
    assert play.core.snapshot().positions == {GENERAL: 90}
