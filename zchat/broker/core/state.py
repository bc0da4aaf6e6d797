"""The state that decisions are made on: a fold over the log, one commit ahead of the disk."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from zchat.broker.core.port import StateRow
from zchat.common import names
from zchat.common.codes import Refusal

GENERAL: Final = "general"  # the room everybody starts in

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.decode


Membership = tuple[str, str, int | None]  # a nick, a conversation, the position of the join (None: left)


class Denied(Exception):
    """A request is refused: the row of the table and what to tell."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal
        self.reason = reason


class User(msgspec.Struct):
    """Somebody who is registered. `since` is the position of the registration, `rooms` each room joined and
    the position of the join."""

    nick: str
    folded: str
    since: int
    keys: set[str] = msgspec.field(default_factory=set)
    rooms: dict[str, int] = msgspec.field(default_factory=dict)


class Room(msgspec.Struct):
    """A public room."""

    name: str
    topic: str = ""
    members: set[str] = msgspec.field(default_factory=set)


class State:
    """Users, rooms and heads, and the rows that keep them. A change is made here and its row collected, so
    that both can never differ."""

    def __init__(self, rows: Iterable[StateRow] = (), last_pos: int = 0, last_time_ms: int = 0) -> None:
        self.users: dict[str, User] = {}
        self.rooms: dict[str, Room] = {}
        self.heads: dict[str, int] = {}
        self.last_pos = last_pos
        self.last_time_ms = last_time_ms
        self._nick_of_folded: dict[str, str] = {}
        self._nick_of_key: dict[str, str] = {}
        self._changed: dict[tuple[str, str], bytes | None] = {}
        by_kind: dict[str, list[tuple[str, Any]]] = {}
        for row in rows:
            if row.value is not None:
                by_kind.setdefault(row.kind, []).append((row.key, _decode(row.value)))
        for nick, (folded, since) in by_kind.get("user", ()):
            self.users[nick] = User(nick, folded, since)
            self._nick_of_folded[folded] = nick
        for key, nick in by_kind.get("key", ()):
            self.users[nick].keys.add(key)
            self._nick_of_key[key] = nick
        for name, (topic,) in by_kind.get("room", ()):
            self.rooms[name] = Room(name, topic)
        for member, pos in by_kind.get("member", ()):
            name, nick = member.split(" ")
            self.rooms[name].members.add(nick)
            self.users[nick].rooms[name] = pos
        self.heads.update(by_kind.get("head", ()))

    def take_changed(self) -> list[StateRow]:
        """The rows that changed since the last call, each once."""
        rows = [StateRow(kind, key, value) for (kind, key), value in self._changed.items()]
        self._changed = {}
        return rows

    # ---- asking ----

    def user_of_folded(self, folded: str) -> User | None:
        """The user whose nick compares equal."""
        nick = self._nick_of_folded.get(folded)
        return self.users[nick] if nick is not None else None

    def user_of_key(self, key: str) -> User | None:
        """The user that a CURVE key belongs to."""
        nick = self._nick_of_key.get(key)
        return self.users[nick] if nick is not None else None

    def conversation(self, user: str, address: str) -> str:
        """The id of the conversation that `user` means by an address; raises Denied. protocol.md,
        Conversations."""
        mark, name = address[0], address[1:]
        if mark == "#":
            room = self.room(name)
            return f"#{room.name}"
        if mark == "@":
            return direct(user, self._person(name).nick)
        raise Denied(Refusal.MALFORMED, "an address begins with # for a room or @ for a person")

    def room(self, typed: str) -> Room:
        """The room of that name; raises Denied, with a hint when a person is called so."""
        try:
            name = names.room(typed)
        except names.InvalidName as error:
            raise Denied(Refusal.NO_SUCH_ROOM, f"no room can be called that: the name {error}") from None
        room = self.rooms.get(name)
        if room is None:
            user = self.user_of_folded(name)
            hint = f"did you mean @{user.nick}?" if user else f"joining #{name} creates it"
            raise Denied(Refusal.NO_SUCH_ROOM, f"there is no room #{name}; {hint}")
        return room

    def _person(self, typed: str) -> User:
        try:
            user = self.user_of_folded(names.folded(typed))
        except names.InvalidName as error:
            raise Denied(Refusal.NO_SUCH_USER, f"nobody can be called that: the name {error}") from None
        if user is None:
            hint = f"; did you mean #{typed}?" if typed in self.rooms else ""
            raise Denied(Refusal.NO_SUCH_USER, f"nobody is registered as @{typed}{hint}")
        return user

    # ---- changing ----

    def add_user(self, nick: str, folded: str, key: str, since: int) -> None:
        """Register a nick with its first key."""
        self.users[nick] = User(nick, folded, since, {key})
        self._nick_of_folded[folded] = nick
        self._nick_of_key[key] = nick
        self._changed["user", nick] = _encode((folded, since))
        self._changed["key", key] = _encode(nick)

    def add_room(self, name: str) -> None:
        """Create a public room without members."""
        self.rooms[name] = Room(name)
        self._changed["room", name] = _encode(("",))

    def set_topic(self, name: str, topic: str) -> None:
        """Change the topic of a room."""
        self.rooms[name].topic = topic
        self._changed["room", name] = _encode((topic,))

    def add_member(self, name: str, nick: str, pos: int) -> None:
        """Make a user a member of a room, by the entry at `pos`."""
        self.rooms[name].members.add(nick)
        self.users[nick].rooms[name] = pos
        self._changed["member", f"{name} {nick}"] = _encode(pos)

    def remove_member(self, name: str, nick: str) -> None:
        """Take a user out of a room."""
        self.rooms[name].members.discard(nick)
        self.users[nick].rooms.pop(name, None)
        self._changed["member", f"{name} {nick}"] = None

    def advance(self, conversation: str, last: int) -> None:
        """A segment of the conversation ends at `last`, and so does the log."""
        self.heads[conversation] = last
        self.last_pos = last
        self._changed["head", conversation] = _encode(last)


def direct(one: str, other: str) -> str:
    """The id of the direct conversation of two nicks, the same for both. protocol.md, Conversations."""
    return f"@{min(one, other)},{max(one, other)}"


def readers(conversation: str) -> tuple[str, ...]:
    """The nicks of a direct conversation, each once; empty for any other."""
    return tuple(dict.fromkeys(conversation[1:].split(","))) if conversation.startswith("@") else ()
