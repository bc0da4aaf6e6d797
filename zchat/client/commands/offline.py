"""Printing by commands that need no broker."""

from zchat.client.commands.output import Output
from zchat.client.commands.running import run


def put(text: str, as_json: bool) -> None:
    """Print lines, in UTF-8 when they are JSON. Raises BrokenPipeError when the reader has gone."""
    run(_put(text, as_json))


async def _put(text: str, as_json: bool) -> None:
    output = Output()
    await (output.json(text) if as_json else output.text(text))
