"""What sessions may ask at all, and the answers to their questions: lists, people, tokens, limits."""

from collections.abc import Iterable
from typing import Final, assert_never

from zchat.broker.core.access import BotToken
from zchat.broker.core.context import Context
from zchat.broker.core.limits import MEANINGS, told
from zchat.broker.core.sessions import Session
from zchat.broker.core.state import Denied, User
from zchat.common import limits, wire
from zchat.common.codes import Refusal

_TOPICS_BYTES_MAX: Final = 128 * 1024  # in one answer to ListRooms
_ROOMS_BYTES_MAX: Final = 128 * 1024  # in one answer to ListTokens
_REASONS_BYTES_MAX: Final = 128 * 1024  # in one answer to ListSanctions
_LISTED_AT_ONCE: Final = 1_000  # people or rooms that are sorted in the time of another request
_OF_EVERY_SESSION: Final = (wire.Ping, wire.Bye)
_OF_BOTS: Final = (wire.Follow, wire.Fetch, wire.ListPeople, wire.ListRooms, wire.Whois, wire.Redact)
_NOT_OF_THE_ACCOUNT: Final = (
    wire.Join, wire.Leave, wire.Follow, wire.SetTopic, wire.ChangeKey, wire.SetAway, wire.SetIgnored
)  # fmt: skip


