"""What TO means (zchat/client/commands/addresses.py)."""

import pytest

from zchat.client.commands.addresses import Chosen, address
from zchat.client.messages import Message
from zchat.common.errors import ConfigurationError


def message(to: str, sender: str) -> Message:
    return Message(1, 0, 0, sender, to, "message", "k", "text", "")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("general", "#general"), ("#General", "#general"), ("@Ann", "@Ann"), ("Büro", "#büro")],
)
def test_address(typed: str, meant: str) -> None:
    assert address(typed) == meant


@pytest.mark.parametrize("typed", ["", "@", "#", "##a", "@@a", "a b", "x" * 33, "@a,b", "\x1b"])
def test_no_address(typed: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^(nobody|no room) can be called .*: the name "):
        address(typed)


def test_none_chosen_is_all() -> None:
    assert Chosen([]).holds(message("@ann", "bob"), "ann")


def test_chosen() -> None:
    chosen = Chosen(["#general", "@Bob", "#general"])
    assert chosen.addresses == ["#general", "@Bob"]
    assert chosen.rooms == ["general"]
    held = {
        (to, sender): chosen.holds(message(to, sender), "ann")
        for to in ("#general", "#other", "@ann", "@bob", "@eve")
        for sender in ("ann", "bob", "eve")
    }
    assert {one for one, is_held in held.items() if is_held} == {
        *(("#general", sender) for sender in ("ann", "bob", "eve")),
        ("@ann", "bob"),
        ("@bob", "ann"),
        ("@bob", "bob"),  # seen by nobody but bob
        ("@eve", "bob"),
    }
