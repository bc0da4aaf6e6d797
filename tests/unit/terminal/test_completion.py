"""Completion (zchat/client/terminal/completion.py)."""

import pytest

from zchat.client.commands.slash import COMMANDS
from zchat.client.terminal.completion import candidates

NICKS = ["bob", "Bobine", "carl"]
ROOMS = ["kitchen", "general", "garage"]


@pytest.mark.parametrize(
    ("text", "start", "words"),
    [
        ("/", 0, [f"/{name} " for name in COMMANDS]),
        ("/h", 0, ["/history ", "/help "]),
        ("/H", 0, ["/history ", "/help "]),
        ("//", 0, []),
        ("/msg ", 5, ["bob ", "Bobine ", "carl "]),
        ("/msg bo", 5, ["bob ", "Bobine "]),
        ("/msg @bo", 5, ["@bob ", "@Bobine "]),
        ("TELL c", 5, ["carl "]),
        ("/whois C", 7, ["carl "]),
        ("/join g", 6, ["garage", "general"]),
        ("/join #k", 6, ["#kitchen"]),
        ("/leave ", 7, ["general"]),
        ("/kick bo", 6, ["bob ", "Bobine "]),
        ("/ignore c", 8, ["carl "]),
        ("/role carl ", 11, ["none", "voice", "operator", "owner"]),
        ("/role carl o", 11, ["operator", "owner"]),
        ("/mode ", 6, ["announce", "open"]),
        ("/msg bob se", 9, []),
        ("bo", 0, ["bob: ", "Bobine: "]),
        ("thanks bo", 7, ["bob ", "Bobine "]),
        ("thanks @bo", 7, ["@bob ", "@Bobine "]),
        ("in #g", 3, ["#garage ", "#general "]),
        ("one\nbo", 4, ["bob ", "Bobine "]),
        ("L", 0, ["LIST "]),
        ("T", 0, ["TELL "]),
        ("LI", 0, ["LIST "]),
        ("", 0, []),
        ("thanks ", 7, []),
        ("zz", 0, []),
    ],
)
def test_candidates(text: str, start: int, words: list[str]) -> None:
    assert candidates(text, NICKS, ROOMS, {"general"}) == (start, words)
