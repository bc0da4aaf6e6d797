"""The broker's log was replaced by an older one: the client says so, and begins anew, from now on."""

from tests.unit.client.play import (
    AWAY,
    BACK,
    CAUGHT_UP,
    Play,
    drafts,
    hello,
    message,
    said,
    segment,
    told,
    welcome,
)
from zchat.client.core import inbox
from zchat.client.core.cursors import Snapshot
from zchat.client.core.effects import Deliver, Greet, Transmit
from zchat.client.core.events import Consumed, Disconnected, FollowChanged, HandshakeSucceeded, Started
from zchat.client.messages import Status
from zchat.common import wire

GENERAL, TEA, BOB = "#general", "#tea", "@ann,bob"
READ = Snapshot(50, {GENERAL: 48, TEA: 44, BOB: 52}, frozenset({GENERAL, TEA}), frozenset())
REPLACED = Status(
    "replaced",
    "the broker's log is older than what was read here: it was replaced, perhaps by a backup. "
    "Reading begins anew, from now on",
)
ROWS = ((GENERAL, 28, 2), (BOB, 20, 0))


def begun(snapshot: Snapshot = READ, quiet: bool = False) -> Play:
    """A process that has said its first Hello."""
    play = Play(resume=True, quiet=quiet, snapshot=snapshot)
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    return play


def fetches(play: Play) -> list[wire.Fetch]:
    return [e.request for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Fetch)]


def test_the_user_is_told_and_the_broker_is_greeted_as_by_a_new_installation() -> None:
    play = begun()
    play.answer(welcome(rows=(), floor=50, as_of=30))
    play.expect(*told(REPLACED), hello(floor=None))
    assert not play.core.is_open
    play.answer(welcome(2, ROWS, floor=1, as_of=30))
    assert play.core.is_open
    assert play.core.joined == {GENERAL}
    assert fetches(play) == []  # nothing of the past, not even what was sent directly
    assert CAUGHT_UP in play.wanted


def test_reading_goes_on_from_there() -> None:
    play = begun()
    play.answer(welcome(rows=(), floor=50, as_of=30))
    play.answer(welcome(2, ((BOB, 32, 0), (GENERAL, 31, 2)), floor=1, as_of=32))  # sent between the two
    assert fetches(play) == [wire.Fetch(2, 1, "@bob", 0, 30), wire.Fetch(2, 2, GENERAL, 0, 30)]
    play.forget()
    play.page(2, 1, BOB, 32, segment(BOB, 20, 32, said("bob", "a")))
    play.page(2, 2, GENERAL, 31, segment(GENERAL, 28, 31, said("bob", "b")))
    play.publish(segment(GENERAL, 31, 33, said("bob", "c")))
    play.expect(
        Deliver([message(BOB, 20, 32, "bob", "a")]),
        Deliver([message(GENERAL, 28, 31, "bob", "b")]),
        CAUGHT_UP,
        Deliver([message(GENERAL, 31, 33, "bob", "c")]),
    )
    play.take(5)
    assert play.core.snapshot() == Snapshot(32, {GENERAL: 33}, frozenset({GENERAL}), frozenset())


def test_a_cursor_above_the_log_tells_it_as_well() -> None:
    play = begun(READ._replace(floor=10))
    play.answer(welcome(rows=(), floor=10, as_of=51))
    play.expect(*told(REPLACED), hello(floor=None))


def test_a_log_that_has_just_what_was_read_is_no_other_one() -> None:
    play = begun()
    play.answer(welcome(rows=(), floor=50, as_of=52))
    assert play.core.is_open
    assert not [e for e in play.wanted if isinstance(e, Deliver)]


def test_what_is_saved_changes_when_the_user_was_told() -> None:
    play = begun()
    play.answer(welcome(rows=(), floor=50, as_of=30))
    play.answer(welcome(2, ROWS, floor=1, as_of=31))
    assert play.core.snapshot() == READ
    play.take(1)
    assert play.core.snapshot() == Snapshot(31, {GENERAL: 30}, frozenset({GENERAL}), frozenset())


def test_a_process_that_ends_between_the_two_hellos() -> None:
    """What it leaves is a place in the log that is there now; rooms are joined again as lists name them."""
    play = begun()
    play.answer(welcome(rows=(), floor=50, as_of=30))
    play.take(1)
    kept = play.core.snapshot()
    assert kept == Snapshot(30, {}, frozenset(), frozenset())
    play = begun(kept)
    play.answer(welcome(rows=((GENERAL, 31, 2),), floor=30, as_of=31))
    assert play.core.joined == {GENERAL}
    assert fetches(play) == [wire.Fetch(1, 1, GENERAL, 0, 30)]


