"""Pages that are wanted: the gate of two, the order, what is asked for again, and when."""

from itertools import count

import pytest

from zchat.client.core.effects import Transmit
from zchat.client.core.fetches import AGAIN_MS, AGAIN_MS_MAX, ANSWER_MS, ANSWER_MS_MAX, Fetches
from zchat.common import wire

SESSION = 7
A, B, C = "#a", "#b", "@ann,bob"


class Gate:
    """Fetches with tokens from 1 on, positions that a test may move, and its time."""

    def __init__(self) -> None:
        self.positions = {A: 10, B: 20, C: 30}
        self.fetches = Fetches(count(1), lambda conversation: self.positions[conversation])
        self.now_ms = 0

    def expect(self, *wanted: tuple[int, str, int]) -> None:
        """What is asked for now: token, address and bound of repairs."""
        asked = self.fetches.start(SESSION, self.now_ms)
        assert asked == [Transmit(wire.Fetch(SESSION, token, to, 0, bound)) for token, to, bound in wanted]

    def wait_for(self, ms: int) -> None:
        """Exactly so much time passes until something is due, and it is done."""
        assert self.fetches.deadline_ms() == self.now_ms + ms
        self.now_ms += ms - 1
        self.fetches.elapsed(self.now_ms)
        self.expect()
        self.now_ms += 1
        self.fetches.elapsed(self.now_ms)


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_two_are_open_and_the_others_wait_in_their_order(gate: Gate) -> None:
    for conversation, to in ((A, A), (B, B), (C, "@bob")):
        gate.fetches.repair(conversation, to)
    gate.expect((1, A, 10), (2, B, 20))
    gate.expect()
    assert gate.fetches.answered(2) is not None
    gate.expect((3, "@bob", 30))
    assert len(gate.fetches) == 2


def test_a_conversation_is_wanted_once(gate: Gate) -> None:
    for _ in range(3):
        gate.fetches.repair(A, A)
    gate.expect((1, A, 10))
    gate.fetches.repair(A, A)
    gate.expect()


def test_what_is_asked_for_begins_where_the_reader_is_by_then(gate: Gate) -> None:
    for conversation in (A, B, C):
        gate.fetches.repair(conversation, conversation)
    gate.expect((1, A, 10), (2, B, 20))
    gate.positions[C] = 35
    gate.fetches.answered(1)
    gate.expect((3, C, 35))


def test_pages_for_users_are_asked_for_as_they_say(gate: Gate) -> None:
    request = wire.Fetch(0, 0, A, 1, 99)
    gate.fetches.ask(5, request)
    gate.fetches.ask(6, wire.Fetch(0, 0, A, 2, 1_000))
    gate.fetches.repair(A, A)
    assert gate.fetches.start(SESSION, 0) == [
        Transmit(wire.Fetch(SESSION, 1, A, 1, 99)),
        Transmit(wire.Fetch(SESSION, 2, A, 2, 1_000)),
    ]
    assert gate.fetches.tickets() == [5, 6]
    assert (gate.fetches.key(1), gate.fetches.key(2)) == (5, 6)
    gate.fetches.drop_repairs()
    assert gate.fetches.tickets() == [5, 6] and len(gate.fetches) == 2


def test_what_is_open_holds_its_place_also_when_nobody_wants_it_any_more(gate: Gate) -> None:
    for conversation in (A, B, C):
        gate.fetches.repair(conversation, conversation)
    gate.expect((1, A, 10), (2, B, 20))
    assert gate.fetches.drop(A)
    assert not gate.fetches.drop(A)
    gate.expect()  # the broker counts it until it has answered
    assert gate.fetches.answered(1) is None
    gate.expect((3, C, 30))


def test_what_waits_and_is_dropped_is_never_asked_for(gate: Gate) -> None:
    for conversation in (A, B, C):
        gate.fetches.repair(conversation, conversation)
    gate.expect((1, A, 10), (2, B, 20))
    assert gate.fetches.drop(C)
    gate.fetches.refused(1, 0)
    assert gate.fetches.drop(A)
    assert gate.fetches.deadline_ms() == ANSWER_MS  # of the other one
    gate.fetches.elapsed(10 * AGAIN_MS)
    gate.expect()


