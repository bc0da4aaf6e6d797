"""Pages, heads, subscriptions, lists, presence, and who gets what became durable."""

import pytest
from msgspec.structs import replace

from tests.unit.broker.play import (
    ANN,
    BOB,
    CAT,
    TIME_MS,
    Play,
    acked,
    delivered,
    hello,
    published,
    refused,
    segment,
    somebody,
    welcome,
)
from zchat.broker.core import port
from zchat.broker.core.effects import Approve, Cut, CutSubscribers, Publish, Transmit, TransmitSegments
from zchat.broker.core.events import PeerLost, Request
from zchat.common import limits, wire
from zchat.common.codes import Refusal

A, B = 1, 2  # the sessions of Ann and of Bob


@pytest.fixture
def both(play: Play) -> Play:
    """Ann and Bob are greeted."""
    assert (play.greet(ANN, "ann"), play.greet(BOB, "bob")) == (A, B)
    return play


def ann(token: int, counter: int, *texts: str, to: str = "#general") -> Request:
    return ANN.asks(wire.Send(A, token, counter, to, counter, list(texts)))


def fetch(token: int, direction: int, bound: int, to: str = "#general") -> Request:
    return BOB.asks(wire.Fetch(B, token, to, direction, bound))


def page(token: int, head: int, *frames: bytes, conversation: str = "#general") -> TransmitSegments:
    return TransmitSegments(BOB.peer, wire.Page(B, token, conversation, 0, head), list(frames))


def heads(
    to: bytes, session: int, token: int, as_of: int, *listed: tuple[str, int, int], next: str = ""
) -> Transmit:
    return Transmit(to, wire.Heads(session, token, as_of, [wire.Head(*head) for head in listed], next))


def here(*changes: tuple[str, bool]) -> Publish:
    return Publish(wire.HERE, wire.encode(wire.Presence(0, [wire.Person(*change) for change in changes])))


# ---- pages ----


def test_pages_in_all_directions(both: Play) -> None:
    both.time_ms += 10
    both.receive(ann(1, 0, "a", "b"))
    both.time_ms += 10
    both.receive(ann(2, 2, "c"))
    both.skip()
    frames = both.segments[1:2] + both.segments[3:]
    a, c = frames[2:]
    both.receive(fetch(1, 0, 4))
    both.expect(page(1, 7, a, c))
    both.receive(fetch(2, 0, 5))  # whole segments: the client trims
    both.expect(page(2, 7, a, c))
    both.receive(fetch(3, 1, 6))
    both.expect(page(3, 7, *frames[:3]))
    both.receive(fetch(4, 2, TIME_MS + 11))
    both.expect(page(4, 7, c))
    both.receive(fetch(5, 2, TIME_MS + 21))
    both.expect(page(5, 7))
    for bound in (7, 2**53 - 1):
        both.receive(fetch(6, 0, bound))
        both.expect(page(6, 7))
    both.receive(fetch(7, 1, 0))
    both.expect(page(7, 7))
    both.receive(fetch(8, 1, 2**53 - 1))
    both.expect(page(8, 7, *frames))


def test_a_page_is_bounded_and_has_one_segment_at_least(both: Play) -> None:
    for n in range(3):
        both.receive(ann(n, 2 * n, "x" * 65_536, "y" * 65_536))
    both.skip()
    both.receive(fetch(1, 0, 4))
    both.expect(page(1, 10, both.segments[4]))  # two of them are more than 256 KiB
    both.receive(fetch(2, 1, 11))
    both.expect(page(2, 10, both.segments[6]))


def test_a_direct_conversation_has_two_readers(both: Play) -> None:
    both.receive(ann(1, 0, "psst", to="@bob"))
    both.skip()
    frame = both.segments[4]
    both.receive(fetch(1, 0, 0, "@ann"), fetch(2, 0, 0, "@bob"))
    both.expect(
        Transmit(BOB.peer, wire.Page(B, 2, "@bob,bob", 0, 0)), page(1, 5, frame, conversation="@ann,bob")
    )


