"""Promise 1: an acknowledgement, and the delivery to others, leave when the write-ahead log is synced."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.fault.clients import DEADLINE_S, Reader
from tests.fault.tracing import Call, Trace
from tests.processes import BrokerProcess
from zchat import AsyncClient, Message
from zchat.client.messages import Update
from zchat.common.keys import draw

_SYNC_TAKES_US = 20_000  # so that whatever does not wait for it is early for certain


@pytest.mark.strace
def test_an_acknowledgement_follows_the_sync(broker: BrokerProcess, tmp_path: Path, long: bool) -> None:
    trace = Trace(
        broker.pid,
        tmp_path / "trace",
        "--trace=fdatasync,fsync,sendto,sendmsg,write,writev",
        f"--inject=fdatasync,fsync:delay_enter={_SYNC_TAKES_US}",
    )
    with trace:
        sent_at, acknowledged_at, read_at = asyncio.run(_send(broker, 200 if long else 20))
    calls = trace.calls()
    syncs = [call for call in calls if "sync" in call.name and "-wal>" in call.arguments and call.result == 0]
    frames = [call for call in calls if "sync" not in call.name and "<TCP" in call.arguments]
    for sent, acknowledged, read in zip(sent_at, acknowledged_at, read_at, strict=True):
        within = [sync for sync in syncs if sent <= sync.began and sync.ended <= acknowledged]
        assert within, "acknowledged, and nothing was synced since it was sent"
        assert within[0].ended - within[0].began >= _SYNC_TAKES_US / 1e6
        assert _last_before(acknowledged, frames).began >= within[0].ended, "its frame left before the sync"
        assert read >= within[0].ended, "others saw it before the sync"


def _last_before(at: float, frames: list[Call]) -> Call:
    return max((frame for frame in frames if frame.began <= at), key=lambda frame: frame.began)


async def _send(broker: BrokerProcess, messages: int) -> tuple[list[float], list[float], list[float]]:
    """When each message was sent, when it was acknowledged, and when another one had it."""
    sent_at, acknowledged_at, read_at = [], [], list[float]()

    def took(update: Update) -> None:
        if isinstance(update, Message):
            read_at.append(time.time())

    reader = Reader(broker.link, "reader")
    reader.took = took
    await reader.open()
    async with AsyncClient(broker.link, "sender", key=draw(), quiet=True, timeout=DEADLINE_S) as sender:
        for number in range(messages):
            sent_at.append(time.time())
            await sender.send("general", f"number {number}")
            acknowledged_at.append(time.time())
            await reader.until_has(number + 1)
    await reader.close()
    return sent_at, acknowledged_at, read_at
