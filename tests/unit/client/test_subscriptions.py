"""Rounds of subscriptions, the way around the second port, and followed rooms."""

from tests.unit.client.play import CAUGHT_UP, PORT, Play, heads, said, segment, told, welcome
from zchat.client.core.cursors import Snapshot
from zchat.client.core.effects import (
    Abandon,
    Deliver,
    OpenSubscriber,
    Refuse,
    Resolve,
    Subscribe,
    TouchSubscriber,
    Transmit,
    Unsubscribe,
)
from zchat.client.core.events import (
    Disconnected,
    FollowChanged,
    GivenUp,
    HandshakeSucceeded,
    HeadsPublished,
    SegmentDelivered,
    Started,
    Stopped,
)
from zchat.client.messages import Status
from zchat.common import wire
from zchat.common.codes import Refusal

OVER_ROUTER = Status("over_router", "the broker's second port is out of reach; rooms come over the first")

ANSWERS = Status("over_router", "the broker's second port answers; rooms come over it again")


def follow(token: int, *rooms: str, over_router: bool = False, session: int = 1) -> Transmit:
    return Transmit(wire.Follow(session, token, [*rooms], over_router))


def followed(token: int, *rows: tuple[str, int, int], session: int = 1) -> wire.Followed:
    return wire.Followed(session, token, 9, heads(rows), f"nonce-{token}")


def round_of(token: int, before: str, *topics: bytes) -> list[Subscribe | Unsubscribe]:
    new = [Subscribe(topic) for topic in topics]
    return [*new, Unsubscribe(wire.nonce_topic(before)), Subscribe(wire.nonce_topic(f"nonce-{token}"))]


def test_a_followed_room_begins_at_its_head_and_takes_a_round(open_play: Play) -> None:
    play = open_play
    play.happen(FollowChanged(1, ["tea"]))
    play.expect(follow(1, "tea"))
    answer = followed(1, ("#tea", 8, 8))
    play.answer(answer)
    play.expect(Resolve(1, answer, []), *round_of(1, "nonce1", b"#tea\0"))
    play.publish(segment("#tea", 8, 9, said("bob", "hi")))
    assert isinstance(play.wanted[0], Deliver)
    assert play.core.joined == {"#general"}


def test_a_followed_room_goes_on_at_its_cursor_after_a_reconnect(open_play: Play) -> None:
    play = open_play
    play.happen(FollowChanged(1, ["tea"]))
    play.answer(followed(1, ("#tea", 8, 8)))
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.answer(welcome(2, (), floor=5, as_of=20))
    assert follow(2, "tea", session=2) in play.wanted
    assert play.core.snapshot().floor == 5  # the list of the Welcome says nothing about #tea
    play.answer(followed(2, ("#tea", 15, 15), session=2))
    assert Transmit(wire.Fetch(2, 4, "#tea", 0, 8)) in play.wanted


def test_followed_rooms_are_kept_with_the_state() -> None:
    snapshot = Snapshot(10, {"#tea": 12}, frozenset(), frozenset({"#tea"}))
    play = Play(resume=True, snapshot=snapshot)
    play.happen(FollowChanged(1, ["tea"]), Started(), HandshakeSucceeded())
    play.answer(welcome(rows=(), floor=10, as_of=20))
    assert play.wanted[-1] == follow(1, "tea")
    play.answer(followed(1, ("#tea", 18, 18)))
    assert play.wanted[-1] == Transmit(wire.Fetch(1, 2, "#tea", 0, 12))
    assert play.core.snapshot().followed == {"#tea"}


def test_a_room_that_is_followed_no_longer_is_not_read(open_play: Play) -> None:
    play = open_play
    play.happen(FollowChanged(1, ["tea"]))
    play.answer(followed(1, ("#tea", 8, 8)))
    play.happen(FollowChanged(2, []))
    play.forget()
    play.answer(followed(2))
    assert Unsubscribe(b"#tea\0") in play.wanted
    play.forget()
    play.publish(segment("#tea", 8, 9, said("bob", "hi")))
    play.expect()


def test_a_refused_follow_leaves_the_rooms_as_they_were(open_play: Play) -> None:
    play = open_play
    play.happen(FollowChanged(1, ["tea"]))
    play.answer(followed(1, ("#tea", 8, 8)))
    play.happen(FollowChanged(2, ["nosuch"]))
    play.forget()
    play.refuse(1, 2, Refusal.NO_SUCH_ROOM, "no #nosuch")
    play.expect(Refuse([2], Refusal.NO_SUCH_ROOM, "no #nosuch"), follow(3, "tea"))


def test_follow_is_asked_again_when_it_is_busy_or_not_answered(open_play: Play) -> None:
    play = open_play
    play.happen(FollowChanged(1, ["tea"]))
    play.refuse(1, 1, Refusal.BUSY)
    play.forget()
    play.wait(2_000)
    play.expect_sent(wire.Follow(1, 2, ["tea"], False))
    play.wait(4_000)
    assert follow(4, "tea") in play.wanted  # 3 was a Ping
    play.forget()
    play.answer(followed(2))  # too late
    play.expect()


