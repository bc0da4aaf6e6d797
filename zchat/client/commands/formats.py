"""How messages look: a line for people, a JSON object for programs."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unicodedata import category, east_asian_width

from zchat.client.messages import Message, Sent
from zchat.common.keys import fingerprint, to_base32
from zchat.common.links import authority
from zchat.common.text import json_safe, one_line, shown

if TYPE_CHECKING:
    from zchat.client.cursorfile import Listed
    from zchat.client.exports import ExportedKey
    from zchat.client.verdicts import Step
    from zchat.common.links import Link
    from zchat.common.wire import Person, Profile, Room

ROLES = ("none", "voice", "operator", "owner")  # by their numbers; at the broker operators administer it
REMOVED = "[removed]"  # in place of a text that was removed
_INDENT = " " * 6  # below the first line's name: no text can begin a line as a message does


def message_text(message: Message) -> str:
    """A message as it is printed, with the time of day in the local time zone and a final newline."""
    sender, to = one_line(message.sender), one_line(message.to)
    clock = time.strftime("%H:%M", time.localtime(message.time_ms / 1000))
    where = f"{to} <{sender}>" if to.startswith("#") else f"@{sender} -> {to}"
    text = shown(message.text or REMOVED).replace("\n", "\n" + _INDENT)
    return f"{clock} {where} {text}\n"


def message_json(message: Message) -> str:
    """A message as a line of JSON; every key is always there. The text of one that was removed is empty."""
    return entry_line(
        message.pos,
        message.prev,
        message.time_ms,
        message.sender,
        message.to,
        message.kind,
        message.id,
        message.text,
    )


def sent_json(sent: Sent) -> str:
    """What became of a message that was sent, as a line of JSON."""
    time = rfc3339(sent.time_ms)
    return _line({"id": sent.id, "pos": sent.pos, "time": time, "duplicate": sent.duplicate})


def person_text(person: "Person") -> str:
    """A registered nick, with a star in front of who is here, and behind it what else is to be known."""
    said = [word for word, holds in (("away", person.away), ("administrator", person.role)) if holds]
    behind = f" ({', '.join(said)})" if said else ""
    return f"{'*' if person.present else ' '} {one_line(person.nick)}{behind}\n"


def person_json(person: "Person") -> str:
    """A registered nick as a line of JSON; the role is that at the broker."""
    return _line(
        {"nick": person.nick, "present": person.present, "away": person.away, "role": ROLES[person.role]}
    )


def profile_json(profile: "Profile") -> str:
    """All that is known about somebody as a line of JSON; null for what there is not."""
    return _line(
        {
            "nick": profile.nick,
            "fingerprints": [fingerprint(key) for key in profile.keys],
            "since": rfc3339(profile.since_ms),
            "seen": rfc3339(profile.seen_ms) if profile.seen_ms else None,
            "present": profile.present,
            "sessions": profile.sessions,
            "idle_ms": profile.idle_ms if profile.present else None,
            "away": profile.away or None,
            "role": ROLES[profile.role],
            "maker": profile.maker or None,
            "rooms": profile.rooms,
            "ignored": profile.ignored,
        }
    )


def away_json(text: str, pos: int) -> str:
    """Why one is away from now on, null: one is not; `pos` is 0 when it was so already."""
    return _line({"away": text or None, "pos": pos})


def ignored_json(nick: str, ignored: bool) -> str:
    """Whether somebody is ignored."""
    return _line({"nick": nick, "ignored": ignored})


def removed_json(to: str, of: int, pos: int) -> str:
    """The message whose text was removed, at `of`; `pos` is 0 when it was removed already."""
    return _line({"to": to, "of": of, "pos": pos})


def cursor_text(cursor: "Listed") -> str:
    """A cursor: its name, its position, and what it is for."""
    return f"{cursor.name:<20} {cursor.pos:>12}  {one_line(' '.join(cursor.to)) or 'everything'}\n"


def cursor_json(cursor: "Listed") -> str:
    """A cursor as a line of JSON; `to` is empty when it is for everything."""
    return _line({"name": cursor.name, "pos": cursor.pos, "to": list(cursor.to)})


def dated(time_ms: int, line: str) -> str:
    """A line as it is printed where days lie between: behind the day, in local time."""
    return time.strftime("%Y-%m-%d ", time.localtime(time_ms / 1000)) + line


def rooms_text(rooms: Sequence["Room"]) -> str:
    """Rooms, a line each: the name, how many members there are, and the topic, below each other."""
    listed = [(f"#{one_line(room.name)}", f"{room.members}", _about(room)) for room in rooms]
    widths = [max((cells(row[column]) for row in listed), default=0) for column in (0, 1)]
    lines = (
        f"{name}{' ' * (widths[0] - cells(name))}  {members:>{widths[1]}}  {about}".rstrip()
        for name, members, about in listed
    )
    return "".join(f"{line}\n" for line in lines)


def _about(room: "Room") -> str:
    """What it is like, and the topic."""
    said = [word for word, holds in (("private", room.private), ("announce", room.announce)) if holds]
    return " ".join(filter(None, (f"({', '.join(said)})" if said else "", one_line(room.topic))))


def room_json(room: "Room") -> str:
    """A room as a line of JSON; the topic is empty when none is set."""
    return _line(
        {
            "name": room.name,
            "topic": room.topic,
            "members": room.members,
            "private": room.private,
            "announce": room.announce,
        }
    )


def change_json(room: str, pos: int) -> str:
    """What became of joining, leaving or a new topic; `pos` is 0 when it was so already."""
    return _line({"room": room, "pos": pos})


def topic_json(room: str, topic: str) -> str:
    """The topic of a room as a line of JSON."""
    return _line({"room": room, "topic": topic})


def ping_text(time_ms: float, broker: str, address: str) -> str:
    """One round trip to a broker."""
    return f"broker {one_line(broker)} at {one_line(address)}: {time_ms:.1f} ms\n"


def ping_json(time_ms: float, broker: str, address: str) -> str:
    """One round trip as a line of JSON, to the microsecond."""
    return _line({"time_ms": round(time_ms, 3), "broker": broker, "address": address})


def step_text(step: "Step") -> str:
    """What a step of an examination has found, and below it what to do when something is wrong."""
    said = "ok" if step.mend is None else "wrong"
    found = f"{said:<5}  {step.name:<8}  {one_line(step.text)}\n"
    return found if step.mend is None else f"{found}{'mend':<15}  {one_line(step.mend)}\n"


def step_json(step: "Step") -> str:
    """The same as a line of JSON; `mend` is null when nothing is wrong."""
    return _line({"step": step.name, "ok": step.mend is None, "text": step.text, "mend": step.mend})


def whoami_text(facts: Mapping[str, str | None]) -> str:
    """Who one is and where that is kept, a fact a line."""
    return "".join(f"{name:<12} {one_line(value or '-')}\n" for name, value in facts.items())


def whoami_json(facts: Mapping[str, str | None]) -> str:
    """The same as a line of JSON; null for what there is not."""
    return _line(dict(facts))


def context_text(name: str, link: "Link", is_current: bool) -> str:
    """A context with the address of its broker, and a star in front of the current one."""
    return f"{'*' if is_current else ' '} {name:<24} {authority(link.host, link.port)}\n"


def context_json(name: str, link: "Link", is_current: bool) -> str:
    """A context as a line of JSON."""
    return _line({"name": name, "link": str(link), "current": is_current})


def link_json(link: "Link") -> str:
    """A link and its parts as a line of JSON; `key` is as in the link."""
    return _line({"link": str(link), "host": link.host, "port": link.port, "key": to_base32(link.key)})


def key_json(exported: "ExportedKey") -> str:
    """An exported key as a line of JSON."""
    return _line({"nick": exported.nick, "link": str(exported.link), "key": str(exported)})


def path_json(path: str) -> str:
    """A path as a line of JSON."""
    return _line({"path": path})


def minute(time_ms: int) -> str:
    """Day and time of day in the local time zone, for people."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ms / 1000))


def rfc3339(time_ms: int) -> str:
    """A time of the log in UTC, with milliseconds."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"


def entry_line(
    pos: int | None,
    prev: int | None,
    time_ms: int | None,
    sender: str,
    to: str | None,
    kind: str,
    id: str | None,
    text: str | None,
) -> str:
    """The keys that a message and all else that happened has, as a line of JSON."""
    time = None if time_ms is None else rfc3339(time_ms)
    return _line(
        {
            "pos": pos,
            "prev": prev,
            "time": time,
            "from": sender,
            "to": to,
            "kind": kind,
            "id": id,
            "text": text,
        }
    )


def cells(text: str) -> int:
    """How wide a terminal shows the text: ideographs and most emoji take two cells, combining marks none."""
    wide = sum(east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(category(one) in ("Mn", "Me") for one in text)


def _line(fields: dict[str, Any]) -> str:
    return json_safe(json.dumps(fields, ensure_ascii=False, separators=(",", ":"))) + "\n"
