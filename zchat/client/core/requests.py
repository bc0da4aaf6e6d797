"""Open requests of users other than messages: each waits under its token until it is answered."""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from zchat.client.core.effects import Abandon, Effect, Refuse, Transmit
from zchat.client.core.limited import NOT_STORED, Limited, limited
from zchat.common import wire
from zchat.common.codes import Refusal

ANSWER_MS: Final = 5_000  # then it is asked again, doubled each time
ANSWER_MS_MAX: Final = 60_000
AGAIN_MS: Final = 250  # after a refusal that is not final
OPEN_MAX: Final = 1_000

Act = wire.Act | wire.Redact | wire.Question
_NOT_FINAL: Final = frozenset((Refusal.BUSY, Refusal.UNREADABLE))


class Open:
    """A request without an answer. `limited`: that is why it was refused for now."""

    __slots__ = ("act", "answer_ms", "due_ms", "limited", "on_the_way", "ticket", "uncertain")

    def __init__(self, ticket: int, act: Act) -> None:
        self.ticket = ticket
        self.act = act
        self.answer_ms = ANSWER_MS
        self.due_ms = 0
        self.on_the_way = 0  # transmissions in this session that were not answered yet
        self.uncertain = False  # some were never answered, or not with what became of them
        self.limited: Limited | None = None

    @property
    def is_not_done(self) -> bool:
        """Every transmission was refused, if there was any, and so nothing of it is stored."""
        return not self.on_the_way and not self.uncertain


class Requests:
    """Acts and lists. Each may be repeated without harm, so each is until its answer comes."""

    def __init__(self, tokens: Iterator[int]) -> None:
        self._tokens = tokens
        self._open: dict[int, Open] = {}

    def __contains__(self, token: int) -> bool:
        return token in self._open

    def deadline_ms(self) -> int | None:
        """When a request is to be repeated."""
        return min((request.due_ms for request in self._open.values()), default=None)

    def ask(self, ticket: int, act: Act, session: int | None, now_ms: int) -> list[Effect]:
        """A user asks. Without a session it waits for one."""
        if len(self._open) >= OPEN_MAX:
            return [Refuse([ticket], Refusal.BUSY, f"{OPEN_MAX} requests are open")]
        token = next(self._tokens)
        self._open[token] = Open(ticket, act)
        return [] if session is None else self._transmit(token, session, now_ms)

    def welcomed(self, session: int, now_ms: int) -> list[Effect]:
        """A session is open: all are sent again."""
        for request in self._open.values():
            request.uncertain |= request.on_the_way > 0
            request.on_the_way = 0
        return [effect for token in self._open for effect in self._transmit(token, session, now_ms)]

    def answered(self, token: int) -> Open:
        """The answer came."""
        return self._open.pop(token)

    def refused(
        self, token: int, refusal: Refusal, reason: str, now_ms: int, retry_after_ms: int = 0
    ) -> list[Effect]:
        """The answer is no, for good or for the moment."""
        request = self._open[token]
        request.on_the_way = max(0, request.on_the_way - 1)
        if refusal is Refusal.RATE_LIMITED:
            request.limited = limited(reason, retry_after_ms, now_ms)
            request.due_ms = request.limited.due_ms
            return []
        if refusal in _NOT_FINAL:
            request.uncertain |= refusal is Refusal.UNREADABLE
            request.due_ms = now_ms + AGAIN_MS
            return []
        return [Refuse([self._open.pop(token).ticket], refusal, reason)]

    def give_up(self, ticket: int, now_ms: int) -> list[Effect]:
        """The caller waits no longer. Nothing if there was none."""
        for token, request in self._open.items():
            if request.ticket == ticket:
                del self._open[token]
                if request.limited is not None and request.is_not_done:
                    note = "" if isinstance(request.act, wire.Question) else NOT_STORED
                    return [request.limited.refuse([ticket], now_ms, note)]
                return [Abandon([ticket], handed_over=not request.is_not_done)]
        return []

    def elapsed(self, session: int, now_ms: int) -> list[Effect]:
        """Repeat what is overdue."""
        effects: list[Effect] = []
        for token, request in self._open.items():
            if request.due_ms <= now_ms:
                request.answer_ms = min(2 * request.answer_ms, ANSWER_MS_MAX)
                effects += self._transmit(token, session, now_ms)
        return effects

    def close(self) -> list[Effect]:
        """Nothing is asked any more."""
        effects: list[Effect] = []
        for handed_over in (True, False):
            tickets = [one.ticket for one in self._open.values() if one.is_not_done != handed_over]
            if tickets:
                effects.append(Abandon(tickets, handed_over))
        self._open.clear()
        return effects

    def _transmit(self, token: int, session: int, now_ms: int) -> list[Effect]:
        request = self._open[token]
        request.due_ms = now_ms + request.answer_ms
        request.on_the_way += 1
        request.limited = None
        return [Transmit(replace(request.act, session=session, token=token))]
