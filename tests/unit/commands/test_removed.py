"""Messages whose text was removed (zchat/client/commands/removed.py)."""

from msgspec.structs import replace

from zchat.client.commands import removed
from zchat.client.commands.removed import Removed
from zchat.client.messages import Message


def message(pos: int) -> Message:
    return Message(pos, 0, 0, "bob", "#general", "message", "k", "text", "#general")


def test_the_text_is_gone() -> None:
    some = Removed()
    assert some.as_it_is(message(1)) == message(1)
    some.add(1)
    assert some.as_it_is(message(1)) == replace(message(1), text="")
    assert some.as_it_is(message(2)) == message(2)


def test_the_last_ones_are_remembered() -> None:
    some = Removed()
    for pos in range(removed._MAX + 1):
        some.add(pos)
    assert some.as_it_is(message(0)).text
    assert not some.as_it_is(message(1)).text