def test_no_more_pages_at_once_than_allowed(both: Play) -> None:
    both.hold()
    both.receive(fetch(1, 0, 0), fetch(2, 0, 3), fetch(3, 0, 0))
    both.expect(refused(BOB, B, 3, Refusal.BUSY))
    both.carry_out(port.Read)
    both.skip()
    both.receive(fetch(3, 0, 0), fetch(4, 0, 0))
    both.expect(refused(BOB, B, 4, Refusal.BUSY))
    both.unreadable = True
    both.catch_up()
    both.expect(refused(BOB, B, 2, Refusal.UNREADABLE), refused(BOB, B, 3, Refusal.UNREADABLE))
    both.unreadable = False
    both.receive(fetch(5, 0, 3))
    both.expect(page(5, 4, both.segments[3]))


def test_a_page_for_a_session_that_ended_goes_nowhere(both: Play) -> None:
    both.hold()
    both.receive(fetch(1, 0, 0))
    both.receive(BOB.asks(wire.Bye(B)))
    both.catch_up()
    both.expect()


def test_a_page_shows_the_head_that_is_durable(both: Play) -> None:
    """The state has an entry that the disk has not."""
    both.hold()
    both.receive(ann(1, 0, "a"))
    both.receive(fetch(1, 0, 3))
    both.carry_out(port.Read)
    both.expect(page(1, 4, both.segments[3]))
    both.catch_up()
    both.skip()


# ---- heads ----


def test_heads_above_the_floor_in_the_order_of_their_ids(both: Play) -> None:
    both.receive(
        ann(1, 0, "a", to="@bob"),
        BOB.asks(wire.Join(B, 1, "zoo")),
        BOB.asks(wire.Join(B, 2, "dev")),
        ANN.asks(wire.Join(A, 2, "hidden")),
        ann(3, 1, "b", to="#dev"),
    )
    both.skip()
    both.receive(BOB.asks(wire.Ping(B, 3, 4, "")))
    both.expect(heads(BOB.peer, B, 3, 9, ("#dev", 9, 7), ("#zoo", 6, 6), ("@ann,bob", 5, 0)))
    both.receive(BOB.asks(wire.Ping(B, 4, 6, "#dev")), BOB.asks(wire.Ping(B, 5, 9, "")))
    both.expect(heads(BOB.peer, B, 4, 9), heads(BOB.peer, B, 5, 9))
    both.receive(BOB.asks(wire.Ping(B, 6, 0, "#general")))
    both.expect(heads(BOB.peer, B, 6, 9, ("#zoo", 6, 6), ("@ann,bob", 5, 0)))
    both.receive(BOB.asks(wire.Leave(B, 7, "dev")))
    both.skip()
    both.receive(BOB.asks(wire.Ping(B, 8, 5, "")))
    both.expect(heads(BOB.peer, B, 8, 10, ("#zoo", 6, 6)))


def test_heads_have_nothing_that_is_not_durable(both: Play) -> None:
    both.hold()
    both.receive(BOB.asks(wire.Join(B, 1, "dev")), ann(1, 0, "a", to="@bob"), ann(2, 1, "b"))
    both.receive(BOB.asks(wire.Ping(B, 2, 0, "")))
    both.expect(heads(BOB.peer, B, 2, 4, ("#general", 4, 4)))
    both.catch_up()
    both.skip()
    both.receive(BOB.asks(wire.Ping(B, 2, 0, "")))
    both.expect(heads(BOB.peer, B, 2, 7, ("#dev", 5, 5), ("#general", 7, 4), ("@ann,bob", 6, 0)))


