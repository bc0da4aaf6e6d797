"""A broker that is stopped for a while goes on, and one that is asked to end ends well, under load."""

import asyncio
import signal
import time
from pathlib import Path

from tests.fault.clients import DEADLINE_S, Reader, whole
from tests.fault.faulty import halt
from tests.fault.ledger import Ledger, agree
from tests.processes import BrokerProcess
from zchat import AsyncClient
from zchat.common.keys import draw

_STOP_S = 5.0


def test_a_broker_that_was_stopped_for_longer_than_a_session_lasts(
    impatient_broker: BrokerProcess, tmp_path: Path
) -> None:
    asyncio.run(_halt(impatient_broker, tmp_path))


async def _halt(broker: BrokerProcess, directory: Path) -> None:
    ledger = Ledger()
    reader = Reader(broker.link, "reader", directory / "reader.state")
    await reader.open()
    async with AsyncClient(broker.link, "sender", key=draw(), timeout=DEADLINE_S) as sender:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ledger.post(sender, (f"before.{n}" for n in range(10_000))))
            await ledger.until_acknowledged(1_000)
            halt(broker.pid)
            await reader.until(lambda: not reader.client.connected)
            tasks.create_task(ledger.post(reader.client, (f"meanwhile.{n}" for n in range(200))))
            broker.send_signal(signal.SIGCONT)
        history = await whole(sender, "general")
    await agree(ledger, history, reader)


def test_a_broker_that_is_asked_to_end_under_load(broker: BrokerProcess, tmp_path: Path, long: bool) -> None:
    asyncio.run(_end(broker, tmp_path, 20 if long else 3))


async def _end(broker: BrokerProcess, directory: Path, times: int) -> None:
    ledger, took_s = Ledger(), []
    reader = Reader(broker.link, "reader", directory / "reader.state")
    await reader.open()
    async with AsyncClient(broker.link, "sender", key=draw(), timeout=DEADLINE_S) as sender:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ledger.post(sender, (f"text.{n}" for n in range(2_000 * times))))
            for _ in range(times):
                await ledger.until_acknowledged(1_000)
                began = time.monotonic()
                assert await asyncio.to_thread(broker.stop) == 0
                took_s.append(time.monotonic() - began)
                await asyncio.to_thread(broker.start)
        history = await whole(sender, "general")
    await agree(ledger, history, reader)
    assert max(took_s) < _STOP_S
    print(f"ended in at most {max(took_s):.2f} s")
