"""Clients of a broker that runs: made with few words, each nick with one key, and a deadline for all."""

import asyncio
import functools
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from tests.processes import BrokerProcess
from zchat import AsyncClient
from zchat.common.keys import KeyPair, draw

DEADLINE_S = 20.0
"""How long a test may take; on a slow machine it only fails later."""

_T = TypeVar("_T")
_KEYS: defaultdict[str, KeyPair] = defaultdict(draw)


def key_of(nick: str) -> KeyPair:
    """The key that this nick has in all tests."""
    return _KEYS[nick]


def client(broker: BrokerProcess, nick: str, **options: Any) -> AsyncClient:
    """A client that is not connected yet. It has a timeout only where one is given."""
    options = {"key": key_of(nick), "timeout": DEADLINE_S} | options
    return AsyncClient(broker.link, nick, **options)


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test, as one that pytest can call."""

    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **fixtures), DEADLINE_S))

    return run


async def take(updates: AsyncIterator[_T], count: int) -> list[_T]:
    """The next ones."""
    return [await anext(updates) for _ in range(count)]


async def until(updates: AsyncIterator[Any], is_wanted: Callable[[Any], bool]) -> Any:
    """The next one that is wanted; those before it are passed over."""
    async for update in updates:
        if is_wanted(update):
            return update
    raise AssertionError("there are no more updates")


async def error_of(work: Awaitable[Any]) -> BaseException:
    """What it raises."""
    result = (await asyncio.gather(work, return_exceptions=True))[0]
    assert isinstance(result, BaseException), result
    return result
