"""The truth that all is compared with: the entries that are durable, by position, and who wrote what.

Longer than other files: it is asked about everything that leaves the broker and all that a user is told, and
each answer takes what is durable from the same few tables.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Protocol

from msgspec.msgpack import decode

from tests.sim.network import Connection
from tests.sim.rights import LOG, Rights
from tests.sim.schedule import Schedule
from tests.sim.texts import text_at, without
from zchat.broker.core.port import StoredSegment, Write
from zchat.client.core.effects import Acknowledge
from zchat.common import limits, wire
from zchat.common.codes import Refusal, refusal


class Violation(AssertionError):
    """Something happened that must never happen."""


class Entry(NamedTuple):
    """A durable entry. `id` is (instance, counter) or a key, empty for acts; `text` message or topic, or what
    was done."""

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
        self.attempts = self.attempts_open = 0
        self.is_contested = False  # several processes try at once, and each has its own answer
        self.had_addressee = False  # when it was given to a client


class Owner(Protocol):
    """What a connection belongs to."""

    nick: str
    key: str
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
        self.stored_frames: dict[int, bytes] = {}  # as they are on disk, by position
        self.segments: dict[str, list[tuple[wire.Segment, int]]] = {}  # by conversation, with their bytes
        self.users: dict[str, int] = {}
        self.rooms: dict[str, int] = {}
        self.members: dict[tuple[str, str], int] = {}
        self.joins: dict[tuple[str, str], list[int]] = {}  # by room and nick
        self.leaves: dict[tuple[str, str], list[int]] = {}  # also of those who were put out
        self.expulsions: dict[tuple[str, str], int] = {}  # the last one, also of those who just read
        self.decided = Rights()  # by what is on disk
        self.told = Rights()  # by what the broker has heard to be on disk
        self._unheard: list[wire.Segment] = []
        self._gone: list[bytes] = []  # frames with texts that were redacted, which the broker may still send
        self.sizes_before: dict[int, int] = {}  # of redacted segments, by position
        self.removed: dict[int, str] = {}  # texts that were redacted, by position
        self.keys: dict[str, str] = {}  # nicks by key
        self.key_ends: dict[str, int] = {}  # where a key became worthless
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
        known = self.last_pos
        for segment in write.segments:
            self._segment(segment)
        _check(write.last_pos == self.last_pos, f"the log ends at {self.last_pos}, told {write.last_pos}")
        for pos in write.redactions:
            self._redact(pos)
        for row in write.state:
            if row.kind == "key":
                self._key(row.key, row.value, known)

    def heard(self) -> None:
        """The broker has heard that what is on disk is durable: it acts by it from now on."""
        for segment in self._unheard:
            self.told.take(segment)
        for frame in self._gone:
            self.frames.pop(frame, None)
        self._unheard.clear()
        self._gone.clear()

    def _key(self, key: str, value: bytes | None, known: int) -> None:
        """A key belongs to somebody, or by an entry behind `known` to nobody any more."""
        if value is not None:
            self.keys[key] = decode(value)
            self.key_ends.pop(key, None)
            return
        nick = self.keys.pop(key)
        ends = [e.pos for e in self.log[known:] if e.conversation == LOG and e.text == f"key_changed {nick}"]
        self.key_ends[key] = ends[0]

    def key_of(self, nick: str) -> str | None:
        """The key of a user, if there is one."""
        return next((key for key, owner in self.keys.items() if owner == nick), None)

    def _redact(self, pos: int) -> None:
        """The text at a position is gone."""
        entry = self.log[pos - 1]
        _check(entry.kind == "message", f"{entry} was redacted")
        if not entry.text:
            return
        self.removed[pos] = entry.text
        self.log[pos - 1] = entry._replace(text="")
        for number, (segment, _) in enumerate(self.segments[entry.conversation]):
            if segment.first <= pos <= segment.last:
                blank = without(segment, {pos})
                frame = wire.encode(blank)
                self.segments[entry.conversation][number] = blank, len(frame)
                self._gone.append(self.stored_frames[segment.first])
                self.sizes_before.setdefault(segment.first, len(self.stored_frames[segment.first]))
                self.stored_frames[segment.first] = frame
                self.frames[frame] = segment.first, entry.conversation

    def recovered(self, segments: list[StoredSegment], keys: dict[str, bytes]) -> None:
        """The store after a crash: what was durable, and perhaps one commit whose outcome nobody knew. `keys`
        are the rows of the state that say whose they are."""
        known, end = len(self.stored_frames), self.last_pos
        if len(segments) > known:
            self.stats["commits revived"] += 1
        for segment in segments[known:]:
            self._segment(segment)
        for stored, frame in zip(segments, list(self.stored_frames.values()), strict=True):
            if stored.frame != frame:  # the redaction came back with that commit
                for pos in range(stored.first, stored.last + 1):
                    if not text_at(wire.decode_segment(stored.frame), pos) and self.log[pos - 1].text:
                        self._redact(pos)
                _check(stored.frame == self.stored_frames[stored.first], "the durable log has changed")
        for key in [*self.keys]:
            if key not in keys:
                self._key(key, None, end)
        for key, value in keys.items():
            self._key(key, value, end)

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
        self.decided.take(segment)
        self._unheard.append(segment)
        self.frames[stored.frame] = segment.first, conversation
        self.stored_frames[segment.first] = stored.frame
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
            case wire.Acted(nick=nick, act=act, subject=subject):
                pos = self._add(segment, "act", nick, "", f"{act} {subject}".strip())
                if act in ("kicked", "banned") and segment.conversation.startswith("#"):
                    place = (segment.conversation, subject)
                    self.expulsions[place] = pos
                    if self.members.pop(place, None) is not None:
                        self.leaves.setdefault(place, []).append(pos)
            case wire.Redacted(nick=nick, pos=removed):
                self._add(segment, "redacted", nick, "", f"{removed}")
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
        _check(self.decided.writes(nick, segment.conversation), f"{nick} may not write {text!r}")
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
                told = (owner.nick, KINDS.get(type(request), "act"))
                _check((entry.nick, entry.kind) == told, f"{answer} for {request}: there is {entry}")
                if isinstance(request, wire.Redact):
                    _check(request.pos in self.removed, f"{answer} for {request}")
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
            _check(frame in self.frames, f"{header}: a segment is not durable, or its text was redacted")
            _, conversation = self.frames[frame]
            if owner is None:
                continue
            if isinstance(header, wire.Page):
                self._entitled(owner.nick, conversation)
                _check(owner.key not in self.key_ends or bool(self._unheard), f"{header}: {owner.key}")
            else:
                self.reaches(owner, frame)
        if isinstance(header, wire.Page):
            conversation = header.conversation
            found = [self.frames[frame] for frame in segments]
            _check(all(c == conversation for _, c in found), f"{header}: another conversation")
            _check(found == sorted(found), f"{header}: not in order")
            _check(header.head == self.head(conversation, header.head), f"{header}: not a head")

    def reaches(self, owner: Owner, frame: bytes) -> None:
        """A segment goes to somebody as it becomes durable, over whatever socket."""
        first, conversation = self.frames[frame]
        _check(self.told.gets(owner.nick, first), f"{first} of {conversation} is not for {owner.nick}")
        end = self.key_ends.get(owner.key)
        _check(end is None or first <= end, f"{first} of {conversation} goes to a key that ended at {end}")

    def published(self, topic: bytes, payload: bytes) -> None:
        """Something leaves the broker for whoever subscribed to it."""
        if topic[:1] == b"#":
            _check(payload in self.frames, f"{topic!r}: a segment is not durable")
            conversation = self.frames[payload][1]
            _check(conversation.encode() + b"\0" == topic, f"{topic!r}: another conversation")
            _check(conversation not in self.decided.private, f"{topic!r} is private")
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
        nick = connection.owner.nick
        rooms = {wire.room_topic(room[1:]) for room in self.rooms if self.told.reads(nick, room)}
        rooms -= {wire.room_topic(room[1:]) for room in self.told.private}
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
            there = (entry.nick, entry.id, self.removed.get(pos, entry.text), entry.time_ms)
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
        _check(self.told.reads(nick, conversation), f"{conversation} is not for {nick}")

    # ---- what users are told ----

    def may_be_turned_away(self, owner: Owner, refusal: Refusal) -> bool:
        """A client is told that it is let in no more."""
        if refusal is Refusal.BANNED:
            return self.decided.was_banned(owner.nick)
        return refusal in (Refusal.NICK_TAKEN, Refusal.KEY_BOUND) and owner.key in self.key_ends

    def acknowledged(self, drafts: list[Draft], instance: int, effect: Acknowledge) -> None:
        """A user is told that these are stored, one after the other."""
        for number, draft in enumerate(drafts):
            pos = effect.pos + number
            _check(pos <= self.last_pos, f"{effect} is not durable")
            entry = self.log[pos - 1]
            id = draft.key or (instance, effect.counter + number)
            text = self.removed.get(pos, entry.text)
            there = (text, entry.conversation, entry.nick, entry.time_ms, entry.id)
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
        elif refusal is Refusal.NOT_ALLOWED:
            is_private = draft.conversation in self.decided.private  # to which one may just be invited
            was = is_private or self.decided.was_restricted(draft.nick, draft.conversation)
            _check(was, f"{draft.text!r}: nothing forbids it")
            draft.settled = True
        elif refusal is Refusal.RATE_LIMITED:
            draft.settled = draft.key is None
            if draft.attempts > 1:  # repeats are not looked for then
                return
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


KINDS: Final[dict[Any, str]] = {
    wire.Join: "joined",
    wire.Leave: "left",
    wire.SetTopic: "topic",
    wire.Redact: "redacted",
}  # of entries, by what was asked for; others are acts


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(what)
