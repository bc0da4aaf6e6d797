"""Promises 2 and 5: a sync that fails within COMMIT. What was refused does not come back, what was
acknowledged stays, reading goes on, and so does writing as soon as it can."""

import asyncio
from itertools import count
from pathlib import Path

import pytest

from tests.fault.clients import DEADLINE_S, Reader, eventually, whole
from tests.fault.ledger import Ledger, check_delivered
from tests.fault.tracing import Trace
from tests.processes import BrokerProcess
from zchat import AsyncClient, Sent, ZchatError
from zchat.common.codes import Refusal
from zchat.common.keys import draw

_REFUSALS = 50
_PATIENCE_S = 1.0


@pytest.mark.strace
def test_a_sync_that_fails_and_then_a_crash(broker: BrokerProcess, tmp_path: Path, long: bool) -> None:
    asyncio.run(_Failing(broker, tmp_path).run(crashes=10 if long else 2))


class _Failing:
    def __init__(self, broker: BrokerProcess, directory: Path) -> None:
        self._broker = broker
        self._directory = directory
        self._ledger = Ledger()
        self._numbers = count()
        self._keyed: dict[str, str] = {}  # text by key, of what was in doubt

    async def run(self, crashes: int) -> None:
        reader = Reader(self._broker.link, "reader", self._directory / "reader.state")
        await reader.open()
        link = self._broker.link
        async with (
            AsyncClient(link, "one", key=draw(), quiet=True, timeout=DEADLINE_S) as one,
            AsyncClient(link, "two", key=draw(), quiet=True, timeout=DEADLINE_S) as two,
        ):
            for number in range(2 * crashes):
                await self._ledger.post(two, (self._text() for _ in range(100)))
                with self._failing(number):
                    await self._fail(one, two)
                    await self._compare(two)
                    if number % 2:
                        await asyncio.to_thread(self._broker.kill)
                if number % 2:
                    await asyncio.to_thread(self._broker.start)
                await self._go_on(one, two)
                await self._compare(two)
            history = await whole(two, "general")
        await reader.until_at(history[-1])
        check_delivered("reader", reader.messages, history)
        await reader.close()
        print(
            f"acknowledged {len(self._ledger.acknowledged)}, refused {len(self._ledger.refused)}, "
            f"in doubt {len(self._ledger.unknown)}, stored {len(history)}"
        )

    def _failing(self, number: int) -> Trace:
        output = self._directory / f"trace{number}"
        return Trace(
            self._broker.pid, output, "--trace=fdatasync,fsync", "--inject=fdatasync,fsync:error=EIO"
        )

    async def _fail(self, one: AsyncClient, two: AsyncClient) -> None:
        """Messages of one are in the commit that fails; those of two come while the broker cannot write."""
        failed = self._failures()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(self._attempt(one, None))
            await eventually(self._failures_now, lambda failures: failures > failed)
            tasks.create_task(self._attempt(one, f"k{next(self._numbers)}"))
            before = len(self._ledger.refused)
            for _ in range(_REFUSALS):
                await self._attempt(two, None)
                await self._attempt(two, f"k{next(self._numbers)}")
        refused = list(self._ledger.refused.values())[before:]
        assert len(refused) >= 2 * _REFUSALS
        assert {error.refusal for error in refused} == {Refusal.STORAGE_UNAVAILABLE}

    async def _go_on(self, one: AsyncClient, two: AsyncClient) -> None:
        """The broker writes again, and what was in doubt and can be repeated is repeated."""

        async def attempt() -> Sent | None:
            return await self._attempt(two, None)

        await eventually(attempt, lambda sent: sent is not None)
        for key, text in self._keyed.items():
            self._ledger.answered(text, await one.send("general", text, id=key))
        self._keyed.clear()

    async def _attempt(self, client: AsyncClient, key: str | None) -> Sent | None:
        text = self._text()
        try:
            sent = await client.send("general", text, id=key, timeout=_PATIENCE_S)
        except ZchatError as error:
            self._ledger.failed(text, error)
            if key is not None and text in self._ledger.unknown:
                self._keyed[key] = text
            return None
        self._ledger.answered(text, sent)
        return sent

    async def _compare(self, client: AsyncClient) -> None:
        self._ledger.check(await whole(client, "general"))

    def _text(self) -> str:
        return f"text.{next(self._numbers)}"

    def _failures(self) -> int:
        return sum(" storage_failed " in line for line in self._broker.log_lines())

    async def _failures_now(self) -> int:
        return self._failures()
