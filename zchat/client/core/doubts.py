"""Sends that were refused while another transmission of them was on its way: they may be stored after all."""

from typing import Final, NamedTuple

from zchat.client.core.effects import Abandon, Effect, Refuse
from zchat.client.core.sends import FormedSend
from zchat.common.codes import Refusal

_DOUBT_MS: Final = 15_000  # for the answers to the other transmissions


class _Doubtful(NamedTuple):
    formed: FormedSend
    refusal: Refusal
    reason: str
    due_ms: int


class Doubts:
    """Each transmission is decided on by itself, and perhaps otherwise: the room may have come to be. So a
    refusal is told when the last answer is here."""

    def __init__(self) -> None:
        self._doubtful: dict[int, _Doubtful] = {}  # by token, in the order of `due_ms`

    def __contains__(self, token: int) -> bool:
        return token in self._doubtful

    def __bool__(self) -> bool:
        return bool(self._doubtful)

    def deadline_ms(self) -> int | None:
        """When the oldest has lasted long enough."""
        return next((doubtful.due_ms for doubtful in self._doubtful.values()), None)

    def add(self, formed: FormedSend, refusal: Refusal, reason: str, now_ms: int) -> None:
        """A Send was refused, and other answers to it are still to come."""
        self._doubtful[formed.token] = _Doubtful(formed, refusal, reason, now_ms + _DOUBT_MS)

    def stored(self, token: int) -> FormedSend | None:
        """One of the other answers: it is durable. The Send, if there was such a doubt."""
        doubtful = self._doubtful.pop(token, None)
        return doubtful.formed if doubtful else None

    def refused(self, token: int) -> list[Effect]:
        """One of the other answers: it is refused once more."""
        formed, refusal, reason, _ = self._doubtful[token]
        formed.on_the_way -= 1
        if formed.on_the_way > 0:
            return []
        del self._doubtful[token]
        return [Refuse(formed.tickets, refusal, reason)]

    def lost(self, now_ms: int | None) -> list[Effect]:
        """The missing answers will not come: they were an earlier session's (None), or are overdue."""
        lost = [token for token, one in self._doubtful.items() if now_ms is None or one.due_ms <= now_ms]
        return [Abandon(self._doubtful.pop(token).formed.tickets, handed_over=True) for token in lost]

    def close(self) -> list[int]:
        """No answer will come any more: the tickets of those who waited."""
        tickets = [ticket for doubtful in self._doubtful.values() for ticket in doubtful.formed.tickets]
        self._doubtful.clear()
        return tickets