def test_a_long_list_of_heads_comes_in_parts(both: Play) -> None:
    """Bob is in 999 rooms and has followed 100 more."""
    names = [f"room{n:04}" for n in range(1098)]
    both.receive(*(BOB.asks(wire.Join(B, n, name)) for n, name in enumerate(names[:999])))
    both.receive(*(ANN.asks(wire.Join(A, n, name)) for n, name in enumerate(names[999:])))
    both.receive(BOB.asks(wire.Follow(B, 1, names[999:], False)))
    both.skip()
    both.receive(BOB.asks(wire.Ping(B, 2, 4, "")))
    [first] = both.effects
    assert isinstance(first, Transmit) and isinstance(first.answer, wire.Heads)
    assert len(first.answer.heads) == limits.HEADS_MAX
    assert first.answer.next == first.answer.heads[-1].conversation == "#room0999"
    both.skip()
    both.receive(BOB.asks(wire.Ping(B, 3, 4, "#room0999")))
    listed = [(f"#room{n:04}", 5 + n, 5 + n) for n in range(1000, 1098)]
    both.expect(heads(BOB.peer, B, 3, 1102, *listed))
    both.receive(BOB.elsewhere("b").asks(hello("bob", instance=2)))  # 1,000 joined rooms fit
    [greeted] = both.effects
    assert isinstance(greeted, Transmit) and isinstance(greeted.answer, wire.Welcome)
    assert (len(greeted.answer.heads), greeted.answer.next) == (1000, "")
    both.skip()


def test_a_welcome_with_more_heads_than_fit(both: Play) -> None:
    both.receive(*(BOB.asks(wire.Join(B, n, f"room{n:04}")) for n in range(999)), ann(1, 0, "a", to="@bob"))
    both.skip()
    both.receive(BOB.elsewhere("b").asks(hello("bob", instance=2)))
    [greeted] = both.effects
    assert isinstance(greeted, Transmit) and isinstance(greeted.answer, wire.Welcome)
    assert (len(greeted.answer.heads), greeted.answer.next) == (1000, "#room0998")
    assert greeted.answer.floor == 3  # of the registration
    both.skip()


def test_direct_conversations_are_fetched_from_the_floor_by_a_new_installation(both: Play) -> None:
    both.receive(ann(1, 0, "a", to="@bob"))
    both.skip()
    both.receive(BOB.elsewhere("b").asks(hello("bob", instance=2)))
    both.expect(
        Transmit(b"\0b", welcome(3, "bob", floor=3, as_of=5, heads=[("#general", 4, 4), ("@ann,bob", 5, 0)]))
    )


# ---- following ----


def test_following_a_room(both: Play) -> None:
    both.receive(ANN.asks(wire.Join(A, 1, "dev")), ANN.asks(wire.Join(A, 2, "ops")))
    both.skip()
    both.receive(BOB.asks(wire.Follow(B, 1, ["OPS", "dev", "dev"], False)))
    both.expect(
        Transmit(
            BOB.peer, wire.Followed(B, 1, 6, [wire.Head("#dev", 5, 5), wire.Head("#ops", 6, 6)], "n.2.2")
        )
    )
    both.receive(ann(3, 0, "a", to="#dev"))
    both.skip()
    both.receive(BOB.asks(wire.Ping(B, 2, 6, "")))
    both.expect(heads(BOB.peer, B, 2, 7, ("#dev", 7, 5)))
    both.receive(BOB.asks(wire.Follow(B, 3, ["dev"], False)))  # in place of those before; dev began earlier
    both.expect(Transmit(BOB.peer, wire.Followed(B, 3, 7, [wire.Head("#dev", 7, 5)], "n.2.3")))
    both.receive(BOB.asks(wire.Ping(B, 4, 5, "")))
    both.expect(heads(BOB.peer, B, 4, 7, ("#dev", 7, 5)))
    both.receive(BOB.asks(wire.Follow(B, 5, [], False)))
    both.expect(Transmit(BOB.peer, wire.Followed(B, 5, 7, [], "n.2.4")))
    both.receive(BOB.asks(wire.Ping(B, 6, 4, "")))
    both.expect(heads(BOB.peer, B, 6, 7))


