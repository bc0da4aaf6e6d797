"""What an instance may send next, and what is known of what it sent."""

import pytest

from zchat.broker.core.instances import DIGEST_BYTES, Accepted, Instance, digest
from zchat.broker.core.port import CounterRow
from zchat.broker.core.state import Denied
from zchat.common.codes import Refusal

ONE, OTHER = b"1" * 16, b"2" * 16


def denied(instance: Instance, counter: int, messages: int = 1, mark: bytes = ONE) -> Refusal:
    with pytest.raises(Denied) as caught:
        instance.known(counter, messages, mark)
    return caught.value.refusal


def test_a_digest_tells_addressees_and_texts_apart() -> None:
    marks = {
        digest("#a", b"x"),
        digest("#b", b"x"),
        digest("#a", b"y"),
        digest("#a\0", b"x"),
        digest("#", b"ax"),
    }
    assert len(marks) == 5 and {len(mark) for mark in marks} == {DIGEST_BYTES}
    assert digest("#a", b"x") == digest("#a", b"x")


def test_what_is_expected_follows_acceptance() -> None:
    instance = Instance(10)
    assert instance.known(10, 3, ONE) is None
    accepted = Accepted(3, ONE, 5, 7)
    instance.accept(10, accepted)
    assert instance.known(13, 1, ONE) is None
    assert instance.known(10, 3, ONE) is accepted
    assert denied(instance, 10, 2) is denied(instance, 10, 3, OTHER) is Refusal.ID_REUSED
    assert denied(instance, 9) is denied(instance, 11) is denied(instance, 14) is Refusal.OUT_OF_ORDER
    assert instance.remembered == 1


def test_lowest_moves_what_is_expected_and_forgets() -> None:
    instance = Instance(0)
    for counter in (0, 2, 4):
        instance.accept(counter, Accepted(2, ONE))
    instance.raise_lowest(3)  # inside the second: it may still be repeated
    assert (instance.lowest, instance.remembered) == (3, 2)
    assert denied(instance, 0, 2) is Refusal.OUT_OF_ORDER
    assert instance.known(2, 2, ONE) is not None and instance.known(6, 1, ONE) is None
    instance.raise_lowest(1)  # it never decreases
    assert instance.lowest == 3
    instance.raise_lowest(9)
    assert instance.remembered == 0 and instance.known(9, 1, ONE) is None
    assert denied(instance, 6) is denied(instance, 4, 2) is Refusal.OUT_OF_ORDER


def test_it_is_loaded_from_its_rows() -> None:
    rows = [CounterRow(1, "ann", 4, 2, 40, 1_000, ONE), CounterRow(1, "ann", 8, 1, 50, 2_000, OTHER)]
    instance = Instance(5, rows)
    assert instance.known(9, 1, ONE) is None
    first = instance.known(4, 2, ONE)
    assert first is not None and (first.pos, first.time_ms) == (40, 1_000)
    assert denied(instance, 6) is Refusal.OUT_OF_ORDER  # given up, and nothing was stored of it
    assert Instance(20, rows).known(20, 1, ONE) is None
