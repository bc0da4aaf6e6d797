"""Decisions: what becomes of ordered submissions, as a function of the state, the submissions and their time.

Here, and only here, a request is accepted or refused. Nothing of it is told before it is durable.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, NamedTuple, assert_never

import msgspec

from zchat.broker.core.access import Invite
from zchat.broker.core.acts import Acts, Change, Cutoff, Settled, check_new_nick, leads_further
from zchat.broker.core.instances import Accepted, Instance, digest
from zchat.broker.core.limits import Limits
from zchat.broker.core.port import CounterRow, KeyRow, StateRow, StoredSegment
from zchat.broker.core.segments import Draft, Numbering
from zchat.broker.core.state import GENERAL, LOG, Denied, State, User, by
from zchat.broker.core.submissions import (
    ActSubmitted,
    KeyedSendSubmitted,
    Origin,
    RedactSubmitted,
    RegisterSubmitted,
    SendSubmitted,
    Submission,
    TimeSubmitted,
)
from zchat.common import wire
from zchat.common.codes import Refusal

_encode: Final = msgspec.msgpack.Encoder().encode
_INVITE_ID: Final = 8  # characters of what a link has behind its key; the rest is the secret


class Result(NamedTuple):
    """What to answer a Send with, once its position is known and durable."""

    accepted: Accepted
    duplicate: bool


class Scrubbed(NamedTuple):
    """What to answer a redaction with, once no file has the text any more: its position, 0 when it was
    redacted before."""

    pos: int


class Greeted(NamedTuple):
    """A nick is registered, perhaps just now; the session of the Hello goes on."""

    nick: str
    is_new: bool


Answer = Result | Settled | Scrubbed | Greeted | Denied


class Decision(NamedTuple):
    """All that one Ordered brought about: what to write, and what to answer when it is durable."""

    segments: list[StoredSegment]
    counters: list[CounterRow]
    keys: list[KeyRow]
    state: list[StateRow]
    redactions: list[int]
    changes: list[Change]
    cutoffs: list[Cutoff]
    away: dict[str, bool]
    answers: list[tuple[Origin, Answer]]

    @property
    def brought_about(self) -> list[Origin]:
        """The requests that were accepted and changed something; not those that repeated an earlier one."""
        return [origin for origin, answer in self.answers if _changes(answer)]

    @property
    def is_empty(self) -> bool:
        """Nothing has to be written."""
        return not self.segments and not self.redactions and not self.state


def _changes(answer: Answer) -> bool:
    match answer:
        case Result(duplicate=duplicate):
            return not duplicate
        case Settled(pos=pos) | Scrubbed(pos=pos):
            return pos > 0
        case Greeted(is_new=is_new):
            return is_new
        case Denied():
            return False


Instances = dict[tuple[str, int], Instance]
FreshKeys = dict[tuple[str, str], tuple[int, Accepted]]


class Deciding:
    """One Ordered under way. `instances` and `fresh` (keys that a look-up may not have seen, with the seq of
    their commit) belong to the fold and change with it. `redacted` are positions of messages whose text went
    with the commit before, so that a page may still have had it."""

    def __init__(
        self,
        state: State,
        instances: Instances,
        fresh: FreshKeys,
        limits: Limits,
        seq: int,
        time_ms: int,
        redacted: Iterable[int] = (),
    ) -> None:
        self._state = state
        self._instances = instances
        self._fresh = fresh
        self._limits = limits
        self._seq = seq
        self._time_ms = time_ms
        self._numbering = Numbering(state, time_ms)
        self._counters: list[tuple[SendSubmitted, Accepted]] = []
        self._keys: list[tuple[KeyedSendSubmitted, Accepted]] = []
        self._acts = Acts(state, self._numbering, limits, time_ms)
        self._redactions: list[int] = []
        self._redacted = set(redacted)
        self._answers: list[tuple[Origin, Answer]] = []

    def expire(self, time_ms: int) -> None:
        """Before anything else: what has come to its end by the log's time."""
        for ended in self._state.access.ended(time_ms):
            self._acts.end(ended)

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
        acts = self._acts
        return Decision(
            segments,
            counters,
            keys,
            state,
            self._redactions,
            acts.changes,
            acts.cutoffs,
            acts.away,
            self._answers,
        )

    def _decide(self, submission: Submission) -> Answer | None:
        match submission:
            case SendSubmitted():
                return self._send(submission)
            case KeyedSendSubmitted():
                return self._keyed_send(submission)
            case RegisterSubmitted():
                return self._register(submission)
            case ActSubmitted(user=user, act=act, key=key, mark=mark):
                if user != wire.ACCOUNT:
                    self._state.check_session(user, key)
                return self._acts.decide(user, act, key, mark)
            case RedactSubmitted():
                return self._redact(submission)
            case TimeSubmitted():
                return None
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
        self._state.check_write(user, submission.key, conversation)
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
        self._state.check_write(user, submission.key, conversation)
        accepted = Accepted(1, mark)
        self._numbering.collect(
            conversation, Draft(_encode(wire.KeyedMessage(user, send.key, send.text)), accepted)
        )
        self._fresh[user, send.key] = (self._seq, accepted)
        self._keys.append((submission, accepted))
        return Result(accepted, duplicate=False)

    # ---- redactions ----

    def _redact(self, submission: RedactSubmitted) -> Answer:
        user, conversation = submission.user, submission.conversation
        if user != wire.ACCOUNT:
            self._state.check_session(user, submission.key)
        check_redaction(self._state, user, conversation, submission.sender)
        self._redactions.append(submission.pos)
        if submission.is_done or submission.pos in self._redacted:
            return Scrubbed(0)
        self._redacted.add(submission.pos)
        return Scrubbed(self._acts.redacted(user, conversation, submission.pos, submission.reason))

    # ---- registration ----

    def _register(self, submission: RegisterSubmitted) -> Answer:
        state, nick, key = self._state, submission.nick, submission.key
        name = submission.invite[:_INVITE_ID]
        invite = find_invite(state, submission.invite)
        check_identity(state, nick, submission.folded, key, invite)
        holder = state.user_of_folded(submission.folded)
        if holder is not None:
            self._greet_again(holder, key, name, invite)
            return Greeted(holder.nick, is_new=False)  # two Hellos at once
        check_new_user(state, self._limits, submission.folded, submission.invite, invite)
        since = self._numbering.barrier(LOG, wire.Registered(nick, submission.folded, key, name))
        state.add_user(nick, submission.folded, key, since, self._time_ms)
        self._acts.enter(nick, GENERAL)
        if invite is not None:
            self._acts.use_invite(name, nick)
        self._acts.end_invites_for(submission.folded)
        return Greeted(nick, is_new=True)

    def _greet_again(self, holder: User, key: str, name: str, invite: Invite | None) -> None:
        """Somebody who exists shows an invite: for a lost key, or for a room."""
        if invite is None:
            return
        if key not in holder.keys:
            pos = self._acts.audit(holder.nick, "key_replaced", holder.nick)
            self._acts.take_keys(holder, pos, "the key was replaced")
            self._state.add_key(holder.nick, key)
            self._acts.use_invite(name, holder.nick)
            self._acts.end_invites_for(holder.folded)
        elif leads_further(self._state, self._limits, holder, invite):
            self._acts.use_invite(name, holder.nick)


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


