"""Lists of people and rooms, as the chat shows them."""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from zchat.client.commands.formats import cells, minute, rooms_text
from zchat.common.keys import fingerprint
from zchat.common.text import one_line

if TYPE_CHECKING:
    from zchat.common.wire import Person, Profile, Room

_NAMED_MAX = 40  # of those who are not here
_HERE_MAX = 200
NUMBERED_MAX = 99
_COLUMNS = 78  # cells of a terminal of 80
_IDLE_MS = 60_000  # for less nobody is called idle
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
    gone: list[str] = []
    for person in people:
        said = [word for word, holds in (("you", person.nick == nick), ("away", person.away)) if holds]
        name = one_line(person.nick) + (f" ({', '.join(said)})" if said else "")
        (here if person.present else gone).append(name)
    text = f"Here: {_listed(here, _HERE_MAX)}\n" if here else ""
    return text + gone_text(gone)


def gone_text(nicks: Sequence[str]) -> str:
    """Those who are registered and not here; of many only the first."""
    return f"Not here: {_listed(nicks, _NAMED_MAX)}\n" if nicks else ""


def _listed(nicks: Sequence[str], named_max: int) -> str:
    more = f" and {len(nicks) - named_max} more" if len(nicks) > named_max else ""
    return f"{', '.join(map(one_line, nicks[:named_max]))}{more}"


def profile_text(profile: "Profile", nick: str) -> str:
    """All that is known about somebody, a fact a line; `nick` is the reader's own."""
    rows = [("nick", profile.nick), ("role", "administrator of the broker" if profile.role else "")]
    rows += [("bot of", profile.maker)]
    rows += [("fingerprint", fingerprint(key)) for key in profile.keys] or [("fingerprint", "no key")]
    rows += [("registered", minute(profile.since_ms))]
    if profile.present:
        idle = f", idle for {_long(profile.idle_ms)}" if profile.idle_ms >= _IDLE_MS else ""
        rows += [("here", f"in {profile.sessions} session{'s' * (profile.sessions != 1)}{idle}")]
    else:
        rows += [("last seen", minute(profile.seen_ms) if profile.seen_ms else "never")]
    rows += [("away", profile.away)]
    rows += [("rooms" if profile.nick == nick else "common rooms", _marked("#", profile.rooms) or "none")]
    rows += [("ignores", _marked("", profile.ignored))]
    return "".join(f"{name:<13} {one_line(value)}\n" for name, value in rows if value)


def _marked(mark: str, names: Sequence[str]) -> str:
    return ", ".join(f"{mark}{name}" for name in names)


def _long(ms: int) -> str:
    minutes = ms // 60_000
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


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
