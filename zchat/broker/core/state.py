"""The state that decisions are made on: a fold over the log, one commit ahead of the disk.

Longer than other files: who may read and write where is answered beside the users and rooms it depends on.
What invites, roles and sanctions are is in access.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from zchat.broker.core import access
from zchat.broker.core.access import Access, Sanction
from zchat.broker.core.port import StateRow
from zchat.common import names, times, wire
from zchat.common.codes import Refusal

GENERAL: Final = "general"  # the room everybody starts in
LOG: Final = wire.ACCOUNT  # the conversation of entries that belong to none
ROLES: Final = ("none", "voice", "operator", "owner")

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.decode


class Denied(Exception):
    """A request is refused: the row of the table and what to tell; for RATE_LIMITED, until when."""

    def __init__(self, refusal: Refusal, reason: str, retry_after_ms: int = 0) -> None:
        super().__init__(reason)
        self.refusal = refusal
        self.reason = reason
        self.retry_after_ms = retry_after_ms


class User(msgspec.Struct):
    """Somebody who is registered. `since` is the position of the registration and `since_ms` its time,
    `maker` who made the token of a bot, `away` why one is away; `rooms` each room joined and the position of
    the join."""

    nick: str
    folded: str
    since: int
    since_ms: int = 0
    maker: str = ""
    away: str = ""
    keys: set[str] = msgspec.field(default_factory=set)
    rooms: dict[str, int] = msgspec.field(default_factory=dict)


class Room(msgspec.Struct):
    """A room. `mark` is the request that a private one was created by: a repeat of it creates no other."""

    name: str
    topic: str = ""
    private: bool = False
    announce: bool = False
    mark: str = ""
    members: set[str] = msgspec.field(default_factory=set)


class State:
    """Users, rooms and heads, and the rows that keep them. A change is made here and its row collected, so
    that both can never differ."""

    def __init__(self, rows: Iterable[StateRow] = (), last_pos: int = 0, last_time_ms: int = 0) -> None:
        self.users: dict[str, User] = {}
        self.rooms: dict[str, Room] = {}
        self.heads: dict[str, int] = {}
        self.seen_ms: dict[str, int] = {}  # as it was loaded: not part of what is decided
        self.last_pos = last_pos
        self.last_time_ms = last_time_ms
        self._nick_of_folded: dict[str, str] = {}
        self._nick_of_key: dict[str, str] = {}
        self._changed: access.Changed = {}
        self.access = Access(self._changed)
        by_kind: dict[str, list[tuple[str, Any]]] = {}
        for row in rows:
            if row.value is not None:
                by_kind.setdefault(row.kind, []).append((row.key, _decode(row.value)))
        for nick, (folded, since, *more) in by_kind.get("user", ()):
            self.users[nick] = User(nick, folded, since, *more)
            self._nick_of_folded[folded] = nick
        for key, nick in by_kind.get("key", ()):
            self.users[nick].keys.add(key)
            self._nick_of_key[key] = nick
        for name, (topic, *more) in by_kind.get("room", ()):
            self.rooms[name] = Room(name, topic, *more)
        for member, pos in by_kind.get("member", ()):
            name, nick = member.split(" ")
            self.rooms[name].members.add(nick)
            self.users[nick].rooms[name] = pos
        self.heads.update(by_kind.get("head", ()))
        self.seen_ms.update(by_kind.get("seen", ()))
        for kind in access.KINDS & by_kind.keys():
            for row_key, value in by_kind[kind]:
                self.access.load(kind, row_key, value)
        for user in self.users.values():
            if user.maker and user.nick not in self.access.tokens:
                self.access.has_ended(user.nick)

    def take_changed(self) -> list[StateRow]:
        """The rows that changed since the last call, each once."""
        rows = [StateRow(kind, key, value) for (kind, key), value in self._changed.items()]
        self._changed.clear()
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
        """The id of the conversation that `user` means by an address, whether or not they may read it; raises
        Denied. For the name of a private room there is one in any case. protocol.md, Conversations."""
        mark, name = address[0], address[1:]
        if mark == "#":
            return f"#{self._room_name(name)}"
        if mark == "@":
            if user in self.access.guarded:
                self._check_has_people(user)
            return direct(user, self.person(name).nick if name != wire.ACCOUNT else name)
        if address == LOG:
            return LOG
        raise Denied(Refusal.MALFORMED, "an address begins with # for a room or @ for a person")

    def room(self, typed: str, user: str) -> Room:
        """The room of that name, if `user` may know of it; raises Denied, with a hint when a person is called
        so. Of a private room nobody else can know whether it exists."""
        room = self.rooms.get(self._room_name(typed))
        if room is None or not self.knows_of(room, user):
            raise _no_such_private(names.room(typed))
        return room

    def readable_room(self, typed: str, user: str) -> Room:
        """The room of that name, if `user` may read it; raises Denied."""
        room = self.room(typed, user)
        if room.private and user not in room.members:
            raise Denied(Refusal.NOT_ALLOWED, f"you are invited to #{room.name}: join it first")
        if user in self.access.guarded:
            self._check_guarded(room, user)
        return room

    def readable(self, user: str, address: str) -> str:
        """The id of a conversation that `user` may read; raises Denied."""
        if address == LOG:
            if not self.access.is_administrator(user):
                raise Denied(Refusal.NOT_ALLOWED, "only who administers the broker reads that")
        elif address[0] == "#":
            return f"#{self.readable_room(address[1:], user).name}"
        else:
            token = self.access.bot(user)
            if token is not None and not token.may_read:
                raise Denied(Refusal.NOT_ALLOWED, "your token is not for direct messages")
        return self.conversation(user, address)

    def check_reads(self, user: str, conversation: str) -> None:
        """Raises Denied unless somebody may read a conversation that was resolved before."""
        if conversation.startswith("#"):
            self.readable_room(conversation[1:], user)
        elif conversation == LOG:
            self.readable(user, LOG)

    def check_session(self, user: str, key: str) -> None:
        """Raises Denied when the session that something came from will end: its key is nobody's any more, or
        its user was banned, by what is not durable yet. To be asked about everything but repeats."""
        if key and key not in self.users[user].keys:
            raise Denied(Refusal.NOT_GREETED, "the key of this session is nobody's any more")
        if user in self.access.guarded:
            ban = self.access.ban_of(user)
            if ban is not None:
                raise Denied(Refusal.NOT_ALLOWED, f"you were banned {by(ban)}")

    def check_write(self, user: str, key: str, conversation: str) -> None:
        """Raises Denied unless `user` may write in a conversation, from a session with a key. To be asked
        about every Send."""
        guarded = user in self.access.guarded
        if guarded or (key and key not in self.users[user].keys):
            self.check_session(user, key)
        if conversation[0] != "#":
            if conversation == LOG or conversation.startswith(f"@{LOG},") or conversation.endswith(f",{LOG}"):
                raise Denied(Refusal.NOT_ALLOWED, "nobody writes there")
            if guarded:
                self._check_guarded_write("", user)
            if self.access.has_bots:
                self._check_takes_messages(conversation, user)
            return
        name = conversation[1:]
        room = self.rooms.get(name)
        if room is None or (room.private and not self.takes_part(room, user)):
            self.readable_room(name, user)  # which says why
            return
        if guarded:
            self._check_guarded(room, user)
            self._check_guarded_write(name, user)
        if room.announce and not self.has_role(user, room, wire.VOICE):
            raise Denied(Refusal.NOT_ALLOWED, f"in #{name} only those write who have a voice there")

    def has_role(self, user: str, room: Room, role: int) -> bool:
        """Whether somebody has this role in a room, or a higher one. Who administers the broker is an owner
        of every public room."""
        held = self.access.role(room.name, user)
        return held >= role or (not room.private and self.access.is_administrator(user))

    def moderated_room(self, typed: str, user: str) -> Room:
        """The room of that name, if `user` is operator there; raises Denied. Who was put out of a room does
        not moderate it, but for administrators: they are above those who own it."""
        room = self.room(typed, user)
        if user in self.access.guarded and not self.access.is_administrator(user):
            self._check_guarded(room, user)
        self.check_role(user, room, wire.OPERATOR)
        return room

    def check_token(self, user: str, conversation: str) -> None:
        """Raises Denied when somebody is a bot and may do nothing in a conversation."""
        token = self.access.bot(user)
        if token is not None and token.rooms and conversation[1:] not in token.rooms:
            what = conversation if conversation.startswith("#") else "direct messages"
            raise Denied(Refusal.NOT_ALLOWED, f"your token is not for {what}")

    def check_role(self, user: str, room: Room, role: int) -> None:
        """Raises Denied unless somebody has this role in a room."""
        if not self.has_role(user, room, role):
            raise Denied(Refusal.NOT_ALLOWED, f"for that one has to be {ROLES[role]} in #{room.name}")

    def knows_of(self, room: Room, user: str) -> bool:
        """Whether somebody may know that a room exists."""
        if room.private:
            return self.takes_part(room, user) or (room.name, user) in self.access.invited
        return True

    def takes_part(self, room: Room, user: str) -> bool:
        """Whether somebody is in a room: as a member, or as a bot that only sends there."""
        if user in room.members:
            return True
        token = self.access.tokens.get(user)
        if token is None or token.may_read or room.name not in token.rooms:
            return False
        return self.access.barrier(room.name, user) is None

    def _check_guarded(self, room: Room, user: str) -> None:
        self.check_token(user, f"#{room.name}")
        barrier = self.access.barrier(room.name, user)
        if barrier is not None:
            what = "banned from" if self.access.sanction(room.name, user, wire.BAN) else "kicked out of"
            again = "" if what == "banned from" else "; joining lets you in again"
            raise Denied(Refusal.NOT_ALLOWED, f"you were {what} #{room.name} {by(barrier)}{again}")

    def _check_guarded_write(self, room: str, user: str) -> None:
        token = self.access.bot(user)
        if token is not None and (not token.may_send or (token.rooms and not room)):
            what = "direct messages" if token.may_send else "sending"
            raise Denied(Refusal.NOT_ALLOWED, f"your token is not for {what}")
        mute = self.access.mute_of(room, user)
        if mute is not None:
            raise Denied(Refusal.NOT_ALLOWED, f"you were muted {by(mute)}")

    def _check_has_people(self, user: str) -> None:
        """Before a nick is looked for: a bot for some rooms is not told who is registered."""
        token = self.access.bot(user)
        if token is not None and token.rooms:
            raise Denied(Refusal.NOT_ALLOWED, "your token is not for direct messages")

    def _check_takes_messages(self, conversation: str, user: str) -> None:
        for nick in readers(conversation):
            token = self.access.bot(nick)
            if nick != user and token is not None and (token.rooms or not token.may_read):
                raise Denied(Refusal.NOT_ALLOWED, f"{nick} is a bot that reads no direct messages")

    def _room_name(self, typed: str) -> str:
        """The name of a room that exists, or that of any private one; raises Denied."""
        try:
            name = names.room(typed)
        except names.InvalidName as error:
            raise Denied(Refusal.NO_SUCH_ROOM, f"no room can be called that: the name {error}") from None
        if name not in self.rooms and not names.is_of_private_room(name):
            user = self.user_of_folded(name)
            hint = f"did you mean @{user.nick}?" if user else f"joining #{name} creates it"
            raise Denied(Refusal.NO_SUCH_ROOM, f"there is no room #{name}; {hint}")
        return name

    def person(self, typed: str) -> User:
        """The user of that nick; raises Denied."""
        try:
            user = self.user_of_folded(names.folded(typed))
        except names.InvalidName as error:
            raise Denied(Refusal.NO_SUCH_USER, f"nobody can be called that: the name {error}") from None
        if user is None:
            is_room = typed in self.rooms and not self.rooms[typed].private
            hint = f"; did you mean #{typed}?" if is_room else ""
            raise Denied(Refusal.NO_SUCH_USER, f"nobody is registered as @{typed}{hint}")
        return user

    # ---- changing ----

    def add_user(
        self, nick: str, folded: str, key: str, since: int, since_ms: int = 0, maker: str = ""
    ) -> None:
        """Register a nick with its first key; `maker` made it, if it is a bot."""
        self.users[nick] = User(nick, folded, since, since_ms, maker)
        self._nick_of_folded[folded] = nick
        self._put_user(nick)
        self.add_key(nick, key)

    def add_key(self, nick: str, key: str) -> None:
        """Give a user another key."""
        self.users[nick].keys.add(key)
        self._nick_of_key[key] = nick
        self._changed["key", key] = _encode(nick)

    def remove_key(self, nick: str, key: str) -> None:
        """The key is nobody's any more."""
        self.users[nick].keys.discard(key)
        self._nick_of_key.pop(key, None)
        self._changed["key", key] = None

    def set_away(self, nick: str, text: str) -> None:
        """Why somebody is away; empty: they are not."""
        self.users[nick].away = text
        self._put_user(nick)

    def add_room(self, name: str, private: bool = False, mark: str = "") -> None:
        """Create a room without members."""
        self.rooms[name] = Room(name, "", private, False, mark)
        self._put_room(name)

    def set_topic(self, name: str, topic: str) -> None:
        """Change the topic of a room."""
        self.rooms[name].topic = topic
        self._put_room(name)

    def set_announce(self, name: str, announce: bool) -> None:
        """Say whether only those with a role write in a room."""
        self.rooms[name].announce = announce
        self._put_room(name)

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

    def _put_user(self, nick: str) -> None:
        user = self.users[nick]
        self._changed["user", nick] = _encode((user.folded, user.since, user.since_ms, user.maker, user.away))

    def _put_room(self, name: str) -> None:
        room = self.rooms[name]
        self._changed["room", name] = _encode((room.topic, room.private, room.announce, room.mark))

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


def _no_such_private(name: str) -> Denied:
    return Denied(Refusal.NO_SUCH_ROOM, f"there is no room #{name}")


def by(sanction: Sanction) -> str:
    """By whom, until when and why, to be told to the one concerned."""
    by = "by the account that runs the broker" if sanction.actor == wire.ACCOUNT else f"by {sanction.actor}"
    until = f" until {times.utc(sanction.until_ms)}" if 0 < sanction.until_ms < wire.FOR_EVER else ""
    return f"{by}{until}{f': {sanction.reason}' if sanction.reason else ''}"
