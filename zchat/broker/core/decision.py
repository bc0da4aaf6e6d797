"""Decisions: what becomes of ordered submissions, as a function of the state, the submissions and their time.

Here, and only here, a request is accepted or refused. Nothing of it is told before it is durable.
"""

from typing import Final, NamedTuple, assert_never

import msgspec

from zchat.broker.core.instances import Accepted, Instance, digest
from zchat.broker.core.limits import Limits
from zchat.broker.core.port import CounterRow, KeyRow, StateRow, StoredSegment
from zchat.broker.core.segments import Draft, Numbering
from zchat.broker.core.state import GENERAL, Denied, Membership, State
from zchat.broker.core.submissions import (
    ActSubmitted,
    KeyedSendSubmitted,
    Origin,
    RegisterSubmitted,
    SendSubmitted,
    Submission,
)
from zchat.common import names, wire
from zchat.common.codes import Refusal

_encode: Final = msgspec.msgpack.Encoder().encode
LOG: Final = "$"  # the conversation of entries that belong to none


class Result(NamedTuple):
    """What to answer a Send with, once its position is known and durable."""

    accepted: Accepted
    duplicate: bool


class Settled(NamedTuple):
    """What to answer an act with: its position, 0 when nothing had to change."""

    pos: int


class Greeted(NamedTuple):
    """A nick is registered, perhaps just now; the session of the Hello goes on."""

    nick: str
    is_new: bool


Answer = Result | Settled | Greeted | Denied


class Decision(NamedTuple):
    """All that one Ordered brought about: what to write, and what to answer when it is durable."""

    segments: list[StoredSegment]
    counters: list[CounterRow]
    keys: list[KeyRow]
    state: list[StateRow]
    memberships: list[Membership]
    answers: list[tuple[Origin, Answer]]

    @property
    def brought_about(self) -> list[Origin]:
        """The requests that were accepted and changed something; not those that repeated an earlier one."""
        return [origin for origin, answer in self.answers if _changes(answer)]

    @property
    def is_empty(self) -> bool:
        """Nothing has to be written."""
        return not self.segments


def _changes(answer: Answer) -> bool:
    match answer:
        case Result(duplicate=duplicate):
            return not duplicate
        case Settled(pos=pos):
            return pos > 0
        case Greeted(is_new=is_new):
            return is_new
        case Denied():
            return False


Instances = dict[tuple[str, int], Instance]
FreshKeys = dict[tuple[str, str], tuple[int, Accepted]]


