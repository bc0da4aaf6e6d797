"""When a client says that everything that was missed is delivered."""

from tests.unit.client.play import CAUGHT_UP, Play, message, said, segment, welcome
from zchat.client.core import inbox
from zchat.client.core.cursors import Snapshot
from zchat.client.core.effects import Deliver
from zchat.client.core.events import (
    Consumed,
    Disconnected,
    FollowChanged,
    HandshakeSucceeded,
    HeadsPublished,
    SegmentDelivered,
    Started,
)
from zchat.common import wire
from zchat.common.codes import Refusal

GENERAL, TEA, BOB = "#general", "#tea", "@ann,bob"
BEFORE = Snapshot(5, {GENERAL: 5}, frozenset({GENERAL}), frozenset())


def resumed(answer: wire.Welcome, snapshot: Snapshot = BEFORE) -> Play:
    play = Play(snapshot=snapshot, resume=True)
    play.happen(Started(), HandshakeSucceeded())
    play.answer(answer)
    return play


def is_told(play: Play) -> bool:
    """Whether the core said it, as the last thing, once since the last look."""
    told = [effect for effect in play.wanted if effect == CAUGHT_UP]
    delivered = [effect for effect in play.wanted if isinstance(effect, Deliver)]
    assert len(told) <= 1 and (not told or delivered[-1] == CAUGHT_UP)
    play.forget()
    return bool(told)


def test_it_comes_behind_all_that_the_list_of_heads_names() -> None:
    play = resumed(welcome(1, ((GENERAL, 7, 2), (BOB, 9, 0)), floor=5, as_of=9))
    assert not is_told(play)
    play.page(1, 1, GENERAL, 7, segment(GENERAL, 5, 6, said("bob", "a", "b")))
    assert not is_told(play)
    play.page(1, 2, BOB, 9, segment(BOB, 0, 9, said("bob", "c")))
    assert is_told(play)
    play.publish(segment(GENERAL, 7, 10, said("bob", "d")))
    assert not is_told(play)


def test_what_comes_later_does_not_delay_it() -> None:
    play = resumed(welcome(1, ((GENERAL, 7, 2),), floor=5, as_of=9))
    play.publish(segment(GENERAL, 9, 10, said("bob", "later")))
    play.page(1, 1, GENERAL, 10, segment(GENERAL, 5, 6, said("bob", "a", "b")))
    assert is_told(play)


def test_it_waits_for_all_pages_of_the_list() -> None:
    play = resumed(welcome(1, (), floor=5, as_of=9, following=GENERAL))
    assert not is_told(play)
    play.answer(wire.Heads(1, 1, 9, [wire.Head(BOB, 9, 0)], ""))
    assert not is_told(play)
    play.happen(SegmentDelivered(1, segment(BOB, 0, 9, said("bob", "c"))))
    assert not is_told(play)  # #general may have been left elsewhere: a page tells
    play.page(1, 3, GENERAL, 5)
    assert is_told(play)


def test_it_waits_for_what_followed_rooms_missed() -> None:
    play = Play(snapshot=BEFORE._replace(followed=frozenset({TEA})), resume=True)
    play.happen(FollowChanged(1, ["tea"]), Started(), HandshakeSucceeded())
    play.answer(welcome(1, ((GENERAL, 5, 2),), floor=5, as_of=9))
    assert not is_told(play)
    play.answer(wire.Followed(1, 1, 9, [wire.Head(TEA, 8, 0)], "nonce2"))
    assert not is_told(play)
    play.page(1, 2, TEA, 8, segment(TEA, 5, 8, said("bob", "c")))
    assert is_told(play)


def test_it_comes_again_in_the_next_session() -> None:
    play = resumed(welcome(1, ((GENERAL, 5, 2),), floor=5))
    assert is_told(play)
    play.happen(Disconnected())
    play.wait(200)
    play.happen(HandshakeSucceeded())
    play.answer(welcome(2, ((GENERAL, 6, 2),), floor=5, as_of=6))
    assert not is_told(play)
    play.page(2, 1, GENERAL, 6, segment(GENERAL, 5, 6, said("bob", "a")))
    assert is_told(play)


def test_a_conversation_that_is_gone_is_not_waited_for() -> None:
    play = resumed(welcome(1, ((GENERAL, 5, 2), (BOB, 9, 0)), floor=5, as_of=9))
    assert not is_told(play)
    play.refuse(1, 1, Refusal.NO_SUCH_USER)
    assert is_told(play)


def test_it_waits_for_a_user_who_takes_nothing() -> None:
    size = inbox.UPDATES_MAX
    texts = [str(number) for number in range(256)]
    play = resumed(welcome(1, ((GENERAL, 6 + size + 255, 2),), floor=5, as_of=20_000))
    pos = 6
    while pos <= size + 5:
        play.publish(segment(GENERAL, pos - 1, pos, said("bob", *texts)))
        pos += 256
    assert not is_told(play)
    play.happen(Consumed(pos - 6))
    play.publish(segment(GENERAL, pos - 1, pos, said("bob", *texts)))
    assert is_told(play)


def test_a_client_that_begins_now_has_missed_nothing() -> None:
    play = Play()
    play.happen(Started(), HandshakeSucceeded())
    play.answer(welcome())
    assert is_told(play)
    play.publish(segment(GENERAL, 5, 6, said("bob", "a")))
    play.expect(Deliver([message(GENERAL, 5, 6, "bob", "a")]))