def test_no_answer_is_asked_for_again_with_another_token_after_a_growing_time(gate: Gate) -> None:
    gate.fetches.repair(A, A)
    gate.expect((1, A, 10))
    waits_ms = [ANSWER_MS, 2 * ANSWER_MS, 4 * ANSWER_MS, ANSWER_MS_MAX, ANSWER_MS_MAX]
    for token, wait_ms in enumerate(waits_ms, 2):
        gate.wait_for(wait_ms)
        gate.expect((token, A, 10))
    assert 1 not in gate.fetches and gate.fetches.answered(1) is None  # too late


def test_a_refused_one_waits_for_a_growing_time(gate: Gate) -> None:
    gate.fetches.repair(A, A)
    gate.expect((1, A, 10))
    waits_ms = [AGAIN_MS << n for n in range(6)] + [AGAIN_MS_MAX] * 5
    for token, wait_ms in enumerate(waits_ms, 2):
        gate.fetches.refused(token - 1, gate.now_ms)
        gate.wait_for(wait_ms)
        gate.expect((token, A, 10))


def test_more_of_it_is_asked_for_at_once_and_a_page_that_brought_nothing_later(gate: Gate) -> None:
    gate.fetches.repair(A, A)
    gate.expect((1, A, 10))
    for token, wait_ms in ((1, AGAIN_MS), (2, 2 * AGAIN_MS)):
        wanted = gate.fetches.answered(token)
        assert wanted is not None
        gate.fetches.again(wanted, fruitless=True, now_ms=gate.now_ms)
        gate.expect()
        gate.wait_for(wait_ms)
        gate.expect((token + 1, A, 10))
    wanted = gate.fetches.answered(3)
    assert wanted is not None
    gate.positions[A] = 15
    gate.fetches.again(wanted, fruitless=False, now_ms=gate.now_ms)
    gate.expect((4, A, 15))
    gate.fetches.refused(4, gate.now_ms)
    gate.wait_for(AGAIN_MS)  # counted from the beginning


def test_again_is_not_twice_when_it_is_wanted_already(gate: Gate) -> None:
    gate.fetches.repair(A, A)
    gate.expect((1, A, 10))
    wanted = gate.fetches.answered(1)
    assert wanted is not None
    gate.fetches.repair(A, A)
    gate.fetches.again(wanted, fruitless=True, now_ms=0)
    gate.expect((2, A, 10))
    assert gate.fetches.deadline_ms() == ANSWER_MS


def test_a_new_session_asks_for_what_was_open_first(gate: Gate) -> None:
    for conversation in (A, B, C):
        gate.fetches.repair(conversation, conversation)
    gate.expect((1, A, 10), (2, B, 20))
    gate.fetches.welcomed()
    gate.expect((3, A, 10), (4, B, 20))
    assert gate.fetches.answered(1) is None  # of the session before
    gate.expect()


def test_a_new_session_does_not_ask_for_what_was_dropped(gate: Gate) -> None:
    gate.fetches.repair(A, A)
    gate.expect((1, A, 10))
    gate.fetches.drop(A)
    gate.fetches.welcomed()
    gate.expect()


def test_a_conversation_that_was_dropped_can_be_wanted_anew(gate: Gate) -> None:
    gate.fetches.repair(A, A)
    gate.expect((1, A, 10))
    gate.fetches.drop(A)
    gate.fetches.repair(A, A)
    gate.expect((2, A, 10))
    assert gate.fetches.answered(1) is None  # the first page is for nobody
    assert gate.fetches.answered(2) is not None


def test_answers_to_nothing(gate: Gate) -> None:
    assert gate.fetches.answered(9) is None
    gate.fetches.refused(9, 0)
    gate.expect()
    assert gate.fetches.deadline_ms() is None


def test_at_the_end_nothing_is_wanted(gate: Gate) -> None:
    for conversation in (A, B, C):
        gate.fetches.repair(conversation, conversation)
    gate.expect((1, A, 10), (2, B, 20))
    gate.fetches.refused(1, 0)
    gate.fetches.close()
    gate.expect()
    assert gate.fetches.deadline_ms() is None and len(gate.fetches) == 0