class Deciding:
    """One Ordered under way. `instances` and `fresh` (keys that a look-up may not have seen, with the seq of
    their commit) belong to the fold and change with it."""

    def __init__(
        self, state: State, instances: Instances, fresh: FreshKeys, limits: Limits, seq: int, time_ms: int
    ) -> None:
        self._state = state
        self._instances = instances
        self._fresh = fresh
        self._limits = limits
        self._seq = seq
        self._numbering = Numbering(state, time_ms)
        self._counters: list[tuple[SendSubmitted, Accepted]] = []
        self._keys: list[tuple[KeyedSendSubmitted, Accepted]] = []
        self._memberships: list[Membership] = []
        self._answers: list[tuple[Origin, Answer]] = []

    def decide(self, submission: Submission) -> None:
        """Decide on the next submission."""
        try:
            answer = self._decide(submission)
        except Denied as denied:
            answer = denied
        if answer is not None:
            self._answers.append((submission.origin, answer))

    def close(self) -> Decision:
        """Number and encode what is left."""
        self._numbering.close()
        segments = self._numbering.segments
        counters = [
            CounterRow(
                s.instance, s.user, s.send.counter, a.messages, a.pos, a.time_ms, a.digest
            )
            for s, a in self._counters
        ]  # fmt: skip
        keys = [KeyRow(s.user, s.send.key, a.pos, a.time_ms, a.digest) for s, a in self._keys]
        state = self._state.take_changed()
        return Decision(segments, counters, keys, state, self._memberships, self._answers)

    def _decide(self, submission: Submission) -> Answer | None:
        match submission:
            case SendSubmitted():
                return self._send(submission)
            case KeyedSendSubmitted():
                return self._keyed_send(submission)
            case RegisterSubmitted():
                return self._register(submission)
            case ActSubmitted(user=user, act=wire.Join(room=room)):
                return self._join(user, room)
            case ActSubmitted(user=user, act=wire.Leave(room=room)):
                return self._leave(user, room)
            case ActSubmitted(user=user, act=wire.SetTopic(room=room, topic=topic)):
                return self._set_topic(user, room, topic)
            case ActSubmitted():
                raise AssertionError(submission)
            case _:
                assert_never(submission)

    # ---- Sends ----

    def _send(self, submission: SendSubmitted) -> Answer | None:
        user, instance_number, send = submission.user, submission.instance, submission.send
        instance = self._instances.get((user, instance_number))
        if instance is None:  # its rows are being loaded again: the client repeats it
            return None
        instance.raise_lowest(send.lowest)
        messages = len(send.texts)
        known, conversation, mark = repeated_send(self._state, instance, user, send)
        if known is not None:
            return Result(known, duplicate=True)
        if instance.remembered >= self._limits.remembered_sends_max:
            raise Denied(Refusal.BUSY, "too many Sends above the lowest counter; raise it")
        accepted = Accepted(messages, mark)
        entry = _encode(wire.Messages(user, instance_number, send.counter, send.texts))
        self._numbering.collect(conversation, Draft(entry, accepted))
        instance.accept(send.counter, accepted)
        self._counters.append((submission, accepted))
        return Result(accepted, duplicate=False)

    def _keyed_send(self, submission: KeyedSendSubmitted) -> Answer:
        user, send = submission.user, submission.send
        conversation = self._state.conversation(user, send.to)
        mark = keyed_digest(conversation, send)
        fresh = self._fresh.get((user, send.key))
        if fresh is not None:
            fresh[1].check_repeat(1, mark)
            return Result(fresh[1], duplicate=True)
        accepted = Accepted(1, mark)
        self._numbering.collect(
            conversation, Draft(_encode(wire.KeyedMessage(user, send.key, send.text)), accepted)
        )
        self._fresh[user, send.key] = (self._seq, accepted)
        self._keys.append((submission, accepted))
        return Result(accepted, duplicate=False)

    # ---- acts ----

    def _register(self, submission: RegisterSubmitted) -> Answer:
        state, nick = self._state, submission.nick
        check_identity(state, nick, submission.folded, submission.key)
        holder = state.user_of_folded(submission.folded)
        if holder is not None:
            return Greeted(holder.nick, is_new=False)  # two Hellos at once
        if submission.folded in state.rooms or submission.folded == GENERAL:
            raise Denied(Refusal.NAME_INVALID, f"a room is called {submission.folded}")
        if len(state.users) >= self._limits.users_max:
            raise Denied(Refusal.LIMIT_REACHED, f"the broker has {len(state.users)} users, its limit")
        since = self._numbering.barrier(LOG, wire.Registered(nick, submission.folded, submission.key))
        state.add_user(nick, submission.folded, submission.key, since)
        self._enter(nick, GENERAL)
        return Greeted(nick, is_new=True)

    def _join(self, user: str, typed: str) -> Answer:
        try:
            name = names.room(typed)
        except names.InvalidName as error:
            raise Denied(Refusal.NAME_INVALID, f"the name {error}") from None
        state = self._state
        if name in state.users[user].rooms:
            return Settled(0)
        if len(state.users[user].rooms) >= self._limits.joined_rooms_max:
            raise Denied(
                Refusal.LIMIT_REACHED, f"you are in {self._limits.joined_rooms_max} rooms, the limit"
            )
        if name not in state.rooms:
            namesake = state.user_of_folded(name)
            if namesake is not None:
                raise Denied(Refusal.NAME_INVALID, f"a person is called {namesake.nick}")
            if len(state.rooms) >= self._limits.rooms_max:
                raise Denied(Refusal.LIMIT_REACHED, f"the broker has {len(state.rooms)} rooms, its limit")
        return Settled(self._enter(user, name))

    def _enter(self, user: str, name: str) -> int:
        created = name not in self._state.rooms
        pos = self._numbering.barrier(f"#{name}", wire.Joined(user, created))
        if created:
            self._state.add_room(name)
        self._state.add_member(name, user, pos)
        self._memberships.append((user, f"#{name}", pos))
        return pos

    def _leave(self, user: str, typed: str) -> Answer:
        room = self._state.room(typed)
        if user not in room.members:
            return Settled(0)
        pos = self._numbering.barrier(f"#{room.name}", wire.Left(user))
        self._state.remove_member(room.name, user)
        self._memberships.append((user, f"#{room.name}", None))
        return Settled(pos)

    def _set_topic(self, user: str, typed: str, topic: str) -> Answer:
        room = self._state.room(typed)
        if topic == room.topic:
            return Settled(0)
        pos = self._numbering.barrier(f"#{room.name}", wire.TopicSet(user, topic))
        self._state.set_topic(room.name, topic)
        return Settled(pos)


def repeated_send(
    state: State, instance: Instance, user: str, send: wire.Send
) -> tuple[Accepted | None, str, bytes]:
    """The first result of a Send that was accepted before, or None; its conversation and digest. Duplicates
    are looked up before rights. Raises Denied."""
    try:
        conversation = state.conversation(user, send.to)
    except Denied as denied:
        instance.known(send.counter, len(send.texts), b"")  # one out of order is told so first
        raise denied from None
    mark = digest(conversation, _encode(send.texts))
    return instance.known(send.counter, len(send.texts), mark), conversation, mark


def keyed_digest(conversation: str, send: wire.KeyedSend) -> bytes:
    """The digest of a Send with a key."""
    return digest(conversation, _encode(send.text))


def check_identity(state: State, nick: str, folded: str, key: str) -> None:
    """Raises Denied unless the nick is free and so is the key, or both belong together."""
    owner, holder = state.user_of_key(key), state.user_of_folded(folded)
    if holder is not None and key not in holder.keys:
        raise Denied(Refusal.NICK_TAKEN, f"the nick {holder.nick} belongs to another key")
    if owner is not None and owner is not holder:
        raise Denied(Refusal.KEY_BOUND, f"this key belongs to the nick {owner.nick}, not to {nick}")