def check_identity(state: State, nick: str, folded: str, key: str, invite: Invite | None) -> None:
    """Raises Denied unless the nick is free and so is the key, or both belong together, or `invite` is for
    that nick."""
    owner, holder = state.user_of_key(key), state.user_of_folded(folded)
    if owner is not None and owner is not holder:
        raise Denied(Refusal.KEY_BOUND, f"this key belongs to the nick {owner.nick}, not to {nick}")
    if holder is None:
        return
    replaces = invite is not None and invite.folded == folded and not holder.maker
    if key not in holder.keys and not replaces:
        if holder.maker and not holder.keys:
            raise Denied(Refusal.NICK_TAKEN, f"the token of {holder.nick} has ended")
        raise Denied(Refusal.NICK_TAKEN, f"the nick {holder.nick} belongs to another key")
    ban = state.access.ban_of(holder.nick)
    if ban is not None:
        raise Denied(Refusal.BANNED, f"{holder.nick} was banned {by(ban)}")


def find_invite(state: State, secret: str) -> Invite | None:
    """The invite that this is the secret of; None: there is none. In a time that does not tell how much of
    the secret is right."""
    invite = state.access.invites.get(secret[:_INVITE_ID])
    if invite is None:
        return None
    shown = sha256(secret[_INVITE_ID:].encode()).digest()
    return invite if hmac.compare_digest(shown, invite.digest) else None


def check_new_user(state: State, limits: Limits, folded: str, secret: str, invite: Invite | None) -> None:
    """Raises Denied unless somebody may be registered under a free nick."""
    if secret and (invite is None or not invite.is_for(folded)):
        raise Denied(
            Refusal.INVITE_INVALID, "this invite is unknown, used up, at its end, or for another nick"
        )
    if limits.invite_only and invite is None:
        raise Denied(Refusal.NOT_INVITED, "this broker registers nobody without an invite")
    check_new_nick(state, folded)
    if len(state.users) >= limits.users_max:
        raise Denied(Refusal.LIMIT_REACHED, f"the broker has {len(state.users)} users, its limit")


def check_redaction(state: State, user: str, conversation: str, sender: str) -> None:
    """Raises Denied unless somebody may remove the text of a message of `sender`."""
    token = state.access.bot(user)
    if user == sender:
        if token is None or token.may_send:
            return
    elif conversation.startswith("#") and token is None:
        state.moderated_room(conversation[1:], user)
        return
    raise Denied(Refusal.NOT_ALLOWED, "only who wrote a message, or an operator of a room, removes its text")
