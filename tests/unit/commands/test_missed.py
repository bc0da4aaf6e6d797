"""What was missed (zchat/client/commands/missed.py)."""

from zchat.client.commands.missed import Missed
from zchat.client.messages import Message

BEGAN = 1_000


def message(pos: int, time_ms: int = BEGAN - 1) -> Message:
    return Message(pos, 0, time_ms, "bob", "#general", "message", "k", f"text {pos}", "#general")


def texts(released: str) -> list[str]:
    return [line.partition("<bob> ")[2] or line for line in released.splitlines()]


def test_nothing_was_missed() -> None:
    missed = Missed(BEGAN)
    assert not missed
    assert missed.release() == ""


def test_only_what_is_older_is_held_back() -> None:
    missed = Missed(BEGAN)
    assert not missed.holds(message(1, BEGAN))
    assert missed.holds(message(2, BEGAN - 1))
    assert texts(missed.release()) == ["text 2"]


def test_a_hundred_are_shown_in_the_order_of_positions() -> None:
    missed = Missed(BEGAN)
    for pos in range(100, 0, -1):
        missed.holds(message(pos))
    assert texts(missed.release()) == [f"text {pos}" for pos in range(1, 101)]
    assert not missed


def test_of_more_the_last_are_shown() -> None:
    missed = Missed(BEGAN)
    for pos in range(1, 112):
        missed.holds(message(pos))
    assert texts(missed.release()) == [
        "* 11 more messages were missed before these; /history N shows them",
        *(f"text {pos}" for pos in range(12, 112)),
    ]
    missed.holds(message(200))
    assert texts(missed.release()) == ["text 200"]
