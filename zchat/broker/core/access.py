"""Who may do what: the part of the state about roles, sanctions, private rooms, invites and tokens."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from zchat.common import wire

_encode: Final = msgspec.msgpack.Encoder().encode
_KINDS: Final = {wire.MUTE: "mute", wire.BAN: "ban"}

Changed = dict[tuple[str, str], bytes | None]


class Invite(msgspec.Struct, array_like=True):
    """An invite that can still be used `uses` times. `digest` is the SHA-256 of its secret; `nick` and `room`
    are empty for any nick and no room, `folded` is how nicks are compared."""

    digest: bytes
    maker: str
    nick: str
    room: str
    uses: int
    until_ms: int
    folded: str

    def is_for(self, folded: str) -> bool:
        """Whether it is for whoever has a nick that compares like that."""
        return self.folded in ("", folded)


class BotToken(msgspec.Struct, array_like=True):
    """What a bot may do. No `rooms`: all public ones, and direct messages."""

    maker: str
    rooms: list[str]
    may_send: bool
    may_read: bool
    until_ms: int


NOTHING: Final = BotToken("", [], False, False, wire.FOR_EVER)  # what a bot may do whose token has ended


class Sanction(msgspec.Struct, array_like=True):
    """A mute or a ban: until when, by whom, why. `mark` is the request that it was asked for by: a repeat of
    that changes nothing."""

    until_ms: int
    actor: str
    reason: str
    mark: str = ""


class Ended(msgspec.Struct):
    """What has come to its end: `kind` is mute, ban, invite or token; `subject` a nick or the invite's id."""

    kind: str
    room: str
    subject: str


