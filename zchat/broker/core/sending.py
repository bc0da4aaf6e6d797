"""Sends and acts on their way to the log: bounds, look-ups of keys, and answers while it is broken."""

from typing import Final, NamedTuple

from zchat.broker.core.context import Context
from zchat.broker.core.decision import keyed_digest, repeated_send
from zchat.broker.core.instances import Accepted
from zchat.broker.core.log import Phase
from zchat.broker.core.port import Found, KeyRow, Look
from zchat.broker.core.sessions import Session
from zchat.broker.core.state import Denied
from zchat.broker.core.submissions import (
    ActSubmitted,
    KeyedSendSubmitted,
    Origin,
    SendSubmitted,
    Submission,
)
from zchat.common import limits, wire
from zchat.common.codes import Refusal

_ACT_BYTES: Final = 256  # what an act counts among the queued bytes


class _LookedUp(NamedTuple):
    """A Send that waits for a look-up of its session: one with a key, or one that came behind it."""

    session: Session
    send: wire.Send | wire.KeyedSend
    size: int


class _Looking(NamedTuple):
    sends: list[_LookedUp]
    written_seq: int


class Sending:
    """Takes Sends and acts to the log. protocol.md, Sending."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._turn: list[_LookedUp] = []
        self._turn_sessions: set[int] = set()
        self._looks: dict[int, _Looking] = {}
        self._tokens = 0

    def send(self, session: Session, send: wire.Send | wire.KeyedSend, size: int) -> None:
        """A Send whose frame has `size` bytes."""
        if size > limits.TEXT_BYTES_MAX:  # else no text can be too large
            try:
                _check_size(send)
            except Denied as denied:
                self._context.deny(session, send.token, denied)
                return
        log = self._context.log
        if session.queued_seq != log.append_seq:
            session.queued_seq, session.queued = log.append_seq, 0
        session.queued += size
        if session.queued > self._context.limits.queued_bytes_per_session_max:
            full = Denied(Refusal.BUSY, "too many bytes of this session wait to be stored")
            self._context.deny(session, send.token, full)
            return
        log.queued_bytes += size
        self._queue(session, send, size)

    def act(self, session: Session, act: wire.Act) -> None:
        """An act."""
        if isinstance(act, wire.SetTopic) and len(act.topic.encode()) > limits.TOPIC_BYTES_MAX:
            denied = Denied(Refusal.TOO_LARGE, f"a topic has at most {limits.TOPIC_BYTES_MAX} bytes")
            self._context.deny(session, act.token, denied)
            return
        self._context.log.queued_bytes += _ACT_BYTES
        mark = f"{session.hello.instance}.{act.token}"
        submission = ActSubmitted(Origin(session.number, act.token), session.nick, act, session.key, mark)
        self._submit(session, submission, _ACT_BYTES, None)

    def end_turn(self) -> None:
        """Look up the keys of this turn, all at once."""
        if not self._turn:
            return
        self._tokens += 1
        self._looks[self._tokens] = _Looking(self._turn, self._context.log.written_seq)
        keys = [(s.session.nick, s.send.key) for s in self._turn if isinstance(s.send, wire.KeyedSend)]
        self._turn = []
        self._turn_sessions.clear()
        self._context.emit(Look(self._tokens, keys))

    def found(self, event: Found) -> None:
        """Keys were looked up: their Sends, and those behind them, go on in order."""
        looking = self._looks.pop(event.token, None)
        if looking is None:
            return
        rows = iter(event.rows or ())
        for session, send, size in looking.sends:
            if isinstance(send, wire.Send):
                self._submit_send(session, send, size)
            elif event.rows is None:
                self._context.log.queued_bytes -= size  # unknown whether it was stored: no answer
            else:
                self._submit_keyed(session, send, size, next(rows), looking.written_seq)
        for session in {looked.session.number: looked.session for looked in looking.sends}.values():
            session.looking = False
            behind = list(session.behind)
            session.behind.clear()
            for send, size in behind:
                self._queue(session, send, size)
        self.end_turn()

    def looked(self) -> list[int]:
        """For each look-up under way, the last Write that it came after."""
        return [looking.written_seq for looking in self._looks.values()] + self._context.log.looks_waiting()

    @property
    def is_idle(self) -> bool:
        """No look-up is under way."""
        return not self._looks

    def _queue(self, session: Session, send: wire.Send | wire.KeyedSend, size: int) -> None:
        """The Sends of a session keep their order: behind a look-up all of them wait."""
        in_turn = session.number in self._turn_sessions
        if session.looking and not in_turn:
            session.behind.append((send, size))
        elif in_turn or isinstance(send, wire.KeyedSend):
            session.looking = True
            self._turn_sessions.add(session.number)
            self._turn.append(_LookedUp(session, send, size))
        else:
            self._submit_send(session, send, size)

    def _submit_send(self, session: Session, send: wire.Send, size: int) -> None:
        session.lowest = max(session.lowest, send.lowest)
        submission = SendSubmitted(
            Origin(session.number, send.token), session.nick, session.hello.instance, send, session.key
        )  # fmt: skip
        self._submit(session, submission, size, None)

    def _submit_keyed(
        self, session: Session, send: wire.KeyedSend, size: int, row: KeyRow | None, looked: int
    ) -> None:
        submission = KeyedSendSubmitted(
            Origin(session.number, send.token), session.nick, send, looked, session.key
        )
        self._submit(session, submission, size, row)

    def _submit(self, session: Session, submission: Submission, size: int, row: KeyRow | None) -> None:
        log = self._context.log
        if row is None and log.phase is Phase.READY:
            log.submit(submission, size)
            return
        log.queued_bytes -= size
        if log.is_in_doubt(submission) or self._context.sessions.numbered(session.number) is None:
            return
        try:
            repeated = self._repeated(submission, row)
        except Denied as denied:
            self._context.hold_denial(session, submission.origin.token, denied)
            return
        if repeated is not None:
            stored = wire.Stored(submission.origin.token, repeated.pos, repeated.time_ms, True)
            self._context.hold(session, submission.origin.token, wire.Ack(session.number, [stored]))

    def _repeated(self, submission: Submission, row: KeyRow | None) -> Accepted | None:
        """The first result of what was stored before. None: no answer can be given. Raises Denied when it was
        not stored, for it cannot be now."""
        log = self._context.log
        match submission:
            case KeyedSendSubmitted(user=user, send=send):
                accepted = Accepted(1, row.digest, row.pos, row.time_ms) if row else None
                fresh = log.fresh.get((user, send.key))
                accepted = accepted or (fresh[1] if fresh else None)
                if accepted is not None:
                    accepted.check_repeat(1, keyed_digest(log.state.conversation(user, send.to), send))
                    return accepted
            case SendSubmitted(user=user, send=keyless):
                instance = log.instances.get((user, submission.instance))
                if instance is None:
                    return None
                instance.raise_lowest(keyless.lowest)
                known, _, _ = repeated_send(log.state, instance, user, keyless)
                if known is not None:
                    return known
            case _:
                pass
        raise _unavailable()


def _unavailable() -> Denied:  # a new one: what is raised twice keeps every frame that it went through
    reason = "the broker cannot write at the moment; nothing of this was stored"
    return Denied(Refusal.STORAGE_UNAVAILABLE, reason)


def _check_size(send: wire.Send | wire.KeyedSend) -> None:
    texts = send.texts if isinstance(send, wire.Send) else [send.text]
    sizes = [len(text.encode()) for text in texts]
    if max(sizes) > limits.TEXT_BYTES_MAX:
        raise Denied(
            Refusal.TOO_LARGE, f"a text has {max(sizes)} bytes; at most {limits.TEXT_BYTES_MAX} are allowed"
        )
    if sum(sizes) > limits.SEND_BYTES_MAX:
        raise Denied(
            Refusal.TOO_LARGE, f"the texts have {sum(sizes)} bytes together; at most {limits.SEND_BYTES_MAX}"
        )  # fmt: skip
