"""Who may read what, by the durable entries alone: a second opinion on what the broker tells whom."""

import re
from typing import NamedTuple

from zchat.common import wire

LOG = wire.ACCOUNT
_PRIVATE = re.compile(r"#.*\+([0-9]+)")


class _Token(NamedTuple):
    rooms: frozenset[str]  # conversations; none: all public ones, and direct ones
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
            case wire.Left(nick=nick):
                self.members[conversation].discard(nick)
            case wire.Acted(room="") if conversation == LOG:
                self._at_broker(entry)
            case wire.Acted() if conversation == f"#{entry.room}":
                self._in_room(conversation, entry)
            case _:
                pass

    def _in_room(self, conversation: str, entry: wire.Acted) -> None:
        place = (conversation, entry.subject)
        match entry.act, entry.details:
            case "kicked", _:
                self._kicked.add(place)
                self.members[conversation].discard(entry.subject)
            case "banned", _:
                self._banned.add(place)
                self.members[conversation].discard(entry.subject)
            case ("unbanned", _) | ("expired", "ban"):
                self._banned.discard(place)
            case "invited", _:
                self._kicked.discard(place)

    def _at_broker(self, entry: wire.Acted) -> None:
        nick = entry.subject
        match entry.act, entry.details:
            case "banned", _:
                self._banned.add((LOG, nick))
            case ("unbanned", _) | ("expired", "ban"):
                self._banned.discard((LOG, nick))
            case "role", role:
                (self._administrators.add if role == "operator" else self._administrators.discard)(nick)
            case "token_made", details:
                may, _, rooms = details.partition(" rooms=")
                names = frozenset(f"#{room}" for room in rooms.split(",") if room)
                self._bots.add(nick)
                self._tokens[nick] = _Token(names, "read" in may)
                self._makers[nick] = entry.nick
            case ("token_ended", _) | ("expired", "token"):
                del self._tokens[nick], self._makers[nick]
                self._kicked = {place for place in self._kicked if place[1] != nick}
