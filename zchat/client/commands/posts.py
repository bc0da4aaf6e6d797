"""What the user of a chat wrote: on its way until it is stored or refused, and what of it is lost."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from zchat.common.errors import Closed, OutcomeUnknown, Unreachable, ZchatError

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient
    from zchat.client.commands.front import Front
    from zchat.client.messages import Sent

_QUOTED_CHARACTERS: Final = 40  # of a text that was refused


class Posts:
    """`failed` is the first thing that the user wanted and that was not done, be it a message or not."""

    def __init__(self, client: "AsyncClient", front: "Front") -> None:
        self._client, self._front = client, front
        self._unsettled: set[asyncio.Future[Sent]] = set()
        self._lost: list[ZchatError] = []
        self.failed: ZchatError | None = None

    @property
    def unsettled(self) -> int:
        """Messages that are neither stored nor refused yet."""
        return len(self._unsettled)

    async def send(self, to: str, text: str) -> None:
        """Put a message into the outbox; what becomes of it is said when it is known."""
        sent = await self._client.post(to, text)
        self._unsettled.add(sent)
        sent.add_done_callback(partial(self._settled, to, text))
        self._front.posted(to, text, sent)

    async def settle(self, timeout: float | None) -> None:
        """Wait until all that was sent is stored or refused, at most `timeout` seconds (None: for ever), not
        counting those for which the client has to wait since it sent too much."""
        while self._unsettled:
            held_s = self._client.held_s
            await asyncio.wait(self._unsettled, timeout=None if timeout is None else timeout + held_s)
            if not held_s and not self._client.held_s:
                break

    async def lost(self) -> ZchatError | None:
        """Once the client is closed: why something that was sent is not known to be stored, if so."""
        await asyncio.sleep(0)  # what closing settled is reported in the next turn of the loop
        return max(self._lost, key=lambda error: error.exit_code, default=None)

    def fail(self, error: ZchatError, said: str) -> None:
        """Something was not done."""
        self.failed = self.failed or error
        self._front.remark(said)

    def _settled(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        self._unsettled.discard(sent)
        error = None if sent.cancelled() else sent.exception()
        if error is None:
            return
        if isinstance(error, Closed):
            error = Unreachable("the broker was not there any more")
        if isinstance(error, Unreachable | OutcomeUnknown):
            self._lost.append(error)
        sure = "perhaps not" if isinstance(error, OutcomeUnknown) else "not"
        said = f"{sure} sent to {to}: {error} [{_beginning(text)}]"
        if isinstance(error, ZchatError):
            self.fail(error, said)
        else:
            self._front.remark(said)


def _beginning(text: str) -> str:
    return text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + "…"
