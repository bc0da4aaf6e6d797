"""What ends by itself: by the time of the log, by an entry, and by nothing else. protocol.md, What Ends."""

from typing import Any

import pytest

from tests.unit.broker.crowd import Crowd
from tests.unit.broker.play import (
    ACCOUNT,
    ANN,
    BOB,
    CAT,
    TIME_MS,
    Play,
    delivered,
    hello,
    published,
    segment,
    somebody,
)
from zchat.broker.core import port
from zchat.broker.core.effects import CutSubscribers
from zchat.broker.core.events import Elapsed
from zchat.broker.core.log import Phase
from zchat.common import wire
from zchat.common.codes import Refusal

MINUTE_MS = 60_000
ROBO = somebody("robo")


def mute(room: str, nick: str = "bob", lifetime_ms: int = MINUTE_MS) -> wire.Sanction:
    return wire.Sanction(0, 0, room, nick, wire.MUTE, lifetime_ms, "")


def ban(room: str, nick: str = "bob", lifetime_ms: int = MINUTE_MS) -> wire.Sanction:
    return wire.Sanction(0, 0, room, nick, wire.BAN, lifetime_ms, "")


@pytest.fixture
def dev(crowd: Crowd) -> Crowd:
    """Ann made #dev, and Bob is there."""
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    return crowd


def expired(play: Play) -> list[wire.Acted]:
    """What has ended, by what stands in the log."""
    frames = [wire.decode_segment(frame) for frame in play.segments]
    entries = [e for s in frames if s.conversation == "$" for e in s.entries]
    return [e for e in entries if isinstance(e, wire.Acted) and e.act == "expired"]


def pass_time(crowd: Crowd, ms: int) -> None:
    """The clocks go on, and nobody says anything but that they are here."""
    play = crowd.play
    play.time_ms += ms
    until_ms = play.now_ms + ms
    while play.now_ms < until_ms:
        play.now_ms = min(until_ms, play.now_ms + 4_000)
        for session in play.core._context.sessions:
            session.seen_ms = play.now_ms
        deadline_ms = play.core.deadline_ms()
        if deadline_ms is not None and deadline_ms <= play.now_ms:
            play.handle(Elapsed())


# ---- at the time of the log ----


def test_it_ends_with_the_next_thing_that_is_ordered(dev: Crowd) -> None:
    dev.act(ANN, mute("dev"))
    dev.play.time_ms += MINUTE_MS - 1
    assert dev.send(BOB, "#dev", "too early") is Refusal.NOT_ALLOWED
    assert expired(dev.play) == []
    dev.play.time_ms += 1
    assert isinstance(dev.send(BOB, "#dev", "now"), int)
    assert expired(dev.play) == [wire.Acted("$", "expired", "dev", "bob", 0, "mute", "")]


def test_its_entry_comes_before_what_was_ordered_with_it(dev: Crowd) -> None:
    """It is told in the room, to the person, and in the log."""
    dev.act(ANN, mute("dev"))
    last = wire.decode_segment(dev.play.segments[-1])
    dev.play.time_ms += MINUTE_MS
    dev.play.receive(dev.says(BOB, "#dev", "now"))
    first = last.last + 1
    entry = wire.Acted("$", "expired", "dev", "bob", 0, "mute", "")
    told = segment("@$,bob", 0, first + 1, entry, time_ms=dev.play.time_ms)
    in_room, direct, _, said = dev.play.segments[-4:]
    assert direct == told and wire.decode_segment(in_room).entries == [entry]
    effects = [e for e in dev.play.effects if type(e).__name__ in ("Publish", "TransmitSegments")]
    assert effects == [published(in_room), delivered(BOB, dev.sessions[BOB], told), published(said)]
    assert dev.entries(BOB, "@$") == [entry]


def test_a_ban_of_a_room_ends(dev: Crowd) -> None:
    dev.act(ANN, ban("dev"))
    assert not dev.subscribes(BOB, b"#dev\0")
    dev.play.time_ms += MINUTE_MS
    assert dev.refusal(BOB, wire.Fetch(0, 0, "#dev", 0, 0)) is Refusal.NOT_ALLOWED  # nothing was ordered
    dev.send(CAT, "#general", "something is")
    assert dev.subscribes(BOB, b"#dev\0") and dev.entries(BOB, "#dev")
    assert dev.act(BOB, wire.Join(0, 0, "dev")) > 0


