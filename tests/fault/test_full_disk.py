"""Promise 5: a full disk. Sends are refused, nothing acknowledged is lost, reading goes on, and writing
resumes by itself when there is room."""

import asyncio
import subprocess
from functools import partial
from itertools import count
from operator import le

import pytest

from tests.fault.clients import DEADLINE_S, eventually, whole
from tests.fault.faulty import SmallDisk
from tests.fault.ledger import Ledger
from tests.processes import BrokerProcess, broker_command, broker_environment
from zchat import AsyncClient, Sent, ZchatError
from zchat.common.codes import Refusal
from zchat.common.keys import draw

_TEXT_BYTES = 4_000
_LEFT_BYTES = 100_000
_REFUSALS = 30
_PATIENCE_S = 1.0
_CANNOT_START = 9


@pytest.mark.tmpfs
def test_a_full_disk(small_disk: SmallDisk, long: bool) -> None:
    with BrokerProcess(small_disk.path / "broker") as broker:
        asyncio.run(_Filling(broker, small_disk).run(rounds=6 if long else 2))


class _Filling:
    def __init__(self, broker: BrokerProcess, disk: SmallDisk) -> None:
        self._broker = broker
        self._disk = disk
        self._ledger = Ledger()
        self._numbers = count()
        self._key = draw()

    async def run(self, rounds: int) -> None:
        link = self._broker.link
        async with AsyncClient(link, "one", key=draw(), quiet=True, timeout=DEADLINE_S) as one:
            await self._ledger.post(one, (self._text() for _ in range(100)))
            assert await self._attempt()  # registered while there is room
            for number in range(rounds):
                self._disk.fill(_LEFT_BYTES)
                async with asyncio.TaskGroup() as tasks:
                    # Some of these are in the commit that fails, and have their answers when there is room.
                    tasks.create_task(self._ledger.post(one, (self._text() for _ in range(100))))
                    wanted = len(self._ledger.refused) + _REFUSALS
                    await eventually(self._refuse_one, partial(le, wanted))
                    self._ledger.check(await whole(one, "general"))
                    if number % 2:
                        await self._crash(one)
                    self._disk.make_room()
                    await eventually(self._attempt, lambda sent: sent is not None)
                self._ledger.check(await whole(one, "general"))
            history = await whole(one, "general")
        refused = self._ledger.refused
        assert {error.refusal for error in refused.values()} == {Refusal.STORAGE_UNAVAILABLE}
        print(
            f"acknowledged {len(self._ledger.acknowledged)}, refused {len(refused)}, "
            f"in doubt {len(self._ledger.unknown)}, stored {len(history)}"
        )

    async def _crash(self, reading: AsyncClient) -> None:
        """kill -9 on a disk without a single free byte, and a restart on it."""
        await asyncio.to_thread(self._broker.kill)
        self._disk.fill()
        await asyncio.to_thread(self._broker.start)
        self._ledger.check(await whole(reading, "general"))

    async def _refuse_one(self) -> int:
        await self._attempt()
        return len(self._ledger.refused)

    async def _attempt(self) -> Sent | None:
        """As a new process: the instance of one that was in a failing commit stays in doubt."""
        text = self._text()
        async with AsyncClient(
            self._broker.link, "two", key=self._key, quiet=True, timeout=_PATIENCE_S
        ) as client:
            try:
                sent = await client.send("general", text)
            except ZchatError as error:
                self._ledger.failed(text, error)
                return None
        self._ledger.answered(text, sent)
        return sent

    def _text(self) -> str:
        return f"{'.' * _TEXT_BYTES}{next(self._numbers)}"


@pytest.mark.tmpfs
def test_a_start_on_a_disk_that_is_full_to_the_last_byte(small_disk: SmallDisk) -> None:
    """After a clean stop SQLite needs room even to read: the broker says so, and does not start."""
    with BrokerProcess(small_disk.path / "broker") as broker:
        assert broker.stop() == 0
        small_disk.fill()
        command = broker_command(broker.port, broker.data_dir)
        ended = subprocess.run(
            command, env=broker_environment(), capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert ended.returncode == _CANNOT_START
        assert str(broker.data_dir / "zchat.db") in ended.stderr and "Traceback" not in ended.stderr
        small_disk.make_room()
        broker.start()
