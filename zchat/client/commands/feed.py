"""`zchat send --lines`: many lines on their way at once, settled in their order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from zchat.client.commands.addresses import quoted, with_remedy
from zchat.client.commands.lines import Line, too_large
from zchat.common.errors import ConfigurationError, OutcomeUnknown, Refused, ZchatError

if TYPE_CHECKING:
    from zchat.client.messages import Sent

_UNSETTLED_MAX = 1024  # messages and a few; after a refusal no more than these can still be stored


class FeedStopped(ZchatError):
    """A line was not stored, so no more were read. The exit code is that of the reason."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Posting(Protocol):
    """The part of a client that a feed needs: takes a message as soon as there is room, and says for how many
    seconds it sends nothing, since it sent too much."""

    @property
    def held_s(self) -> float: ...

    async def post(self, to: str, text: str, *, id: str | None = None) -> "asyncio.Future[Sent]": ...


class _Posted(NamedTuple):
    number: int  # of the line
    outcome: "asyncio.Future[Sent] | Exception"


class Feed:
    """Posts lines to `to`, with the ids `id`.1, `id`.2, … by their numbers if there is an `id`, and reports
    what is stored, in order. `timeout` (seconds; None: for ever) is how long the oldest line on its way may
    take, but for the time in which the client has to wait since it sent too much."""

    def __init__(
        self,
        client: Posting,
        to: str,
        id: str | None,
        timeout: float | None,
        report: Callable[["Sent"], Awaitable[None]],
    ) -> None:
        self.stored = 0
        self._client, self._to, self._id, self._timeout, self._report = client, to, id, timeout, report
        self._oldest: _Posted | None = None
        self._posted: asyncio.Queue[_Posted | None] = asyncio.Queue()
        self._places = asyncio.Semaphore(_UNSETTLED_MAX)  # in the queue

    async def run(self, lines: AsyncIterator[Line]) -> None:
        """Until all lines are stored. Raises FeedStopped at the first that is not, and OutcomeUnknown when
        that is not known, also when cancelled with lines on their way."""
        reading = asyncio.create_task(self._post_all(lines))
        try:
            while (posted := await self._posted.get()) is not None:
                self._places.release()
                self._oldest = posted
                await self._settle(posted, reading)
                self._oldest = None
        except asyncio.CancelledError:
            if self._oldest is None and self._posted.empty():
                raise
            raise self._unknown("interrupted") from None
        finally:
            await _cancelled(reading)

    async def _post_all(self, lines: AsyncIterator[Line]) -> None:
        number = 1  # of the line that is being read or posted
        try:
            async for line in lines:
                number = line.number
                if not line.blank():
                    await self._places.acquire()  # first: nobody may be cancelled with what is posted in hand
                    self._posted.put_nowait(_Posted(number, await self._post(line)))
                number += 1
            self._posted.put_nowait(None)
        except Exception as error:
            self._posted.put_nowait(_Posted(number, error))

    async def _post(self, line: Line) -> "asyncio.Future[Sent]":
        if line.too_long():
            raise too_large()
        id = None if self._id is None else f"{self._id}.{line.number}"
        return await self._client.post(self._to, line.text(), id=id)

    async def _settle(self, posted: _Posted, reading: "asyncio.Task[None]") -> None:
        try:
            sent = await self._sent(posted.outcome)
        except OutcomeUnknown as error:
            raise self._unknown(str(error)) from None
        except ZchatError as error:
            await _cancelled(reading)
            await self._settle_rest()
            why = with_remedy(error) if isinstance(error, Refused) else error
            raise FeedStopped(
                f"line {posted.number}: {why}. Lines stored: {self.stored}", error.exit_code
            ) from None
        await self._count(sent)

    async def _sent(self, outcome: "asyncio.Future[Sent] | Exception") -> "Sent":
        if isinstance(outcome, Exception):
            raise outcome
        while not outcome.done():
            held_s = self._client.held_s
            await asyncio.wait([outcome], timeout=None if self._timeout is None else self._timeout + held_s)
            if not outcome.done() and not held_s and not self._client.held_s:
                raise OutcomeUnknown(f"no answer within {self._timeout:g} s", None)
        return outcome.result()

    async def _settle_rest(self) -> None:
        """What was on its way behind a line that was refused may be stored all the same, and then counts."""
        rest = [self._posted.get_nowait() for _ in range(self._posted.qsize())]
        outcomes = [one.outcome for one in rest if one and not isinstance(one.outcome, Exception)]
        if outcomes:
            await asyncio.wait(outcomes, timeout=self._timeout)
        for outcome in outcomes:
            if outcome.done() and outcome.exception() is None:
                await self._count(outcome.result())

    async def _count(self, sent: "Sent") -> None:
        self.stored += 1
        try:
            await self._report(sent)
        except ConfigurationError as error:
            raise self._unknown(str(error)) from None

    def _unknown(self, why: str) -> OutcomeUnknown:
        repeat = "" if self._id is None else f". Repeating it all with --id {quoted(self._id)} is safe"
        return OutcomeUnknown(
            f"{why}. Lines stored: {self.stored}; those after them may be stored as well{repeat}", self._id
        )


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
