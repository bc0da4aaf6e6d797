"""Clients of the fault tests: a reader that keeps what it gets, and reading a conversation whole."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from zchat import AsyncClient, Message
from zchat.client.messages import Status, Update
from zchat.common.keys import draw
from zchat.common.links import Link

DEADLINE_S = 30.0
"""How long anything that is waited for may take; on a slow machine it only fails later."""

_T = TypeVar("_T")


class Reader:
    """Reads what its user is entitled to, as one installation, through as many clients as it takes."""

    def __init__(
        self, link: str | Link, nick: str, state: Path | None = None, rooms: Sequence[str] = ()
    ) -> None:
        self.link = link
        self.nick = nick
        self.messages: list[Message] = []
        self.reached: dict[str, int] = {}  # position by conversation
        self.statuses: list[Status] = []
        self.client: AsyncClient
        self.took: Callable[[Update], None] = lambda update: None
        self._key = draw()
        self._state = state
        self._rooms = rooms
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Connect, however long that takes, and begin to read."""
        self.client = AsyncClient(
            self.link, self.nick, key=self._key, rooms=self._rooms, state=self._state, timeout=None
        )
        await self.client.connect()
        self._task = asyncio.create_task(self._read())
        self._task.add_done_callback(lambda task: self._changed.set())

    async def close(self) -> None:
        """Stop reading, and take leave."""
        async with asyncio.timeout(DEADLINE_S):
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
            await self.client.close()
        if self._task is not None and not self._task.cancelled():
            self._task.result()

    async def until(self, wanted: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
        """Returns when something that was read made `wanted` true."""
        async with asyncio.timeout(deadline_s):
            while not wanted():
                if self._task is not None and self._task.done():
                    self._task.result()
                self._changed.clear()
                await self._changed.wait()

    async def until_at(self, last: Message) -> None:
        """Returns when that message, or one behind it in its conversation, was read."""
        await self.until(lambda: self.reached.get(last.conversation, 0) >= last.pos)

    async def until_has(self, count: int) -> None:
        """Returns when so many messages were read in all."""
        await self.until(lambda: len(self.messages) >= count)

    async def until_told(self, kind: str) -> None:
        """Returns when the client has told that of itself."""
        await self.until(lambda: any(status.kind == kind for status in self.statuses))

    def of(self, conversation: str) -> list[Message]:
        """What was read of one conversation."""
        return [message for message in self.messages if message.conversation == conversation]

    async def _read(self) -> None:
        async for update in self.client.updates():
            self.took(update)
            if isinstance(update, Message):
                self.messages.append(update)
                self.reached[update.conversation] = update.pos
            elif isinstance(update, Status):
                self.statuses.append(update)
            self._changed.set()


async def whole(client: AsyncClient, to: str) -> list[Message]:
    """All messages of a conversation."""
    return await client.history(to, after=0, limit=10_000_000)


async def eventually(
    attempt: Callable[[], Awaitable[_T]], wanted: Callable[[_T], bool], deadline_s: float = DEADLINE_S
) -> _T:
    """Ask again and again, until the answer is the one that is wanted."""
    async with asyncio.timeout(deadline_s):
        while not wanted(answer := await attempt()):
            await asyncio.sleep(0.02)
        return answer
