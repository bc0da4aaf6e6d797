"""Access: whatever anybody asks, nothing raises, and nobody gets what the log does not entitle them to."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.property.wire_values import small_values
from tests.sim.rights import Rights
from tests.unit.broker.crowd import DIGEST, SECRET
from tests.unit.broker.play import ACCOUNT, Peer, Play, hello, somebody
from zchat.broker.core import port
from zchat.broker.core.effects import (
    Approve,
    CutSubscribers,
    NetworkEffect,
    Publish,
    Transmit,
    TransmitSegments,
)
from zchat.broker.core.limits import Limits
from zchat.broker.core.state import State
from zchat.common import wire
from zchat.common.codes import Refusal

PEOPLE: Final = ("ann", "bob", "cat", "!eve")
BOTS: Final = ("robo", "spy")
NICKS: Final = (*PEOPLE, *BOTS, "ANN", "nobody", "$")
INVITES: Final = ("aaaaaaaa", "bbbbbbbb")
LIMITS: Final = Limits(tokens_per_user_max=3, invites_max=2, sanctions_max=6, sessions_per_user_max=4)


class Watched(Play):
    """A play in which everything that leaves the broker is looked at as it does."""

    look: Callable[[list[Any]], None] = lambda self, effects: None

    def _run(self, effects: Any) -> None:
        told = list(effects)
        self.look(told)
        super()._run(told)
        self.effects.clear()


class Chaos:
    """People, bots and the account, who ask for whatever comes to their mind. Keys can change hands."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.rights = Rights()
        self.taken = 0  # segments
        self.play = Watched(LIMITS._replace(invite_only=rng.random() < 0.3))
        self.play.look = self._look  # type: ignore[method-assign]
        self.peers = [somebody(name) for name in (*PEOPLE, *BOTS, "other", "another")] + [ACCOUNT]
        self.sessions: dict[bytes, tuple[int, str]] = {}  # number and nick, by peer
        self.nicks: dict[int, str] = {}  # by session, also of those that have ended
        self.subscribed: set[tuple[str, bytes]] = set()  # key and topic
        self.subscribing = ""  # the key whose subscription was read last
        self.tokens = 0
        self.counters: dict[bytes, int] = {}

    # ---- what happens ----

    def begin(self) -> None:
        """Everybody comes, and somebody administers, now and then."""
        for peer in self.peers[-1:] + self.peers:
            self._greet(peer)
        if self.rng.random() < 0.7:
            number, _ = self.sessions[ACCOUNT.peer]
            self.play.receive(ACCOUNT.asks(wire.SetRole(number, 2**40, "", "ann", wire.OPERATOR, "")))

    def step(self) -> None:
        """Something happens, and what the broker says to it is looked at."""
        rng, play = self.rng, self.play
        chance = rng.random()
        away = [peer for peer in self.peers if peer.peer not in self.sessions]
        if chance < 0.15:
            self._greet(rng.choice(away if away and rng.random() < 0.8 else self.peers))
        elif chance < 0.25:
            self._subscribe(rng.choice(self.peers))
        elif chance < 0.30:
            play.time_ms += rng.choice((-5_000, 1, 500, 1_000, 60_000))
        elif chance < 0.35:
            play.elapse(rng.choice((1, 100, 1_000, 5_000)))
        elif chance < 0.36:
            play.store.fail_next(rng.random() < 0.5)
        elif chance < 0.41:
            play.hold()
        elif chance < 0.50 and play.waiting:
            play.carry_out(type(rng.choice([play.waiting[0], *_reads(play)])))
        elif chance < 0.56:
            play.catch_up()
        else:
            requests = [one for one in (self._request() for _ in range(rng.choice((1, 1, 2, 5)))) if one]
            if requests and play.core.accepting:
                play.receive(*requests)

    def end(self) -> None:
        """Everything comes to rest."""
        self.play.catch_up()
        self.play.elapse(2_000)
        self.play.check_kept()

    def _greet(self, peer: Peer) -> None:
        rng = self.rng
        known = self.state.user_of_key(peer.key)
        nick = known.nick if known and rng.random() < 0.8 else peer.peer[1:].decode()
        nick = rng.choice(NICKS) if rng.random() < 0.1 else nick
        invite = rng.choice(INVITES) + (SECRET if rng.random() < 0.8 else "x") if rng.random() < 0.4 else ""
        greeting = hello(
            nick,
            instance=rng.choice((1, 1, 2)),
            floor=rng.choice((None, 0, 5)),
            quiet=rng.random() < 0.2,
            register=rng.random() < 0.8,
            invite=invite,
        )
        if self.play.core.accepting:
            self.play.receive(peer.asks(greeting, rng.choice(("192.0.2.1", "192.0.2.2"))))

    def _subscribe(self, peer: Peer) -> None:
        if peer == ACCOUNT:
            return
        topics = [wire.HERE, *(wire.room_topic(room) for room in self.rooms())]
        self.subscribing = peer.key
        self.play.subscribe(peer, self.rng.choice(topics))

    @property
    def state(self) -> State:
        return self.play.core._context.log.state

    def rooms(self) -> list[str]:
        """Names of rooms that there are, private ones more often, and of some that there are not."""
        private = [name for name, room in self.state.rooms.items() if room.private]
        return [*self.state.rooms, *private[-2:], "dev", "nowhere", "ops+99"]

    def message(self) -> tuple[str, int]:
        """An address and a position, often of a message."""
        said = [s for s in map(wire.decode_segment, self.play.segments[-40:]) if s.conversation[0] == "#"]
        if said and self.rng.random() < 0.8:
            segment = self.rng.choice(said)
            return segment.conversation, self.rng.randint(segment.first, segment.last)
        return _to(self), _pos(self)

    def _asker(self, made: Any) -> Peer | None:
        """Who asks for it: often somebody who may."""
        wanted: set[str] = set()
        if room := getattr(made, "room", ""):
            wanted = {
                nick for (name, nick), role in self.state.access.roles.items() if name == room and role > 1
            }
            if isinstance(made, wire.Join):
                wanted = {nick for name, nick in self.state.access.invited if name == room}
        elif isinstance(made, wire.EndToken):
            wanted = {token.maker for nick, token in self.state.access.tokens.items() if nick == made.nick}
        elif hasattr(made, "room") or isinstance(made, wire.MakeInvite | wire.EndInvite):
            wanted = {"$", "ann"}
        able = [p for p in self.peers if self.sessions.get(p.peer, (0, ""))[1] in wanted]
        there = [p for p in self.peers if p.peer in self.sessions]
        people = able if able and self.rng.random() < 0.7 else there
        return self.rng.choice(people) if people else None

    def _request(self) -> Any:
        made = self.rng.choice(REQUESTS)(self)
        peer = self._asker(made)
        if peer is None:
            return None
        number, _ = self.sessions[peer.peer]
        if isinstance(made, wire.Bye):
            return peer.asks(replace(made, session=number))
        self.tokens += 1
        if isinstance(made, wire.Send):
            counter = self.counters.get(peer.peer, 0)
            self.counters[peer.peer] = counter + len(made.texts)
            made = replace(made, counter=counter, lowest=counter)
        return peer.asks(replace(made, session=number, token=self.tokens))

    # ---- what is seen ----

    def _look(self, effects: list[Any]) -> None:
        """Compare what leaves the broker with what is on disk."""
        for frame in self.play.segments[self.taken :]:
            segment = wire.decode_segment(frame)
            for entry in segment.entries:
                if isinstance(entry, wire.Messages | wire.KeyedMessage):
                    assert self.rights.writes(entry.nick, segment.conversation), (entry, segment)
            self.rights.take(segment)
            self.taken += 1
        for effect in effects:
            self._look_at(effect)

    def _look_at(self, effect: NetworkEffect) -> None:
        match effect:
            case Transmit(peer=peer, answer=wire.Welcome() as welcome):
                self.sessions[peer] = (welcome.session, welcome.nick)
                self.nicks[welcome.session] = welcome.nick
                self.counters[peer] = 0
                assert peer == ACCOUNT.peer or self.rights.is_let_in(welcome.nick)
                self._heads(welcome.nick, welcome.heads)
            case Transmit(answer=wire.Heads() | wire.Followed() as answer):
                self._heads(self.nicks[answer.session], answer.heads)
            case Transmit(peer=peer, answer=wire.Refused(session=number, code=code)):
                assert code not in (Refusal.MALFORMED.value,) or number
                if code == Refusal.NOT_GREETED.value and self.sessions.get(peer, (0, ""))[0] == number:
                    self.sessions.pop(peer, None)
            case Transmit(answer=wire.Rooms() as answer):
                nick = self.nicks[answer.session]
                hidden = {f"#{room.name}" for room in answer.rooms} & self.rights.private
                assert all(self._knows(nick, room) for room in hidden)
            case Transmit(answer=wire.Profile(rooms=rooms, session=number)):
                nick = self.nicks[number]
                assert all(self.rights.reads(nick, f"#{r}") for r in rooms if f"#{r}" in self.rights.private)
            case TransmitSegments(header=header, segments=frames):
                self._segments(self.nicks[header.session], header, frames)
            case Publish(topic=topic, payload=payload) if topic[:1] == b"#":
                self._published(topic, wire.decode_segment(payload))
            case Approve(topic=topic):
                self.subscribed.add((self.subscribing, topic))
            case CutSubscribers(keys=keys):
                self.subscribed = {one for one in self.subscribed if one[0] not in keys}
            case _:
                pass

    def _knows(self, nick: str, room: str) -> bool:
        return self.rights.reads(nick, room) or (room[1:], nick) in self.state.access.invited

    def _heads(self, nick: str, heads: list[wire.Head]) -> None:
        for head in heads:
            assert self.rights.reads(nick, head.conversation), (nick, head)

    def _segments(self, nick: str, header: wire.Deliver | wire.Page, frames: list[bytes]) -> None:
        for frame in frames:
            segment = wire.decode_segment(frame)
            if isinstance(header, wire.Page):
                assert self.rights.reads(nick, segment.conversation), (nick, segment)
            else:
                assert self.rights.gets(nick, segment.first), (nick, segment)

    def _published(self, topic: bytes, segment: wire.Segment) -> None:
        assert segment.conversation not in self.rights.private
        log = self.play.core._context.log
        for key, subscribed in self.subscribed:
            nick = self._owner(key)
            if subscribed == topic and nick:
                assert self.rights.gets(nick, segment.first), (nick, segment, log.phase)

    def _owner(self, key: str) -> str:
        return self.play.core._context.log.durable.nick_of_key(key) or ""


