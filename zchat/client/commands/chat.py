"""What is typed into `zchat connect`: plain text for the current room, and commands behind a slash."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from zchat.client.commands.addresses import address
from zchat.client.commands.formats import message_text, person_text
from zchat.client.commands.lines import Line, too_large
from zchat.client.commands.output import Output
from zchat.common.errors import Closed, ConfigurationError, OutcomeUnknown, Unreachable, ZchatError
from zchat.common.text import say

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient
    from zchat.client.messages import Sent

HELP = """\
text               sends it to the current room
/msg NICK TEXT     sends it to one person
/join ROOM         joins a room, makes it if there is none, and writes there from now on
/users             lists who is registered; a star marks who is here
/history [N]       shows the last messages of the current room
/quit              waits for what is not stored yet, and ends (Ctrl-D as well)
//text             sends text that begins with a slash
"""

_HISTORY = 20
_QUOTED_CHARACTERS = 40  # of a text that was refused


class Chat:
    """Takes lines one after the other. What a line does wrong is said, and ends nothing."""

    def __init__(self, client: "AsyncClient", output: Output) -> None:
        self.room = "#general"  # where plain text goes: `#room`
        self._unsettled: set[asyncio.Future[Sent]] = set()
        self._lost: list[ZchatError] = []
        self._client, self._output = client, output

    async def typed(self, line: Line) -> bool:
        """False when the line asked for the end."""
        try:
            if line.too_long():
                raise too_large()
            return await self._obey(line.text())
        except ZchatError as error:
            say(str(error))
            return True

    async def settle(self, timeout: float | None) -> None:
        """Wait until all that was sent is stored or refused, at most `timeout` seconds (None: for ever)."""
        if self._unsettled:
            await asyncio.wait(self._unsettled, timeout=timeout)

    async def lost(self) -> ZchatError | None:
        """Once the client is closed: why something that was sent is not known to be stored, if so."""
        await asyncio.sleep(0)  # what closing settled is reported in the next turn of the loop
        return max(self._lost, key=lambda error: error.exit_code, default=None)

    async def _obey(self, text: str) -> bool:
        if not text.strip():
            return True
        if text.startswith("//") or not text.startswith("/"):
            await self._send(self.room, text[1:] if text.startswith("//") else text)
            return True
        word, _, rest = text[1:].partition(" ")
        if word == "quit":
            return False
        command = self._commands().get(word)
        if command is None:
            raise ConfigurationError(f"there is no command /{word}. /help lists them, and // sends a slash")
        await command(rest.strip())
        return True

    def _commands(self) -> dict[str, Callable[[str], Awaitable[None]]]:
        return {
            "msg": self._msg,
            "join": self.join,
            "users": self._users,
            "history": self._history,
            "help": self._help,
        }

    async def join(self, room: str) -> None:
        """Become a member of a room, and write there from now on."""
        to = address("#" + room.removeprefix("#"))
        await self._client.join(to[1:])
        self.room = to
        say(f"you write to {to} now")

    async def _msg(self, rest: str) -> None:
        nick, _, text = rest.partition(" ")
        if not text.strip():
            raise ConfigurationError("/msg NICK TEXT")
        await self._send(address("@" + nick.removeprefix("@")), text.strip())

    async def _users(self, rest: str) -> None:
        await self._output.text("".join(map(person_text, await self._client.users())))

    async def _history(self, rest: str) -> None:
        if rest and not (rest.isascii() and rest.isdigit() and 0 < int(rest) <= 1000):
            raise ConfigurationError("/history [N], N from 1 to 1000")
        for message in await self._client.history(self.room, limit=int(rest or _HISTORY)):
            await self._output.text(message_text(message))

    async def _help(self, rest: str) -> None:
        await self._output.text(HELP)

    async def _send(self, to: str, text: str) -> None:
        future = await self._client.post(to, text)
        self._unsettled.add(future)
        future.add_done_callback(partial(self._settled, to, text))

    def _settled(self, to: str, text: str, future: "asyncio.Future[Sent]") -> None:
        self._unsettled.discard(future)
        error = None if future.cancelled() else future.exception()
        if error is None:
            return
        if isinstance(error, Closed):
            error = Unreachable("the broker was not there any more")
        if isinstance(error, (Unreachable, OutcomeUnknown)):
            self._lost.append(error)
        sure = "perhaps not" if isinstance(error, OutcomeUnknown) else "not"
        say(f"{sure} sent to {to}: {error} [{_beginning(text)}]")


def _beginning(text: str) -> str:
    return text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + "…"
