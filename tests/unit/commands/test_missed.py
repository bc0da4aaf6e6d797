"""What was missed (zchat/client/commands/missed.py)."""

from msgspec.structs import replace

from zchat.client.commands.missed import Missed, Released
from zchat.client.messages import Message


def message(pos: int) -> Message:
    return Message(pos, 0, 0, "bob", "#general", "message", "k", f"text {pos}", "#general")


def test_nothing_was_missed() -> None:
    missed = Missed()
    assert missed.holding
    assert missed.release() == Released(0, [])
    assert not missed.holding


def test_a_hundred_are_shown_in_the_order_of_positions() -> None:
    missed = Missed()
    for pos in range(100, 0, -1):
        missed.hold(message(pos))
    released = missed.release()
    assert released == Released(0, [message(pos) for pos in range(1, 101)])
    assert released.note() == ""


def test_of_more_the_last_are_shown() -> None:
    missed = Missed()
    for pos in range(1, 112):
        missed.hold(message(pos))
    released = missed.release()
    assert released == Released(11, [message(pos) for pos in range(12, 112)])
    assert released.note() == "* 11 more messages were missed before these; /history N shows them\n"
    missed.hold(message(200))
    assert missed.release() == Released(0, [message(200)])


def test_one_more() -> None:
    assert Released(1, []).note().startswith("* 1 more message was missed before these")


def test_a_text_that_was_removed_meanwhile() -> None:
    missed = Missed()
    for pos in (1, 2, 3):
        missed.hold(message(pos))
    missed.remove(2)
    missed.remove(9)
    assert missed.release().last == [message(1), replace(message(2), text=""), message(3)]
