"""What TO means (zchat/client/commands/addresses.py)."""

import pytest

from zchat.client.commands.addresses import address
from zchat.common.errors import ConfigurationError


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
