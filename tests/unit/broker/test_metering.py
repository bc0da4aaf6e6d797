"""How much may be asked in a time: buckets, and who shares which. protocol.md, Rate Limits."""

from typing import Any

import pytest

from tests.unit.broker.crowd import Crowd
from tests.unit.broker.play import ACCOUNT, ANN, BOB, TIME_MS, hello, somebody
from zchat.broker.core.effects import Transmit
from zchat.broker.core.limits import Limits
from zchat.broker.core.metering import Bucket, Meter, Meters
from zchat.common import wire
from zchat.common.codes import Refusal

SLOW = Limits(
    messages_per_second=10,
    messages_burst=20,
    text_bytes_per_second=1_000,
    text_bytes_burst=4_000,
    requests_per_second=10,
    requests_burst=30,
)


# ---- buckets ----


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    bucket = Bucket(10, 3, 1_000)
    assert [bucket.take(1, 1_000) for _ in range(4)] == [0, 0, 0, 101]
    assert bucket.take(1, 1_100) == 0
    assert [bucket.take(1, 1_250) for _ in range(2)] == [0, 51]


@pytest.mark.parametrize("per_second", [1, 3, 7, 1_000, 50_000])
@pytest.mark.parametrize("amount", [1, 2, 10, 1_000])
def test_what_is_told_holds(per_second: int, amount: int) -> None:
    """After that time, and not a moment before, give or take a millisecond."""
    bucket = Bucket(per_second, 5, 0)
    bucket.take(amount, 0)
    bucket.take(amount, 0)
    now_ms = 0
    for _ in range(20):
        wait_ms = bucket.take(amount, now_ms)
        if wait_ms:
            if wait_ms > 2:
                assert bucket.take(amount, now_ms + wait_ms - 2) > 0
            now_ms += wait_ms
            assert bucket.take(amount, now_ms) == 0


def test_more_than_it_holds_passes_and_is_waited_for_afterwards() -> None:
    bucket = Bucket(10, 5, 0)
    assert bucket.take(25, 0) == 0
    assert bucket.take(1, 0) == 2_101
    assert bucket.take(1, 2_101) == 0


def test_what_is_refused_costs_nothing() -> None:
    bucket = Bucket(1, 1, 0)
    assert bucket.take(1, 0) == 0
    assert [bucket.take(1, 500) for _ in range(5)] == [501] * 5
    assert bucket.take(1, 1_001) == 0


def test_it_does_not_fill_above_its_brim() -> None:
    bucket = Bucket(1_000, 2, 0)
    assert [bucket.take(1, 10**9) for _ in range(3)] == [0, 0, 2]
    assert not bucket.is_full(10**9) and bucket.is_full(10**9 + 2)


def test_of_two_bounds_the_later_one_is_told_and_neither_pays_for_a_refusal() -> None:
    meter = Meter(SLOW._replace(messages_burst=2), 0)
    assert meter.send(1, 5_000, 0) == 0  # more bytes than there are: the next one waits
    assert [meter.send(1, 10, 0) for _ in range(9)] == [1_002] * 9
    assert meter.send(2, 10, 1_002) == 0
    assert meter.send(1, 10, 1_002) == 101  # of messages
    assert meter.send(1, 10, 1_103) == 0


def test_a_meter_is_kept_while_it_matters_or_is_used() -> None:
    meters = Meters(SLOW)
    meters.forget(0, ())
    busy, used, idle = meters.of("busy", 0), meters.of("used", 0), meters.of("idle", 0)
    busy.messages.take(700, 60_000)
    meters.greeting("here", 60_000)
    meters.forget(59_999, {"used"})
    assert meters.of("idle", 59_999) is idle
    meters.forget(60_000, {"used"})
    assert meters.of("busy", 60_000) is busy and meters.of("used", 60_000) is used
    assert meters.of("idle", 60_000) is not idle


# ---- sessions ----


def limited(answer: Any) -> int:
    """It was too much; after how many milliseconds to ask again."""
    assert isinstance(answer, wire.Refused) and Refusal(answer.code) is Refusal.RATE_LIMITED, answer
    assert f"again in {answer.retry_after_ms / 1000:.1f} s" in answer.reason
    assert answer.retry_after_ms > 0
    return answer.retry_after_ms


def test_messages_are_counted_however_they_are_sent() -> None:
    crowd = Crowd(ANN, BOB, limits=SLOW)
    for _ in range(4):
        assert isinstance(crowd.send(ANN, "#general", *"abcde"), int)
    stored = len(crowd.play.entries)
    send = crowd.says(ANN, "#general", "x")
    keyed = crowd.asks(ANN, wire.KeyedSend(0, 0, "#general", "k", "x"))
    waits = [limited(answer) for answer in crowd.answers(send, keyed)]
    assert waits == [101, 101] and len(crowd.play.entries) == stored
    assert isinstance(crowd.send(BOB, "#general", "x"), int)  # others are not concerned
    assert isinstance(crowd.ask(ANN, wire.Ping(0, 0, 0, "")), wire.Heads)
    assert isinstance(crowd.ask(ANN, wire.ListRooms(0, 0, "")), wire.Rooms)  # another bound
    crowd.play.now_ms += 101
    (answer,) = crowd.answers(send)
    assert not answer.duplicate  # nothing of it had been stored


def test_in_order_they_go_on_from_the_refused_one() -> None:
    crowd = Crowd(ANN, limits=SLOW)
    sends = [crowd.says(ANN, "#general", *"abcde") for _ in range(6)]
    answers = crowd.answers(*sends)
    assert [isinstance(answer, wire.Stored) for answer in answers] == [True] * 4 + [False] * 2
    crowd.play.now_ms += max(limited(answer) for answer in answers[4:])
    again = crowd.answers(*sends[4:])
    assert isinstance(again[0], wire.Stored)
    limited(again[1])


