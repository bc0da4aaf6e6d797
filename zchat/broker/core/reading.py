"""Reading: pages, heads, subscriptions, lists, and who gets what became durable."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from zchat.broker.core.access import BotToken
from zchat.broker.core.context import Context
from zchat.broker.core.durable import allows
from zchat.broker.core.effects import Approve, Cut, CutSubscribers, Publish, TransmitSegments
from zchat.broker.core.log import Phase
from zchat.broker.core.port import PageQuery, PageRead, Read, StoredSegment, Unreadable
from zchat.broker.core.sessions import Session
from zchat.broker.core.state import LOG, Denied, readers
from zchat.broker.core.submissions import Origin, RedactSubmitted
from zchat.common import limits, wire
from zchat.common.codes import Refusal

_DIRECTIONS: Final[tuple[Literal["after", "before", "since"], ...]] = ("after", "before", "since")
REDACT_BYTES: Final = 512  # what a redaction counts among the queued bytes


class _Reading(NamedTuple):
    session: int
    token: int
    conversation: str
    query: PageQuery
    redact: wire.Redact | None = None  # what the page is read for, when not to be sent


class Reading:
    """Answers what sessions ask, and delivers. protocol.md, Reading and Subscriptions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reads: dict[int, _Reading] = {}
        self._outdated: set[int] = set()  # tokens of those that may have what was redacted meanwhile
        self._tokens = 0

    # ---- pages ----

    def fetch(self, session: Session, fetch: wire.Fetch) -> None:
        """Have the store read a page."""
        context = self._context
        if session.fetches >= limits.FETCHES_MAX:
            context.deny(
                session, fetch.token, Denied(Refusal.BUSY, f"{session.fetches} pages are being read")
            )
            return
        try:
            conversation = context.log.state.readable(session.nick, fetch.to)
        except Denied as denied:
            context.hold_denial(session, fetch.token, denied)
            return
        if conversation not in context.log.durable.heads:  # new, and perhaps not yet on disk
            context.hold(session, fetch.token, wire.Page(session.number, fetch.token, conversation, 0, 0))
            return
        direction = _DIRECTIONS[fetch.direction]
        query = PageQuery(conversation, direction, fetch.bound, limits.PAGE_BYTES_MAX, fetch.entries_max)
        self._read(session, _Reading(session.number, fetch.token, conversation, query))

    def _read(self, session: Session, reading: _Reading) -> None:
        session.fetches += 1
        self._tokens += 1
        self._reads[self._tokens] = reading
        self._context.emit(Read(self._tokens, reading.query))

    def redacted(self) -> None:
        """Texts have left the store. What is being read may still have them: it is read again."""
        self._outdated.update(self._reads)

    def page_read(self, event: PageRead | Unreadable) -> None:
        """Send on what was read."""
        if event.token in self._outdated and isinstance(event, PageRead):
            self._outdated.discard(event.token)
            self._context.emit(Read(event.token, self._reads[event.token].query))
            return
        self._outdated.discard(event.token)
        reading = self._reads.pop(event.token, None)
        session = self._context.sessions.numbered(reading.session) if reading else None
        if reading is None or session is None:
            return
        session.fetches -= 1
        if isinstance(event, Unreadable):
            denied = Denied(Refusal.UNREADABLE, "the broker cannot read its log at the moment")
            self._context.deny(session, reading.token, denied)
            return
        if reading.redact is not None:
            self._redact(session, reading, event)
            return
        self._transmit_page(session, reading, event)

    def _transmit_page(self, session: Session, reading: _Reading, page: PageRead) -> None:
        """Meanwhile the right to it may have come or gone, by what is not yet durable: then it waits."""
        context, log = self._context, self._context.log
        try:
            log.state.check_session(session.nick, session.key)
            log.state.check_reads(session.nick, reading.conversation)
        except Denied as denied:
            context.hold_denial(session, reading.token, denied)
            return
        conversation = reading.conversation
        head = log.durable.heads.get(conversation, 0)
        header = wire.Page(session.number, reading.token, conversation, page.floor, head)
        transmit = TransmitSegments(session.peer, header, page.segments)
        if conversation != LOG and log.durable.lets(session.nick, conversation):
            context.emit(transmit)
        elif not log.is_loading:
            context.emit(log.hold(Origin(session.number, reading.token), transmit))
        else:
            lost = Denied(Refusal.UNREADABLE, "the broker lost its state for a moment; ask again")
            context.deny(session, reading.token, lost)

    def redact(self, session: Session, request: wire.Redact) -> None:
        """Look who wrote a message whose text is to be removed; then it is decided."""
        context = self._context
        try:
            conversation = self._redactable(session.nick, request.to)
            if context.log.phase is not Phase.READY:
                if context.log.is_redaction_in_doubt(conversation, request.pos):
                    return
                raise Denied(Refusal.STORAGE_UNAVAILABLE, "the broker cannot write at the moment")
            if session.fetches >= limits.FETCHES_MAX:
                raise Denied(Refusal.BUSY, f"{session.fetches} pages are being read")
        except Denied as denied:
            context.hold_denial(session, request.token, denied)
            return
        query = PageQuery(conversation, "after", max(0, request.pos - 1), 1)
        self._read(session, _Reading(session.number, request.token, conversation, query, request))

    def _redactable(self, user: str, address: str) -> str:
        state = self._context.log.state
        if address == LOG:
            raise Denied(Refusal.NO_SUCH_ENTRY, "there are no messages")
        conversation = state.conversation(user, address)
        if address.startswith("#"):
            state.room(address[1:], user)  # also where one may not read any more
        state.check_token(user, conversation)
        return conversation

    def _redact(self, session: Session, reading: _Reading, page: PageRead) -> None:
        context, request = self._context, reading.redact
        assert request is not None
        found = _message_at(page.segments, request.pos)
        if found is None or found[0] != session.nick:
            try:
                self._check_looks(session.nick, reading.conversation)
            except Denied as denied:
                context.hold_denial(session, request.token, denied)
                return
        if found is None:
            reason = f"there is no message at {request.pos} of {request.to}"
            context.deny(session, request.token, Denied(Refusal.NO_SUCH_ENTRY, reason))
            return
        sender, text = found
        origin = Origin(session.number, request.token)
        submission = RedactSubmitted(
            origin,
            session.nick,
            reading.conversation,
            request.pos,
            sender,
            not text,
            request.reason,
            session.key,
        )
        context.submit(submission, REDACT_BYTES)

    def _check_looks(self, user: str, conversation: str) -> None:
        """Raises Denied for somebody who may not read a conversation, and so not learn what is in it and is
        not theirs. Administrators redact also where an owner keeps them out."""
        state = self._context.log.state
        bot = state.access.bot(user)
        if bot is not None and not bot.may_read:
            raise Denied(Refusal.NOT_ALLOWED, "your token is not for reading")
        if not state.access.is_administrator(user):
            state.check_reads(user, conversation)

    # ---- heads and subscriptions ----

    def ping(self, session: Session, ping: wire.Ping) -> None:
        """A sign of life, and a question for heads."""
        session.floor = ping.floor
        self._context.transmit(session, self._heads(session, ping.token, ping.after))

    def follow(self, session: Session, follow: wire.Follow) -> None:
        """Set the rooms that a session reads beyond the joined ones."""
        context = self._context
        try:
            state = context.log.state
            rooms = [f"#{state.readable_room(name, session.nick).name}" for name in follow.rooms]
        except Denied as denied:
            context.hold_denial(session, follow.token, denied)
            return
        durable = context.log.durable
        session.followed = {room: self._start(session, room) for room in rooms}
        session.over_router = follow.over_router
        over_router = context.sessions.over_router
        over_router.pop(session.number, None)
        if follow.over_router:
            over_router[session.number] = session
        heads = [
            wire.Head(r, durable.heads.get(r, 0), start) for r, start in sorted(session.followed.items())
        ]
        nonce = context.sessions.renew_nonce(session)
        followed = wire.Followed(session.number, follow.token, durable.as_of, heads, nonce)
        context.hold(session, follow.token, followed)

    def _start(self, session: Session, room: str) -> int:
        """Where reading a room began: at the join, at an earlier Follow of this session, or now."""
        durable = self._context.log.durable
        joined = durable.start(session.nick, room)
        return joined if joined is not None else session.followed.get(room, durable.heads.get(room, 0))

    def subscribed(self, key: str, topic: bytes) -> None:
        """Approve a subscription by the rights of its key. protocol.md, Subscriptions."""
        context = self._context
        if len(topic) > limits.SUBSCRIPTION_BYTES_MAX:
            context.emit(Cut(key, "a subscription over the limit"))
            return
        nick = context.log.durable.nick_of_key(key)
        if nick is None or context.log.durable.bars(nick, LOG):  # each costs memory, approved or not
            context.emit(CutSubscribers((key,), "nobody's subscription"))
            return
        if not topic.endswith(b"\0"):
            return
        mark, name = topic[:1], topic[1:-1].decode("utf-8", "replace")
        if topic == wire.HERE or mark == b"#":
            if self._may_subscribe(nick, name if mark == b"#" else ""):
                context.emit(Approve(topic))
        elif mark == b"~":
            session = context.sessions.with_nonce(name)
            if session is not None and session.key == key:
                context.emit(Approve(topic))
                context.emit(Publish(topic, wire.encode(self._heads(session, 0, ""))))

    def _may_subscribe(self, nick: str, name: str) -> bool:
        """Whether somebody may have what is published of a room, or with an empty name presence. As far as
        that is durable: what is not yet, is enforced by a cut when it is."""
        state, durable = self._context.log.state, self._context.log.durable
        bot = state.access.bot(nick)
        if bot is not None and not (bot.may_read and (name in bot.rooms if bot.rooms else True)):
            return False
        if not name:
            return not durable.bars(nick, LOG)
        room = state.rooms.get(name)
        return room is not None and not room.private and durable.lets(nick, f"#{name}")

    def _heads(self, session: Session, token: int, after: str) -> wire.Heads:
        durable = self._context.log.durable
        heads, following = durable.heads_of(
            session.nick, session.followed, session.floor, after, False, self._bot(session)
        )
        return wire.Heads(session.number, token, durable.as_of, heads, following)

    def _bot(self, session: Session) -> BotToken | None:
        return self._context.log.state.access.bot(session.nick)

    # ---- delivery ----

    def deliver(self, segment: StoredSegment) -> None:
        """Bring a durable segment to everybody who reads its conversation. The broadcast may lose it; heads
        and `prev` have the reader notice."""
        context = self._context
        conversation = segment.conversation
        members = context.log.durable.members(conversation)
        if members is not None:
            self._deliver_to_all(members, segment)
        elif conversation.startswith("#"):
            context.emit(Publish(wire.room_topic(conversation[1:]), segment.frame))
            durable = context.log.durable
            for session in context.sessions.over_router.values():
                joined = durable.start(session.nick, conversation) is not None
                if joined or (conversation in session.followed and durable.lets(session.nick, conversation)):
                    self._deliver_to(session, segment)
        else:
            self._deliver_to_all(readers(conversation), segment)

    def _deliver_to_all(self, nicks: Iterable[str], segment: StoredSegment) -> None:
        context = self._context
        for nick in nicks:
            for session in context.sessions.of(nick):
                if allows(self._bot(session), segment.conversation):
                    self._deliver_to(session, segment)

    def _deliver_to(self, session: Session, segment: StoredSegment) -> None:
        context = self._context
        if session.reads_live and context.now_ms - session.seen_ms <= context.limits.timeout_ms:
            context.emit(TransmitSegments(session.peer, session.deliver, [segment.frame]))

    def tell_presence(self) -> None:
        """Publish who came and who went since the last time."""
        context = self._context
        if context.presence.due_ms is None or context.now_ms < context.presence.due_ms:
            return
        away = context.log.durable.away
        changes = [wire.Person(*change) for change in context.presence.take(context.sessions, away)]
        for begin in range(0, len(changes), limits.LIST_MAX):
            part = changes[begin : begin + limits.LIST_MAX]
            context.emit(Publish(wire.HERE, wire.encode(wire.Presence(0, part))))
            for session in context.sessions.over_router.values():
                bot = self._bot(session)
                if session.reads_live and (bot is None or (bot.may_read and not bot.rooms)):
                    context.transmit(session, wire.Presence(session.number, part))


def _message_at(segments: Iterable[bytes], pos: int) -> tuple[str, str] | None:
    """Who wrote the message at a position, and its text; None: there is none."""
    for frame in segments:
        segment = wire.decode_segment(frame)
        place = segment.first
        for entry in segment.entries:
            texts = [""]
            if isinstance(entry, wire.Messages):
                texts = entry.texts
            if place <= pos < place + len(texts):
                if isinstance(entry, wire.Messages):
                    return entry.nick, texts[pos - place]
                return (entry.nick, entry.text) if isinstance(entry, wire.KeyedMessage) else None
            place += len(texts)
    return None
