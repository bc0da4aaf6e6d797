"""How messages look: a line for people, a JSON object for programs."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unicodedata import category, east_asian_width

from zchat.client.messages import Came, MemberJoined, MemberLeft, Message, Sent, TopicChanged, Went
from zchat.common.keys import to_base32
from zchat.common.links import authority
from zchat.common.text import json_safe, one_line, shown

if TYPE_CHECKING:
    from zchat.client.cursorfile import Listed
    from zchat.client.exports import ExportedKey
    from zchat.client.verdicts import Step
    from zchat.common.links import Link
    from zchat.common.wire import Person, Room

Notice = Came | Went | MemberJoined | MemberLeft | TopicChanged

_INDENT = " " * 6  # below the first line's name: no text can begin a line as a message does


def message_text(message: Message) -> str:
    """A message as it is printed, with the time of day in the local time zone and a final newline."""
    sender, to = one_line(message.sender), one_line(message.to)
    clock = time.strftime("%H:%M", time.localtime(message.time_ms / 1000))
    where = f"{to} <{sender}>" if to.startswith("#") else f"@{sender} -> {to}"
    text = shown(message.text).replace("\n", "\n" + _INDENT)
    return f"{clock} {where} {text}\n"


def message_json(message: Message) -> str:
    """A message as a line of JSON; every key is always there."""
    return _entry(
        message.pos,
        message.prev,
        message.time_ms,
        message.sender,
        message.to,
        message.kind,
        message.id,
        message.text,
    )


def notice_json(notice: Notice) -> str:
    """The same keys for what is no message; null where there is nothing to say."""
    match notice:
        case Came() | Went():
            kind = "here" if isinstance(notice, Came) else "gone"
            return _entry(None, None, None, notice.nick, None, kind, None, None)
        case MemberJoined():
            kind, text = "joined", None
        case MemberLeft():
            kind, text = "left", None
        case TopicChanged():
            kind, text = "topic", notice.topic
    to = f"#{notice.room}"
    return _entry(notice.pos, notice.prev, notice.time_ms, notice.nick, to, kind, None, text)


def notice_text(notice: Notice) -> str:
    """Who came and went, joined and left, or changed a topic: a line that begins with a star."""
    nick = one_line(notice.nick)
    match notice:
        case Came():
            return f"* {nick} is here\n"
        case Went():
            return f"* {nick} has gone\n"
        case MemberJoined():
            return f"* {nick} {'made' if notice.created else 'joined'} #{one_line(notice.room)}\n"
        case MemberLeft():
            return f"* {nick} left #{one_line(notice.room)}\n"
        case TopicChanged():
            return f"* {nick} set the topic of #{one_line(notice.room)}: {one_line(notice.topic)}\n"


def sent_json(sent: Sent) -> str:
    """What became of a message that was sent, as a line of JSON."""
    time = rfc3339(sent.time_ms)
    return _line({"id": sent.id, "pos": sent.pos, "time": time, "duplicate": sent.duplicate})


def person_text(person: "Person") -> str:
    """A registered nick, with a star in front of who is here."""
    return f"{'*' if person.present else ' '} {one_line(person.nick)}\n"


def person_json(person: "Person") -> str:
    """A registered nick as a line of JSON."""
    return _line({"nick": person.nick, "present": person.present})


def cursor_text(cursor: "Listed") -> str:
    """A cursor: its name, its position, and what it is for."""
    return f"{cursor.name:<20} {cursor.pos:>12}  {one_line(' '.join(cursor.to)) or 'everything'}\n"


def cursor_json(cursor: "Listed") -> str:
    """A cursor as a line of JSON; `to` is empty when it is for everything."""
    return _line({"name": cursor.name, "pos": cursor.pos, "to": list(cursor.to)})


def dated_text(message: Message) -> str:
    """A message as it is printed where days lie between: `message_text` behind the day, in local time."""
    return time.strftime("%Y-%m-%d ", time.localtime(message.time_ms / 1000)) + message_text(message)


def rooms_text(rooms: Sequence["Room"]) -> str:
    """Rooms, a line each: the name, how many members there are, and the topic, below each other."""
    listed = [(f"#{one_line(room.name)}", f"{room.members}", one_line(room.topic)) for room in rooms]
    widths = [max((cells(row[column]) for row in listed), default=0) for column in (0, 1)]
    lines = (
        f"{name}{' ' * (widths[0] - cells(name))}  {members:>{widths[1]}}  {topic}".rstrip()
        for name, members, topic in listed
    )
    return "".join(f"{line}\n" for line in lines)


def room_json(room: "Room") -> str:
    """A room as a line of JSON; the topic is empty when none is set."""
    return _line({"name": room.name, "topic": room.topic, "members": room.members})


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


def rfc3339(time_ms: int) -> str:
    """A time of the log in UTC, with milliseconds."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"


def _entry(
    pos: int | None,
    prev: int | None,
    time_ms: int | None,
    sender: str,
    to: str | None,
    kind: str,
    id: str | None,
    text: str | None,
) -> str:
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