def test_a_ban_of_the_broker_ends(dev: Crowd) -> None:
    dev.act(ACCOUNT, ban(""))
    assert dev.refusal_of_hello(BOB) is Refusal.BANNED
    dev.play.time_ms += MINUTE_MS
    assert dev.refusal_of_hello(BOB) is Refusal.BANNED  # a Hello alone orders nothing
    dev.send(CAT, "#general", "something is")
    assert dev.refusal_of_hello(BOB) is None
    assert dev.subscribes(BOB, wire.HERE)
    assert expired(dev.play) == [wire.Acted("$", "expired", "", "bob", 0, "ban", "")]


def test_what_does_not_end(dev: Crowd) -> None:
    for act in (mute("dev", lifetime_ms=0), ban("", "cat", 2**53 - 1)):
        dev.act(ACCOUNT, act)
    dev.play.time_ms += 10**12
    assert dev.send(BOB, "#dev", "x") is Refusal.NOT_ALLOWED
    assert dev.refusal_of_hello(CAT) is Refusal.BANNED
    assert expired(dev.play) == []


def test_several_end_in_the_order_of_their_ends(dev: Crowd) -> None:
    dev.act(ACCOUNT, mute("", "bob", 3_000))
    dev.act(ACCOUNT, ban("dev", "cat", 1_000))
    dev.act(ACCOUNT, wire.MakeInvite(0, 0, "aaaaaaaa", b"x" * 32, "", "dev", 1, 2_000, ""))
    dev.act(ANN, wire.MakeToken(0, 0, "robo", ROBO.key, [], True, True, 2_000, ""))
    dev.act(ACCOUNT, mute("dev", "ann", 2_000))
    dev.play.time_ms += 3_000
    dev.send(CAT, "#general", "x")
    assert [(e.room, e.subject, e.details) for e in expired(dev.play)] == [
        ("dev", "cat", "ban"),
        ("", "aaaaaaaa", "invite"),
        ("dev", "ann", "mute"),
        ("", "robo", "token"),
        ("", "bob", "mute"),
    ]


def test_what_was_ended_or_prolonged_does_not_end_again(dev: Crowd) -> None:
    dev.act(ANN, mute("dev"))
    dev.act(ANN, wire.Pardon(0, 0, "dev", "bob", wire.MUTE, ""))
    dev.act(ANN, mute("dev", "cat"))
    dev.act(ANN, mute("dev", "cat", 3 * MINUTE_MS))
    dev.play.time_ms += 2 * MINUTE_MS
    assert dev.send(CAT, "#dev", "x") is Refusal.NOT_ALLOWED
    assert expired(dev.play) == []
    dev.play.time_ms += MINUTE_MS
    assert isinstance(dev.send(CAT, "#dev", "x"), int)
    assert [e.subject for e in expired(dev.play)] == ["cat"]


def test_of_several_mutes_each_ends_by_itself(dev: Crowd) -> None:
    dev.act(ANN, mute("dev", lifetime_ms=2 * MINUTE_MS))
    dev.act(ACCOUNT, mute("", lifetime_ms=MINUTE_MS))
    dev.play.time_ms += MINUTE_MS
    assert isinstance(dev.send(BOB, "#general", "x"), int)
    assert dev.send(BOB, "#dev", "x") is Refusal.NOT_ALLOWED


# ---- when nothing else happens ----


def test_it_ends_although_nobody_says_anything(dev: Crowd) -> None:
    """The broker asks for the time when the end should have come."""
    dev.act(ANN, ban("dev"))
    dev.act(ACCOUNT, ban("", "cat", 2 * MINUTE_MS))
    pass_time(dev, MINUTE_MS - 4_000)
    assert expired(dev.play) == []
    pass_time(dev, 4_000)
    assert [e.subject for e in expired(dev.play)] == ["bob"]
    assert dev.subscribes(BOB, b"#dev\0")
    pass_time(dev, MINUTE_MS)
    assert [e.subject for e in expired(dev.play)] == ["bob", "cat"]
    assert dev.refusal_of_hello(CAT) is None


def test_with_nobody_there(dev: Crowd) -> None:
    dev.act(ANN, ban("dev"))
    dev.answers(*(dev.asks(peer, wire.Bye(0)) for peer in (ANN, BOB, CAT, ACCOUNT)))
    dev.play.elapse(2_000)
    assert dev.play.core.deadline_ms() == MINUTE_MS
    dev.play.time_ms += MINUTE_MS
    dev.play.elapse(MINUTE_MS)
    assert [e.subject for e in expired(dev.play)] == ["bob"]
    assert dev.play.core.deadline_ms() is None