class Access:
    """Kept with the state, by the same rows: every change is put into `changed` as it is made."""

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self.roles: dict[tuple[str, str], int] = {}  # by room and nick; the room "" is the broker
        self.sanctions: dict[tuple[str, str, int], Sanction] = {}  # by room and nick and kind
        self.kicked: dict[tuple[str, str], Sanction] = {}  # by room and nick: reads it no more until joining
        self.invited: set[tuple[str, str]] = set()  # room and nick: may join a private room
        self.invites: dict[str, Invite] = {}
        self.tokens: dict[str, BotToken] = {}
        self._ended: set[str] = set()  # bots whose token has ended
        self.ignored: dict[str, set[str]] = {}
        self.guarded: set[str] = (
            set()
        )  # whom something forbids or limits, or did: only for them it is looked at
        self._next_end_ms: int | None = wire.FOR_EVER

    def load(self, kind: str, key: str, value: Any) -> None:
        """Take a row of the state."""
        self._next_end_ms = None
        match kind:
            case "role":
                room, _, nick = key.partition(" ")
                self.roles[room, nick] = value
            case "sanction":
                room, nick, number = key.split(" ")
                self.sanctions[room, nick, int(number)] = Sanction(*value)
                self.guarded.add(nick)
            case "kicked":
                room, _, nick = key.partition(" ")
                self.kicked[room, nick] = Sanction(*value)
                self.guarded.add(nick)
            case "invited":
                room, _, nick = key.partition(" ")
                self.invited.add((room, nick))
            case "invite":
                self.invites[key] = Invite(*value)
            case "token":
                self.tokens[key] = BotToken(*value)
                self.guarded.add(key)
            case "ignored":
                nick, _, other = key.partition(" ")
                self.ignored.setdefault(nick, set()).add(other)
            case _:
                raise AssertionError(kind)

    # ---- asking ----

    @property
    def has_bots(self) -> bool:
        """There is, or was, a bot."""
        return bool(self.tokens or self._ended)

    def role(self, room: str, nick: str) -> int:
        """The role in a room, or with an empty room at the broker."""
        return self.roles.get((room, nick), wire.NONE)

    def is_administrator(self, nick: str) -> bool:
        """Whether somebody administers the broker."""
        return nick == wire.ACCOUNT or (bool(self.roles) and self.role("", nick) >= wire.OPERATOR)

    def sanction(self, room: str, nick: str, kind: int) -> Sanction | None:
        """The mute or ban of somebody in a room, or with an empty room at the broker."""
        return self.sanctions.get((room, nick, kind))

    def bot(self, nick: str) -> BotToken | None:
        """What somebody may do who is a bot; None for people."""
        token = self.tokens.get(nick)
        return NOTHING if token is None and nick in self._ended else token

    def ban_of(self, nick: str) -> Sanction | None:
        """Why somebody is not let in at all: their ban, or that of the one who made their token."""
        token = self.bot(nick)
        return self.sanction("", nick, wire.BAN) or (
            self.sanction("", token.maker, wire.BAN) if token else None
        )

    def barrier(self, room: str, nick: str) -> Sanction | None:
        """Why somebody may not read a room: a ban, or a kick since when it was not joined."""
        return self.sanction(room, nick, wire.BAN) or self.kicked.get((room, nick))

    def mute_of(self, room: str, nick: str) -> Sanction | None:
        """Why somebody may not write in a room (empty: to a person)."""
        return self.sanction("", nick, wire.MUTE) or (self.sanction(room, nick, wire.MUTE) if room else None)

    def tokens_of(self, maker: str) -> list[str]:
        """The bots that somebody made tokens for."""
        return sorted(nick for nick, token in self.tokens.items() if token.maker == maker)

    def kicked_from(self, nick: str) -> list[str]:
        """The rooms that somebody was kicked out of, and has not joined again."""
        return sorted(room for room, kicked in self.kicked if kicked == nick)

    @property
    def next_end_ms(self) -> int:
        """The log's time at which the first of all that ends has ended."""
        if self._next_end_ms is None:
            self._next_end_ms = min((until_ms for until_ms, _ in self._ends()), default=wire.FOR_EVER)
        return self._next_end_ms

    def ended(self, time_ms: int) -> list[Ended]:
        """What has ended by then, in the order of its end."""
        if time_ms < self.next_end_ms:
            return []
        due = [(until_ms, end) for until_ms, end in self._ends() if until_ms <= time_ms]
        return [
            end for _, end in sorted(due, key=lambda one: (one[0], one[1].kind, one[1].room, one[1].subject))
        ]

    def _ends(self) -> Iterator[tuple[int, Ended]]:
        for (room, nick, kind), sanction in self.sanctions.items():
            yield sanction.until_ms, Ended(_KINDS[kind], room, nick)
        for name, invite in self.invites.items():
            yield invite.until_ms, Ended("invite", invite.room, name)
        for nick, token in self.tokens.items():
            yield token.until_ms, Ended("token", "", nick)

    # ---- changing ----

    def set_role(self, room: str, nick: str, role: int) -> None:
        """Give a role; NONE takes it."""
        if role:
            self.roles[room, nick] = role
        else:
            self.roles.pop((room, nick), None)
        self._changed["role", f"{room} {nick}"] = _encode(role) if role else None

    def set_sanction(self, room: str, nick: str, kind: int, sanction: Sanction | None) -> None:
        """Mute or ban somebody; None ends it."""
        if sanction is None:
            self.sanctions.pop((room, nick, kind), None)
        else:
            self.sanctions[room, nick, kind] = sanction
            self.guarded.add(nick)
        self._put("sanction", f"{room} {nick} {kind}", sanction)

    def set_kicked(self, room: str, nick: str, sanction: Sanction | None) -> None:
        """Keep somebody from reading a room; None: let them again."""
        if sanction is None and (room, nick) not in self.kicked:
            return
        if sanction is None:
            del self.kicked[room, nick]
        else:
            self.kicked[room, nick] = sanction
            self.guarded.add(nick)
        self._put("kicked", f"{room} {nick}", sanction)

    def set_invited(self, room: str, nick: str, invited: bool) -> None:
        """Let somebody join a private room, or no longer."""
        if invited == ((room, nick) in self.invited):
            return
        (self.invited.add if invited else self.invited.discard)((room, nick))
        self._changed["invited", f"{room} {nick}"] = _encode(True) if invited else None

    def set_invite(self, name: str, invite: Invite | None) -> None:
        """Keep an invite; None: it can be used no more."""
        if invite is None:
            self.invites.pop(name, None)
        else:
            self.invites[name] = invite
        self._put("invite", name, invite)

    def set_token(self, nick: str, token: BotToken | None) -> None:
        """Keep what a bot may do; None: the token has ended."""
        if token is None:
            self.tokens.pop(nick, None)
            self.has_ended(nick)
        else:
            self.tokens[nick] = token
            self._ended.discard(nick)
            self.guarded.add(nick)
        self._put("token", nick, token)

    def has_ended(self, nick: str) -> None:
        """Somebody is a bot without a token."""
        self._ended.add(nick)
        self.guarded.add(nick)

    def set_ignored(self, nick: str, other: str, ignored: bool) -> None:
        """Whether `nick` wants to see what `other` writes."""
        others = self.ignored.setdefault(nick, set())
        (others.add if ignored else others.discard)(other)
        self._changed["ignored", f"{nick} {other}"] = _encode(True) if ignored else None

    def _put(self, kind: str, key: str, value: msgspec.Struct | None) -> None:
        self._next_end_ms = None
        self._changed[kind, key] = None if value is None else _encode(value)


KINDS: Final = frozenset(("role", "sanction", "kicked", "invited", "invite", "token", "ignored"))  # of rows
