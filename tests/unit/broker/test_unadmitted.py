"""Connections over which nobody was let in: whom a new one drives out, and who took too long."""

import pytest

from zchat.broker.unadmitted import Bounds, Unadmitted

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def waiting() -> Unadmitted:
    """Room for four, two of one address. The odd ones say nothing."""
    return Unadmitted(Bounds(4, 2, 500, 2_000, 10_000), lambda descriptor: descriptor % 2 == 0)


def test_the_newest_of_an_address_is_turned_away(waiting: Unadmitted) -> None:
    assert [waiting.add(n, HERE, n) for n in range(4)] == [None, None, 2, 3]
    assert waiting.add(4, THERE, 4) is None
    assert len(waiting) == 3


def test_one_that_had_its_time_gives_way(waiting: Unadmitted) -> None:
    for descriptor in (2, 4):
        waiting.add(descriptor, HERE, 0)
    assert waiting.add(6, HERE, 1_999) == 6
    assert waiting.add(8, HERE, 2_000) == 2
    assert waiting.add(10, HERE, 2_000) == 4
    assert waiting.add(12, HERE, 2_000) == 12


def test_one_that_says_nothing_gives_way_soon(waiting: Unadmitted) -> None:
    for descriptor in (2, 1):
        waiting.add(descriptor, HERE, 0)
    assert waiting.add(4, HERE, 499) == 4
    assert waiting.add(6, HERE, 500) == 1
    assert waiting.add(8, HERE, 501) == 8


def test_so_it_is_with_all_addresses(waiting: Unadmitted) -> None:
    for descriptor in range(0, 8, 2):
        waiting.add(descriptor, f"192.0.2.{descriptor}", 0)
    assert waiting.add(10, HERE, 0) == 10
    assert waiting.add(12, HERE, 2_000) == 0
    assert waiting.make_room(12, 2_000) == 2


def test_who_left_makes_room(waiting: Unadmitted) -> None:
    waiting.add(1, HERE, 0)
    waiting.add(2, HERE, 0)
    waiting.remove(1)
    waiting.remove(1)
    assert waiting.add(3, HERE, 0) is None
    assert waiting.add(4, HERE, 0) == 4


def test_who_took_too_long(waiting: Unadmitted) -> None:
    waiting.add(1, HERE, 1_000)
    waiting.add(2, THERE, 1_500)
    assert [waiting.overdue(now_ms) for now_ms in range(1_000, 11_001, 1_000)] == [[]] * 11
    assert waiting.overdue(11_001) == [1]
    assert waiting.overdue(11_500) == []
    assert waiting.overdue(11_501) == [2]
    assert len(waiting) == 0


def test_what_waited_while_nothing_was_read_has_its_time_again(waiting: Unadmitted) -> None:
    waiting.add(1, HERE, 0)
    waiting.overdue(0)
    assert waiting.overdue(60_000) == []
    assert [waiting.overdue(now_ms) for now_ms in range(61_000, 70_001, 1_000)] == [[]] * 10
    assert waiting.overdue(70_001) == [1]


def test_a_million_come_and_go(waiting: Unadmitted) -> None:
    """What is done for each does not grow with their number."""
    many = Unadmitted(Bounds(10_000, 10_000, 0, 0, 10_000), lambda _: True)
    for descriptor in range(100_000):
        many.add(descriptor, HERE, descriptor)
    assert len(many) == 10_000
    assert many.overdue(0) == [] and len(many.overdue(10**6)) == 0
