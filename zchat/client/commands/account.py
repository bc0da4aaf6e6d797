"""What is kept with the account of a user: whom they ignore, and whether they are away."""

from typing import TYPE_CHECKING, Protocol

from zchat.client.messages import Message
from zchat.common.errors import Refused

if TYPE_CHECKING:
    from zchat.client.messages import Update
    from zchat.common.wire import Profile


class Asking(Protocol):
    """The part of a client that is needed here."""

    nick: str

    async def whois(self, nick: str | None = None) -> "Profile": ...


class Account:
    """As the broker told it when it was asked last; before that nobody is ignored."""

    def __init__(self, client: Asking) -> None:
        self._client = client
        self.ignored: frozenset[str] = frozenset()
        self.away = ""  # the reason, if one is away

    async def ask(self) -> None:
        """Ask the broker. Raises what `whois` does, but for a refusal: a token may be for less than
        that, and bots ignore nobody."""
        try:
            profile = await self._client.whois()
        except Refused:
            return
        self.ignored, self.away = frozenset(profile.ignored), profile.away

    def passes_over(self, update: "Update") -> bool:
        """Whether it is a message of somebody who is ignored, and so not to be shown."""
        return (
            isinstance(update, Message)
            and update.sender in self.ignored
            and update.sender != self._client.nick
        )
