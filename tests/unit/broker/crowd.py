"""People in a play: who asks is told the answer, and what one may do is seen by trying it."""

import pickle
from collections.abc import Iterable
from copy import deepcopy
from hashlib import sha256
from itertools import count
from typing import Any

from msgspec.structs import replace

from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, Peer, Play, hello, somebody
from zchat.broker.core.effects import Approve, Transmit, TransmitSegments
from zchat.broker.core.events import Request
from zchat.broker.core.limits import Limits
from zchat.common import wire
from zchat.common.codes import Refusal

DAN = somebody("dan")
SECRET = "abcdefghijklmnopqrstuvwxyz234567"
DIGEST = sha256(SECRET.encode()).digest()
FOR_EVER = 0  # as a lifetime
_NO_SESSION = 2**50  # no number of a session


class Crowd:
    """A play with people in it, who have a session each."""

    def __init__(self, *people: Peer, limits: Limits | None = None, play: Play | None = None) -> None:
        self.play = play or Play(limits)
        self.sessions: dict[Peer, int] = {}
        self._tokens = count(1)
        self._counters: dict[Peer, int] = {}
        for peer in people:
            self.greet(peer)

    def greet(self, peer: Peer, nick: str = "", **options: Any) -> int:
        """Somebody comes."""
        self.sessions[peer] = self.play.greet(peer, nick or _nick(peer), **options)
        return self.sessions[peer]

    def refusal_of_hello(self, peer: Peer, nick: str = "", **options: Any) -> Refusal | None:
        """Somebody tries to come in; None: and does."""
        self.play.skip()
        self.play.receive(peer.asks(hello(nick or _nick(peer), **options)))
        told = [e.answer for e in self.play.effects if isinstance(e, Transmit) and e.peer == peer.peer]
        self.play.skip()
        for answer in told:
            if isinstance(answer, wire.Refused) and answer.session == 0:
                return Refusal(answer.code)
            if isinstance(answer, wire.Welcome):
                self.sessions[peer] = answer.session
                return None
        raise AssertionError(told)

    def asks(self, who: Peer, request: Any) -> Request:
        """The request with the session of the one who asks, and the next token."""
        if isinstance(request, wire.Bye):
            return who.asks(replace(request, session=self.sessions[who]))
        return who.asks(replace(request, session=self.sessions[who], token=next(self._tokens)))

    def says(self, who: Peer, to: str, *texts: str) -> Request:
        """A Send with the next counters."""
        counter = self._counters.get(who, 0)
        self._counters[who] = counter + len(texts)
        return self.asks(who, wire.Send(0, 0, counter, to, counter, list(texts)))

    # ---- at once; what others are told is not of interest ----

    def ask(self, who: Peer, request: Any) -> Any:
        """The answer to a request; to a Fetch the segments of the page."""
        return self.answers(self.asks(who, request))[0]

    def answers(self, *requests: Request) -> list[Any]:
        """What one turn of the loop reads, and the answer to each; of one that is repeated in their order."""
        self.play.skip()
        self.play.receive(*requests)
        found = [self._answers(request) for request in requests]
        times = [requests[:n].count(request) for n, request in enumerate(requests)]
        self.play.skip()
        return [told[n] if n < len(told) else None for told, n in zip(found, times, strict=True)]

    def answer(self, request: Request) -> Any:
        """What was told in answer to a request; None: nothing."""
        return next(iter(self._answers(request)), None)

    def _answers(self, request: Request) -> list[Any]:
        asked: Any = request.request
        found: list[Any] = []
        for effect in self.play.effects:
            match effect:
                case Transmit(peer=peer, answer=wire.Ack(results=rows)) if peer == request.peer:
                    found += [row for row in rows if row.token == asked.token]
                case Transmit(peer=peer, answer=answer) if peer == request.peer:
                    if (getattr(answer, "session", 0), getattr(answer, "token", 0)) == asked_by(asked):
                        found.append([] if isinstance(answer, wire.Page) else answer)
                case TransmitSegments(peer=peer, header=wire.Page() as page, segments=segments):
                    if peer == request.peer and (page.session, page.token) == asked_by(asked):
                        found.append([wire.decode_segment(frame) for frame in segments])
                case _:
                    pass
        return found

    def act(self, who: Peer, act: Any) -> int:
        """Something is done; its position."""
        answer = self.ask(who, act)
        assert isinstance(answer, wire.Done), answer
        return answer.pos

    def refusal(self, who: Peer, request: Any) -> Refusal:
        """Something is refused; why."""
        answer = self.ask(who, request)
        assert isinstance(answer, wire.Refused), answer
        return Refusal(answer.code)

    def reason(self, who: Peer, request: Any) -> str:
        """Something is refused; what is told."""
        answer = self.ask(who, request)
        assert isinstance(answer, wire.Refused), answer
        return answer.reason

    def send(self, who: Peer, to: str, *texts: str) -> int | Refusal:
        """Messages are sent; the position of the first, or why not."""
        (answer,) = self.answers(self.says(who, to, *texts))
        if isinstance(answer, wire.Refused):
            self._counters[who] -= len(texts)
            return Refusal(answer.code)
        assert isinstance(answer, wire.Stored), answer
        return answer.pos

    def private_room(self, owner: Peer, *members: Peer, base: str = "ops") -> str:
        """A new private room with members; its name."""
        room: str = self.ask(owner, wire.Join(0, 0, base, True)).name
        for member in members:
            self.act(owner, wire.InviteToRoom(0, 0, room, _nick(member)))
            self.act(member, wire.Join(0, 0, room))
        return room

    def entries(self, who: Peer, to: str) -> list[Any]:
        """What somebody reads of a conversation."""
        segments = self.ask(who, wire.Fetch(0, 0, to, 0, 0))
        assert isinstance(segments, list), segments
        return [entry for segment in segments for entry in segment.entries]

    def subscribes(self, who: Peer, topic: bytes) -> bool:
        """Somebody subscribes to a topic; whether that was approved."""
        self.play.skip()
        self.play.subscribe(who, topic)
        approved = Approve(topic) in self.play.effects
        self.play.skip()
        return approved