def _reads(play: Play) -> list[Any]:
    return [one for one in play.waiting if isinstance(one, port.Read)]


# ---- requests -------------------------------------------------------------------------------------------

Make = Callable[[Chaos], Any]


def _nick(world: Chaos) -> str:
    return world.rng.choice(NICKS)


def _room(world: Chaos) -> str:
    return world.rng.choice(world.rooms())


def _place(world: Chaos) -> str:
    return world.rng.choice((_room(world), _room(world), ""))


def _to(world: Chaos) -> str:
    return world.rng.choice((f"#{_room(world)}", f"#{_room(world)}", f"@{_nick(world)}", "$", "@$", "x"))


def _pos(world: Chaos) -> int:
    return world.rng.randint(0, world.state.last_pos + 2)


def _lifetime(world: Chaos) -> int:
    return world.rng.choice((0, 1, 1_000, 60_000, 2**53 - 1))


def _key(world: Chaos) -> str:
    return world.rng.choice(world.peers[:-1]).key


REQUESTS: tuple[Make, ...] = (
    *[lambda w: wire.Send(0, 0, 0, _to(w), 0, w.rng.choice((["a"], ["b", "c"])))] * 4,
    *[lambda w: wire.KeyedSend(0, 0, _to(w), f"k{w.rng.randint(0, 20)}", w.rng.choice("ab"))] * 2,
    *[lambda w: wire.Join(0, 0, _room(w), w.rng.random() < 0.1)] * 4,
    lambda w: wire.Leave(0, 0, _room(w)),
    lambda w: wire.SetTopic(0, 0, _room(w), w.rng.choice(("", "a", "b"))),
    *[lambda w: wire.Fetch(0, 0, _to(w), w.rng.randint(0, 2), _pos(w))] * 3,
    *[lambda w: wire.Follow(0, 0, w.rng.sample(w.rooms(), w.rng.randint(0, 2)), w.rng.random() < 0.7)] * 3,
    lambda w: wire.Ping(0, 0, w.rng.choice((0, _pos(w))), ""),
    lambda w: wire.ListPeople(0, 0, w.rng.choice((None, _room(w))), ""),
    lambda w: wire.ListRooms(0, 0, ""),
    lambda w: wire.Bye(0),
    lambda w: wire.MakeInvite(
        0, 0, w.rng.choice(INVITES), DIGEST, w.rng.choice(("", _nick(w))), _place(w), w.rng.randint(1, 3),
        _lifetime(w), "",
    ),
    lambda w: wire.EndInvite(0, 0, w.rng.choice(INVITES), ""),
    *[
        lambda w: wire.MakeToken(
            0, 0, w.rng.choice((*BOTS, _nick(w))), _key(w), w.rng.sample(w.rooms(), w.rng.randint(0, 2)),
            w.rng.random() < 0.7, w.rng.random() < 0.7, _lifetime(w), "",
        )
    ] * 2,
    lambda w: wire.EndToken(0, 0, w.rng.choice((*BOTS, _nick(w))), ""),
    *[lambda w: wire.SetRole(0, 0, _place(w), _nick(w), w.rng.randint(0, 3), "")] * 2,
    lambda w: wire.SetMode(0, 0, _room(w), w.rng.random() < 0.3),
    *[lambda w: wire.InviteToRoom(0, 0, _room(w), _nick(w))] * 3,
    *[lambda w: wire.Kick(0, 0, _room(w), _nick(w), "")] * 2,
    *[lambda w: wire.Sanction(0, 0, _place(w), _nick(w), w.rng.randint(1, 2), _lifetime(w), "r")] * 2,
    *[lambda w: wire.Pardon(0, 0, _place(w), _nick(w), w.rng.randint(1, 2), "")] * 2,
    lambda w: wire.ChangeKey(0, 0, _key(w)),
    *[lambda w: wire.Redact(0, 0, *w.message(), "")] * 2,
    lambda w: wire.SetAway(0, 0, w.rng.choice(("", "lunch"))),
    lambda w: wire.SetIgnored(0, 0, _nick(w), w.rng.random() < 0.5),
    lambda w: wire.Whois(0, 0, w.rng.choice(("", _nick(w)))),
    lambda w: wire.ListInvites(0, 0, ""),
    lambda w: wire.ListTokens(0, 0, ""),
    lambda w: wire.ListSanctions(0, 0, _place(w), ""),
    lambda w: wire.ListLimits(0, 0),
)  # fmt: skip


@given(st.integers(0, 2**32))
@settings(max_examples=150)
def test_nobody_gets_what_is_not_for_them(seed: int) -> None:
    world = Chaos(seed)
    world.begin()
    for _ in range(120):
        world.step()
    world.end()


@given(st.lists(small_values(wire.Request), max_size=20), st.integers(0, 2**32))
def test_nothing_raises(requests: list[Any], seed: int) -> None:
    """Requests with fields of any content, in the name of sessions that live."""
    world = Chaos(seed)
    world.begin()
    for request in requests:
        peer = world.rng.choice(world.peers)
        number, _ = world.sessions.get(peer.peer, (0, ""))
        named = request if isinstance(request, wire.Hello) else replace(request, session=number)
        world.play.receive(peer.asks(named))
    world.end()
