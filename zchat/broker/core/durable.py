"""What is on disk by now: how far each conversation goes, and who reads which. Told without waiting."""

from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec

from zchat.broker.core.access import BotToken
from zchat.broker.core.acts import Change
from zchat.broker.core.port import StateRow, StoredSegment
from zchat.broker.core.state import LOG, State, readers
from zchat.common import limits, wire

_decode: Final = msgspec.msgpack.decode


class Durable:
    """The durable heads, and the rights that are durable: what is told at once follows from these alone.
    `as_of` is the last durable position, for which the heads are complete."""

    def __init__(self, state: State) -> None:
        self.as_of = state.last_pos
        self.heads = dict(state.heads)
        self._reads: dict[str, dict[str, int]] = {}
        self._members: dict[str, dict[str, None]] = {}  # of private rooms, each in the order of joining
        self._barred: set[tuple[str, str]] = set()  # a nick and a conversation; `$` stands for all of them
        self._nick_of_key: dict[str, str] = {}
        self.away: set[str] = set()
        for nick, user in state.users.items():
            self._reads[nick] = {f"#{name}": pos for name, pos in user.rooms.items()}
            self._nick_of_key.update(dict.fromkeys(user.keys, nick))
            self.set_away(nick, bool(user.away))
        for conversation in state.heads:
            self._add_readers(conversation)
        for name, room in state.rooms.items():
            if room.private:
                self._members[f"#{name}"] = dict.fromkeys(sorted(room.members))
        for name, nick in state.access.kicked:
            self._barred.add((nick, f"#{name}"))
        for name, nick, kind in state.access.sanctions:
            if kind == wire.BAN and name:
                self._barred.add((nick, f"#{name}"))
            elif kind == wire.BAN:
                self._barred |= {(one, LOG) for one in (nick, *state.access.tokens_of(nick))}

    def advance(self, segment: StoredSegment) -> None:
        """A segment became durable."""
        if segment.prev == 0:
            self._add_readers(segment.conversation)
        self.heads[segment.conversation] = self.as_of = segment.last

    def change(self, change: Change, is_private: bool) -> None:
        """What an entry says about who reads what became durable."""
        reads = self._reads.setdefault(change.nick, {})
        if change.start is not None:
            reads[change.conversation] = change.start
        elif change.bars is not False:
            reads.pop(change.conversation, None)
        if is_private:
            members = self._members.setdefault(change.conversation, {})
            members.pop(change.nick, None)
            if change.start is not None:
                members[change.nick] = None
        if change.bars is not None:
            barred = self._barred.add if change.bars else self._barred.discard
            barred((change.nick, change.conversation))

    def set_away(self, nick: str, away: bool) -> None:
        """That somebody is away, or back, became durable."""
        (self.away.add if away else self.away.discard)(nick)

    def keys_changed(self, rows: Iterable[StateRow]) -> None:
        """What rows of the state say about whose keys are whose became durable."""
        for row in rows:
            if row.kind == "key" and row.value is not None:
                self._nick_of_key[row.key] = _decode(row.value)
            elif row.kind == "key":
                self._nick_of_key.pop(row.key, None)

    def nick_of_key(self, key: str) -> str | None:
        """The nick of whoever has this key."""
        return self._nick_of_key.get(key)

    def lets_in(self, nick: str, key: str) -> bool:
        """Whether somebody may open a session with a key."""
        return self._nick_of_key.get(key) == nick and not self.bars(nick, LOG)

    def members(self, conversation: str) -> Collection[str] | None:
        """The members of a private room; None for any other conversation."""
        return self._members.get(conversation)

    def lets(self, nick: str, conversation: str) -> bool:
        """Whether somebody may read a room: nothing forbids it, and if it is private they are in it."""
        members = self._members.get(conversation)
        return (members is None or nick in members) and not self.bars(nick, conversation)

    def bars(self, nick: str, conversation: str) -> bool:
        """Whether somebody may not read a conversation, or none at all."""
        return bool(self._barred) and ((nick, conversation) in self._barred or (nick, LOG) in self._barred)

    def start(self, nick: str, conversation: str) -> int | None:
        """Where a user began to read a conversation, as a member or as one of the two; None for others."""
        return self._reads.get(nick, {}).get(conversation)

    def heads_of(
        self,
        nick: str,
        followed: dict[str, int],
        floor: int,
        after: str,
        with_rooms: bool,
        bot: BotToken | None = None,
    ) -> tuple[list[wire.Head], str]:
        """A page of the heads above `floor` that a session is to know, in the order of their names after
        `after`, and where the next page begins (empty: there is none). `with_rooms`: rooms in any case.
        `bot`: only what that token allows."""
        starts = {**followed, **self._reads.get(nick, {})}
        page: list[wire.Head] = []
        for conversation in sorted(starts):
            pos = self.heads.get(conversation, 0)
            wanted = pos > floor or (with_rooms and conversation.startswith("#"))
            if conversation <= after or not wanted or not allows(bot, conversation):
                continue
            if conversation in followed and not self.lets(nick, conversation):
                continue
            if len(page) == limits.HEADS_MAX:
                return page, page[-1].conversation
            page.append(wire.Head(conversation, pos, starts[conversation]))
        return page, ""

    def contents(self) -> tuple[Any, ...]:
        """All of it, to be compared."""
        reads = {nick: rooms for nick, rooms in self._reads.items() if rooms}
        members = {room: sorted(nicks) for room, nicks in self._members.items()}
        return self.as_of, self.heads, reads, members, self._barred, self._nick_of_key, self.away

    def _add_readers(self, conversation: str) -> None:
        for nick in readers(conversation):
            self._reads.setdefault(nick, {})[conversation] = 0


def allows(bot: BotToken | None, conversation: str) -> bool:
    """Whether the token of a bot, if it has one, is for reading a conversation that it takes part in."""
    if bot is None:
        return True
    return bot.may_read and (not bot.rooms or conversation[1:] in bot.rooms)
