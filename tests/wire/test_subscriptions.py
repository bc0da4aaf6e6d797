"""Subscriptions: what is approved, when it is in force, and what never goes out on XPUB."""

import signal
import time

import pytest
import zmq

from tests.processes import BrokerProcess
from tests.wire.conftest import Connect
from tests.wire.raw import GENERAL, Client, until, unused
from zchat.common import wire
from zchat.common.codes import Refusal


def test_a_room_is_read_after_its_round(ann: Client, bob: Client) -> None:
    ann.subscribe(GENERAL)
    heads, _ = ann.confirm()
    assert (heads.session, heads.token, heads.next) == (ann.session, 0, "")
    row = bob.send("#general", 0, "a", "b")
    topic, payload = ann.hear_published()
    segment = wire.decode_segment(payload)
    assert topic == GENERAL
    assert (segment.first, segment.last, segment.time_ms) == (row.pos, row.pos + 1, row.time_ms)
    assert segment.prev <= heads.as_of
    assert ann.fetch("#general", 1, row.pos + 1)[1][-1] == segment


def test_it_is_confirmed_when_it_is_in_force(connect: Connect, bob: Client) -> None:
    """While the room is busy: what the Heads do not have comes, without a gap."""
    for number in range(30):
        reader = connect()
        reader.greet(quiet=True)
        bob.say(wire.Send(bob.session, 1, 3 * number, "#general", 3 * number, ["x"]))
        reader.subscribe(GENERAL)
        bob.say(wire.Send(bob.session, 1, 3 * number, "#general", 3 * number + 1, ["y"]))
        heads, earlier = reader.confirm()
        bob.say(wire.Send(bob.session, 1, 3 * number, "#general", 3 * number + 2, ["z"]))
        rows = 0
        while rows < 3:
            answer = bob.answer(wire.Ack)
            rows += len(answer.results)
        last = answer.results[-1].pos
        cursor = max((head.pos for head in heads.heads), default=heads.as_of)
        for topic, _ in earlier:
            assert topic == GENERAL
        while cursor < last:
            segment = wire.decode_segment(reader.hear_published().payload)
            assert segment.prev <= cursor
            cursor = max(cursor, segment.last)
        reader.close()


def test_unapproved_topics_never_arrive(connect: Connect, ann: Client, bob: Client) -> None:
    """A prefix of all there is, and of more than one room; only the nonce is approved."""
    room = unused("room")
    bob.join(room)
    ann.subscribe(b"", b"#", b"#gen", b"#general", b"!", b"$", b"@", b"~", b"#nowhere\0")
    ann.confirm()
    bob.send("#general", 0, "a")
    bob.send(f"#{room}", 1, "b")
    visitor = connect()
    visitor.greet()
    _, earlier = ann.round()
    assert earlier == []


def test_a_prefix_of_an_approved_topic_brings_nothing_more(ann: Client, bob: Client) -> None:
    room = unused("general")
    bob.join(room)
    ann.subscribe(GENERAL)
    ann.confirm()
    bob.send(f"#{room}", 0, "not for ann")
    bob.send("#general", 1, "for ann")
    _, earlier = ann.round()
    assert [topic for topic, _ in earlier] == [GENERAL]


def test_direct_messages_and_the_log_are_never_published(connect: Connect, ann: Client, bob: Client) -> None:
    """The reader has every right there is, and subscribes to everything besides."""
    cat = connect()
    cat.greet()
    cat.subscribe(b"", GENERAL, wire.HERE, b"$", b"$\0", b"@", f"@{ann.nick},{bob.nick}\0".encode())
    cat.confirm()
    ann.send(f"@{bob.nick}", 0, "secret")
    visitor = connect()
    visitor.greet(quiet=True)  # registered in `$`
    bob.hear()
    bob.send(f"@{ann.nick}", 0, "secret too")
    _, earlier = cat.round()
    assert {topic for topic, _ in earlier} <= {GENERAL, wire.HERE}
    assert any(topic == GENERAL for topic, _ in earlier)  # the visitor joined
    for _, payload in earlier:
        assert b"secret" not in payload


def test_another_ones_nonce_is_not_approved(ann: Client, bob: Client) -> None:
    ann.subscribe(wire.nonce_topic(bob.nonce))
    _, earlier = ann.confirm()
    assert earlier == []
    bob.confirm()  # its own it is
    _, earlier = ann.round()
    assert earlier == []


def test_a_nonce_that_was_replaced_is_not_answered(ann: Client) -> None:
    old = wire.nonce_topic(ann.nonce)
    ann.round()
    ann.subscribe(old)
    _, earlier = ann.round()
    assert earlier == []


def test_whoever_is_not_registered_gets_nothing(connect: Connect, ann: Client) -> None:
    stranger = connect()
    stranger.subscribe(GENERAL, wire.HERE, wire.nonce_topic(ann.nonce))
    stranger.greet()  # is now, but those were read before or not: a new round tells
    ann.send("#general", 0, "a")
    _, earlier = stranger.confirm()
    assert all(topic in (GENERAL, wire.HERE) for topic, _ in earlier)


def test_a_nonce_is_answered_each_time_it_is_subscribed(ann: Client) -> None:
    ann.confirm()
    ann.sub.unsubscribe(wire.nonce_topic(ann.nonce))
    heads, earlier = ann.confirm()
    assert heads.session == ann.session and earlier == []


