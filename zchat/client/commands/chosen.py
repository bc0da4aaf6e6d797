"""The conversations that somebody named."""

from collections.abc import Iterable

from zchat.client.messages import recipient
from zchat.common import names
from zchat.common.wire import ACCOUNT


class Chosen:
    """The conversations that somebody named, by their addresses; with none named, all."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.addresses = list(dict.fromkeys(addresses))
        self.rooms = [one[1:] for one in self.addresses if one.startswith("#")]
        self._people = {names.folded(one[1:]) for one in self.addresses if one.startswith("@")}

    def holds(self, conversation: str, nick: str) -> bool:
        """Whether the conversation is one of them; `nick` is the reader's own."""
        if not self.addresses:
            return True
        if conversation.startswith("#"):
            return conversation[1:] in self.rooms
        return _folded(recipient(conversation, nick)[1:]) in self._people


def _folded(nick: str) -> str:
    """The account that runs the broker has a name that no nick can be."""
    return nick if nick == ACCOUNT else names.folded(nick)
