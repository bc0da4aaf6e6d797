"""What an installation of a user has read, over all its processes, and what it must have read in the end."""

from collections.abc import Mapping, Set
from typing import Final

from tests.sim.model import Model, Violation
from zchat.client.core.cursors import Snapshot
from zchat.client.messages import (
    Act,
    MemberJoined,
    MemberLeft,
    Message,
    Redaction,
    Registration,
    TopicChanged,
)
from zchat.client.messages import Entry as Update
from zchat.common import wire

_NOTHING: Final[Mapping[str, Set[int]]] = {}


def conversation_of(update: Update) -> str:
    """Where an entry stands that a user is given."""
    if isinstance(update, MemberJoined | MemberLeft | TopicChanged):
        return f"#{update.room}"
    return update.conversation


class Installation:
    """A place that keeps the cursors of a user. `snapshot` is what is on its disk."""

    def __init__(self, model: Model, nick: str, key: str, resume: bool) -> None:
        self._model = model
        self.nick, self.key, self.resume = nick, key, resume
        self.snapshot: Snapshot | None = None
        self.taken: dict[str, set[int]] = {}  # positions that the user is done with
        self.direct_start: int | None = None  # where direct conversations begin
        self.room_starts: dict[str, int] = {}  # where rooms begin that were joined before it existed
        self.follow_starts: dict[str, int] = {}  # of the rooms that the user follows now
        self._saved_follow_starts: dict[str, int] = {}
        self.ever_followed: set[str] = set()
        self._allowed: dict[str, int] = {}  # as of which position the broker let a room be followed

    @property
    def is_new(self) -> bool:
        """It has never known all heads."""
        return self.snapshot is None or self.snapshot.floor is None

    def save(self, snapshot: Snapshot) -> None:
        """A process writes its cursors."""
        self.snapshot = snapshot
        self._saved_follow_starts = dict(self.follow_starts)

    def wants(self, rooms: list[str]) -> None:
        """The user asks for exactly these rooms. Others are read no longer, sooner or later."""
        self.follow_starts = {room: pos for room, pos in self.follow_starts.items() if room in rooms}

    def begin(self, follows: list[str]) -> None:
        """A new process knows what was saved, and its user wants these rooms (without `#`)."""
        saved = self._saved_follow_starts if self.resume or not self.is_new else {}
        self.follow_starts = {room: saved[room] for room in (f"#{name}" for name in follows) if room in saved}

    def welcomed(self, welcome: wire.Welcome) -> None:
        """The first Welcome of a process of a new installation."""
        self.direct_start = welcome.floor if self.resume else max(welcome.floor, welcome.as_of)
        self.room_starts = {h.conversation: h.pos for h in welcome.heads if h.conversation[0] == "#"}

    def known(self) -> None:
        """The first list of heads is complete: rooms that the Welcome had no place for begin by now."""
        for room, nick in self._model.members:
            if nick == self.nick:
                self.room_starts.setdefault(room, self._model.head(room))

    def follows(self, rooms: list[str], as_of: int) -> None:
        """The broker said yes, as of a position: exactly these rooms are followed, the new ones from now on.
        0: it said no, and what it had said yes to stays, but for rooms that the user was put out of."""
        if as_of:
            self._allowed.update(dict.fromkeys(rooms, as_of))
        kept, self.follow_starts = self.follow_starts, {}
        for room in rooms:
            start = kept.get(room, -1)
            out = self._model.expulsions.get((room, self.nick), 0)
            if out > self._allowed.get(room, 0):
                continue
            is_anew = start < 0 or start <= out <= as_of  # in the second case it was not read for a while
            self.follow_starts[room] = self._model.head(room) if is_anew else start
        self.ever_followed.update(rooms)

    def missing(self, up_to: int | None = None, delivered: Mapping[str, Set[int]] = _NOTHING) -> str:
        """What the user should have been given and was not; empty when there is nothing. `up_to`: of what
        has a higher position nothing is expected yet. `delivered`: what is as good as taken."""
        end = self._model.last_pos if up_to is None else up_to
        for conversation, start in self._wanted():
            taken = self.taken.get(conversation, set()) | delivered.get(conversation, set())
            positions = self._model.by_conversation.get(conversation, [])
            missed = [pos for pos in positions if start < pos <= end and pos not in taken]
            if missed:
                return f"{self.nick} has not got {missed[:10]} of {conversation}, read from {start} on"
        return ""

    def _wanted(self) -> list[tuple[str, int]]:
        """The conversations that are read at the end, and after which position."""
        expulsions = self._model.expulsions
        wanted: list[tuple[str, int]] = [
            (room, start)
            for room, start in self.follow_starts.items()
            if expulsions.get((room, self.nick), 0) <= self._allowed.get(room, start)
            and self._model.decided.reads(self.nick, room)
        ]
        for conversation in self._model.by_conversation:
            if conversation[0] == "@" and self.nick in conversation[1:].split(","):
                assert self.direct_start is not None
                wanted.append((conversation, self.direct_start))
            elif (conversation, self.nick) in self._model.members:
                joined = self._model.joins[conversation, self.nick][-1]
                wanted.append((conversation, max(joined, self.room_starts.get(conversation, 0))))
        return wanted