def test_it_wants_time_for_what_ends_first(dev: Crowd) -> None:
    dev.play.elapse(100)
    dev.act(ANN, ban("dev", lifetime_ms=5_000))
    dev.act(ANN, mute("dev", "cat", lifetime_ms=300))
    assert dev.play.core.deadline_ms() == 400
    dev.act(ANN, wire.Pardon(0, 0, "dev", "cat", wire.MUTE, ""))
    assert dev.play.core.deadline_ms() == 1_000  # silence is looked for
    dev.play.skip()


def test_a_broker_with_nothing_that_ends_asks_for_no_time(play: Play) -> None:
    play.greet(ANN, "ann")
    play.receive(ANN.asks(wire.Bye(1)))
    play.elapse(5_000)
    play.skip()
    assert play.core.deadline_ms() is None


def test_a_clock_that_is_behind(dev: Crowd) -> None:
    """The estimate was wrong: asked, the log says a time that is not yet the end. It is asked again."""
    dev.act(ANN, ban("dev"))
    dev.play.now_ms += MINUTE_MS
    for session in dev.play.core._context.sessions:
        session.seen_ms = dev.play.now_ms
    dev.play.time_ms += MINUTE_MS - 500
    dev.play.handle(Elapsed())
    assert expired(dev.play) == []
    deadline_ms = dev.play.core.deadline_ms()
    assert deadline_ms is not None and deadline_ms <= dev.play.now_ms + 500
    dev.play.time_ms += 500
    dev.play.elapse(500)
    assert [e.subject for e in expired(dev.play)] == ["bob"]


def test_a_clock_that_jumps_back(dev: Crowd) -> None:
    """The time of the log stands still until the clock has caught up; nothing ends before."""
    dev.act(ANN, ban("dev"))
    dev.play.time_ms -= 10 * MINUTE_MS
    dev.send(CAT, "#general", "the clock was set back")
    assert wire.decode_segment(dev.play.segments[-1]).time_ms == TIME_MS
    pass_time(dev, 10 * MINUTE_MS)
    assert expired(dev.play) == []
    pass_time(dev, MINUTE_MS)
    assert [e.subject for e in expired(dev.play)] == ["bob"]


def test_a_clock_that_jumps_ahead(dev: Crowd) -> None:
    """It is noticed by whatever is ordered next, and stays so when it jumps back."""
    dev.act(ANN, ban("dev"))
    dev.play.time_ms += 10 * MINUTE_MS
    dev.send(CAT, "#general", "the clock was set ahead")
    assert [e.subject for e in expired(dev.play)] == ["bob"]
    dev.play.time_ms -= 10 * MINUTE_MS
    dev.act(ANN, mute("dev"))
    assert dev.entries(BOB, "@ann")[-1].until_ms == TIME_MS + 11 * MINUTE_MS
    pass_time(dev, 10 * MINUTE_MS)
    assert len(expired(dev.play)) == 1
    pass_time(dev, MINUTE_MS)
    assert [e.details for e in expired(dev.play)] == ["ban", "mute"]


def test_nothing_but_the_time_of_the_log_counts(dev: Crowd) -> None:
    """Monotonic time goes on, and the log does not."""
    dev.act(ANN, ban("dev"))
    for _ in range(30):
        dev.play.now_ms += 4_000
        for session in dev.play.core._context.sessions:
            session.seen_ms = dev.play.now_ms
        dev.play.handle(Elapsed())
    assert expired(dev.play) == []
    assert dev.refusal(BOB, wire.Fetch(0, 0, "#dev", 0, 0)) is Refusal.NOT_ALLOWED


# ---- restarts and failures ----


