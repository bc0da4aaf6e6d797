"""Sending: one queue, one window, and Sends that never change once they are formed."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from zchat.client.core.effects import Abandon, Acknowledge, Effect, Refuse, Transmit
from zchat.client.core.events import Draft
from zchat.client.core.sends import DoubtfulSend, FormedSend, Run
from zchat.common import limits, wire
from zchat.common.codes import Refusal

GROWING_SENDS_MAX: Final = 4  # on their way, before a Send that could still grow waits
SENDS_MAX: Final = 32  # on their way
KEYED_SENDS_MAX: Final = 256  # on their way, a message each
MESSAGES_MAX: Final = 1024  # on their way
BYTES_MAX: Final = 1024 * 1024  # on their way
TIMEOUT_MS: Final = 2_000  # on the oldest, doubled each time
TIMEOUT_MS_MAX: Final = 15_000
AGAIN_MS: Final = 50  # between two resends that brought nothing, doubled each time
AGAIN_MS_MAX: Final = 5_000
DOUBT_MS: Final = 15_000  # for the answers to other transmissions of a Send that was refused

_NOT_FINAL: Final = frozenset((Refusal.BUSY, Refusal.UNREADABLE, Refusal.NOT_GREETED))


class Outbox:
    """What is to be sent, and what was sent and is not answered. protocol.md, Sending."""

    def __init__(self, tokens: Iterator[int]) -> None:
        self._tokens = tokens
        self._runs: deque[Run] = deque()
        self._formed: dict[int, FormedSend] = {}  # by token, in the order of forming
        self._doubtful: dict[int, DoubtfulSend] = {}  # by token, in the order of `due_ms`
        self._formed_messages = 0
        self._formed_bytes = 0
        self._next_counter = 0
        self._timeout_ms = TIMEOUT_MS
        self._resends = 0  # since the last answer that was one
        self._resend_ms: int | None = None
        self._text_bytes_max = limits.TEXT_BYTES_MAX
        self._send_bytes_max = limits.SEND_BYTES_MAX
        self._send_messages_max = limits.SEND_MESSAGES_MAX
        self.waiting = 0  # messages that are no Send yet
        self.waiting_bytes = 0

    @property
    def lowest(self) -> int:
        """The lowest counter neither answered nor given up."""
        for formed in self._formed.values():
            if formed.key is None:
                return formed.counter
        return self._next_counter

    @property
    def is_empty(self) -> bool:
        """Nothing is waiting or without an answer."""
        return not self._formed and not self._runs and not self._doubtful

    def deadline_ms(self) -> int | None:
        """When all unanswered Sends are due again, or a doubt has lasted long enough."""
        times = [self._resend_ms] if self._formed else []
        times += [doubtful.due_ms for doubtful in self._doubtful.values()][:1]
        return min((time for time in times if time is not None), default=None)

    def __contains__(self, token: int) -> bool:
        return token in self._formed or token in self._doubtful

    # ---- what users want ----

    def queue(self, drafts: Iterable[Draft]) -> list[Effect]:
        """Put messages behind those that wait. One that no broker would take is refused at once."""
        effects: list[Effect] = []
        for draft in drafts:
            if draft.size > self._text_bytes_max:
                effects.append(_too_large(draft, self._text_bytes_max))
                continue
            self.waiting += 1
            self.waiting_bytes += draft.size
            run = self._runs[-1] if self._runs else None
            if run is not None and self._fits(run, draft):
                run.texts[draft.ticket] = draft.text
                run.size += draft.size
            else:
                self._runs.append(Run(draft))
        return effects

    def give_up(self, ticket: int, session: int | None, now_ms: int) -> list[Effect]:
        """The caller waits no longer. What is not formed yet is never sent."""
        for run in self._runs:
            text = run.texts.pop(ticket, None)
            if text is not None:
                size = len(text.encode())
                run.size -= size
                self.waiting -= 1
                self.waiting_bytes -= size
                if not run.texts:
                    self._runs.remove(run)
                return [Abandon([ticket], handed_over=False)]
        for formed in self._formed.values():
            if ticket in formed.tickets:
                formed.given_up.add(ticket)
                effects: list[Effect] = [Abandon([ticket], handed_over=True)]
                if len(formed.given_up) == len(formed.tickets):
                    self._remove(formed)
                    effects += self._passed(session, now_ms)
                return effects
        return []

    def close(self) -> list[Effect]:
        """Nothing is sent any more."""
        effects: list[Effect] = []
        unknown = [ticket for formed in self._formed.values() for ticket in formed.tickets]
        unknown += [ticket for doubtful in self._doubtful.values() for ticket in doubtful.formed.tickets]
        never = [ticket for run in self._runs for ticket in run.texts]
        if unknown:
            effects.append(Abandon(unknown, handed_over=True))
        if never:
            effects.append(Abandon(never, handed_over=False))
        self._formed.clear()
        self._doubtful.clear()
        self._runs.clear()
        self._formed_messages = self._formed_bytes = self.waiting = self.waiting_bytes = 0
        return effects

    # ---- what the broker says ----

    def welcomed(self, welcome: wire.Welcome, now_ms: int) -> list[Effect]:
        """A session is open: all that is unanswered is sent again, then what waited."""
        effects = self._limit(welcome) + self._leave_in_doubt(None)
        for formed in self._formed.values():
            formed.on_the_way = 0
        self._timeout_ms = TIMEOUT_MS
        effects += self._resend(welcome.session, now_ms)
        self._resends = 0
        return effects + self.form(welcome.session, now_ms)

    def stored(self, row: wire.Stored, session: int, now_ms: int) -> list[Effect]:
        """A Send is durable."""
        doubtful = self._doubtful.pop(row.token, None)
        formed = doubtful.formed if doubtful else self._formed.get(row.token)
        if formed is None:
            return []
        if doubtful is None:
            self._remove(formed)
            self._progressed(now_ms)
        effects: list[Effect] = [
            Acknowledge(formed.tickets, formed.key, formed.counter, row.pos, row.time_ms, row.duplicate)
        ]
        return effects + self._passed(session, now_ms)

    def refused(self, token: int, refusal: Refusal, reason: str, session: int, now_ms: int) -> list[Effect]:
        """A Send was refused: for good, or because of its place, or for a moment."""
        if token in self._doubtful:
            return self._doubtful_refused(token)
        formed = self._formed.get(token)
        if formed is None:
            return []
        formed.on_the_way = max(0, formed.on_the_way - 1)
        if refusal is Refusal.OUT_OF_ORDER:
            return self._out_of_order(formed, session, now_ms)
        if refusal in _NOT_FINAL:
            self._resend_soon(now_ms)
            return []
        self._remove(formed)
        self._progressed(now_ms)
        effects: list[Effect] = []
        if formed.on_the_way:
            self._doubtful[token] = DoubtfulSend(formed, refusal, reason, now_ms + DOUBT_MS)
        else:
            effects.append(Refuse(formed.tickets, refusal, reason))
        return effects + self._passed(session, now_ms)

    def elapsed(self, session: int, now_ms: int) -> list[Effect]:
        """The oldest has waited for too long, or a resend is due."""
        effects = self._leave_in_doubt(now_ms)
        if self._resend_ms is None or now_ms < self._resend_ms or not self._formed:
            return effects
        self._timeout_ms = min(2 * self._timeout_ms, TIMEOUT_MS_MAX)
        return effects + self._resend(session, now_ms)

    # ---- the window ----

    def form(self, session: int, now_ms: int) -> list[Effect]:
        """Form Sends from the head of the queue while the window has room."""
        effects: list[Effect] = []
        while self._runs and self._has_room():
            run = self._runs.popleft()
            formed = FormedSend(run, next(self._tokens), self._next_counter)
            if formed.key is None:
                self._next_counter += len(formed.texts)
            self.waiting -= len(formed.texts)
            self.waiting_bytes -= formed.size
            if not self._formed:
                self._resend_ms = now_ms + self._timeout_ms
            self._formed[formed.token] = formed
            self._formed_messages += len(formed.texts)
            self._formed_bytes += formed.size
            effects.append(self._transmit(formed, session))
        return effects

    def _has_room(self) -> bool:
        count = len(self._formed)
        if count == 0:
            return True
        run, oldest = self._runs[0], next(iter(self._formed.values()))
        if (run.key is None) != (oldest.key is None):
            return False  # only counters keep their order when one is refused: the kinds do not overlap
        if self._formed_messages >= MESSAGES_MAX or self._formed_bytes >= BYTES_MAX:
            return False
        if run.key is not None:
            return count < KEYED_SENDS_MAX
        grown = len(self._runs) > 1 or len(run.texts) >= self._send_messages_max
        return count < (SENDS_MAX if grown else GROWING_SENDS_MAX)

    def _fits(self, run: Run, draft: Draft) -> bool:
        return (
            run.to == draft.to
            and run.key is None
            and draft.key is None
            and len(run.texts) < self._send_messages_max
            and run.size + draft.size <= self._send_bytes_max
        )

    def _limit(self, welcome: wire.Welcome) -> list[Effect]:
        """Keep to what this broker takes, if that is less than what the protocol allows."""
        told = (
            min(limits.TEXT_BYTES_MAX, welcome.text_bytes_max),
            min(limits.SEND_BYTES_MAX, welcome.send_bytes_max),
            max(1, min(limits.SEND_MESSAGES_MAX, welcome.send_messages_max)),
        )
        if told == (self._text_bytes_max, self._send_bytes_max, self._send_messages_max):
            return []
        self._text_bytes_max, self._send_bytes_max, self._send_messages_max = told
        drafts = [draft for run in self._runs for draft in run.drafts()]
        self._runs.clear()
        self.waiting = self.waiting_bytes = 0
        return self.queue(drafts)

    def _remove(self, formed: FormedSend) -> None:
        del self._formed[formed.token]
        self._formed_messages -= len(formed.texts)
        self._formed_bytes -= formed.size

    def _progressed(self, now_ms: int) -> None:
        self._timeout_ms = TIMEOUT_MS
        self._resends = 0
        self._resend_ms = now_ms + TIMEOUT_MS

    # ---- refused, with another transmission under way ----

    def _doubtful_refused(self, token: int) -> list[Effect]:
        formed, refusal, reason, _ = self._doubtful[token]
        formed.on_the_way -= 1
        if formed.on_the_way > 0:
            return []
        del self._doubtful[token]
        return [Refuse(formed.tickets, refusal, reason)]

    def _leave_in_doubt(self, now_ms: int | None) -> list[Effect]:
        """The missing answers will not come: they were an earlier session's (None), or are overdue."""
        lost = [
            token for token, doubtful in self._doubtful.items() if now_ms is None or doubtful.due_ms <= now_ms
        ]
        return [Abandon(self._doubtful.pop(token).formed.tickets, handed_over=True) for token in lost]

    # ---- sending again ----

    def _passed(self, session: int | None, now_ms: int) -> list[Effect]:
        """A Send is out of the window. If the one that is now the oldest was refused because of its place,
        its turn has come."""
        if session is None:
            return []
        if self._formed and next(iter(self._formed.values())).out_of_order:
            effects = self._resend_or_wait(session, now_ms)
        else:
            effects = []
        return effects + self.form(session, now_ms)

    def _out_of_order(self, formed: FormedSend, session: int, now_ms: int) -> list[Effect]:
        """Each transmission is answered, so this answer counts only when it is the last. And only the oldest
        Send starts a resend: those behind it were out of order because of it."""
        if formed.on_the_way:
            return []
        formed.out_of_order = True
        if formed is not next(iter(self._formed.values())):
            return []
        return self._resend_or_wait(session, now_ms)

    def _resend_or_wait(self, session: int, now_ms: int) -> list[Effect]:
        if self._resends == 0:
            return self._resend(session, now_ms)
        self._resend_soon(now_ms)
        return []

    def _resend_soon(self, now_ms: int) -> None:
        due_ms = now_ms + min(AGAIN_MS << min(self._resends, 16), AGAIN_MS_MAX)
        self._resend_ms = due_ms if self._resend_ms is None else min(self._resend_ms, due_ms)

    def _resend(self, session: int, now_ms: int) -> list[Effect]:
        """Send all again that is unanswered, in order and unchanged."""
        self._resends += 1
        self._resend_ms = now_ms + self._timeout_ms
        return [self._transmit(formed, session) for formed in self._formed.values()]

    def _transmit(self, formed: FormedSend, session: int) -> Effect:
        formed.on_the_way += 1
        formed.out_of_order = False
        request: wire.Request
        if formed.key is None:
            request = wire.Send(session, formed.token, self.lowest, formed.to, formed.counter, formed.texts)
        else:
            request = wire.KeyedSend(session, formed.token, formed.to, formed.key, formed.texts[0])
        return Transmit(request)


def _too_large(draft: Draft, bytes_max: int) -> Refuse:
    reason = f"the text has {draft.size} bytes; at most {bytes_max} are allowed"
    return Refuse([draft.ticket], Refusal.TOO_LARGE, reason)
