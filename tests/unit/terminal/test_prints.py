"""What is printed above the line (zchat/client/terminal/prints.py)."""

import asyncio
from collections.abc import Sequence

from zchat.client.terminal.above import Print
from zchat.client.terminal.prints import Prints


def test_many_are_printed_at_once_and_in_order() -> None:
    prints = Prints()
    printed: list[Sequence[Print]] = []
    for number in range(1_000):
        prints.add(Print(lambda columns: [], number))
    prints.flush(printed.append)
    assert len(printed) < 10
    assert [one.pos for together in printed for one in together] == list(range(1_000))


def test_whoever_adds_waits_for_room() -> None:
    async def run() -> int:
        prints, count = Prints(), 0

        def print(those: Sequence[Print]) -> None:
            nonlocal count
            count += len(those)

        async def fill() -> None:
            for _ in range(5_000):
                prints.add(Print(lambda columns: [("", "x")]))
                await prints.room()

        filling = asyncio.create_task(fill())
        await asyncio.sleep(0)
        assert not filling.done()
        printing = asyncio.create_task(prints.run(print))
        await filling
        printing.cancel()
        prints.flush(print)
        return count

    assert asyncio.run(run()) == 5_000
