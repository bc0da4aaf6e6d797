"""Parts that end together, and signals (zchat/client/commands/running.py)."""

import asyncio

import pytest

from zchat.client.commands.running import first_of
from zchat.common.errors import OutcomeUnknown


async def _never() -> str:
    await asyncio.Event().wait()
    raise AssertionError


async def _at_once() -> str:
    return "done"


async def _with_something_under_way() -> str:
    try:
        return await _never()
    except asyncio.CancelledError:
        raise OutcomeUnknown("interrupted", "K") from None


def test_the_first_part_that_ends_gives_the_result_and_ends_the_others() -> None:
    async def run() -> None:
        assert await first_of(_never(), _at_once(), _with_something_under_way()) == "done"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_the_first_part_that_fails_ends_the_others() -> None:
    async def fail() -> str:
        raise BrokenPipeError

    async def run() -> None:
        with pytest.raises(BrokenPipeError):
            await first_of(_never(), fail())
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_cancelled_it_raises_what_a_part_has_to_say_about_it() -> None:
    async def run() -> None:
        for parts, said in (([_with_something_under_way], OutcomeUnknown), ([], asyncio.CancelledError)):
            task = asyncio.create_task(first_of(_never(), *(part() for part in parts)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(said):
                await task

    asyncio.run(run())
