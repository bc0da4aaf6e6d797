"""`zchat topic`: what a room is about, printed or set."""

import os

import click

from zchat.client.commands import lines
from zchat.client.commands.acts import act, room_argument
from zchat.client.commands.addresses import quoted
from zchat.client.commands.formats import topic_json
from zchat.client.commands.options import Caller, client_options, json_option, session, warn_of_options
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.client.identity import Identity
from zchat.common import names
from zchat.common.codes import Refusal
from zchat.common.errors import No, Refused
from zchat.common.text import one_line


@click.command(context_settings={"allow_interspersed_args": False})
@client_options
@json_option
@room_argument
@click.argument("words", nargs=-1, metavar="[TEXT]...", type=click.UNPROCESSED)
def topic(caller: Caller, as_json: bool, room: str, words: tuple[str, ...]) -> None:
    """Print the topic of ROOM, or make TEXT its topic.

    Options stand before ROOM; after it everything is text. An empty TEXT removes the topic. Exit code 1
    means that no topic is set.

    \b
    Examples:
      zchat topic kitchen
      zchat topic kitchen what is for lunch
      zchat topic kitchen ""
    """
    warn_of_options(words, "ROOM")
    if words:
        text = lines.decode(os.fsencode(" ".join(words)))
        act(caller, room, lambda client: client.set_topic(room, text), as_json)
    else:
        run(_print(caller.identity(), caller.timeout, room, as_json))


async def _print(who: Identity, timeout: float | None, room: str, as_json: bool) -> None:
    output = Output()
    async with session(who, timeout) as client:
        topics = {one.name: one.topic for one in await client.rooms()}
    if room not in topics:
        remedy = "" if names.is_of_private_room(room) else f"; zchat join {quoted(room)} creates it"
        raise Refused(Refusal.NO_SUCH_ROOM, f"there is no room #{room}{remedy}")
    if not topics[room]:
        raise No(f"#{room} has no topic")
    if as_json:
        await output.json(topic_json(room, topics[room]))
    else:
        await output.text(f"{one_line(topics[room])}\n")
