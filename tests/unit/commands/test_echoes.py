"""What was typed and comes back (zchat/client/commands/echoes.py)."""

import asyncio
from collections.abc import Awaitable, Callable

from zchat.client.commands.echoes import Echoes
from zchat.client.messages import Message, Sent
from zchat.common.errors import Unreachable

Future = asyncio.Future[Sent]


def message(text: str, to: str = "#general", id: str = "~1.0") -> Message:
    return Message(1, 0, 0, "ann", to, "message", id, text, "")


def in_a_loop(test: Callable[[Callable[[], Future]], Awaitable[None]]) -> None:
    async def run() -> None:
        await test(asyncio.get_running_loop().create_future)

    asyncio.run(run())


def test_it_comes_back_before_its_answer() -> None:
    async def test(sent: Callable[[], Future]) -> None:
        echoes = Echoes()
        echoes.add("#general", "hi", sent())
        assert not echoes.take(message("ho"))
        assert not echoes.take(message("hi", to="#kitchen"))
        assert len(echoes.waiting) == 1
        assert echoes.take(message("hi"))
        assert not echoes.take(message("hi"))
        assert echoes.waiting == []

    in_a_loop(test)


def test_it_comes_back_behind_its_answer_and_is_known_by_its_id() -> None:
    async def test(sent: Callable[[], Future]) -> None:
        echoes, answered = Echoes(), sent()
        echoes.add("@Bob", "hi", answered)
        await echoes.come_back()  # nothing is stored
        answered.set_result(Sent(1, 0, "~1.7", False))
        coming = asyncio.create_task(echoes.come_back())
        await asyncio.sleep(0)
        assert not echoes.take(message("hi", to="@bob", id="~2.0"))
        await asyncio.sleep(0)
        assert not coming.done()
        assert echoes.take(message("hi", to="@bob", id="~1.7"))
        await coming

    in_a_loop(test)


def test_what_was_refused_never_comes_back() -> None:
    async def test(sent: Callable[[], Future]) -> None:
        echoes, refused, cancelled = Echoes(), sent(), sent()
        echoes.add("#general", "hi", refused)
        echoes.add("#general", "hi", cancelled)
        refused.set_exception(Unreachable("away"))
        cancelled.cancel()
        assert echoes.waiting == []
        await echoes.come_back()
        assert not echoes.take(message("hi"))

    in_a_loop(test)


def test_the_same_text_twice() -> None:
    async def test(sent: Callable[[], Future]) -> None:
        echoes, first, second = Echoes(), sent(), sent()
        echoes.add("#general", "hi", first)
        echoes.add("#general", "hi", second)
        first.set_result(Sent(1, 0, "~1.0", False))
        assert [echo.sent for echo in echoes.waiting] == [second]
        assert echoes.take(message("hi", id="~1.0"))
        assert echoes.take(message("hi", id="~1.1"))

    in_a_loop(test)


class Counted(asyncio.Future[Sent]):
    """Counts how often anybody looks at one of them."""

    looks = 0

    def done(self) -> bool:
        Counted.looks += 1
        return super().done()


def test_many_are_not_looked_at_for_each() -> None:
    async def test(_: Callable[[], Future]) -> None:
        echoes, many = Echoes(), range(2_000)
        coming = [Counted() for _ in many]
        for number, sent in enumerate(coming):
            echoes.add("#general", f"{number}", sent)
        for number, sent in enumerate(coming):
            sent.set_result(Sent(number, 0, f"~1.{number}", False))
        back = asyncio.create_task(echoes.come_back())
        for number in many:
            await asyncio.sleep(0)
            assert echoes.take(message(f"{number}", id=f"~1.{number}"))
        await back
        assert Counted.looks < 20 * len(many)

    in_a_loop(test)


def test_those_that_never_come_back_are_forgotten_at_last() -> None:
    async def test(sent: Callable[[], Future]) -> None:
        echoes = Echoes()
        for number in range(10_001):
            echoes.add("#general", f"{number}", sent())
        assert len(echoes.waiting) == 10_000
        assert not echoes.take(message("0"))
        assert echoes.take(message("1"))

    in_a_loop(test)
