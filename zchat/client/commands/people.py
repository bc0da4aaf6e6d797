"""Lists of people and rooms, as the chat shows them."""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from zchat.client.commands.formats import cells, rooms_text
from zchat.common.text import one_line

if TYPE_CHECKING:
    from zchat.common.wire import Person, Room

_NAMED_MAX = 40  # of those who are away
_HERE_MAX = 200
NUMBERED_MAX = 99
_COLUMNS = 78  # cells of a terminal of 80
_ROWS_MAX = 10  # one name a line, up to here


def numbered_text(nicks: Sequence[str]) -> str:
    """Nicks with the numbers by which they can be chosen, from 1 on."""
    digits = len(str(len(nicks)))
    rows = [f"{number:>{digits}} {one_line(nick)}" for number, nick in enumerate(nicks, 1)]
    if len(rows) <= _ROWS_MAX:
        return "".join(f"  {row}\n" for row in rows)
    return _columns(rows)


def people_text(people: Iterable["Person"], nick: str) -> str:
    """Who is here and who is registered beyond them; `nick` is the reader's own."""
    here: list[str] = []
    away: list[str] = []
    for person in people:
        name = one_line(person.nick) + (" (you)" if person.nick == nick else "")
        (here if person.present else away).append(name)
    text = f"Here: {_listed(here, _HERE_MAX)}\n" if here else ""
    return text + away_text(away)


def away_text(nicks: Sequence[str]) -> str:
    """Those who are registered and not here; of many only the first."""
    return f"Away: {_listed(nicks, _NAMED_MAX)}\n" if nicks else ""


def _listed(nicks: Sequence[str], named_max: int) -> str:
    more = f" and {len(nicks) - named_max} more" if len(nicks) > named_max else ""
    return f"{', '.join(map(one_line, nicks[:named_max]))}{more}"


def whois_text(person: "Person", rooms: Collection[str], nick: str) -> str:
    """What is known about somebody; both are members of `rooms`, and `nick` is the reader's own."""
    where = "here now" if person.present else "away; what you write to them waits for them"
    about = f"{one_line(person.nick)} is registered, and {where}"
    names = ", ".join(f"#{one_line(room)}" for room in sorted(rooms))
    if person.nick == nick:
        return f"{about}. That is you, in {names or 'no room'}\n"
    return f"{about}. You are both in {names}\n" if names else f"{about}. You have no room in common\n"


def starred_rooms_text(rooms: Sequence["Room"], joined: Collection[str]) -> str:
    """Rooms as `rooms_text` lists them; a star marks those of the reader."""
    lines = rooms_text(rooms).splitlines(keepends=True)
    return "".join(
        f"{'*' if room.name in joined else ' '} {line}" for room, line in zip(rooms, lines, strict=True)
    )


def _columns(rows: Sequence[str]) -> str:
    """Rows side by side, in order from left to right."""
    width = max(map(cells, rows)) + 2
    across = max(1, (_COLUMNS - 2) // width)
    lines = [rows[start : start + across] for start in range(0, len(rows), across)]
    return "".join(
        ("  " + "".join(row + " " * (width - cells(row)) for row in line)).rstrip() + "\n" for line in lines
    )
