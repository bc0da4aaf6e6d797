"""The pauses between attempts: how they grow, where chance puts them, and when they begin anew."""

from collections.abc import Callable

import pytest

from tests.unit.client.play import welcome
from zchat.client.core.effects import Connect, Diagnose
from zchat.client.core.session import (
    DIAGNOSE_INTERVAL_MS,
    LONG_PAUSE_MS,
    PAUSE_MS,
    PAUSE_MS_MAX,
    Session,
)
from zchat.common.codes import Refusal


def pauses_ms(count: int, jitter: Callable[[], float]) -> list[int]:
    """The first pauses of a client that reaches nobody."""
    session, now_ms, found = Session(jitter), 0, []
    for _ in range(count):
        assert session.connect(now_ms) == [Connect()]
        session.pause(now_ms)
        due_ms = session.deadline_ms()
        assert due_ms is not None
        assert not session.is_overdue(due_ms - 1) and session.is_overdue(due_ms)
        found.append(due_ms - now_ms)
        now_ms = due_ms
    return found


@pytest.mark.parametrize(("chance", "part"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_a_pause_is_half_of_itself_to_all_of_it(chance: float, part: float) -> None:
    wanted = [min(PAUSE_MS << n, PAUSE_MS_MAX) for n in range(20)] + [LONG_PAUSE_MS] * 3
    assert pauses_ms(23, lambda: chance) == [int(pause_ms * part) for pause_ms in wanted]


def test_after_a_welcome_they_begin_anew() -> None:
    session = Session(lambda: 1.0)
    for _ in range(30):
        session.connect(0)
        session.pause(0)
    session.connect(0)
    assert session.connected(0)
    assert session.welcomed(welcome(), 0)
    session.pause(0)
    assert session.deadline_ms() == PAUSE_MS


def test_a_refused_hello_is_said_again_after_the_same_pauses() -> None:
    session = Session(lambda: 1.0)
    session.connect(0)
    session.connected(0)
    for pause_ms in (100, 200, 400, 800, 1_000, 1_000):
        session.greeted(0)
        assert not session.hello_refused(Refusal.BUSY, 0)
        assert session.deadline_ms() == pause_ms
    assert session.hello_refused(Refusal.NICK_TAKEN, 0)


def test_nobody_looks_all_the_time() -> None:
    session = Session(lambda: 1.0)
    assert session.diagnose(0) == [Diagnose()]
    assert session.diagnose(DIAGNOSE_INTERVAL_MS - 1) == []
    assert session.diagnose(DIAGNOSE_INTERVAL_MS) == [Diagnose()]
