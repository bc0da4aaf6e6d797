"""What `join`, `leave`, `away` and others have in common: a change that the broker says is on disk."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from zchat.client.commands import completing
from zchat.client.commands.addresses import address
from zchat.client.commands.done import printing
from zchat.client.commands.formats import change_json
from zchat.client.commands.options import Caller, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.identity import Identity
from zchat.common.errors import ConfigurationError, OutcomeUnknown

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

Change = Callable[["AsyncClient"], Awaitable[int]]


def room_argument(command: Callable[..., None]) -> Callable[..., None]:
    """ROOM, with its mark or without; the function gets it as `room`, in the form that is stored."""
    return click.argument("room", metavar="ROOM", callback=_room, shell_complete=completing.room)(command)


def act(caller: Caller, room: str, change: Change, as_json: bool) -> None:
    """Have the broker change something about a room; `change` asks for it and returns the position.

    Raises what the session and the change do; OutcomeUnknown says that it can be repeated.
    """
    do(caller, change, as_json, lambda pos: change_json(room, pos))


def do(caller: Caller, change: Change, as_json: bool, line: Callable[[int], str]) -> None:
    """The same about anything; of the position `line` makes the JSON."""
    run(_do(caller.identity(), caller.timeout, change, line if as_json else None))


async def _do(
    who: Identity, timeout: float | None, change: Change, line: Callable[[int], str] | None
) -> None:
    output = Output()
    async with session(who, timeout) as client:
        try:
            pos = await change(client)
        except OutcomeUnknown:
            raise OutcomeUnknown(
                "the broker gave no answer in time: nobody knows whether it was done. Repeating it is safe",
                None,
            ) from None
    if line is not None:
        with printing("it was done", "Repeating it is safe"):
            await output.json(line(pos))


def _room(_context: click.Context, _parameter: click.Parameter, typed: str) -> str:
    to = address(typed)
    if not to.startswith("#"):
        raise ConfigurationError(f"{typed!r} is a person; a room is meant here")
    return to[1:]
