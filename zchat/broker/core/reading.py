"""Reading: pages, heads, subscriptions, lists, and who gets what became durable."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from zchat.broker.core.context import Context
from zchat.broker.core.effects import Approve, Cut, Publish, TransmitSegments
from zchat.broker.core.port import PageQuery, PageRead, Read, StoredSegment, Unreadable
from zchat.broker.core.sessions import Session
from zchat.broker.core.state import Denied, readers
from zchat.common import limits, wire
from zchat.common.codes import Refusal

_DIRECTIONS: Final[tuple[Literal["after", "before", "since"], ...]] = ("after", "before", "since")
_TOPICS_BYTES_MAX: Final = 128 * 1024  # in one answer to ListRooms


class _Reading(NamedTuple):
    session: int
    token: int
    conversation: str


class Reading:
    """Answers what sessions ask, and delivers. protocol.md, Reading and Subscriptions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reads: dict[int, _Reading] = {}
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
            conversation = context.log.state.conversation(session.nick, fetch.to)
        except Denied as denied:
            context.hold_denial(session, fetch.token, denied)
            return
        if conversation not in context.log.durable.heads:  # new, and perhaps not yet on disk
            context.hold(session, fetch.token, wire.Page(session.number, fetch.token, conversation, 0, 0))
            return
        session.fetches += 1
        self._tokens += 1
        self._reads[self._tokens] = _Reading(session.number, fetch.token, conversation)
        query = PageQuery(conversation, _DIRECTIONS[fetch.direction], fetch.bound, limits.PAGE_BYTES_MAX)
        context.emit(Read(self._tokens, query))

    def page_read(self, event: PageRead | Unreadable) -> None:
        """Send on what was read."""
        reading = self._reads.pop(event.token, None)
        session = self._context.sessions.numbered(reading.session) if reading else None
        if reading is None or session is None:
            return
        session.fetches -= 1
        if isinstance(event, Unreadable):
            denied = Denied(Refusal.UNREADABLE, "the broker cannot read its log at the moment")
            self._context.deny(session, reading.token, denied)
            return
        head = self._context.log.durable.heads.get(reading.conversation, 0)
        header = wire.Page(session.number, reading.token, reading.conversation, event.floor, head)
        self._context.emit(TransmitSegments(session.peer, header, event.segments))

    # ---- heads and subscriptions ----

    def ping(self, session: Session, ping: wire.Ping) -> None:
        """A sign of life, and a question for heads."""
        session.floor = ping.floor
        self._context.transmit(session, self._heads(session, ping.token, ping.after))

    def follow(self, session: Session, follow: wire.Follow) -> None:
        """Set the rooms that a session reads beyond the joined ones."""
        context = self._context
        try:
            rooms = [f"#{context.log.state.room(name).name}" for name in follow.rooms]
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
        if context.log.state.user_of_key(key) is None or not topic.endswith(b"\0"):
            return
        mark, name = topic[:1], topic[1:-1].decode("utf-8", "replace")
        if topic == wire.HERE or (mark == b"#" and name in context.log.state.rooms):
            context.emit(Approve(topic))
        elif mark == b"~":
            session = context.sessions.with_nonce(name)
            if session is not None and session.key == key:
                context.emit(Approve(topic))
                context.emit(Publish(topic, wire.encode(self._heads(session, 0, ""))))

    def _heads(self, session: Session, token: int, after: str) -> wire.Heads:
        durable = self._context.log.durable
        heads, following = durable.heads_of(session.nick, session.followed, session.floor, after, False)
        return wire.Heads(session.number, token, durable.as_of, heads, following)

    # ---- lists ----

    def list_people(self, session: Session, request: wire.ListPeople) -> None:
        """Who is registered, or a member of a room."""
        context = self._context
        state = context.log.state
        try:
            nicks: Iterable[str] = state.users if request.room is None else state.room(request.room).members
        except Denied as denied:
            context.hold_denial(session, request.token, denied)
            return
        listed = sorted(nick for nick in nicks if nick > request.after)
        page = [wire.Person(nick, context.sessions.is_present(nick)) for nick in listed[: limits.LIST_MAX]]
        following = page[-1].nick if len(listed) > len(page) else ""
        context.hold(session, request.token, wire.People(session.number, request.token, page, following))

    def list_rooms(self, session: Session, request: wire.ListRooms) -> None:
        """The public rooms."""
        state = self._context.log.state
        listed = sorted(name for name in state.rooms if name > request.after)
        page: list[wire.Room] = []
        size = 0
        for name in listed[: limits.LIST_MAX]:
            room = state.rooms[name]
            size += len(room.topic.encode())
            if size > _TOPICS_BYTES_MAX:
                break
            page.append(wire.Room(name, room.topic, len(room.members)))
        following = page[-1].name if len(listed) > len(page) else ""
        answer = wire.Rooms(session.number, request.token, page, following)
        self._context.hold(session, request.token, answer)

    # ---- delivery ----

    def deliver(self, segment: StoredSegment) -> None:
        """Bring a durable segment to everybody who reads its conversation. The broadcast may lose it; heads
        and `prev` have the reader notice."""
        context = self._context
        conversation = segment.conversation
        if conversation.startswith("#"):
            context.emit(Publish(wire.room_topic(conversation[1:]), segment.frame))
            for session in context.sessions.over_router.values():
                joined = context.log.durable.start(session.nick, conversation) is not None
                if joined or conversation in session.followed:
                    self._deliver_to(session, segment)
        for nick in readers(conversation):
            for session in context.sessions.of(nick):
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
        changes = [wire.Person(nick, present) for nick, present in context.presence.take(context.sessions)]
        for begin in range(0, len(changes), limits.LIST_MAX):
            part = changes[begin : begin + limits.LIST_MAX]
            context.emit(Publish(wire.HERE, wire.encode(wire.Presence(0, part))))
            for session in context.sessions.over_router.values():
                if session.reads_live:
                    context.transmit(session, wire.Presence(session.number, part))