def test_a_joined_room_that_is_followed_starts_at_the_join(both: Play) -> None:
    both.receive(BOB.asks(wire.Join(B, 1, "dev")), ann(1, 0, "a", to="#dev"))
    both.skip()
    both.receive(BOB.asks(wire.Follow(B, 2, ["dev", "general"], False)))
    both.expect(
        Transmit(
            BOB.peer, wire.Followed(B, 2, 6, [wire.Head("#dev", 6, 5), wire.Head("#general", 4, 4)], "n.2.2")
        )
    )


def test_followed_shows_nothing_that_is_not_durable(both: Play) -> None:
    both.hold()
    both.receive(ann(1, 0, "a"))
    both.receive(BOB.asks(wire.Follow(B, 2, ["general"], False)))
    both.catch_up()
    both.expect(
        acked(ANN, A, (1, 5)),
        published(segment("#general", 4, 5, wire.Messages("ann", 1, 0, ["a"]))),
        Transmit(BOB.peer, wire.Followed(B, 2, 4, [wire.Head("#general", 4, 4)], "n.2.2")),
    )


def test_following_a_room_that_does_not_exist_is_refused_whole(both: Play) -> None:
    both.receive(BOB.asks(wire.Follow(B, 1, ["general", "nowhere"], True)))
    both.expect(refused(BOB, B, 1, Refusal.NO_SUCH_ROOM))
    both.receive(ann(1, 0, "a"))  # and nothing has changed
    both.expect(acked(ANN, A, (1, 5)), published(both.segments[-1]))
    both.subscribe(BOB, b"~n.2.1\0")
    both.skip()


def test_over_router(both: Play) -> None:
    both.receive(ANN.asks(wire.Join(A, 1, "dev")), ANN.asks(wire.Join(A, 2, "ops")))
    both.receive(BOB.asks(wire.Follow(B, 1, ["dev"], True)))
    both.skip()
    both.receive(ann(3, 0, "a", to="#dev"), ann(4, 1, "b"), ann(5, 2, "c", to="#ops"))
    dev, general, ops = both.segments[-3:]
    both.expect(
        acked(ANN, A, (3, 7), (4, 8), (5, 9)),
        published(dev),
        delivered(BOB, B, dev),
        published(general),
        delivered(BOB, B, general),
        published(ops),
    )
    both.elapse(100)
    changes = [wire.Person("ann", True), wire.Person("bob", True)]
    both.expect(here(("ann", True), ("bob", True)), Transmit(BOB.peer, wire.Presence(B, changes)))
    both.receive(BOB.asks(wire.Leave(B, 2, "general")))
    left = both.segments[-1]
    both.expect(Transmit(BOB.peer, wire.Done(B, 2, 10)), published(left), delivered(BOB, B, left))
    both.receive(BOB.asks(wire.Follow(B, 3, ["dev"], False)))
    both.skip()
    both.receive(ann(6, 3, "d", to="#dev"))
    both.expect(acked(ANN, A, (6, 11)), published(both.segments[-1]))


def test_a_quiet_session_gets_nothing_live_even_over_router(both: Play) -> None:
    script = BOB.elsewhere("script")
    assert both.greet(script, "bob", instance=2, quiet=True) == 3
    both.receive(script.asks(wire.Follow(3, 1, [], True)))
    both.expect(Transmit(script.peer, wire.Followed(3, 1, 4, [], "n.3.2")))
    both.receive(ann(1, 0, "a"), ann(2, 1, "b", to="@bob"))
    general, direct = both.segments[-2:]
    both.expect(
        acked(ANN, A, (1, 5), (2, 6)),
        published(general),
        delivered(ANN, A, direct),
        delivered(BOB, B, direct),
    )
    both.elapse(100)
    both.expect(here(("ann", True), ("bob", True)))
    both.receive(script.asks(wire.Ping(3, 2, 4, "")))  # heads it hears of
    both.expect(heads(script.peer, 3, 2, 6, ("#general", 5, 4), ("@ann,bob", 6, 0)))


# ---- subscriptions ----