def test_a_room_that_is_followed_no_longer_may_have_been_joined_the_next_list_tells() -> None:
    play = Play(snapshot=BEFORE._replace(followed=frozenset({TEA})), resume=True)
    play.happen(FollowChanged(1, ["tea"]), Started(), HandshakeSucceeded())
    play.answer(welcome(1, ((GENERAL, 5, 2),), floor=5, as_of=9))
    play.answer(wire.Followed(1, 1, 9, [wire.Head(TEA, 8, 0)], "nonce2"))
    play.happen(FollowChanged(2, []))
    play.answer(wire.Followed(1, 3, 9, [], "nonce3"))
    assert not is_told(play)
    play.happen(HeadsPublished("nonce3", wire.Heads(1, 0, 9, [wire.Head(TEA, 8, 4)], "")))
    play.page(1, 2, TEA, 8, segment(TEA, 5, 8, said("bob", "it was given up")))
    play.answer(wire.Followed(1, 4, 9, [], "nonce4"))  # the round of the room that was joined
    assert not is_told(play)
    play.page(1, 5, TEA, 8, segment(TEA, 5, 8, said("bob", "c")))
    assert is_told(play)


def test_a_room_that_is_followed_no_longer_and_not_in_the_next_list_is_not_waited_for() -> None:
    play = Play(snapshot=BEFORE._replace(followed=frozenset({TEA})), resume=True)
    play.happen(FollowChanged(1, ["tea"]), Started(), HandshakeSucceeded())
    play.answer(welcome(1, ((GENERAL, 5, 2),), floor=5, as_of=9))
    play.answer(wire.Followed(1, 1, 9, [wire.Head(TEA, 8, 0)], "nonce2"))
    play.happen(FollowChanged(2, []))
    play.answer(wire.Followed(1, 3, 9, [], "nonce3"))
    assert not is_told(play)
    play.happen(HeadsPublished("nonce3", wire.Heads(1, 0, 9, [], "")))
    assert is_told(play)


def test_a_room_that_was_left_meanwhile_and_is_followed_is_complete_up_to_the_floor() -> None:
    """#general was left at 7, and the answer lost; the floor is beyond."""
    play = Play(snapshot=BEFORE._replace(floor=8), resume=True)
    play.happen(FollowChanged(1, ["general"]), Started(), HandshakeSucceeded())
    play.ask(2, wire.Leave(0, 0, "general"))
    play.answer(welcome(1, (), floor=8, as_of=8))
    play.answer(wire.Followed(1, 2, 8, [wire.Head(GENERAL, 7, 7)], "nonce2"))
    play.answer(wire.Done(1, 1, 0))
    assert not is_told(play)
    play.page(
        1, 3, GENERAL, 7, segment(GENERAL, 5, 6, said("bob", "a")), segment(GENERAL, 6, 7, wire.Left("ann"))
    )
    assert is_told(play)


def test_a_room_that_a_list_names_while_it_is_asked_for_may_be_a_joined_one() -> None:
    """The second page names #tea; then it turns out that nothing is followed, and it was joined."""
    play = Play(snapshot=BEFORE, resume=True)
    play.happen(FollowChanged(1, ["tea", "void"]), Started(), HandshakeSucceeded())
    play.answer(welcome(1, ((GENERAL, 5, 2),), floor=5, as_of=9, following=GENERAL))
    play.answer(wire.Heads(1, 1, 9, [wire.Head(TEA, 8, 4)], ""))
    play.refuse(1, 2, Refusal.NO_SUCH_ROOM)
    play.answer(wire.Followed(1, 3, 9, [], "nonce2"))
    assert not is_told(play)
    play.happen(HeadsPublished("nonce2", wire.Heads(1, 0, 9, [wire.Head(TEA, 8, 4)], "")))
    play.answer(wire.Followed(1, 4, 9, [], "nonce3"))
    assert not is_told(play)
    play.page(1, 5, TEA, 8, segment(TEA, 4, 8, said("bob", "c")))
    assert is_told(play)


def test_a_room_that_was_left_and_joined_again_is_waited_for() -> None:
    """#tea was left at 6 and joined again at 7. While it was asked for, the list could not tell so."""
    play = Play(snapshot=BEFORE._replace(positions={TEA: 5}, joined=frozenset({GENERAL, TEA})), resume=True)
    play.happen(FollowChanged(1, ["tea"]), Started(), HandshakeSucceeded())
    play.answer(welcome(1, ((GENERAL, 5, 2),), floor=5, as_of=9, following=GENERAL))
    play.answer(wire.Heads(1, 1, 9, [wire.Head(TEA, 8, 7)], ""))
    play.answer(wire.Followed(1, 2, 9, [wire.Head(TEA, 8, 7)], "nonce2"))
    play.happen(FollowChanged(2, []))
    play.answer(wire.Followed(1, 4, 9, [], "nonce3"))
    play.page(1, 3, TEA, 8, segment(TEA, 5, 6, wire.Left("ann")))
    assert not is_told(play)
    play.happen(HeadsPublished("nonce3", wire.Heads(1, 0, 9, [wire.Head(TEA, 8, 7)], "")))
    play.answer(wire.Followed(1, 5, 9, [], "nonce4"))
    assert not is_told(play)
    play.page(1, 6, TEA, 8, segment(TEA, 7, 8, said("bob", "c")))
    assert is_told(play)