def test_what_ended_while_the_broker_did_not_run(dev: Crowd) -> None:
    """It asks for the time as it starts."""
    room = dev.private_room(ANN)
    dev.act(ACCOUNT, ban(""))
    dev.act(ANN, ban("dev", "cat", 2 * MINUTE_MS))
    dev.act(ACCOUNT, wire.MakeInvite(0, 0, "aaaaaaaa", b"x" * 32, "", room, 1, MINUTE_MS, ""))
    dev.act(ANN, wire.MakeToken(0, 0, "robo", ROBO.key, [], True, True, MINUTE_MS, ""))
    later = Play(store=dev.play.store.crash(), time_ms=TIME_MS + MINUTE_MS)
    assert [(e.subject, e.details) for e in expired(later)] == [
        ("bob", "ban"),
        ("aaaaaaaa", "invite"),
        ("robo", "token"),
    ]
    later.expect(
        CutSubscribers((BOB.key,), "may read again"), CutSubscribers((ROBO.key,), "its token has ended")
    )
    after = Crowd(ANN, BOB, ACCOUNT, play=later)
    assert after.refusal_of_hello(ROBO) is Refusal.NICK_TAKEN
    assert after.ask(ACCOUNT, wire.ListInvites(0, 0, "")).invites == []
    pass_time(after, MINUTE_MS)
    assert [e.subject for e in expired(later)][3:] == ["cat"]
    later.check_kept()


def test_an_end_that_does_not_get_to_disk(dev: Crowd) -> None:
    dev.act(ANN, ban("dev"))
    dev.play.time_ms += MINUTE_MS
    dev.play.store.fail_next(certain=True)
    dev.play.receive(dev.says(CAT, "#general", "x"))
    assert expired(dev.play) == [] and not dev.subscribes(BOB, b"#dev\0")
    pass_time(dev, 2_000)
    assert dev.play.core._context.log.phase is Phase.READY
    assert [e.subject for e in expired(dev.play)] == ["bob"]
    assert dev.subscribes(BOB, b"#dev\0")


def test_nothing_is_asked_while_the_log_is_broken(dev: Crowd) -> None:
    dev.act(ANN, ban("dev"))
    dev.play.store.fail_next(certain=True)
    dev.play.receive(dev.says(CAT, "#general", "x"))
    dev.play.hold()
    pass_time(dev, 2 * MINUTE_MS)
    assert [type(one) for one in dev.play.waiting] == [port.Write]  # one probe
    dev.play.catch_up()
    pass_time(dev, 1_000)
    assert [e.subject for e in expired(dev.play)] == ["bob"]


def test_a_right_that_ends_is_told_when_that_is_on_disk(dev: Crowd) -> None:
    dev.act(ANN, ban("dev"))
    dev.play.hold()
    dev.play.time_ms += MINUTE_MS
    dev.play.receive(dev.says(CAT, "#general", "x"))
    assert not dev.subscribes(BOB, b"#dev\0")
    fetch = dev.asks(BOB, wire.Fetch(0, 0, "#dev", 0, 0))
    dev.play.receive(fetch)
    dev.play.carry_out(port.Read)
    assert dev.answer(fetch) is None
    dev.play.catch_up()
    assert dev.answer(fetch) and dev.subscribes(BOB, b"#dev\0")


def test_a_token_that_ends_in_the_commit_of_its_bot(dev: Crowd) -> None:
    dev.act(ANN, wire.MakeToken(0, 0, "robo", ROBO.key, [], True, True, MINUTE_MS, ""))
    dev.greet(ROBO)
    dev.play.time_ms += MINUTE_MS
    stored = len(dev.play.entries)
    dev.play.receive(dev.says(ROBO, "#general", "too late"))
    assert dev.play.entries[stored:] == [wire.Acted("$", "expired", "", "robo", 0, "token", "")]
    assert CutSubscribers((ROBO.key,), "its token has ended") in dev.play.effects


def test_a_hello_when_a_ban_has_ended_unnoticed(dev: Crowd) -> None:
    """Until the log says so it holds; a moment later, when nothing else is ordered, it does not."""
    dev.act(ACCOUNT, ban(""))
    pass_time(dev, MINUTE_MS)
    dev.play.skip()
    dev.play.receive(BOB.asks(hello("bob")))
    assert any(type(getattr(e, "answer", None)) is wire.Welcome for e in dev.play.effects)


def test_lifetimes_count_from_the_entry(dev: Crowd) -> None:
    """Not from when the request was read."""
    dev.play.hold()
    dev.play.receive(dev.says(CAT, "#general", "x"))
    request: Any = dev.asks(ANN, mute("dev"))
    dev.play.receive(request)
    dev.play.time_ms += 5_000
    dev.play.catch_up()
    assert dev.entries(BOB, "@ann")[-1].until_ms == TIME_MS + 5_000 + MINUTE_MS