@pytest.mark.parametrize("topic", [b"#general\0", b"!here\0"])
def test_subscriptions_of_the_registered_are_approved(both: Play, topic: bytes) -> None:
    both.subscribe(ANN, topic)
    both.expect(Approve(topic))
    both.subscribe(CAT, topic)  # not registered
    both.expect(CutSubscribers((CAT.key,), "nobody's subscription"))


def test_rights_are_those_of_the_key_not_of_a_session(both: Play) -> None:
    after = both.restarted()
    after.subscribe(ANN, b"#general\0")
    after.expect(Approve(b"#general\0"))


@pytest.mark.parametrize(
    "topic",
    [
        b"", b"#", b"#general", b"#gen\0", b"#nowhere\0", b"#general\0x", b"#\xff\0",
        b"!", b"!here", b"!here\0\0", b"~", b"~\0", b"~n.9.1\0",
        b"$\0", b"$", b"@ann,bob\0", b"@", b"\0", b"x" * 66,
    ],
)  # fmt: skip
def test_other_topics_are_not_approved(both: Play, topic: bytes) -> None:
    both.receive(ann(1, 0, "a", to="@bob"))
    both.skip()
    both.subscribe(ANN, topic)
    both.expect()


def test_a_topic_that_is_too_long_is_abuse(both: Play) -> None:
    for peer in (ANN, CAT):
        both.subscribe(peer, b"#" + b"x" * 65 + b"\0")
        both.expect(Cut(peer.key, "a subscription over the limit"))


def test_the_nonce_of_a_session(both: Play) -> None:
    both.receive(ann(1, 0, "a"))
    both.skip()
    told = Publish(b"~n.1.1\0", wire.encode(wire.Heads(A, 0, 5, [wire.Head("#general", 5, 2)], "")))
    both.subscribe(ANN, b"~n.1.1\0")
    both.expect(Approve(b"~n.1.1\0"), told)
    both.subscribe(ANN, b"~n.1.1\0")  # again, after a lost connection
    both.expect(Approve(b"~n.1.1\0"), told)
    both.subscribe(BOB, b"~n.1.1\0")  # another's
    both.expect()
    both.receive(ANN.asks(wire.Ping(A, 2, 5, "")))
    both.skip()
    both.subscribe(ANN, b"~n.1.1\0")  # heads above the floor that was named last
    both.expect(Approve(b"~n.1.1\0"), Publish(b"~n.1.1\0", wire.encode(wire.Heads(A, 0, 5, [], ""))))
    both.receive(ANN.asks(wire.Follow(A, 3, [], False)))
    both.expect(Transmit(ANN.peer, wire.Followed(A, 3, 5, [], "n.1.2")))
    both.subscribe(ANN, b"~n.1.1\0")  # it was replaced
    both.expect()
    both.subscribe(ANN, b"~n.1.2\0")
    both.expect(Approve(b"~n.1.2\0"), Publish(b"~n.1.2\0", wire.encode(wire.Heads(A, 0, 5, [], ""))))
    both.receive(ANN.asks(wire.Bye(A)))
    both.subscribe(ANN, b"~n.1.2\0")
    both.expect()


# ---- lists ----


def test_people(both: Play) -> None:
    both.receive(ANN.asks(wire.Join(A, 1, "dev")), BOB.asks(wire.Bye(B)))
    both.skip()
    ann_person, bob_person = wire.Person("ann", True), wire.Person("bob", False)
    for room, after, people in (
        (None, "", [ann_person, bob_person]),
        (None, "ann", [bob_person]),
        ("DEV", "", [replace(ann_person, role=wire.OWNER)]),
        ("general", "b", [bob_person]),
        (None, "z", []),
    ):
        both.receive(ANN.asks(wire.ListPeople(A, 2, room, after)))
        both.expect(Transmit(ANN.peer, wire.People(A, 2, people, "")))
    both.receive(ANN.asks(wire.ListPeople(A, 2, "nowhere", "")))
    both.expect(refused(ANN, A, 2, Refusal.NO_SUCH_ROOM))


