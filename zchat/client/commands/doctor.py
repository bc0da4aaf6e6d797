"""`zchat doctor`: why it does not work, step by step, and how to mend it."""

from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from zchat.client.commands.formats import step_json, step_text
from zchat.client.commands.options import Caller, client_options, json_option
from zchat.client.commands.output import Output
from zchat.client.commands.running import run
from zchat.common.errors import ZchatError

if TYPE_CHECKING:
    from zchat.client.doctor import Known
    from zchat.client.verdicts import Step


class Wrong(ZchatError):
    """Something is wrong, and was printed."""

    def __init__(self, step: "Step") -> None:
        super().__init__("")
        self.exit_code = step.exit_code


@click.command()
@client_options
@json_option
@click.argument("at", metavar="[LINK]", required=False)
def doctor(caller: Caller, as_json: bool, at: str | None) -> None:
    """Go the way to the broker step by step, stop at what is wrong, and say how to mend it.

    The broker is that of LINK, or the one that all commands would take. Nothing is registered or written,
    no key is drawn for good, and nobody sees you come. --timeout is for each step. The exit code is that of
    what is wrong, 0 if nothing is.

    \b
    Examples:
      zchat doctor
      zchat doctor --nick ann zchat://chat.example.org:9242/…
      zchat doctor --json | jq -r 'select(.ok | not) | .mend'
    """
    from zchat.client.doctor import prepare

    known = prepare(caller.at(at).asked)
    run(_examine(known, caller.timeout, as_json))


async def _examine(known: "Known | Step", timeout: float | None, as_json: bool) -> None:
    from zchat.client.doctor import Examination, Known

    output = Output()

    async def put(step: "Step") -> None:
        await (output.json(step_json(step)) if as_json else output.text(step_text(step)))
        if step.mend is not None:
            raise Wrong(step)

    if not isinstance(known, Known):
        await put(known)
        return
    async with aclosing(Examination(known, timeout).steps()) as steps:
        async for step in steps:
            await put(step)
