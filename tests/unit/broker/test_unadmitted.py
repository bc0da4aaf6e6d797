"""Connections over which nobody was let in: whom a new one drives out, and who took too long."""

import pytest

from zchat.broker.descriptors import Traffic
from zchat.broker.unadmitted import Bounds, Unadmitted

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def seen() -> dict[int, Traffic]:
    """What came over a connection; those that are not in it wait for the broker."""
    return {}


@pytest.fixture
def waiting(seen: dict[int, Traffic]) -> Unadmitted:
    """Room for four, two of one address."""
    return Unadmitted(Bounds(4, 2, 500, 2_000, 10_000), lambda one: seen.get(one, Traffic(1_000, 0)))


def test_the_newest_of_an_address_is_turned_away(waiting: Unadmitted) -> None:
    assert [waiting.add(n, HERE, n) for n in range(4)] == [None, None, 2, 3]
    assert waiting.add(4, THERE, 4) is None
    assert len(waiting) == 3


def test_one_whose_client_does_not_go_on_gives_way(waiting: Unadmitted, seen: dict[int, Traffic]) -> None:
    for descriptor in (1, 2):
        waiting.add(descriptor, HERE, 0)
    seen[2] = Traffic(1_000, 1_999)
    assert waiting.add(3, HERE, 5_000) == 3
    seen[2] = Traffic(1_000, 2_000)
    assert waiting.add(4, HERE, 5_000) == 2
    assert waiting.add(5, HERE, 9_999) == 5  # the others wait for the broker


def test_one_that_does_not_begin_gives_way_soon(waiting: Unadmitted, seen: dict[int, Traffic]) -> None:
    for descriptor in (1, 2):
        waiting.add(descriptor, HERE, 0)
        seen[descriptor] = Traffic(265, 0)
    assert waiting.add(3, HERE, 499) == 3
    assert waiting.add(4, HERE, 500) == 1
    seen[2] = Traffic(266, 0)
    assert waiting.add(5, HERE, 500) == 5


def test_where_nothing_is_known_time_decides() -> None:
    waiting = Unadmitted(Bounds(4, 2, 500, 2_000, 10_000), lambda _: None)
    for descriptor in (1, 2):
        waiting.add(descriptor, HERE, 0)
    assert waiting.add(3, HERE, 1_999) == 3
    assert waiting.add(4, HERE, 2_000) == 1


def test_so_it_is_with_all_addresses(waiting: Unadmitted, seen: dict[int, Traffic]) -> None:
    for descriptor in range(4):
        waiting.add(descriptor, f"192.0.2.{descriptor}", 0)
    assert waiting.add(4, HERE, 0) == 4
    seen[1] = seen[2] = Traffic(0, 0)
    assert waiting.add(5, HERE, 500) == 1
    assert waiting.make_room(5, 500) == 2


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
    many = Unadmitted(Bounds(10_000, 10_000, 0, 0, 10_000), lambda _: Traffic(0, 0))
    for descriptor in range(100_000):
        many.add(descriptor, HERE, descriptor)
    assert len(many) == 10_000
    assert many.overdue(0) == [] and len(many.overdue(10**6)) == 0
