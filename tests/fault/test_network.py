"""Connections that stall and break, and a second port that is out of reach."""

import asyncio
import random
from pathlib import Path

from tests.fault.clients import DEADLINE_S, Reader, whole
from tests.fault.faulty import ClientProcess
from tests.fault.ledger import Ledger, agree
from tests.fault.proxy import Proxy
from tests.processes import BrokerProcess
from zchat import AsyncClient
from zchat.common.keys import draw


def test_answers_that_are_lost(broker: BrokerProcess) -> None:
    asyncio.run(_lose_answers(broker))


async def _lose_answers(broker: BrokerProcess) -> None:
    ledger, near = Ledger(), Reader(broker.link, "near")
    texts = [f"far.{number}" for number in range(50)]
    await near.open()
    async with Proxy(broker.link) as proxy:
        async with AsyncClient(proxy.link, "far", key=draw(), quiet=True, timeout=DEADLINE_S) as far:
            proxy.stall(answers_only=True)
            async with asyncio.TaskGroup() as tasks:
                keyed = tasks.create_task(far.send("general", "far.keyed", id="once"))
                tasks.create_task(ledger.post(far, texts))
                await near.until_has(1)
                assert not ledger.acknowledged and not keyed.done()
                proxy.cut()
                proxy.flow()
            assert keyed.result().duplicate
            ledger.answered("far.keyed", keyed.result())
            history = await whole(far, "general")
    assert [message.text for message in history] == ["far.keyed", *texts]
    await agree(ledger, history, near)


def test_connections_that_break_again_and_again(broker: BrokerProcess, tmp_path: Path, long: bool) -> None:
    asyncio.run(_cut_often(broker, tmp_path, 100 if long else 6))


async def _cut_often(broker: BrokerProcess, directory: Path, cuts: int) -> None:
    ledger = Ledger()
    async with Proxy(broker.link) as proxy:
        await proxy.listen(proxy.link.port + 1)
        far, near = Reader(proxy.link, "far", directory / "far.state"), Reader(broker.link, "near")
        await far.open()
        await near.open()
        async with AsyncClient(proxy.link, "sender", key=draw(), timeout=DEADLINE_S) as sender:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ledger.post(sender, (f"sender.{n}" for n in range(500 * cuts))))
                for _ in range(cuts):
                    await ledger.until_acknowledged(300)
                    proxy.cut()
            history = await whole(sender, "general")
        await agree(ledger, history, far, near)


def test_a_connection_that_stalls(broker: BrokerProcess, tmp_path: Path, long: bool) -> None:
    asyncio.run(_stall(broker, tmp_path, long))


async def _stall(broker: BrokerProcess, directory: Path, until_noticed: bool) -> None:
    ledger = Ledger()
    async with Proxy(broker.link) as proxy:
        await proxy.listen(proxy.link.port + 1)
        far, near = Reader(proxy.link, "far", directory / "far.state"), Reader(broker.link, "near")
        await far.open()
        await near.open()
        async with AsyncClient(broker.link, "sender", key=draw(), timeout=DEADLINE_S) as sender:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ledger.post(far.client, (f"far.{n}" for n in range(5_000))))
                await ledger.until_acknowledged(200)
                proxy.stall()
                await ledger.post(sender, (f"sender.{n}" for n in range(20_000)))
                if until_noticed:
                    await far.until(lambda: not far.client.connected)
                proxy.flow()
            history = await whole(sender, "general")
        assert len(history) == 25_000
        await agree(ledger, history, far, near)


def test_connections_that_break_within_a_page(broker: BrokerProcess, tmp_path: Path, long: bool) -> None:
    asyncio.run(_cut_pages(broker, tmp_path, 300 if long else 15))


async def _cut_pages(broker: BrokerProcess, directory: Path, cuts: int) -> None:
    """A page has a frame for each segment: the last ones are not there when the connection breaks."""
    messages = 1_500
    async with AsyncClient(broker.link, "sender", key=draw(), quiet=True, timeout=DEADLINE_S) as sender:
        for number in range(messages):
            await sender.send("general", f"segment {number}")
    async with Proxy(broker.link) as proxy:
        state, options = directory / "state", ("--history", "general")
        reading = await asyncio.to_thread(ClientProcess, str(proxy.link), "reader", state, *options)
        with reading as reader:
            for _ in range(cuts):
                await asyncio.to_thread(reader.out.until, lambda line: line == f"whole {messages}")
                await proxy.cut_after(random.randrange(1, 300_000))
            await asyncio.to_thread(reader.out.until, lambda line: line == f"whole {messages}")


def test_a_second_port_that_is_out_of_reach(broker: BrokerProcess) -> None:
    asyncio.run(_first_port_only(broker))


async def _first_port_only(broker: BrokerProcess) -> None:
    """For one reader it is closed; for the other one it accepts, and then says nothing."""
    ledger = Ledger()
    async with Proxy(broker.link) as closed, Proxy(broker.link, "127.0.0.3") as silent:
        await silent.swallow(silent.link.port + 1)
        readers = [Reader(closed.link, "one"), Reader(silent.link, "two")]
        for reader in readers:
            await reader.open()
        async with AsyncClient(broker.link, "sender", key=draw(), timeout=DEADLINE_S) as sender:
            await ledger.post(sender, (f"before.{n}" for n in range(100)))
            for reader in readers:
                await reader.until_told("over_router")
            await ledger.post(sender, (f"then.{n}" for n in range(1_000)))
            for proxy in closed, silent:
                proxy.cut()
            await ledger.post(sender, (f"after.{n}" for n in range(1_000)))
            history = await whole(sender, "general")
        await agree(ledger, history, *readers)
        assert [_told(reader) for reader in readers] == [1, 1]


def _told(reader: Reader) -> int:
    return sum(status.kind == "over_router" for status in reader.statuses)
