"""`zchat ping`: whether the broker is there, and how long an answer takes."""

import time
from typing import TYPE_CHECKING, Final

import click

from zchat.client.commands.formats import ping_json, ping_text
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.identity import Identity
from zchat.common import links
from zchat.common.codes import Refusal
from zchat.common.errors import Refused

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

_BEHIND_EVERYTHING: Final = 2**53 - 1  # a position


@click.command()
@client_options
@json_option
@click.option(
    "-n", "count", type=click.IntRange(1), default=1, metavar="N", help="So many round trips; 1 if not given."
)
def ping(caller: Caller, as_json: bool, count: int) -> None:
    """Ask the broker for an answer, and print how long it took.

    What is measured is one question and its answer; that the connection was opened before is not part of it.
    Exit code 0 means that the broker is there and lets you in.

    \b
    Examples:
      zchat ping
      zchat ping -n 100 --json | jq .time_ms
      until zchat ping --timeout 1; do sleep 1; done
    """
    run(_ping(caller.identity(), caller.timeout, as_json, count))


async def _ping(who: Identity, timeout: float | None, as_json: bool, count: int) -> None:
    output = Output()
    address = links.authority(who.link.host, who.link.port)
    async with session(who, timeout) as client:
        broker = (await client.usable().welcome).broker
        for _ in range(count):
            time_ms = await _round_trip_ms(client)
            if as_json:
                await output.json(ping_json(time_ms, broker, address))
            else:
                await output.text(ping_text(time_ms, broker, address))


async def _round_trip_ms(client: "AsyncClient") -> float:
    began = time.perf_counter()
    try:
        await client.history(f"@{client.nick}", limit=1, after=_BEHIND_EVERYTHING)  # an empty page
    except Refused as error:
        if error.refusal is not Refusal.NOT_ALLOWED:  # a token that may not read: no is an answer, too
            raise
    return (time.perf_counter() - began) * 1000