def test_bytes_are_counted() -> None:
    crowd = Crowd(ANN, limits=SLOW)
    assert isinstance(crowd.send(ANN, "#general", "x" * 5_000), int)
    (answer,) = crowd.answers(crowd.says(ANN, "#general", "x"))
    assert 1_000 < limited(answer) < 1_100


def test_other_requests_are_counted_together() -> None:
    crowd = Crowd(ANN, limits=SLOW)
    asked = [
        wire.ListRooms(0, 0, ""),
        wire.Fetch(0, 0, "#general", 0, 0),
        wire.Join(0, 0, "dev"),
        wire.Follow(0, 0, [], False),
        wire.Whois(0, 0, ""),
        wire.Redact(0, 0, "#general", 1, ""),
    ]
    for n in range(30):
        answer = crowd.ask(ANN, asked[n % len(asked)])
        assert not isinstance(answer, wire.Refused) or Refusal(answer.code) is Refusal.NO_SUCH_ENTRY
    for request in asked:
        assert limited(crowd.ask(ANN, request)) == 101
    assert isinstance(crowd.send(ANN, "#general", "x"), int)
    assert isinstance(crowd.ask(ANN, wire.Ping(0, 0, 0, "")), wire.Heads)
    crowd.answers(crowd.asks(ANN, wire.Bye(0)))


def test_all_sessions_of_a_key_share() -> None:
    """Whenever they were opened."""
    crowd = Crowd(ANN, limits=SLOW)
    crowd.play.now_ms += 61_000
    crowd.ask(ANN, wire.Ping(0, 0, 0, ""))
    crowd.play.elapse(1_000)
    crowd.ask(ANN, wire.Ping(0, 0, 0, ""))
    crowd.play.elapse(1_000)  # what is not needed was forgotten
    other = ANN.elsewhere("other")
    crowd.play.skip()
    crowd.greet(other, "ann", instance=2)
    assert isinstance(crowd.send(ANN, "#general", *"abcdefghij"), int)
    assert isinstance(crowd.send(other, "#general", *"abcdefghij"), int)
    for peer in (ANN, other):
        limited(crowd.answers(crowd.says(peer, "#general", "x"))[0])


def test_greeting_again_is_no_way_around() -> None:
    crowd = Crowd(ANN, limits=SLOW)
    crowd.send(ANN, "#general", *"abcdefghijklmnopqrst")
    crowd.greet(ANN, instance=2)
    (answer,) = crowd.answers(crowd.asks(ANN, wire.KeyedSend(0, 0, "#general", "k", "x")))
    limited(answer)


def test_the_greetings_of_a_known_key_are_requests() -> None:
    crowd = Crowd(ANN, limits=SLOW)
    told = []
    for n in range(40):
        crowd.play.receive(ANN.asks(hello("ann", instance=n), "192.0.2.1"))
        told += [e.answer for e in crowd.play.effects if isinstance(e, Transmit)]
        crowd.play.skip()
    assert sum(isinstance(answer, wire.Welcome) for answer in told) == 30
    assert limited(told[-1]) == 101
    eve = somebody("eve")
    crowd.play.receive(eve.asks(hello("eve"), "192.0.2.1"))  # nobody else pays for it
    assert any(isinstance(getattr(e, "answer", None), wire.Welcome) for e in crowd.play.effects)


def test_the_account_has_no_bounds() -> None:
    crowd = Crowd(ACCOUNT, limits=SLOW)
    for _ in range(100):
        assert isinstance(crowd.ask(ACCOUNT, wire.ListRooms(0, 0, "")), wire.Rooms)


def test_a_repeat_counts_and_is_acknowledged_later() -> None:
    crowd = Crowd(ANN, limits=SLOW)
    send = crowd.says(ANN, "#general", *"abcdefghijklmnopqrst")
    crowd.answers(send)
    crowd.play.now_ms += limited(crowd.answers(send)[0])
    assert crowd.answers(send)[0].duplicate


def test_it_is_told_at_once_whatever_is_on_its_way_to_the_disk() -> None:
    crowd = Crowd(ANN, limits=SLOW)
    crowd.play.hold()
    crowd.play.receive(crowd.says(ANN, "#general", *"abcdefghijklmnopqrst"))
    late = crowd.says(ANN, "#general", "x")
    crowd.play.receive(late)
    limited(crowd.answer(late))
    crowd.play.catch_up()
    assert crowd.play.time_ms == TIME_MS


def test_another_key_is_no_other_user() -> None:
    crowd = Crowd(ANN, limits=SLOW)
    for _ in range(20):
        crowd.send(ANN, "#general", "x")
    assert crowd.send(ANN, "#general", "x") is Refusal.RATE_LIMITED
    again = somebody("again")
    crowd.act(ANN, wire.ChangeKey(0, 0, again.key))
    crowd.greet(again, "ann", instance=9)
    assert crowd.send(again, "#general", "x") is Refusal.RATE_LIMITED


def test_no_more_messages_of_a_send_are_told_than_may_be_sent_at_once() -> None:
    play = Crowd(limits=SLOW).play
    play.receive(ANN.asks(hello("ann")))
    (told,) = [
        e.answer for e in play.effects if isinstance(e, Transmit) and isinstance(e.answer, wire.Welcome)
    ]
    assert told.send_messages_max == 20