class Asking:
    """Checks every request of a session, and answers questions. protocol.md, Rights."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check_send(self, session: Session, send: wire.Send | wire.KeyedSend, size: int) -> None:
        """Raises Denied for a Send that a session may not send at all, or not yet. What a bot sends is
        checked where that is decided on."""
        if not session.key:
            raise _for_administration()
        session.acted_ms = now_ms = self._context.now_ms
        messages = len(send.texts) if isinstance(send, wire.Send) else 1
        wait_ms = session.meter.send(messages, size, now_ms)
        if wait_ms:
            raise _limited(wait_ms)

    def check(self, session: Session, request: wire.Request) -> None:
        """Raises Denied for anything else that a session may not ask at all, or not yet."""
        if isinstance(request, _OF_EVERY_SESSION):
            return
        if not session.key:
            if isinstance(request, _NOT_OF_THE_ACCOUNT):
                raise _for_administration()
            return
        now_ms = self._context.now_ms
        if not isinstance(request, wire.Fetch | wire.Follow):
            session.acted_ms = now_ms
        wait_ms = session.meter.requests.take(self._cost(request), now_ms)
        if wait_ms:
            raise _limited(wait_ms)
        bot = self._context.log.state.access.bot(session.nick)
        if bot is not None:
            _check_bot(bot, request)

    def _cost(self, request: wire.Request) -> int:
        """What a request counts: a list takes the longer, the more there are to choose from."""
        state = self._context.log.state
        if isinstance(request, wire.ListPeople) and request.room is None:
            return 1 + len(state.users) // _LISTED_AT_ONCE
        return 1 + len(state.rooms) // _LISTED_AT_ONCE if isinstance(request, wire.ListRooms) else 1

    def ask(self, session: Session, question: wire.Question) -> None:
        """Answer a question, once what is said is durable."""
        try:
            answer = self._answer(session, question)
        except Denied as denied:
            self._context.hold_denial(session, question.token, denied)
            return
        self._context.hold(session, question.token, answer)

    def _answer(self, session: Session, question: wire.Question) -> wire.Listed:
        match question:
            case wire.ListPeople():
                return self._people(session, question)
            case wire.ListRooms():
                return self._rooms(session, question)
            case wire.Whois():
                return self._profile(session, question)
            case wire.ListInvites():
                return self._invites(session, question)
            case wire.ListTokens():
                return self._tokens(session, question)
            case wire.ListSanctions():
                return self._sanctions(session, question)
            case wire.ListLimits():
                return self._limits(session, question)
            case _:
                assert_never(question)

    # ---- people and rooms ----

    def _people(self, session: Session, request: wire.ListPeople) -> wire.People:
        """Who is registered, or a member of a room."""
        state, sessions = self._context.log.state, self._context.sessions
        nicks: Iterable[str] = state.users
        name = ""
        if request.room is not None:
            room = state.room(request.room, session.nick)
            if not session.is_of_account:
                room = state.readable_room(request.room, session.nick)
            nicks, name = room.members, room.name
        listed = sorted(nick for nick in nicks if nick > request.after)
        page = [
            wire.Person(
                nick,
                sessions.is_present(nick),
                bool(state.users[nick].away),
                state.access.role(name, nick),
            )
            for nick in listed[: limits.LIST_MAX]
        ]
        following = page[-1].nick if len(listed) > len(page) else ""
        return wire.People(session.number, request.token, page, following)

    def _rooms(self, session: Session, request: wire.ListRooms) -> wire.Rooms:
        """The public rooms, and those private ones that the user is in or invited to."""
        state = self._context.log.state
        listed = sorted(
            name
            for name, room in state.rooms.items()
            if name > request.after and (not room.private or state.knows_of(room, session.nick))
        )
        page: list[wire.Room] = []
        size = 0
        for name in listed[: limits.LIST_MAX]:
            room = state.rooms[name]
            size += len(room.topic.encode())
            if size > _TOPICS_BYTES_MAX:
                break
            topic = room.topic if not room.private or session.nick in room.members else ""
            page.append(wire.Room(name, topic, len(room.members), room.private, room.announce))
        following = page[-1].name if len(listed) > len(page) else ""
        return wire.Rooms(session.number, request.token, page, following)

    def _profile(self, session: Session, request: wire.Whois) -> wire.Profile:
        context, state = self._context, self._context.log.state
        if not request.nick and session.is_of_account:
            raise Denied(Refusal.NO_SUCH_USER, "the account that runs the broker has no profile")
        user = state.person(request.nick) if request.nick else state.users[session.nick]
        live = [one for one in context.sessions.of(user.nick) if one.open]
        present = any(one.reads_live for one in live)
        idle_ms = context.now_ms - max(one.acted_ms for one in live) if live else 0
        now_ms = context.log.time_ms(context.now_ms)
        return wire.Profile(
            session=session.number,
            token=request.token,
            nick=user.nick,
            keys=sorted(user.keys)[:16],
            since_ms=user.since_ms,
            seen_ms=now_ms if live else context.log.seen_ms.get(user.nick, 0),
            sessions=len(live),
            present=present,
            away=user.away,
            idle_ms=idle_ms,
            role=state.access.role("", user.nick),
            maker=user.maker,
            rooms=self._common_rooms(session, user),
            ignored=sorted(state.access.ignored.get(user.nick, ())) if user.nick == session.nick else [],
        )

    def _common_rooms(self, session: Session, user: User) -> list[str]:
        """The rooms of a user that the one who asks may know of: those both are in, and for administrators
        the public ones."""
        state = self._context.log.state
        if session.is_of_account or state.access.is_administrator(session.nick):
            own = {name for name, room in state.rooms.items() if not room.private}
        else:
            own = set()
        own |= state.users[session.nick].rooms.keys() if not session.is_of_account else set()
        return sorted(own & user.rooms.keys())[: limits.JOINED_ROOMS_MAX]

    # ---- administration ----

    def _check_administrator(self, session: Session) -> None:
        if not self._context.log.state.access.is_administrator(session.nick):
            raise Denied(Refusal.NOT_ALLOWED, "only who administers the broker may ask that")

    def _invites(self, session: Session, request: wire.ListInvites) -> wire.Invites:
        self._check_administrator(session)
        invites = self._context.log.state.access.invites
        listed = sorted(name for name in invites if name > request.after)
        page = [
            wire.InviteRow(name, one.maker, one.nick, one.room, one.uses, one.until_ms)
            for name, one in ((name, invites[name]) for name in listed[: limits.LIST_MAX])
        ]
        following = page[-1].invite if len(listed) > len(page) else ""
        return wire.Invites(session.number, request.token, page, following)

    def _tokens(self, session: Session, request: wire.ListTokens) -> wire.Tokens:
        access = self._context.log.state.access
        all_of_them = access.is_administrator(session.nick)
        listed = sorted(
            nick
            for nick, token in access.tokens.items()
            if nick > request.after and (all_of_them or token.maker == session.nick)
        )
        page: list[wire.TokenRow] = []
        size = 0
        for nick in listed[: limits.LIST_MAX]:
            token = access.tokens[nick]
            size += sum(len(room.encode()) for room in token.rooms)
            if page and size > _ROOMS_BYTES_MAX:
                break
            page.append(
                wire.TokenRow(nick, token.maker, token.rooms, token.may_send, token.may_read, token.until_ms)
            )
        following = page[-1].nick if len(listed) > len(page) else ""
        return wire.Tokens(session.number, request.token, page, following)

    def _sanctions(self, session: Session, request: wire.ListSanctions) -> wire.Sanctions:
        state = self._context.log.state
        name = ""
        if request.room:
            name = state.moderated_room(request.room, session.nick).name
        else:
            self._check_administrator(session)
        found = sorted(
            (
                (nick, kind, one)
                for (room_name, nick, kind), one in state.access.sanctions.items()
                if room_name == name and nick > request.after
            ),
            key=lambda row: row[:2],
        )
        rows = [wire.SanctionRow(n, kind, one.until_ms, one.actor, one.reason) for n, kind, one in found]
        page: list[wire.SanctionRow] = []
        size = 0
        for row in rows[: limits.LIST_MAX]:
            size += len(row.reason.encode())
            if size > _REASONS_BYTES_MAX:
                break
            page.append(row)
        if len(page) < len(rows) and page[-1].nick == rows[len(page)].nick:  # both of one nick, or none
            page.pop()
        following = page[-1].nick if len(page) < len(rows) else ""
        return wire.Sanctions(session.number, request.token, page, following)

    def _limits(self, session: Session, request: wire.ListLimits) -> wire.Bounds:
        self._check_administrator(session)
        rows = [*told(self._context.limits, MEANINGS), *self._context.more_limits]
        return wire.Bounds(session.number, request.token, rows)


def _for_administration() -> Denied:
    return Denied(Refusal.NOT_ALLOWED, "the control socket is for administration")


def _limited(wait_ms: int) -> Denied:
    reason = f"more was sent or asked than is allowed in the time; again in {wait_ms / 1000:.1f} s"
    return Denied(Refusal.RATE_LIMITED, reason, wait_ms)


def _check_bot(token: BotToken, request: wire.Request) -> None:
    """A token is for sending and reading, in the rooms that it names. What it does with a room is checked
    where the room is known."""
    is_list = isinstance(request, wire.ListPeople | wire.ListRooms | wire.Whois)
    if not isinstance(request, _OF_BOTS):
        raise Denied(Refusal.NOT_ALLOWED, "your token is for sending and reading only")
    if isinstance(request, wire.Redact):
        if not token.may_send:
            raise Denied(Refusal.NOT_ALLOWED, "your token is not for sending")
        return
    if not token.may_read:
        raise Denied(Refusal.NOT_ALLOWED, "your token is not for reading")
    if is_list and token.rooms and not (isinstance(request, wire.ListPeople) and request.room):
        raise Denied(Refusal.NOT_ALLOWED, "your token is for its rooms only")
