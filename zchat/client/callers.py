"""Those who wait for answers of the broker: a ticket each, and what they get in the end."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from zchat.client.core.effects import Acknowledge
from zchat.client.messages import Sent
from zchat.common import wire
from zchat.common.codes import Refusal
from zchat.common.errors import Closed, OutcomeUnknown, Refused, Unreachable, WrongIdentity, ZchatError

Answer = tuple[wire.Done | wire.Listed | wire.Page | wire.Followed, list[wire.Segment]]


class Callers:
    """Gives out tickets, and futures for them. `instance` is that of the client's counters."""

    def __init__(self, instance: int) -> None:
        self._id_before = f"~{instance}."
        self._loop = asyncio.get_running_loop()
        self._tickets = count(1)
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._keys: dict[int, str] = {}  # ids that the users chose, of the messages without an answer
        self._reads: set[int] = set()  # tickets of what may be asked again without harm
        self.closing = False

    def __contains__(self, ticket: int) -> bool:
        return ticket in self._futures

    def sends(self, key: str | None) -> tuple[int, "asyncio.Future[Sent]"]:
        """Somebody waits for a message to be durable."""
        ticket = next(self._tickets)
        future = self._futures[ticket] = self._loop.create_future()
        if key is not None:
            self._keys[ticket] = key
        return ticket, future

    def asks(self, is_read: bool) -> tuple[int, "asyncio.Future[Answer]"]:
        """Somebody waits for an answer. `is_read`: it may be asked again without harm."""
        ticket = next(self._tickets)
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._futures[ticket] = future
        if is_read:
            self._reads.add(ticket)
        return ticket, future

    def acknowledge(self, effect: Acknowledge) -> None:
        """Messages are durable."""
        pos, time_ms, counter, duplicate = effect.pos, effect.time_ms, effect.counter, effect.duplicate
        futures, id_before = self._futures, self._id_before
        for ticket in effect.tickets:
            future = futures.pop(ticket, None)
            if future is not None and not future.done():
                future.set_result(Sent(pos, time_ms, effect.key or f"{id_before}{counter}", duplicate))
            pos += 1
            counter += 1
        if effect.key is not None:
            self._keys.pop(effect.tickets[0], None)

    def resolve(self, ticket: int, answer: Answer) -> None:
        """The answer is here."""
        self._reads.discard(ticket)
        future = self._futures.pop(ticket, None)
        if future is not None and not future.done():
            future.set_result(answer)

    def refuse(self, tickets: list[int], refusal: Refusal, reason: str) -> None:
        """The answer is no."""
        self._fail(tickets, lambda _: refused(refusal, reason))

    def abandon(self, tickets: list[int], handed_over: bool, error: Exception | None) -> None:
        """There will be no answer. `error` is what the client has failed with, if it has."""
        self._fail(tickets, lambda ticket: self._abandoned(ticket, handed_over, error))

    def _fail(self, tickets: list[int], error: Callable[[int], Exception]) -> None:
        for ticket in tickets:
            future = self._futures.pop(ticket, None)
            if future is not None and not future.done():
                future.set_exception(error(ticket))
                if self.closing:
                    future.exception()  # nobody has to look at it any more
            self._reads.discard(ticket)
            self._keys.pop(ticket, None)

    def _abandoned(self, ticket: int, handed_over: bool, error: Exception | None) -> Exception:
        if error is not None and (ticket in self._reads or not handed_over):
            return error
        if self.closing and not handed_over:
            return Closed("the client was closed before this was handed over")
        if ticket in self._reads:
            return Unreachable("the broker did not answer in time")
        if handed_over:
            key = self._keys.get(ticket)
            again = f"; repeat it with the id {key}" if key else ""
            return OutcomeUnknown(f"it was handed over, but the broker gave no answer in time{again}", key)
        return Unreachable("there is no connection to the broker; nothing was handed over")


def refused(refusal: Refusal, reason: str) -> ZchatError:
    """What to raise for a refusal."""
    text = reason or refusal.meaning
    is_identity = refusal.exit_code == WrongIdentity.exit_code
    return WrongIdentity(text, refusal) if is_identity else Refused(refusal, text)