def test_a_long_list_of_people_comes_in_parts(play: Play) -> None:
    nicks = [f"user{n:04}" for n in range(1001)]
    for nick in nicks:
        play.receive(somebody(nick).asks(hello(nick)))
    play.skip()
    first = somebody(nicks[0])
    play.receive(first.asks(wire.ListPeople(1, 1, None, "")))
    play.expect(
        Transmit(first.peer, wire.People(1, 1, [wire.Person(n, True) for n in nicks[:1000]], nicks[999]))
    )
    play.receive(first.asks(wire.ListPeople(1, 2, None, nicks[999])))
    play.expect(Transmit(first.peer, wire.People(1, 2, [wire.Person(nicks[1000], True)], "")))
    play.elapse(100)  # presence comes in parts as well
    payloads = [e.payload for e in play.effects if isinstance(e, Publish)]
    parts = [wire.decode_answer(payload) for payload in payloads]
    assert [len(p.changes) for p in parts if isinstance(p, wire.Presence)] == [1000, 1]
    play.skip()


def test_rooms_with_long_topics_fit_a_frame(both: Play) -> None:
    """1,000 rooms with topics of 1 KiB: the play checks each frame."""
    names = sorted(f"{n:04}" + "ü" * 28 for n in range(999))
    topic = "é" * 512
    both.receive(*(ANN.asks(wire.Join(A, n, name)) for n, name in enumerate(names)))
    both.receive(*(ANN.asks(wire.SetTopic(A, n, name, topic)) for n, name in enumerate(names)))
    both.skip()
    listed: list[wire.Room] = []
    after, answers = "", 0
    while answers == 0 or after:
        both.receive(ANN.asks(wire.ListRooms(A, 1, after)))
        [told] = both.effects
        assert isinstance(told, Transmit) and isinstance(told.answer, wire.Rooms)
        listed += told.answer.rooms
        after, answers = told.answer.next, answers + 1
        both.skip()
    assert answers == 8  # 128 topics each
    assert listed == [*(wire.Room(name, topic, 1) for name in names), wire.Room("general", "", 2)]


# ---- presence ----


def test_presence_is_told_together_after_an_interval(both: Play) -> None:
    both.now_ms += 50
    assert both.greet(CAT, "cat") == 3
    assert both.core.deadline_ms() == 100
    both.elapse(49)
    both.expect()
    both.elapse(1)
    both.expect(here(("ann", True), ("bob", True), ("cat", True)))
    both.receive(BOB.asks(wire.Bye(B)))
    both.expect()
    both.elapse(100)
    both.expect(here(("bob", False)))


def test_who_comes_and_goes_at_once_does_not_flicker(both: Play) -> None:
    both.elapse(100)
    both.skip()
    both.receive(ANN.asks(hello("ann", floor=2)))  # greets again
    both.skip()
    other = BOB.elsewhere("b")
    assert both.greet(other, "bob", instance=2) == 4
    both.handle(PeerLost(BOB.peer))  # and is still here on the other one
    both.receive(CAT.asks(hello("cat")))
    both.skip()
    both.receive(CAT.asks(wire.Bye(5)))
    both.elapse(1_000)
    both.expect()


def test_a_quiet_session_is_not_present(play: Play) -> None:
    play.greet(ANN, "ann", quiet=True)
    play.elapse(500)
    play.receive(ANN.asks(wire.ListPeople(1, 1, None, "")))
    play.expect(Transmit(ANN.peer, wire.People(1, 1, [wire.Person("ann", False)], "")))
    play.greet(ANN.elsewhere("b"), "ann", instance=2)
    play.elapse(100)
    play.expect(here(("ann", True)))


def test_whoever_is_silent_for_too_long_is_not_present(both: Play) -> None:
    both.elapse(15_000)
    both.expect(here(("ann", True), ("bob", True)))
    both.receive(BOB.asks(wire.Ping(B, 1, 4, "")))
    both.skip()
    both.elapse(2_000)
    both.expect(here(("ann", False)))
