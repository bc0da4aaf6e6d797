"""What the parts of the core share: the sessions, the log, the time, and the effects of the present event."""

from collections.abc import Sequence

from zchat.broker.core.effects import Log as LogLine
from zchat.broker.core.effects import NetworkEffect, Transmit
from zchat.broker.core.limits import Limits
from zchat.broker.core.log import Log
from zchat.broker.core.metering import Meters
from zchat.broker.core.port import Command
from zchat.broker.core.sessions import Presence, Session, Sessions
from zchat.broker.core.state import Denied
from zchat.broker.core.submissions import Origin, Submission
from zchat.common import limits as wire_limits
from zchat.common import wire
from zchat.common.codes import Refusal

Effect = NetworkEffect | Command
_UNREMARKABLE = (Refusal.NOT_GREETED, Refusal.OUT_OF_ORDER)  # part of every reconnection


class Context:
    """One broker. `now_ms` is that of the event in hand."""

    def __init__(
        self,
        limits: Limits,
        sessions: Sessions,
        xpub_port: int,
        software: str,
        more_limits: Sequence[wire.Bound],
    ) -> None:
        self.more_limits = more_limits
        self.limits = limits
        self.sessions = sessions
        self.xpub_port = xpub_port
        self.software = software
        self.presence = Presence(wire_limits.PRESENCE_INTERVAL_MS)
        self.log = Log(limits)
        self.meters = Meters(limits)
        self.now_ms = 0
        self.effects: list[Effect] = []

    def emit(self, effect: Effect | None) -> None:
        """Add to what the shell is to do, in order. Rows for one session that follow each other are one Ack:
        as many frames as a client may repeat Sends would not fit into its queue."""
        if effect is None:
            return
        if self.effects and (joined := _joined(self.effects[-1], effect)):
            self.effects[-1] = joined
        else:
            self.effects.append(effect)

    def note(self, event: str, details: str = "") -> None:
        """A line for the operator."""
        self.effects.append(LogLine(event, details))

    def submit(self, submission: Submission, size: int) -> None:
        """Have the log decide on it; `size` in bytes is what it counts among what waits."""
        self.log.queued_bytes += size
        self.log.submit(submission, size)

    def transmit(self, session: Session, answer: wire.Answer) -> None:
        """Send an answer, unless the session has been silent for too long."""
        if self.now_ms - session.seen_ms <= self.limits.timeout_ms:
            self.effects.append(Transmit(session.peer, answer))

    def hold(self, session: Session, token: int, answer: wire.Answer) -> None:
        """Send an answer that the state gave, once that state is durable."""
        self.emit(self.log.hold(Origin(session.number, token), Transmit(session.peer, answer)))

    def deny(self, session: Session, token: int, denied: Denied) -> None:
        """Refuse a request for what it is, whatever the state."""
        self._note_refusal(session.nick, denied)
        self.transmit(session, _refused(session, token, denied))

    def hold_denial(self, session: Session, token: int, denied: Denied) -> None:
        """Refuse a request because of the state, once that state is durable."""
        self._note_refusal(session.nick, denied)
        self.hold(session, token, _refused(session, token, denied))

    def refuse_peer(self, peer: bytes, session_number: int, token: int, denied: Denied) -> None:
        """Refuse a request of a connection that has no session for it."""
        self._note_refusal("", denied)
        answer = wire.Refused(
            session_number, token, denied.refusal.value, denied.reason, denied.retry_after_ms
        )
        self.effects.append(Transmit(peer, answer))

    def _note_refusal(self, nick: str, denied: Denied) -> None:
        if denied.refusal not in _UNREMARKABLE:
            self.note("refused", f"nick={nick} refusal={denied.refusal.name.lower()}")


def _joined(effect: Effect, following: Effect) -> Transmit | None:
    match effect, following:
        case (
            Transmit(peer=peer, answer=wire.Ack(session=number, results=rows)),
            Transmit(peer=other_peer, answer=wire.Ack(session=other_number, results=other_rows)),
        ) if (peer, number) == (other_peer, other_number):
            if len(rows) + len(other_rows) <= wire_limits.ACK_RESULTS_MAX:
                return Transmit(peer, wire.Ack(number, rows + other_rows))
    return None


def _refused(session: Session, token: int, denied: Denied) -> wire.Refused:
    number = session.number if session.open else 0  # a Hello knows no number yet
    return wire.Refused(number, token, denied.refusal.value, denied.reason, denied.retry_after_ms)
