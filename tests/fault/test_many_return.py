"""Promise 3: clients that all come back at the same time, after a restart, get everything."""

import asyncio
import time
from pathlib import Path

from tests.fault.clients import DEADLINE_S, Reader, whole
from tests.fault.ledger import Ledger, agree
from tests.processes import BrokerProcess
from zchat import AsyncClient
from zchat.common.keys import draw

_TEXTS = 200  # before each kill


def test_many_return_at_once(broker: BrokerProcess, tmp_path: Path, long: bool) -> None:
    asyncio.run(_return(broker, tmp_path, readers=100 if long else 10, kills=5 if long else 2))


async def _return(broker: BrokerProcess, directory: Path, readers: int, kills: int) -> None:
    ledger = Ledger()
    reading = [Reader(broker.link, f"reader{n}", directory / f"reader{n}.state") for n in range(readers)]
    for reader in reading:
        await reader.open()
    async with AsyncClient(broker.link, "sender", key=draw(), timeout=DEADLINE_S) as sender:
        for number in range(kills):
            await ledger.post(sender, (f"before{number}.{n}" for n in range(_TEXTS)))
            await asyncio.to_thread(broker.kill)
            async with asyncio.TaskGroup() as tasks:
                for reader in reading:
                    texts = [f"{reader.nick}.{number}.{n}" for n in range(10)]
                    tasks.create_task(ledger.post(reader.client, texts))
                await asyncio.to_thread(broker.start)
                began = time.monotonic()
            print(f"{readers} clients were back and had sent after {time.monotonic() - began:.2f} s")
        history = await whole(sender, "general")
    assert len(history) == kills * (_TEXTS + 10 * readers)
    await agree(ledger, history, *reading)
