"""What is printed above the line (zchat/client/terminal/prints.py)."""

import asyncio

from prompt_toolkit.formatted_text import StyleAndTextTuples as Fragments

from zchat.client.terminal.prints import Prints


def text_of(fragments: Fragments) -> str:
    return "".join(fragment[1] for fragment in fragments)


def test_many_are_printed_at_once_and_in_order() -> None:
    prints, printed = Prints(), []
    for number in range(1_000):
        prints.add(lambda columns, number=number: [("", f"{number}/{columns} ")])
    prints.flush(80, lambda fragments: printed.append(text_of(fragments)))
    assert len(printed) < 10
    assert "".join(printed) == "".join(f"{number}/80 " for number in range(1_000))


def test_whoever_adds_waits_for_room() -> None:
    async def run() -> int:
        prints, count = Prints(), 0

        def print(fragments: Fragments) -> None:
            nonlocal count
            count += len(fragments)

        async def fill() -> None:
            for _ in range(5_000):
                prints.add(lambda columns: [("", "x")])
                await prints.room()

        filling = asyncio.create_task(fill())
        await asyncio.sleep(0)
        assert not filling.done()
        printing = asyncio.create_task(prints.run(lambda: 80, print))
        await filling
        printing.cancel()
        prints.flush(80, print)
        return count

    assert asyncio.run(run()) == 5_000
