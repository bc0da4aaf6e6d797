"""Promise 4: a reader that is stopped slows nobody, costs bounded memory, and misses nothing afterwards."""

import asyncio
import statistics
import time
from pathlib import Path

from tests.fault.clients import DEADLINE_S, Reader, eventually, whole
from tests.fault.faulty import ClientProcess, forget_peak_memory, peak_memory_kib
from tests.processes import BrokerProcess
from zchat import AsyncClient, Message
from zchat.client.messages import Update
from zchat.common.keys import draw
from zchat.common.wire import Person

_DIRECT = 5  # one in so many is for the stopped reader alone
_OUTSTANDING_MAX = 500
_BYTES = 100_000_000  # in all: more than the broker may grow by and the kernel can hold
_GROWTH_KIB_MAX = 64 * 1024


def test_a_stopped_reader(broker: BrokerProcess, tmp_path: Path, long: bool) -> None:
    with ClientProcess(broker.link, "stopped", tmp_path / "stopped.state") as stopped:
        messages = 100_000 if long else 20_000
        asyncio.run(_pass_by(broker, stopped, messages, _BYTES // messages, long))


async def _pass_by(
    broker: BrokerProcess, stopped: ClientProcess, messages: int, text_bytes: int, expire: bool
) -> None:
    awake, delays_s = Reader(broker.link, "awake"), list[float]()
    awake.took = lambda update: delays_s.extend(_delay_s(update))
    await awake.open()
    async with AsyncClient(broker.link, "sender", key=draw(), quiet=True, timeout=DEADLINE_S) as sender:
        await sender.send("general", "the first")
        await asyncio.to_thread(stopped.out.until, lambda line: line.endswith("the first"))
        await awake.until_has(1)
        forget_peak_memory(broker.pid)
        before = broker.rss_bytes // 1024

        stopped.stop()
        direct = await _send(sender, range(messages), text_bytes)
        await awake.until_has(1 + messages - direct)
        if expire:
            await eventually(
                sender.users, lambda people: Person("stopped", True) not in people, 2 * DEADLINE_S
            )
            direct += await _send(sender, range(messages, messages + 1_000), text_bytes)
            messages += 1_000
        away = peak_memory_kib(broker.pid) - before

        stopped.go_on()
        # one line that it is ready, one for each message
        await asyncio.to_thread(stopped.out.until, lambda _: len(stopped.out.seen) == 2 + messages)
        grown = peak_memory_kib(broker.pid) - before

        room, to_it = await whole(sender, "general"), await whole(sender, "@stopped")
        got = stopped.read()
        for history in room, to_it:
            wanted = [(m.pos, m.conversation, m.text) for m in history]
            assert [line for line in got if line[1] == history[0].conversation] == wanted
        assert len(got) == len(room) + len(to_it) == 1 + messages
        await awake.until_has(len(room))
        assert awake.messages == room
    await awake.close()
    print(
        f"passed {messages:,} ({direct:,} direct), got {len(got):,}; the broker grew by {away:,} KiB, and by "
        f"{grown:,} KiB in the end; the other reader waited {statistics.median(delays_s) * 1e3:.1f} ms, "
        f"at most {max(delays_s) * 1e3:.0f} ms"
    )
    assert grown < _GROWTH_KIB_MAX
    assert statistics.median(delays_s) < 1 and max(delays_s) < 5


async def _send(sender: AsyncClient, numbers: range, text_bytes: int) -> int:
    """Returns how many of them were for the stopped reader alone, when all are acknowledged."""
    window = asyncio.Semaphore(_OUTSTANDING_MAX)
    futures = []
    direct = 0
    for number in numbers:
        await window.acquire()
        to = "general" if number % _DIRECT else "@stopped"
        direct += to == "@stopped"
        text = f"{time.monotonic_ns()} {number}".ljust(text_bytes, ".")
        futures.append(await sender.post(to, text))
        futures[-1].add_done_callback(lambda _: window.release())
    await asyncio.gather(*futures)
    return direct


def _delay_s(update: Update) -> list[float]:
    """How long a message took from the sender's hands to here."""
    if not isinstance(update, Message) or not update.text[0].isdigit():
        return []
    return [(time.monotonic_ns() - int(update.text.split(" ")[0])) / 1e9]