def test_within_one_process(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 5, 6, said("bob", "a")))
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.forget()
    play.answer(welcome(2, (), floor=5, as_of=3))
    play.expect(*told(REPLACED), hello(floor=None))
    answer = welcome(3, ((GENERAL, 3, 2),), as_of=3)
    play.answer(answer)
    assert play.wanted[:3] == [Greet(answer), *told(BACK)]
    play.forget()
    play.publish(segment(GENERAL, 3, 4, said("bob", "b")))
    play.expect(Deliver([message(GENERAL, 3, 4, "bob", "b")]))
    play.take(1)  # the one from before; then AWAY, REPLACED, BACK, CAUGHT_UP and the other one
    assert play.core.snapshot() == Snapshot(5, {GENERAL: 6}, frozenset({GENERAL}), frozenset())
    play.take(5)
    assert play.core.snapshot() == Snapshot(3, {GENERAL: 4}, frozenset({GENERAL}), frozenset())


def test_after_a_reconnect_a_room_may_be_ahead_of_the_welcome(open_play: Play) -> None:
    """It comes on a way of its own: that is no other log."""
    play = open_play
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.publish(segment(GENERAL, 5, 6, said("bob", "a")))
    play.answer(welcome(2, (), floor=5, as_of=5))
    assert play.core.is_open
    assert play.wanted.count(Deliver([AWAY])) == 1
    assert Deliver([REPLACED]) not in play.wanted


def test_what_is_to_be_sent_is_sent_in_the_new_session(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, GENERAL, "a"), Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.forget()
    play.answer(welcome(2, (), floor=5, as_of=3))
    play.expect(*told(REPLACED), hello(floor=None))
    play.happen(drafts(2, GENERAL, "b"))
    play.answer(welcome(3, ((GENERAL, 3, 2),), as_of=3))
    sends = [e.request for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Send)]
    assert [(send.session, send.counter, send.texts) for send in sends] == [(3, 0, ["a"]), (3, 1, ["b"])]


def test_an_earlier_hello_may_be_answered_later() -> None:
    """Hello was said twice. The second answer is about what was read as well, and is not waited for."""
    play = begun()
    play.wait(2_000)
    play.expect(hello(floor=50))
    play.answer(welcome(1, (), floor=50, as_of=30))
    play.expect(*told(REPLACED), hello(floor=None))
    play.answer(welcome(2, (), floor=50, as_of=30))
    play.expect()
    play.answer(welcome(3, ROWS, floor=1, as_of=30))
    assert play.core.is_open
    assert play.core.joined == {GENERAL}


def test_a_hello_that_is_lost_is_said_again() -> None:
    play = begun()
    play.answer(welcome(rows=(), floor=50, as_of=30))
    play.forget()
    play.wait(2_000)
    play.expect(hello(floor=None))


def test_a_user_who_takes_nothing_is_told_all_the_same(open_play: Play) -> None:
    play = open_play
    for pos in range(6, 6 + inbox.UPDATES_MAX):
        play.publish(segment(GENERAL, pos - 1, pos, said("bob", "a")))
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.forget()
    play.answer(welcome(2, (), floor=5, as_of=3))
    play.expect(*told(REPLACED), hello(floor=None))
    play.answer(welcome(3, ((GENERAL, 4, 2),), as_of=4))
    play.forget()
    play.happen(Consumed(inbox.UPDATES_MAX + 1))
    assert [(fetch.to, fetch.bound) for fetch in fetches(play)] == [(GENERAL, 3)]


def test_followed_rooms_are_followed_on() -> None:
    """The user said so, not the log."""
    play = Play(resume=True, snapshot=Snapshot(50, {TEA: 52}, frozenset(), frozenset({TEA})))
    play.happen(FollowChanged(1, ["tea"]), Started(), HandshakeSucceeded())
    play.answer(welcome(rows=(), floor=50, as_of=30))
    play.forget()
    play.answer(welcome(2, (), floor=1, as_of=30))
    follow = next(
        e.request for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Follow)
    )
    assert follow.rooms == ["tea"]
    play.forget()
    play.answer(wire.Followed(2, follow.token, 31, [wire.Head(TEA, 31, 31)], "nonce"))
    assert [(fetch.to, fetch.bound) for fetch in fetches(play)] == [(TEA, 30)]


def test_a_quiet_client_has_read_nothing() -> None:
    play = begun(quiet=True)
    play.answer(welcome(rows=(), floor=2**53 - 1, as_of=30))
    assert play.core.is_open
