"""What a shell can offer in place of TO, ROOM, NICK and other names, quickly or not at all.

Completing never registers anybody, draws no key, writes no file and says nothing; whatever fails, there is
nothing to offer. The parameters of the commands name the functions here, so it has to be light.
"""

import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient
    from zchat.client.identity import Identity

_ALL_S: Final = 0.3  # of the whole process: nobody waits longer for a completion

_Question = Callable[["AsyncClient"], Awaitable[list[str]]]


def to(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Rooms, and people behind an @; with a mark typed, only these."""
    if typed.startswith("@"):
        return _beginning(typed, _ask(context, _people))
    if typed.startswith("#"):
        return _beginning(typed, (f"#{room}" for room in _ask(context, _rooms)))
    return _beginning(typed, _ask(context, _rooms if typed else _everybody))


def room(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Rooms, with a mark if one was typed."""
    mark = "#" if typed.startswith("#") else ""
    return _beginning(typed, (f"{mark}{room}" for room in _ask(context, _rooms)))


def nick(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """People, without a mark."""
    return _beginning(typed, (person[1:] for person in _ask(context, _people)))


def cursor(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Cursors of whoever calls."""
    from zchat.client.cursorfile import all_of

    with suppress(Exception):
        return _beginning(typed, (file.name for file in all_of(_who(context))))
    return []


def broker(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Contexts: the names that brokers have here."""
    from zchat.client import contexts

    with suppress(Exception):
        return _beginning(typed, contexts.names())
    return []


def _beginning(typed: str, offered: Iterable[str]) -> list[str]:
    """Those that go on as typed, but for the case. What is printable no shell takes for anything but text."""
    folded = typed.casefold()
    return [one for one in offered if one.casefold().startswith(folded) and one.isprintable()]


async def _rooms(client: "AsyncClient") -> list[str]:
    return [room.name for room in await client.rooms()]


async def _people(client: "AsyncClient") -> list[str]:
    return [f"@{person.nick}" for person in await client.users()]


async def _everybody(client: "AsyncClient") -> list[str]:
    import asyncio

    rooms, people = await asyncio.gather(_rooms(client), _people(client))
    return rooms + people


def _ask(context: click.Context, question: _Question) -> list[str]:
    """What the broker answers. Asked on a thread of its own, since not all that takes long can be cancelled:
    looking up a host, for one."""
    found: list[str] = []
    asking = threading.Thread(target=_try_to_ask, args=(context, question, found), daemon=True)
    asking.start()
    asking.join(_left_s())
    return list(found)


def _left_s() -> float:
    """How long the answer may take. What starting has cost is known by the processor time that it took."""
    return max(0.0, _ALL_S - time.process_time())


def _try_to_ask(context: click.Context, question: _Question, found: list[str]) -> None:
    import asyncio

    with suppress(Exception):
        asyncio.run(_asked(_who(context), question, found))


def _who(context: click.Context) -> "Identity":
    from zchat.client.identity import Asked, find

    return find(Asked(*(context.params.get(name) for name in Asked._fields)), may_ask=False)


async def _asked(who: "Identity", question: _Question, found: list[str]) -> None:
    from zchat.client.aio import AsyncClient

    if not who.has_key():
        return
    async with AsyncClient(
        who.link, who.nick, key=who.key(), quiet=True, register=False, timeout=_ALL_S
    ) as client:
        found += await question(client)
