"""Who may read and write what, by the durable entries alone: a second opinion on what the broker does."""

import re
from typing import NamedTuple

from zchat.common import wire

LOG = wire.ACCOUNT
_PRIVATE = re.compile(r"#.*\+([0-9]+)")


class _Token(NamedTuple):
    rooms: frozenset[str]  # conversations; none: all public ones, and direct ones
    may_send: bool
    may_read: bool


class Rights:
    """Takes the segments in the order of the log. The entry that changes what somebody reads belongs to both
    sides: who goes may get it, and who comes."""

    def __init__(self) -> None:
        self.users: dict[str, None] = {}
        self.private: set[str] = set()
        self.members: dict[str, set[str]] = {}
        self._administrators: set[str] = set()
        self._bots: set[str] = set()
        self._tokens: dict[str, _Token] = {}
        self._makers: dict[str, str] = {}  # of the bots that have a token
        self._kicked: set[tuple[str, str]] = set()  # conversation and nick
        self._banned: set[tuple[str, str]] = set()  # at the broker: `$`
        self._muted: set[tuple[str, str]] = set()
        self._announce: set[str] = set()
        self._roles: dict[tuple[str, str], int] = {}
        self._restricted: set[tuple[str, str]] = set()  # conversation and nick: at any time
        self._ever_banned: set[str] = set()
        self._readers: dict[int, frozenset[str]] = {}  # by the first position of a segment

    def take(self, segment: wire.Segment) -> None:
        """The next segment."""
        before = self._reading(segment.conversation)
        pos = segment.first
        for entry in segment.entries:
            self._take(pos, segment.conversation, entry)
            pos += len(entry.texts) if isinstance(entry, wire.Messages) else 1
        self._readers[segment.first] = before | self._reading(segment.conversation)

    def gets(self, nick: str, first: int) -> bool:
        """Whether the segment that begins at `first` may reach somebody as it becomes durable."""
        return nick in self._readers[first]

    def is_let_in(self, nick: str) -> bool:
        """Whether nothing keeps somebody out altogether."""
        maker = self._makers.get(nick)
        if (LOG, nick) in self._banned or (LOG, maker) in self._banned:
            return False
        return nick not in self._bots or nick in self._tokens

    def reads(self, nick: str, conversation: str) -> bool:
        """Whether somebody may read a conversation now."""
        if nick == LOG:
            return conversation not in self.private
        if not self.is_let_in(nick):
            return False
        if conversation == LOG:
            return nick in self._administrators
        token = self._tokens.get(nick)
        if token is not None and not token.may_read:
            return False
        if token is not None and token.rooms and conversation not in token.rooms:
            return False
        if conversation.startswith("@"):
            return nick in conversation[1:].split(",")
        if conversation in self.private:
            return nick in self.members.get(conversation, ())
        return not {(conversation, nick)} & (self._banned | self._kicked)

    def writes(self, nick: str, conversation: str) -> bool:
        """Whether somebody may write in a conversation now."""
        if not self.is_let_in(nick) or (LOG, nick) in self._muted:
            return False
        token = self._tokens.get(nick)
        if token is not None and not token.may_send:
            return False
        if conversation.startswith("@"):
            return LOG not in conversation[1:].split(",") and not (token and token.rooms)
        if token is not None and token.rooms:
            if conversation not in token.rooms or (conversation, nick) in self._banned | self._kicked:
                return False
        elif not self.reads(nick, conversation) and (token is None or conversation in self.private):
            return False
        if (conversation, nick) in self._muted | self._banned | self._kicked:
            return False
        return conversation not in self._announce or self.role(nick, conversation) >= wire.VOICE

    def role(self, nick: str, conversation: str) -> int:
        """The role of somebody in a room."""
        if conversation not in self.private and (nick == LOG or nick in self._administrators):
            return wire.OWNER
        return self._roles.get((conversation, nick), wire.NONE)

    def was_restricted(self, nick: str, conversation: str) -> bool:
        """Whether something ever kept somebody from writing in a conversation."""
        return bool({(LOG, nick), (conversation, nick), (conversation, "")} & self._restricted)

    def was_banned(self, nick: str) -> bool:
        """Whether somebody was ever banned at the broker."""
        return nick in self._ever_banned

    @property
    def banned(self) -> list[str]:
        """Who is banned at the broker."""
        return sorted(nick for place, nick in self._banned if place == LOG)

    def _reading(self, conversation: str) -> frozenset[str]:
        return frozenset(nick for nick in self.users if self.reads(nick, conversation))

    # ---- changes ----

    def _take(self, pos: int, conversation: str, entry: wire.Entries) -> None:
        match entry:
            case wire.Registered(nick=nick):
                self.users[nick] = None
            case wire.Joined(nick=nick, created=created):
                if created and (found := _PRIVATE.fullmatch(conversation)) and int(found[1]) == pos:
                    self.private.add(conversation)
                self.members.setdefault(conversation, set()).add(nick)
                self._kicked.discard((conversation, nick))
                if created and conversation != "#general":
                    self._roles[conversation, nick] = wire.OWNER
            case wire.Left(nick=nick):
                self._remove(conversation, nick)
            case wire.Acted(room="") if conversation == LOG:
                self._at_broker(entry)
            case wire.Acted() if conversation == f"#{entry.room}":
                self._in_room(conversation, entry)
            case _:
                pass

    def _remove(self, conversation: str, nick: str) -> None:
        self.members[conversation].discard(nick)
        if conversation in self.private:
            self._roles.pop((conversation, nick), None)

    def _in_room(self, conversation: str, entry: wire.Acted) -> None:
        place = (conversation, entry.subject)
        match entry.act, entry.details:
            case "kicked", _:
                self._kicked.add(place)
                self._remove(*place)
            case "banned", _:
                self._banned.add(place)
                self._remove(*place)
            case ("unbanned", _) | ("expired", "ban"):
                self._banned.discard(place)
            case "invited", _:
                self._kicked.discard(place)
            case "muted", _:
                self._muted.add(place)
            case ("unmuted", _) | ("expired", "mute"):
                self._muted.discard(place)
            case "role", name:
                self._roles[place] = ("none", "voice", "operator", "owner").index(name)
            case "mode", mode:
                (self._announce.add if mode == "announce" else self._announce.discard)(conversation)
        if entry.act in ("kicked", "banned", "muted", "mode"):
            self._restricted.add(place)  # a mode is about nobody: ""

    def _at_broker(self, entry: wire.Acted) -> None:
        nick = entry.subject
        match entry.act, entry.details:
            case "banned", _:
                self._banned.add((LOG, nick))
                self._ever_banned.add(nick)
            case ("unbanned", _) | ("expired", "ban"):
                self._banned.discard((LOG, nick))
            case "muted", _:
                self._muted.add((LOG, nick))
            case ("unmuted", _) | ("expired", "mute"):
                self._muted.discard((LOG, nick))
            case "role", role:
                (self._administrators.add if role == "operator" else self._administrators.discard)(nick)
            case "token_made", details:
                may, _, rooms = details.partition(" rooms=")
                names = frozenset(f"#{room}" for room in rooms.split(",") if room)
                self._bots.add(nick)
                self._tokens[nick] = _Token(names, "send" in may, "read" in may)
                self._makers[nick] = entry.nick
            case ("token_ended", _) | ("expired", "token"):
                del self._tokens[nick], self._makers[nick]
                self._kicked = {place for place in self._kicked if place[1] != nick}
        if entry.act in ("banned", "muted"):
            self._restricted.add((LOG, nick))