class Reader:
    """What one process gives its user: in order, without gaps, nothing twice, and only what is in the log."""

    def __init__(self, model: Model, installation: Installation) -> None:
        self._model = model
        self._installation = installation
        self._last: dict[str, int] = {}  # positions that were delivered
        self._delivered: dict[str, set[int]] = {}
        self._welcome: wire.Welcome | None = None  # of the session, until what was missed before is here
        self.caught_up = False  # in this session
        self._changed_pos: dict[str, int] = {}  # the log's end when a room began to be followed
        self._start = installation.snapshot

    def follows(self, rooms: list[str]) -> None:
        """The user has asked for these rooms: others may be read anew from now on."""
        for room in {*rooms, *self._installation.follow_starts}:
            self._changed_pos[room] = 2**53

    def followed(self) -> None:
        """The broker said yes or no."""
        for room, pos in list(self._changed_pos.items()):
            if pos == 2**53:
                self._changed_pos[room] = self._model.last_pos

    def greeted(self, welcome: wire.Welcome) -> None:
        """A session begins."""
        self._welcome, self.caught_up = welcome, False

    def catches_up(self) -> None:
        """The client says that what was there before its session has been delivered."""
        if self._welcome is None or self.caught_up:
            raise Violation(f"{self._nick} caught up out of turn")
        self.caught_up = True
        missing = self._installation.missing(self._welcome.as_of, self._delivered)
        if missing:
            raise Violation(f"caught up with {self._welcome.as_of}, but {missing}")

    def misjudged(self, joined: frozenset[str]) -> str:
        """What the client thinks its user is a member of, or not, although it should know better."""
        members, leaves = self._model.members, self._model.leaves
        for room, nick in members:
            known = joined | self._installation.ever_followed  # such a room may be joined unnoticed
            if nick == self._nick and room not in known:
                return f"{nick} is a member of {room}, and the client reads {sorted(joined)}"
        for room in joined - {room for room, nick in members if nick == self._nick}:
            out = self._model.expulsions.get((room, self._nick), 0)
            by_others = out and self._model.log[out - 1].nick != self._nick  # else as after leaving
            if by_others and out == leaves.get((room, self._nick), [0])[-1]:
                return f"{self._nick} was put out of {room} at {out}, and does not know it"
        for room in joined:
            left = leaves.get((room, self._nick), [0])[-1]
            if (room, self._nick) not in members and left <= self._last.get(room, 0):
                return f"{self._nick} has left {room} at {left}, and the client has told so"
        return ""

    def delivered(self, update: Update) -> tuple[str, int]:
        """The user is given something of a conversation. Returns which and what."""
        conversation = conversation_of(update)
        self._compare(update, conversation)
        last = self._last.get(conversation)
        if last is None:
            last = self._saved(conversation)
        if last is not None and update.pos <= last:
            raise Violation(f"{self._nick} got {update} after {last}")
        if last is not None:
            self._gap(conversation, last, update.pos)
        self._last[conversation] = update.pos
        self._delivered.setdefault(conversation, set()).add(update.pos)
        return conversation, update.pos

    @property
    def _nick(self) -> str:
        return self._installation.nick

    def _saved(self, conversation: str) -> int | None:
        start = self._start
        if start is None or start.floor is None:
            begun = self._installation.direct_start if conversation[0] == "@" else None
            known = start.positions.get(conversation) if start is not None else None
            return max((pos for pos in (begun, known) if pos is not None), default=None)
        if conversation[0] == "@":
            return max(start.positions.get(conversation, 0), start.floor)
        if conversation in start.joined:
            return start.positions.get(conversation, start.floor)
        return start.positions.get(conversation)

    def _compare(self, update: Update, conversation: str) -> None:
        if update.pos > self._model.last_pos:
            raise Violation(f"{self._nick} got {update}, which is not durable")
        entry = self._model.log[update.pos - 1]
        there = (entry.conversation, entry.time_ms)
        if there != (conversation, update.time_ms):
            raise Violation(f"{self._nick} got {update}; there is {entry}")
        match update:
            case Message(sender=nick, text=text, prev=prev, id=id):
                entry_id = entry.id if isinstance(entry.id, str) else "~{}.{}".format(*entry.id)
                same = (entry.kind, nick, prev, id) == ("message", entry.nick, entry.prev, entry_id)
                same = same and text in (entry.text, self._model.removed.get(update.pos))
            case MemberJoined(nick=nick):
                same = (entry.kind, entry.nick) == ("joined", nick)
            case MemberLeft(nick=nick):
                same = (entry.kind, entry.nick) == ("left", nick)
            case TopicChanged(nick=nick, topic=topic):
                same = (entry.kind, entry.nick, entry.text) == ("topic", nick, topic)
            case Act(actor=nick, act=act, subject=subject):
                same = (entry.kind, entry.nick, entry.text) == ("act", nick, f"{act} {subject}".strip())
            case Redaction(nick=nick, of=of):
                same = (entry.kind, entry.nick, entry.text) == ("redacted", nick, f"{of}")
            case Registration():
                same = False  # only in `$`, which nobody follows
        if not same:
            raise Violation(f"{self._nick} got {update}; there is {entry}")
        if conversation[0] == "@" and self._nick not in conversation[1:].split(","):
            raise Violation(f"{self._nick} got {update}")

    def _gap(self, conversation: str, last: int, pos: int) -> None:
        """Between the two nothing may lie, but for what came while the room was not read."""
        prev = self._model.log[pos - 1].prev
        if prev <= last:
            return
        joins = self._model.joins.get((conversation, self._nick), [])
        if any(last < join <= pos and prev <= join for join in joins):
            return
        changed = self._changed_pos.get(conversation)
        if changed is not None and prev <= changed:
            return
        raise Violation(f"{self._nick} got {pos} of {conversation} after {last}, and not {prev}")
