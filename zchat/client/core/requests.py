"""Open requests of users other than messages: each waits under its token until it is answered."""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from zchat.client.core.effects import Effect, Refuse, Transmit
from zchat.common import wire
from zchat.common.codes import Refusal

ANSWER_MS: Final = 5_000  # then it is asked again, doubled each time
ANSWER_MS_MAX: Final = 60_000
AGAIN_MS: Final = 250  # after a refusal that is not final
OPEN_MAX: Final = 1_000

Act = wire.Act | wire.Redact | wire.Question
_NOT_FINAL: Final = frozenset((Refusal.BUSY, Refusal.UNREADABLE, Refusal.RATE_LIMITED))


class Open:
    """A request without an answer."""

    __slots__ = ("act", "answer_ms", "due_ms", "ticket")

    def __init__(self, ticket: int, act: Act) -> None:
        self.ticket = ticket
        self.act = act
        self.answer_ms = ANSWER_MS
        self.due_ms = 0


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
        return [effect for token in self._open for effect in self._transmit(token, session, now_ms)]

    def answered(self, token: int) -> Open:
        """The answer came."""
        return self._open.pop(token)

    def refused(self, token: int, refusal: Refusal, reason: str, now_ms: int) -> list[Effect]:
        """The answer is no, for good or for the moment."""
        if refusal in _NOT_FINAL:
            self._open[token].due_ms = now_ms + AGAIN_MS
            return []
        return [Refuse([self._open.pop(token).ticket], refusal, reason)]

    def give_up(self, ticket: int) -> bool:
        """The caller waits no longer. True if there was one."""
        for token, request in self._open.items():
            if request.ticket == ticket:
                del self._open[token]
                return True
        return False

    def elapsed(self, session: int, now_ms: int) -> list[Effect]:
        """Repeat what is overdue."""
        effects: list[Effect] = []
        for token, request in self._open.items():
            if request.due_ms <= now_ms:
                request.answer_ms = min(2 * request.answer_ms, ANSWER_MS_MAX)
                effects += self._transmit(token, session, now_ms)
        return effects

    def close(self) -> list[int]:
        """Nothing is asked any more: the tickets of those who waited."""
        tickets = [request.ticket for request in self._open.values()]
        self._open.clear()
        return tickets

    def _transmit(self, token: int, session: int, now_ms: int) -> list[Effect]:
        request = self._open[token]
        request.due_ms = now_ms + request.answer_ms
        return [Transmit(replace(request.act, session=session, token=token))]
