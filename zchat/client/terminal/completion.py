"""Completion of commands, nicks and rooms behind Tab."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from zchat.client.commands.formats import ROLES
from zchat.client.commands.slash import COMMANDS
from zchat.client.commands.typed import WORDS

_TAKE_NICK = (
    "TELL",
    *(f"/{name}" for name, one in COMMANDS.items() if "NICK" in one.arguments.split(" ")[0]),
)
_TAKE_ROOM = ("/join", "/leave")


class Candidates(NamedTuple):
    """What the word that begins at `start` can become."""

    start: int
    words: list[str]


def candidates(text: str, nicks: Iterable[str], rooms: Iterable[str], joined: Collection[str]) -> Candidates:
    """What can stand in place of the last word of `text`, which is what stands before the cursor. Names are
    without marks; `joined` are the rooms that can be left."""
    start = len(text) - len(text.split(" ")[-1].split("\n")[-1])
    word, before = text[start:], text[:start].split()
    if not before and text.startswith("/") and not text.startswith("//"):
        return Candidates(start, _matching(word, [f"/{name} " for name in COMMANDS]))
    if len(before) == 1 and start == len(before[0]) + 1:
        if before[0] in _TAKE_NICK:
            return Candidates(start, _matching(word, [f"{nick} " for nick in nicks], "@"))
        if before[0] in _TAKE_ROOM:
            names = joined if before[0] == "/leave" else rooms
            return Candidates(start, _matching(word, sorted(names), "#"))
    if before[:1] == ["/mode"] and len(before) == 1:
        return Candidates(start, _matching(word, ("announce", "open")))
    if before[:1] == ["/role"] and len(before) == 2:
        return Candidates(start, _matching(word, ROLES))
    if word.startswith("#"):
        return Candidates(start, _matching(word, [f"#{room} " for room in sorted(rooms)]))
    if word.startswith("@"):
        return Candidates(start, _matching(word, [f"@{nick} " for nick in nicks]))
    words = [f"{one} " for one in ("TELL", *WORDS)] if start == 0 and word and word.isupper() else []
    behind = ": " if start == 0 else " "
    return Candidates(start, _matching(word, words + [f"{nick}{behind}" for nick in nicks]) if word else [])


def _matching(word: str, wanted: Iterable[str], mark: str = "") -> list[str]:
    """Those that begin with the word, whatever its case; a mark in front of it is kept."""
    kept = mark if mark and word.startswith(mark) else ""
    begins = word.removeprefix(kept).casefold()
    return [kept + one for one in wanted if one.casefold().startswith(begins)]