def _nick(peer: Peer) -> str:
    return peer.peer[1:].decode() if peer != ACCOUNT else wire.ACCOUNT


def asked_by(request: Any) -> tuple[int, int]:
    """Session and token, as an answer quotes them."""
    return request.session, request.token


def texts(entries: Iterable[Any]) -> list[str]:
    """What was said."""
    found: list[str] = []
    for entry in entries:
        if isinstance(entry, wire.Messages):
            found += entry.texts
        elif isinstance(entry, wire.KeyedMessage):
            found.append(entry.text)
    return found


def acts(entries: Iterable[Any]) -> list[tuple[str, str, str]]:
    """What was done: by whom, what, to whom."""
    return [(entry.nick, entry.act, entry.subject) for entry in entries if isinstance(entry, wire.Acted)]


# ---- what everybody may do -------------------------------------------------------------------------------


def rights(play: Play, people: Iterable[Peer] = (ANN, BOB, CAT, DAN)) -> dict[str, str]:
    """What each of them may do now, by trying all kinds of things on copies of the broker. The same before
    and after a restart."""
    found: dict[str, str] = {}
    rooms = sorted(play.core._context.log.state.rooms)
    for peer in (*people, ACCOUNT):
        crowd = Crowd(play=deepcopy(play))
        why = crowd.refusal_of_hello(peer, instance=77)
        name = _nick(peer)
        found[f"{name} is let in"] = str(why)
        if why is not None:
            continue
        for topic in (wire.HERE, *(wire.room_topic(room) for room in rooms)):
            found[f"{name} subscribes {topic!r}"] = str(crowd.subscribes(peer, topic))
        for request in questions(rooms):
            found[f"{name}: {request}"] = _told(crowd, peer, request)
        frozen = pickle.dumps(crowd)  # which is copied sooner than by deepcopy
        for request in deeds(rooms):
            found[f"{name}: {request}"] = _told(pickle.loads(frozen), peer, request)
    return found


def questions(rooms: Iterable[str]) -> list[Any]:
    """Requests that change nothing."""
    asked: list[Any] = [
        wire.Ping(0, 0, 0, ""),
        wire.ListPeople(0, 0, None, ""),
        wire.ListRooms(0, 0, ""),
        wire.Whois(0, 0, ""),
        wire.Whois(0, 0, "bob"),
        wire.ListInvites(0, 0, ""),
        wire.ListTokens(0, 0, ""),
        wire.ListSanctions(0, 0, "", ""),
        wire.Fetch(0, 0, "$", 0, 0),
        wire.Fetch(0, 0, "@ann", 0, 0),
        wire.Fetch(0, 0, "@$", 0, 0),
    ]
    for room in rooms:
        asked += [
            wire.Fetch(0, 0, f"#{room}", 0, 0),
            wire.ListPeople(0, 0, room, ""),
            wire.ListSanctions(0, 0, room, ""),
            wire.Follow(0, 0, [room], False),
        ]
    return asked


def deeds(rooms: Iterable[str]) -> list[Any]:
    """Requests that change something, each to be tried on a copy."""
    tried: list[Any] = [
        wire.Send(0, 0, 0, "@bob", 0, ["x"]),
        wire.KeyedSend(0, 0, "@bob", "k", "x"),
        wire.MakeInvite(0, 0, "aaaaaaaa", DIGEST, "", "", 1, 0, ""),
        wire.MakeToken(0, 0, "robo", "r" * 40, [], True, True, 0, ""),
        wire.SetRole(0, 0, "", "bob", wire.OPERATOR, ""),
        wire.Sanction(0, 0, "", "bob", wire.BAN, 0, ""),
        wire.Pardon(0, 0, "", "bob", wire.BAN, ""),
    ]
    for room in rooms:
        tried += [
            wire.Send(0, 0, 0, f"#{room}", 0, ["x"]),
            wire.Join(0, 0, room),
            wire.Leave(0, 0, room),
            wire.SetTopic(0, 0, room, "a new topic"),
            wire.SetMode(0, 0, room, True),
            wire.InviteToRoom(0, 0, room, "cat"),
            wire.Kick(0, 0, room, "bob", ""),
            wire.Sanction(0, 0, room, "bob", wire.MUTE, 0, ""),
            wire.Pardon(0, 0, room, "bob", wire.MUTE, ""),
            wire.SetRole(0, 0, room, "bob", wire.VOICE, ""),
        ]
    return tried


def _told(crowd: Crowd, who: Peer, request: Any) -> str:
    """The answer, without what differs from session to session."""
    answer = crowd.ask(who, request)
    match answer:
        case wire.Followed():
            answer = replace(answer, session=0, token=0, nonce="")
        case wire.Profile():  # when one was seen is told by the clock
            answer = replace(answer, session=0, token=0, seen_ms=0, sessions=0, present=False, idle_ms=0)
        case wire.People(people=people):
            answer = replace(
                answer, session=0, token=0, people=[replace(one, present=False) for one in people]
            )
        case wire.Stored():
            answer = replace(answer, token=0)
        case list() | None:
            pass
        case _:
            answer = replace(answer, session=0, token=0)
    return str(answer)
