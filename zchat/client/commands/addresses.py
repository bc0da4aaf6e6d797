"""What TO means: a room by its name, with or without a mark, or a person behind an @."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zchat.common import names
from zchat.common.errors import ConfigurationError, Refused

if TYPE_CHECKING:
    from zchat.client.messages import Message


def address(typed: str) -> str:
    """`#room` or `@nick`; raises ConfigurationError for what can be neither."""
    try:
        if typed.startswith("@"):
            return "@" + names.nick(typed[1:])
        return "#" + names.room(typed.removeprefix("#"))
    except names.InvalidName as error:
        what = "nobody" if typed.startswith("@") else "no room"
        raise ConfigurationError(f"{what} can be called {typed!r}: the name {error}") from None


def with_remedy(error: Refused) -> Refused:
    """The refusal with the command that helps. A broker tells what helps, but knows no commands."""
    reason = re.sub(
        r"\bjoining #(\S+) creates it",
        lambda found: f"zchat join {quoted(found[1])} creates it",
        error.reason,
    )
    return Refused(error.refusal, reason)


def quoted(argument: str) -> str:
    """An argument as it can be typed into a shell."""
    import shlex

    return shlex.quote(argument)


class Chosen:
    """The conversations that somebody named, by their addresses; with none named, all."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.addresses = list(dict.fromkeys(addresses))
        self.rooms = [one[1:] for one in self.addresses if one.startswith("#")]
        self._people = {names.folded(one[1:]) for one in self.addresses if one.startswith("@")}

    def holds_room(self, room: str) -> bool:
        """Whether the room is one of them."""
        return not self.addresses or room in self.rooms

    def holds(self, message: "Message", nick: str) -> bool:
        """Whether the message is of one of them; `nick` is the reader's own."""
        if not self.addresses:
            return True
        if message.to.startswith("#"):
            return message.to[1:] in self.rooms
        partner = message.to[1:] if message.sender == nick else message.sender
        return names.folded(partner) in self._people
