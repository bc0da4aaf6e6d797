"""Sending: one queue, one window, and Sends that never change once they are formed.

Longer than other files: messages that wait, that are on their way and that are sent again have one order, and
an answer may concern all three.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from zchat.client.core.doubts import Doubts
from zchat.client.core.effects import Abandon, Acknowledge, Effect, Refuse, Transmit
from zchat.client.core.events import Draft
from zchat.client.core.limited import NOT_STORED, limited
from zchat.client.core.pace import Pace
from zchat.client.core.sends import FormedSend, Run
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

_NOT_FINAL: Final = frozenset((Refusal.BUSY, Refusal.UNREADABLE, Refusal.NOT_GREETED))


class Outbox:
    """What is to be sent, and what was sent and is not answered. protocol.md, Sending."""

    def __init__(self, tokens: Iterator[int]) -> None:
        self._tokens = tokens
        self._runs: deque[Run] = deque()
        self._formed: dict[int, FormedSend] = {}  # by token, in the order of forming
        self._doubts = Doubts()
        self._formed_messages = 0
        self._formed_bytes = 0
        self._next_counter = 0
        self._timeout_ms = TIMEOUT_MS
        self._resends = 0  # since the last answer that was one
        self._resend_ms: int | None = None
        self._pace = Pace()
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
        return not self._formed and not self._runs and not self._doubts

    def deadline_ms(self) -> int | None:
        """When all unanswered Sends are due again, or a doubt has lasted long enough."""
        again_ms = self._resend_ms if self._formed else None
        if self._pace.held is not None:
            again_ms = self._pace.held.due_ms
        times = [again_ms, self._doubts.deadline_ms()]
        return min((time for time in times if time is not None), default=None)

    def held_ms(self, now_ms: int) -> int:
        """For how long nothing is sent, since too much was; 0 when something may be."""
        return 0 if self._pace.held is None else max(0, self._pace.held.due_ms - now_ms)

    def __contains__(self, token: int) -> bool:
        return token in self._formed or token in self._doubts

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
                return self._too_much(ticket, session, now_ms) or [Abandon([ticket], handed_over=False)]
        for formed in self._formed.values():
            if ticket in formed.tickets:
                return self._give_up_sent(formed, ticket, session, now_ms)
        return []

    def _give_up_sent(
        self, formed: FormedSend, ticket: int, session: int | None, now_ms: int
    ) -> list[Effect]:
        """A Send goes on as it is as long as somebody waits for one of its messages: what becomes of the
        others is not known. Nobody waits: it is not sent again."""
        formed.given_up.add(ticket)
        if len(formed.given_up) < len(formed.tickets):
            return [Abandon([ticket], handed_over=True)]
        effects = self._too_much(ticket, session, now_ms) if formed.is_not_stored else []
        self._remove(formed)
        return (effects or [Abandon([ticket], handed_over=True)]) + self._passed(session, now_ms)

    def _too_much(self, ticket: int, session: int | None, now_ms: int) -> list[Effect]:
        """That this is why it was not stored, if it is."""
        is_slowed = self._pace.held is not None or any(formed.waits for formed in self._formed.values())
        if session is None or not is_slowed or self._pace.limited is None:
            return []
        return [self._pace.limited.refuse([ticket], now_ms, NOT_STORED)]

    def close(self) -> list[Effect]:
        """Nothing is sent any more."""
        effects: list[Effect] = []
        unknown = [t for formed in self._formed.values() if not formed.is_not_stored for t in formed.tickets]
        unknown += self._doubts.close()
        never = [t for formed in self._formed.values() if formed.is_not_stored for t in formed.tickets]
        never += [ticket for run in self._runs for ticket in run.texts]
        if unknown:
            effects.append(Abandon(unknown, handed_over=True))
        if never:
            effects.append(Abandon(never, handed_over=False))
        self._formed.clear()
        self._runs.clear()
        self._formed_messages = self._formed_bytes = self.waiting = self.waiting_bytes = 0
        return effects

    # ---- what the broker says ----

    def welcomed(self, welcome: wire.Welcome, now_ms: int) -> list[Effect]:
        """A session is open: all that is unanswered is sent again, then what waited."""
        effects = self._limit(welcome) + self._doubts.lost(None)
        for formed in self._formed.values():
            formed.uncertain |= formed.on_the_way > 0
            formed.on_the_way = 0
        self._pace.go_on()
        self._timeout_ms = TIMEOUT_MS
        effects += self._resend(welcome.session, now_ms)
        self._resends = 0
        return effects + self.form(welcome.session, now_ms)

    def stored(self, row: wire.Stored, session: int, now_ms: int) -> list[Effect]:
        """A Send is durable."""
        formed = self._doubts.stored(row.token)
        if formed is None:
            formed = self._formed.get(row.token)
            if formed is None:
                return []
            self._remove(formed)
            self._progressed(now_ms)
        self._pace.speed_up()
        effects: list[Effect] = [
            Acknowledge(formed.tickets, formed.key, formed.counter, row.pos, row.time_ms, row.duplicate)
        ]
        return effects + self._passed(session, now_ms)

    def refused(
        self,
        token: int,
        refusal: Refusal,
        reason: str,
        session: int,
        now_ms: int,
        retry_after_ms: int = 0,
    ) -> list[Effect]:
        """A Send was refused: for good, or because of its place, or for a moment."""
        if token in self._doubts:
            return self._doubts.refused(token)
        formed = self._formed.get(token)
        if formed is None:
            return []
        formed.on_the_way = max(0, formed.on_the_way - 1)
        if refusal is Refusal.OUT_OF_ORDER:
            return self._out_of_order(formed, session, now_ms)
        if refusal is Refusal.RATE_LIMITED:
            is_oldest = formed is next(iter(self._formed.values()))
            under_way = sum(not one.waits for one in self._formed.values())
            self._pace.slow_down(limited(reason, retry_after_ms, now_ms), under_way, is_oldest)
            self._resends = 0
            return []
        if refusal in _NOT_FINAL:
            formed.uncertain |= refusal is Refusal.UNREADABLE  # it may be stored all the same
            self._resend_soon(now_ms)
            return []
        self._remove(formed)
        self._progressed(now_ms)
        effects: list[Effect] = []
        if formed.on_the_way:
            self._doubts.add(formed, refusal, reason, now_ms)
        else:
            effects.append(Refuse(formed.tickets, refusal, reason))
        return effects + self._passed(session, now_ms)

    def elapsed(self, session: int, now_ms: int) -> list[Effect]:
        """The oldest has waited for too long, or a resend is due."""
        effects = self._doubts.lost(now_ms)
        if self._pace.held is not None:
            if now_ms < self._pace.held.due_ms:
                return effects
            self._pace.go_on()
            return effects + self._resend(session, now_ms) + self.form(session, now_ms)
        if self._resend_ms is None or now_ms < self._resend_ms or not self._formed:
            return effects
        self._timeout_ms = min(2 * self._timeout_ms, TIMEOUT_MS_MAX)
        return effects + self._resend(session, now_ms)

    # ---- the window ----

    def form(self, session: int, now_ms: int) -> list[Effect]:
        """Form Sends from the head of the queue while the window has room, behind those that wait for their
        turn."""
        if self._pace.held is not None:
            return []
        effects = self._transmit_waiting(session)
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
        if self._pace.sends_max is not None and count >= self._pace.sends_max:
            return False
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
        if self._pace.held is not None:
            return []  # all are sent again in any case
        if self._resends == 0:
            return self._resend(session, now_ms)
        self._resend_soon(now_ms)
        return []

    def _resend_soon(self, now_ms: int) -> None:
        due_ms = now_ms + min(AGAIN_MS << min(self._resends, 16), AGAIN_MS_MAX)
        self._resend_ms = due_ms if self._resend_ms is None else min(self._resend_ms, due_ms)

    def _resend(self, session: int, now_ms: int) -> list[Effect]:
        """Send all again that is unanswered, in order and unchanged; as many at once as the pace is."""
        self._resends += 1
        self._resend_ms = now_ms + self._timeout_ms
        sends = list(self._formed.values())
        at_once = len(sends) if self._pace.sends_max is None else self._pace.sends_max
        for formed in sends[at_once:]:
            formed.waits = True
        return [self._transmit(formed, session) for formed in sends[:at_once]]

    def _transmit_waiting(self, session: int) -> list[Effect]:
        """Those that wait are the last ones of the window."""
        if self._pace.sends_max is None:
            return []
        first = islice(self._formed.values(), self._pace.sends_max)
        return [self._transmit(formed, session) for formed in first if formed.waits]

    def _transmit(self, formed: FormedSend, session: int) -> Effect:
        formed.on_the_way += 1
        formed.out_of_order = formed.waits = False
        request: wire.Request
        if formed.key is None:
            request = wire.Send(session, formed.token, self.lowest, formed.to, formed.counter, formed.texts)
        else:
            request = wire.KeyedSend(session, formed.token, formed.to, formed.key, formed.texts[0])
        return Transmit(request)


def _too_large(draft: Draft, bytes_max: int) -> Refuse:
    reason = f"the text has {draft.size} bytes; at most {bytes_max} are allowed"
    return Refuse([draft.ticket], Refusal.TOO_LARGE, reason)