def test_a_follow_that_is_given_up_or_ended_is_abandoned(open_play: Play) -> None:
    play = open_play
    play.happen(FollowChanged(1, ["tea"]), FollowChanged(2, ["tea"]))
    play.forget()
    play.happen(GivenUp(1))
    play.expect(Abandon([1], handed_over=False))
    play.happen(Stopped())
    play.expect(Transmit(wire.Bye(1)), Abandon([2], handed_over=False))
    quiet = Play(quiet=True)
    quiet.happen(FollowChanged(1, ["tea"]))
    quiet.expect(Abandon([1], handed_over=False))


def test_rooms_come_over_the_request_socket_while_the_nonce_is_not_answered(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    play.answer(welcome())
    play.forget()
    play.wait(2_999)
    play.expect(TouchSubscriber(), TouchSubscriber())
    play.wait(1)
    play.expect(TouchSubscriber(), follow(1, over_router=True), *told(OVER_ROUTER))
    play.answer(followed(1))
    play.expect(*round_of(1, "nonce1"))
    play.happen(SegmentDelivered(1, segment("#general", 5, 6, said("bob", "hi"))))
    assert isinstance(play.wanted[0], Deliver)
    play.forget()
    play.happen(HeadsPublished("nonce-1", wire.Heads(1, 0, 6, [], "")))
    play.expect(follow(2), *told(ANSWERS))
    play.answer(followed(2))
    play.expect(*round_of(2, "nonce-1"))
    play.wait(3_000)
    assert follow(4, over_router=True) in play.wanted or follow(3, over_router=True) in play.wanted
    assert told(OVER_ROUTER)[0] not in play.wanted  # once is enough


def test_a_subscriber_that_finds_the_broker_again_late_is_not_out_of_reach(play: Play) -> None:
    play.greet()
    play.happen(HeadsPublished("nonce1", wire.Heads(1, 0, 5, [], "")))
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.answer(welcome(2, (), floor=5, as_of=5))
    play.forget()
    play.wait(3_000)  # the rooms come over the request socket already
    assert any(isinstance(one, Transmit) and isinstance(one.request, wire.Follow) for one in play.wanted)
    assert told(OVER_ROUTER)[0] not in play.wanted
    play.happen(HeadsPublished("nonce2", wire.Heads(2, 0, 5, [], "")))
    play.wait(7_999)
    assert told(OVER_ROUTER)[0] not in play.wanted


def test_a_second_port_that_answers_again_is_told(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    play.answer(welcome())
    play.wait(3_000)
    assert told(OVER_ROUTER)[0] in play.wanted
    play.answer(followed(1))
    play.forget()
    play.happen(HeadsPublished("nonce-1", wire.Heads(1, 0, 5, [], "")))
    assert told(ANSWERS)[0] in play.wanted


def test_a_session_after_that_begins_over_the_request_socket(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    play.answer(welcome())
    play.wait(3_000)
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.forget()
    play.answer(welcome(2, (), floor=5))
    assert Transmit(wire.Follow(2, 2, [], True)) in play.wanted


def test_a_subscriber_that_is_never_confirmed_is_made_anew(play: Play) -> None:
    play.greet()
    play.happen(FollowChanged(1, ["tea"]))
    play.answer(followed(1, ("#tea", 8, 8)))
    for _ in range(31):
        play.wait(1_000)
        play.answer(wire.Presence(1, [wire.Person("bob", True)]))
        for effect in play.wanted:
            if isinstance(effect, Transmit) and isinstance(effect.request, wire.Follow):
                play.wanted.remove(effect)
                play.answer(followed(effect.request.token, ("#tea", 8, 8)))
    again = play.wanted.index(OpenSubscriber(PORT))
    assert Subscribe(b"#general\0") in play.wanted[again:]


def test_no_second_port_is_no_subscriber(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    play.answer(welcome(port=0))
    assert follow(1, over_router=True) in play.wanted
    assert not [effect for effect in play.wanted if isinstance(effect, OpenSubscriber | Subscribe)]
    play.answer(followed(1))
    play.wait(4_000)
    assert not [effect for effect in play.wanted if isinstance(effect, OpenSubscriber | Subscribe)]


def test_another_port_is_another_subscriber_with_all_topics(open_play: Play) -> None:
    play = open_play
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.forget()
    play.answer(welcome(2, (("#general", 5, 2),), floor=5, port=7000))
    opened = play.wanted.index(OpenSubscriber(7000))
    assert play.wanted[opened + 1 :] == [
        Subscribe(b"!here\0"),
        Subscribe(b"#general\0"),
        Subscribe(b"~nonce2\0"),
        CAUGHT_UP,
    ]
