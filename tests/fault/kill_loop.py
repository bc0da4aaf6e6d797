"""kill -9 of the broker again and again under load: `python -m tests.fault.kill_loop --kills 50`.

Senders post by counter, to the room and to a reader, and send with a short patience, with keys and without.
Readers are closed and opened again in between. In the end, everything acknowledged is in the history once and
in order, and was delivered to each reader once and in order; what ended in doubt is repeated by its key, and
is there once.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path

from msgspec.structs import replace

from tests.fault.clients import DEADLINE_S, Reader, whole
from tests.fault.ledger import Ledger, check_delivered, check_sequence
from tests.processes import BrokerProcess
from zchat import AsyncClient, Message, ZchatError
from zchat.common.keys import draw

ROOM, SIDE_ROOM = "#general", "#side"  # every other reader follows the second one, without being a member
_OUTSTANDING_MAX = 200  # posted by one sender and not answered
_IMPATIENT = 3  # sends with a key and sends without, of one sender at a time
_PATIENCE_S = 0.25
_ACKNOWLEDGED_PER_LIFE = (100, 2_500)  # before the next kill
_STILLBORN = 5  # one in so many is killed as soon as it is ready
_CERTAIN_REPEATED = 100  # of the keys of each sender that were acknowledged


@dataclass
class Figures:
    """What a run came to."""

    kills: int = 0
    acknowledged: int = 0
    unknown: int = 0
    repeated: int = 0
    repeated_were_stored: int = 0
    stored: int = 0
    delivered: int = 0
    reopened: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(f"{name} {value:,.0f}" for name, value in values)


class Sender:
    """Keeps the broker busy until it is told to stop, and notes what becomes of each text."""

    def __init__(self, link: str, nick: str, recipient: str, ledger: Ledger) -> None:
        self.nick = nick
        self.recipient = recipient
        self._link = link
        self._key = draw()
        self._ledger = ledger
        self._keyed: dict[str, str] = {}  # text by key
        self._numbers = count()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`, then wait for what was posted."""
        async with AsyncClient(self._link, self.nick, key=self._key, timeout=DEADLINE_S) as client:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._post(client, stop))
                for _ in range(_IMPATIENT):
                    tasks.create_task(self._send(client, stop))
                    tasks.create_task(self._send_keyed(client, stop))

    async def _post(self, client: AsyncClient, stop: asyncio.Event) -> None:
        def texts() -> Iterator[str]:
            while not stop.is_set():
                yield f"{self.nick}.counter.{next(self._numbers)}"

        def to(_: str) -> str:
            return random.choices((ROOM, f"@{self.recipient}", SIDE_ROOM), (7, 2, 1))[0]

        await self._ledger.post(client, texts(), to, _OUTSTANDING_MAX)

    async def _send(self, client: AsyncClient, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._attempt(client, f"{self.nick}.counter.{next(self._numbers)}", None)

    async def _send_keyed(self, client: AsyncClient, stop: asyncio.Event) -> None:
        while not stop.is_set():
            number = next(self._numbers)
            key, text = f"k{number}", f"{self.nick}.key.{number}"
            self._keyed[key] = text
            await self._attempt(client, text, key)

    async def _attempt(self, client: AsyncClient, text: str, key: str | None) -> None:
        try:
            self._ledger.answered(text, await client.send(ROOM, text, id=key, timeout=_PATIENCE_S))
        except ZchatError as error:
            self._ledger.failed(text, error)

    async def repeat(self, figures: Figures) -> None:
        """As another process of the same user: all keys in doubt, and some that are certain."""
        certain = [key for key, text in self._keyed.items() if text in self._ledger.acknowledged]
        doubtful = self._keyed.keys() - certain
        async with AsyncClient(self._link, self.nick, key=self._key, quiet=True) as client:
            for key in [*doubtful, *certain[:_CERTAIN_REPEATED]]:
                text = self._keyed[key]
                sent = await client.send(ROOM, text, id=key)
                first = self._ledger.acknowledged.get(text)
                if first is not None:
                    assert sent == replace(first, duplicate=True)
                self._ledger.answered(text, sent)
                figures.repeated += key in doubtful
                figures.repeated_were_stored += key in doubtful and sent.duplicate


async def run(directory: Path, kills: int, senders: int, readers: int) -> Figures:
    """Raises AssertionError when anything was lost, doubled or moved."""
    started = time.monotonic()
    broker = await asyncio.to_thread(BrokerProcess, directory / "broker")
    figures, ledger = Figures(), Ledger()
    try:
        async with AsyncClient(broker.link, "founder", key=draw(), quiet=True) as founder:
            await founder.join(SIDE_ROOM)
        reading = [
            Reader(broker.link, f"reader{n}", directory / f"reader{n}.state", [SIDE_ROOM] * (n % 2))
            for n in range(readers)
        ]
        for reader in reading:
            await reader.open()
        sending = [Sender(broker.link, f"sender{n}", f"reader{n % readers}", ledger) for n in range(senders)]
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for sender in sending:
                tasks.create_task(sender.run(stop))
            await _kill_often(broker, kills, ledger, reading, figures)
            stop.set()
        figures.unknown, figures.acknowledged = len(ledger.unknown), len(ledger.acknowledged)
        for sender in sending:
            await sender.repeat(figures)
        await _compare(ledger, sending, reading, figures)
        for reader in reading:
            await reader.close()
    finally:
        await asyncio.to_thread(broker.kill)
    figures.seconds = time.monotonic() - started
    return figures


async def _kill_often(
    broker: BrokerProcess, kills: int, ledger: Ledger, reading: list[Reader], figures: Figures
) -> None:
    for number in range(kills):
        if (number + 1) % _STILLBORN:
            await ledger.until_acknowledged(random.randint(*_ACKNOWLEDGED_PER_LIFE))
        await asyncio.to_thread(broker.kill)
        figures.kills += 1
        reader = reading[number % len(reading)]
        await reader.close()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reader.open())
            await asyncio.to_thread(broker.start)
        figures.reopened += 1
    await ledger.until_acknowledged(_ACKNOWLEDGED_PER_LIFE[0])


async def _compare(ledger: Ledger, sending: list[Sender], reading: list[Reader], figures: Figures) -> None:
    first = reading[0].client
    conversations: dict[str, list[Message]] = {room: await whole(first, room) for room in (ROOM, SIDE_ROOM)}
    for number, reader in enumerate(reading):
        wanted = [conversations[ROOM], *[conversations[SIDE_ROOM]] * (number % 2)]
        for sender in sending:
            if sender.recipient == reader.nick:
                direct = await whole(reader.client, f"@{sender.nick}")
                conversations[direct[0].conversation] = direct
                wanted.append(direct)
        for history in wanted:
            await reader.until_at(history[-1])
            conversation = history[-1].conversation
            check_delivered(reader.nick, reader.of(conversation), history)
        assert len(reader.messages) == sum(map(len, wanted))
        figures.delivered += len(reader.messages)
    ledger.check(*conversations.values())
    assert not ledger.refused, list(ledger.refused.items())[:5]
    for history in conversations.values():
        for sender in sending:
            check_sequence(m.text for m in history if m.text.startswith(f"{sender.nick}.counter."))
    figures.stored = sum(map(len, conversations.values()))


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description="Kill a broker again and again under load.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--readers", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zchat-kills-") as directory:
        print(asyncio.run(run(Path(directory), options.kills, options.senders, options.readers)))


if __name__ == "__main__":
    main()
