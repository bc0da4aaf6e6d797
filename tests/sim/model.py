"""The truth that all is compared with: the entries that are durable, by position, and who wrote what."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from tests.sim.network import Connection
from tests.sim.schedule import Schedule
from zchat.broker.core.port import StoredSegment, Write
from zchat.client.core.effects import Acknowledge
from zchat.common import limits, wire
from zchat.common.codes import Refusal, refusal


class Violation(AssertionError):
    """Something happened that must never happen."""


class Entry(NamedTuple):
    """A durable entry. `id` is (instance, counter) or a key, empty for acts; `text` message or topic."""

    pos: int
    prev: int
    conversation: str
    time_ms: int
    kind: str
    nick: str
    id: tuple[int, int] | str
    text: str


class Draft:
    """What a user wanted to have sent: a message whose text occurs nowhere else. One with a key may be tried
    several times."""

    def __init__(self, nick: str, to: str, conversation: str, text: str, key: str | None) -> None:
        self.nick, self.to, self.conversation, self.text, self.key = nick, to, conversation, text, key
        self.pos = 0  # where the user was told it is
        self.settled = False  # acknowledged, or refused for good
        self.forbidden = ""  # why it must not be stored: what the user was told
        self.is_unknown = False  # an attempt ended without an answer, so it may be stored at any time
        self.attempts_open = 0
        self.is_contested = False  # several processes try at once, and each has its own answer
        self.had_addressee = False  # when it was given to a client


class Owner(Protocol):
    """What a connection belongs to."""

    nick: str
    instance: int
    sent: dict[int, wire.Request]


class Model:
    """Keeps the durable log by itself, and raises Violation."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.stats: Counter[str] = Counter()
        self.log: list[Entry] = []
        self.by_conversation: dict[str, list[int]] = {}
        self.frames: dict[bytes, tuple[int, str]] = {}  # every durable segment, by position and conversation
        self.segments: dict[str, list[tuple[wire.Segment, int]]] = {}  # by conversation, with their bytes
        self.users: dict[str, int] = {}
        self.rooms: dict[str, int] = {}
        self.members: dict[tuple[str, str], int] = {}
        self.joins: dict[tuple[str, str], list[int]] = {}  # by room and nick
        self.leaves: dict[tuple[str, str], list[int]] = {}
        self.drafts: dict[str, Draft] = {}
        self.stored: dict[str, int] = {}  # positions by text
        self._ids: dict[tuple[str, tuple[int, int] | str], int] = {}
        self.known_pos = 0  # up to which the broker has heard that it is durable
        self._last_time_ms = 0
        self._owners: dict[int, Owner] = {}  # by session
        self._told_heads_of: Owner | None = None  # on a nonce
        self.may_be_unavailable = False

    @property
    def last_pos(self) -> int:
        return len(self.log)

    def head(self, conversation: str, as_of: int | None = None) -> int:
        """The conversation's last position, or its last one up to `as_of`."""
        positions = self.by_conversation.get(conversation, [])
        count = len(positions) if as_of is None else bisect_right(positions, as_of)
        return positions[count - 1] if count else 0

    # ---- what becomes durable ----

    def written(self, write: Write) -> None:
        """A transaction is on disk."""
        self.stats["writes"] += 1
        for segment in write.segments:
            self._segment(segment)
        _check(write.last_pos == self.last_pos, f"the log ends at {self.last_pos}, told {write.last_pos}")

    def recovered(self, segments: list[StoredSegment]) -> None:
        """The store after a crash: what was durable, and perhaps one commit whose outcome nobody knew."""
        known = len(self.frames)
        frames = [segment.frame for segment in segments]
        _check(frames[:known] == list(self.frames), "the durable log has changed in a crash")
        if len(segments) > known:
            self.stats["commits revived"] += 1
        for segment in segments[known:]:
            self._segment(segment)

    def _segment(self, stored: StoredSegment) -> None:
        segment = wire.decode_segment(stored.frame)
        conversation = segment.conversation
        told = (conversation, segment.prev, segment.first, segment.last, segment.time_ms)
        _check(stored[:5] == told, f"{stored} is stored as {told}")
        _check(segment.first == self.last_pos + 1, f"{told} does not follow {self.last_pos}")
        _check(segment.prev == self.head(conversation), f"{told}: the head was {self.head(conversation)}")
        _check(segment.time_ms >= self._last_time_ms, f"{told}: time runs backwards")
        _check(len(stored.frame) <= limits.SEGMENT_BYTES_MAX, f"{told}: too many bytes")
        _check(segment.last - segment.first < limits.SEGMENT_ENTRIES_MAX, f"{told}: too many entries")
        _check(stored.frame not in self.frames, f"{told}: twice")
        self._last_time_ms = segment.time_ms
        barriers = [e for e in segment.entries if not isinstance(e, wire.Messages | wire.KeyedMessage)]
        _check(not barriers or len(segment.entries) == 1, f"{told}: a barrier is not alone")
        for entry in segment.entries:
            self._entry(segment, entry)
        self.frames[stored.frame] = segment.first, conversation
        self.segments.setdefault(conversation, []).append((segment, len(stored.frame)))
        _check(segment.last == self.last_pos, f"{told} ends at {self.last_pos}")

    def _entry(self, segment: wire.Segment, entry: wire.Entries) -> None:
        match entry:
            case wire.Messages(nick=nick, instance=instance, counter=counter, texts=texts):
                for number, text in enumerate(texts, counter):
                    self._message(segment, nick, (instance, number), text)
            case wire.KeyedMessage(nick=nick, key=key, text=text):
                self._message(segment, nick, key, text)
            case wire.Registered(nick=nick):
                _check(nick not in self.users, f"{nick} was registered twice")
                self.users[nick] = self._add(segment, "registered", nick, "", "")
            case wire.Joined(nick=nick, created=created):
                room = segment.conversation
                _check(created == (room not in self.rooms), f"{room}: created={created}")
                _check((room, nick) not in self.members, f"{nick} joined {room} twice")
                pos = self._add(segment, "joined", nick, "", "")
                self.rooms.setdefault(room, pos)
                self.members[room, nick] = pos
                self.joins.setdefault((room, nick), []).append(pos)
            case wire.Left(nick=nick):
                room = segment.conversation
                _check(self.members.pop((room, nick), None) is not None, f"{nick} was not in {room}")
                pos = self._add(segment, "left", nick, "", "")
                self.leaves.setdefault((room, nick), []).append(pos)
            case wire.TopicSet(nick=nick, topic=topic):
                self._add(segment, "topic", nick, "", topic)
            case wire.Unknown():
                raise Violation(f"an unknown entry in {segment}")

    def _message(self, segment: wire.Segment, nick: str, id: tuple[int, int] | str, text: str) -> None:
        draft = self.drafts.get(text)
        if draft is None:
            raise Violation(f"nobody sent {text!r}")
        _check(text not in self.stored, f"{text!r} is stored twice, at {self.stored.get(text)} before")
        _check((nick, id) not in self._ids, f"the id {id} of {nick} is stored twice")
        _check(not draft.forbidden, f"{text!r} is stored, but its sender was told: {draft.forbidden}")
        whose = (draft.nick, draft.conversation)
        _check(whose == (nick, segment.conversation), f"{text!r} of {whose} is stored as {nick}'s, {segment}")
        _check(draft.key is None or draft.key == id, f"{text!r} has the id {id}")
        self._ids[nick, id] = self.stored[text] = self._add(segment, "message", nick, id, text)

    def _add(self, segment: wire.Segment, kind: str, nick: str, id: tuple[int, int] | str, text: str) -> int:
        conversation, pos = segment.conversation, self.last_pos + 1
        prev = self.head(conversation)
        self.log.append(Entry(pos, prev, conversation, segment.time_ms, kind, nick, id, text))
        self.by_conversation.setdefault(conversation, []).append(pos)
        return pos

    # ---- what the broker tells ----

    def answered(self, connection: Connection | None, answer: wire.Answer) -> None:
        """An answer leaves the broker."""
        match answer:
            case wire.Welcome(session=session, heads=heads, as_of=as_of):
                if connection is not None:  # else nobody hears of that session
                    self._owners[session] = connection.owner
                    self._heads(session, heads, as_of)
            case wire.Ack(session=session, results=rows):
                for row in rows:
                    self._told_stored(session, row)
            case wire.Done(session=session, token=token, pos=pos) if pos and session in self._owners:
                _check(pos <= self.last_pos, f"{answer}: not durable")
                owner = self._owners[session]
                entry, request = self.log[pos - 1], owner.sent[token]
                kinds: dict[Any, str] = {wire.Join: "joined", wire.Leave: "left", wire.SetTopic: "topic"}
                told = (owner.nick, kinds[type(request)])
                _check((entry.nick, entry.kind) == told, f"{answer} for {request}: there is {entry}")
            case wire.Heads(session=session, heads=heads, as_of=as_of):
                self._heads(session, heads, as_of)
            case wire.Followed(session=session, heads=heads, as_of=as_of):
                self._heads(session, heads, as_of)
            case wire.People(people=people):
                self._people(person.nick for person in people)
            case wire.Rooms(rooms=rooms):
                for room in rooms:
                    _check(f"#{room.name}" in self.rooms, f"{room} is not durable")
            case wire.Presence(changes=changes):
                self._people(person.nick for person in changes)
            case wire.Refused(session=session, token=token, code=code) if session in self._owners:
                request = self._owners[session].sent.get(token)
                self.stats[f"refused {refusal(code).name}"] += 1
                _check(code != Refusal.MALFORMED.value, f"{request} is malformed")
            case _:
                pass

    def sent_segments(self, header: wire.Deliver | wire.Page, segments: list[bytes]) -> None:
        """Segments leave the broker for one session."""
        owner = self._owners.get(header.session)
        for frame in segments:
            _check(frame in self.frames, f"{header}: a segment is not durable")
            if owner is not None:
                self._entitled(owner.nick, self.frames[frame][1])
        if isinstance(header, wire.Page):
            conversation = header.conversation
            found = [self.frames[frame] for frame in segments]
            _check(all(c == conversation for _, c in found), f"{header}: another conversation")
            _check(found == sorted(found), f"{header}: not in order")
            _check(header.head == self.head(conversation, header.head), f"{header}: not a head")

    def published(self, topic: bytes, payload: bytes) -> None:
        """Something leaves the broker for whoever subscribed to it."""
        if topic[:1] == b"#":
            _check(payload in self.frames, f"{topic!r}: a segment is not durable")
            _check(self.frames[payload][1].encode() + b"\0" == topic, f"{topic!r}: another conversation")
            return
        answer = wire.decode_answer(payload)
        if isinstance(answer, wire.Heads):
            self._told_heads_of = self._owners.get(answer.session)
            self._heads(answer.session, answer.heads, answer.as_of)
        elif isinstance(answer, wire.Presence):
            self._people(person.nick for person in answer.changes)

    def confirmed(self, connection: Connection) -> None:
        """A nonce was answered: it is this client's, and all that was asked for before is in force."""
        _check(self._told_heads_of is connection.owner, f"{connection.owner.nick} got the heads of another")
        rooms = {wire.room_topic(room[1:]) for room in self.rooms}
        missing = connection.asked & (rooms | {wire.HERE}) - connection.topics
        _check(not missing, f"{missing} of {connection.owner.nick} is not in force")

    def _told_stored(self, session: int, row: wire.Stored) -> None:
        owner = self._owners.get(session)
        if owner is None:
            return
        request = owner.sent.get(row.token)
        match request:
            case wire.Send(texts=texts, counter=counter):
                ids: list[tuple[int, int] | str] = [(owner.instance, counter + i) for i in range(len(texts))]
            case wire.KeyedSend(text=text, key=key):
                texts, ids = [text], [key]
            case _:
                raise Violation(f"{row} answers {request}")
        for pos, (text, id) in enumerate(zip(texts, ids, strict=True), row.pos):
            _check(pos <= self.last_pos, f"{row} is not durable")
            entry = self.log[pos - 1]
            there = (entry.nick, entry.id, entry.text, entry.time_ms)
            _check(there == (owner.nick, id, text, row.time_ms), f"{row} for {request}: there is {entry}")

    def _heads(self, session: int, heads: Iterable[wire.Head], as_of: int) -> None:
        owner = self._owners.get(session)
        if owner is None:
            return
        _check(as_of <= self.last_pos, f"as_of {as_of} is not durable")
        for head in heads:
            self._entitled(owner.nick, head.conversation)
            true = self.head(head.conversation, as_of)
            left = self.leaves.get((head.conversation, owner.nick), [])
            _check(head.pos == true or head.pos in left, f"{head}: as of {as_of} it is {true}")

    def _people(self, nicks: Iterable[str]) -> None:
        for nick in nicks:
            _check(nick in self.users, f"{nick} is not durable")

    def _entitled(self, nick: str, conversation: str) -> None:
        mine = conversation[:1] == "#" or nick in conversation[1:].split(",")
        _check(mine, f"{conversation} is not for {nick}")

    # ---- what users are told ----

    def acknowledged(self, drafts: list[Draft], instance: int, effect: Acknowledge) -> None:
        """A user is told that these are stored, one after the other."""
        for number, draft in enumerate(drafts):
            pos = effect.pos + number
            _check(pos <= self.last_pos, f"{effect} is not durable")
            entry = self.log[pos - 1]
            id = draft.key or (instance, effect.counter + number)
            there = (entry.text, entry.conversation, entry.nick, entry.time_ms, entry.id)
            told = (draft.text, draft.conversation, draft.nick, effect.time_ms, id)
            _check(there == told, f"{effect} for {draft.text!r}: there is {entry}")
            _check(draft.pos in (0, pos), f"{draft.text!r} was at {draft.pos}, is at {pos}")
            draft.pos, draft.settled = pos, True
            self.stats["acknowledged"] += 1

    def refused(self, draft: Draft, refusal: Refusal) -> None:
        """A user is told no."""
        self.stats[f"told {refusal.name}"] += 1
        if refusal is Refusal.STORAGE_UNAVAILABLE:
            _check(self.may_be_unavailable, f"{draft.text!r}: the store did not fail")
            draft.settled = draft.key is None
        elif refusal in (Refusal.NO_SUCH_ROOM, Refusal.NO_SUCH_USER):
            _check(not draft.had_addressee, f"{draft.text!r}: {draft.to} was there")
            draft.settled = True
        elif refusal is Refusal.ID_REUSED:
            other = self._ids.get((draft.nick, draft.key)) if draft.key is not None else None
            _check(other is not None, f"{draft.text!r} is refused as a reuse of its id, which is new")
            draft.settled = True
        else:
            raise Violation(f"{draft.text!r} is refused: {refusal}")
        self._forbid(draft, f"refused, {refusal.name}")

    def _forbid(self, draft: Draft, why: str) -> None:
        if draft.is_unknown or draft.attempts_open or draft.is_contested:
            return
        _check(draft.text not in self.stored, f"{draft.text!r}: {why}, but it is stored")
        draft.forbidden = why

    def abandoned(self, draft: Draft, handed_over: bool) -> None:
        """A user is told that nobody knows, or that the broker never saw it."""
        self.stats["outcome unknown" if handed_over else "never handed over"] += 1
        if handed_over:
            draft.is_unknown = True
        else:
            if not draft.pos:  # else it was, by an earlier attempt
                self._forbid(draft, "never handed over")


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(what)