def test_followed_rooms(ann: Client, bob: Client) -> None:
    room = unused("room")
    bob.join(room)
    row = bob.send(f"#{room}", 0, "before")
    ann.say(wire.Follow(ann.session, 5, [room.upper(), "general"], False))
    followed = ann.answer(wire.Followed)
    assert wire.Head(f"#{room}", row.pos, row.pos) in followed.heads and len(followed.heads) == 2
    ann.nonce = followed.nonce
    ann.subscribe(wire.room_topic(room))
    between = bob.send(f"#{room}", 1, "between")
    heads, _ = ann.confirm()
    assert wire.Head(f"#{room}", between.pos, row.pos) in heads.heads
    bob.send(f"#{room}", 2, "after")
    assert ann.hear_published().topic == wire.room_topic(room)
    ann.say(wire.Follow(ann.session, 6, [room, "nowhere"], False))
    assert ann.refusal() is Refusal.NO_SUCH_ROOM


def test_joining_is_read_over_a_new_round(ann: Client, bob: Client) -> None:
    room = unused("room")
    ann.confirm()
    pos = ann.join(room)
    ann.subscribe(wire.room_topic(room))
    row = bob.send(f"#{room}", 0, "a")
    heads, _ = ann.round()
    assert wire.Head(f"#{room}", row.pos, pos) in heads.heads


def test_over_router(ann: Client, bob: Client) -> None:
    room, other = unused("room"), unused("room")
    bob.join(room)
    bob.join(other)
    ann.say(wire.Follow(ann.session, 5, [room], True))
    ann.answer(wire.Followed)
    bob.send("#general", 0, "joined")
    bob.send(f"#{other}", 1, "neither")
    bob.send(f"#{room}", 2, "followed")
    texts = []
    while len(texts) < 2:
        answer, segments = ann.hear()
        if isinstance(answer, wire.Presence):
            continue
        assert answer == wire.Deliver(ann.session)
        texts += [text for e in segments[0].entries if isinstance(e, wire.Messages) for text in e.texts]
    assert texts == ["joined", "followed"]
    ann.say(wire.Follow(ann.session, 6, [], False))
    while isinstance(ann.hear().answer, wire.Presence):
        pass
    bob.send("#general", 3, "not over ROUTER")
    assert ann.is_silent()


def test_a_quiet_session_gets_no_deliveries(connect: Connect, bob: Client) -> None:
    script = connect()
    script.greet(quiet=True)
    script.say(wire.Follow(script.session, 5, [], True))
    script.answer(wire.Followed)
    bob.send("#general", 0, "a")
    bob.send(f"@{script.nick}", 1, "b")
    assert script.is_silent()
    script.say(wire.Ping(script.session, 9, 0, ""))
    assert len(script.answer(wire.Heads).heads) == 2


@pytest.mark.parametrize("length", [65, 66])
def test_a_topic_as_long_as_allowed(ann: Client, length: int) -> None:
    ann.subscribe(b"#" + b"x" * (length - 2) + b"\0")
    ann.confirm()


def test_a_topic_that_is_too_long_is_cut(ann: Client) -> None:
    ann.subscribe(b"#" + b"x" * 65 + b"\0")
    assert ann.is_cut(sub=True)
    assert ann.is_cut()  # both connections of the key


def test_after_a_lost_connection_the_nonce_tells_what_was_lost(ann: Client, bob: Client) -> None:
    """SUB subscribes again by itself, the nonce last."""
    ann.subscribe(GENERAL)
    ann.confirm()
    endpoint = ann.sub.LAST_ENDPOINT
    ann.sub.disconnect(endpoint)
    row = bob.send("#general", 0, "lost")
    ann.sub.connect(endpoint)
    while (published := ann.hear_published()).topic != wire.nonce_topic(ann.nonce):
        pass
    heads = wire.decode_answer(published.payload)
    assert isinstance(heads, wire.Heads) and heads.heads[0].pos == row.pos
    bob.send("#general", 1, "heard")
    assert ann.hear_published().topic == GENERAL


@pytest.mark.parametrize("junk", [[b"\2"], [b""], [b"\2", b"\1#x\0"]])
def test_what_is_no_subscription_brings_nobody_the_subscription_of_another(
    broker: BrokerProcess, connect: Connect, ann: Client, bob: Client, junk: list[bytes]
) -> None:
    """libzmq would give approvals to the connection that came next, of whoever is not let in."""
    strangers = [connect(sub_kind=zmq.XSUB) for _ in range(3)]
    for stranger in strangers:
        stranger.wait_for(zmq.Event.HANDSHAKE_SUCCEEDED, sub=True)
    assert ann.sub and ann.wait_for(zmq.Event.HANDSHAKE_SUCCEEDED, sub=True)
    broker.send_signal(signal.SIGSTOP)  # so that all is read at once, in this order
    strangers[0].sub.send_multipart(junk)
    settle(strangers[0].sub)
    ann.subscribe(GENERAL, wire.HERE, wire.nonce_topic(ann.nonce))
    settle(ann.sub)
    for stranger in strangers[1:]:
        for _ in range(5):
            stranger.sub.send(b"\1nothing\0")
        settle(stranger.sub)
    broker.send_signal(signal.SIGCONT)
    until(lambda: any("what is no subscription" in line for line in broker.log_lines()))
    while ann.hear_published().topic != wire.nonce_topic(ann.nonce):  # her SUB came back by itself
        pass
    bob.send("#general", 0, "not for strangers")
    while ann.hear_published().topic != GENERAL:
        pass
    assert not any(stranger.sub.poll(50) for stranger in strangers)


def settle(socket: "zmq.Socket[bytes]") -> None:
    """What was said over it is in the kernel, which nothing tells of."""
    for _ in range(5):
        socket.get(zmq.EVENTS)
        time.sleep(0.02)
