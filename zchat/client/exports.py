"""A key in one line, to be taken to another machine: broker, nick and secret."""

import re
from typing import NamedTuple

from zchat.common import keys, links, names
from zchat.common.errors import ConfigurationError
from zchat.common.links import Link

_LINE = re.compile(
    r"zchat-key://(?P<nick>[^/:\s]+)@(?P<at>[^/@\s]+/[a-zA-Z2-7]{52})/(?P<secret>[a-zA-Z2-7]{52})/?"
)


class ExportedKey(NamedTuple):
    """`zchat-key://NICK@HOST:PORT/KEY/SECRET`. `secret` is in Z85. Whoever has it is that user."""

    link: Link
    nick: str
    secret: str

    def __str__(self) -> str:
        at = links.authority(self.link.host, self.link.port)
        key, secret = keys.to_base32(self.link.key), keys.to_base32(self.secret)
        return f"zchat-key://{self.nick}@{at}/{key}/{secret}"


def parse(text: str) -> ExportedKey:
    """The parts of an exported key; raises ConfigurationError, without quoting it, for anything else."""
    match = _LINE.fullmatch(text.strip())
    if match is None:
        raise ConfigurationError("not an exported key: zchat key export prints one line, zchat-key://…")
    try:
        nick = names.nick(match["nick"])
        secret = keys.from_base32(match["secret"])
    except names.InvalidName as error:
        raise ConfigurationError(f"the exported key is damaged: the nick {error}") from None
    except ValueError as error:
        raise ConfigurationError(f"the exported key is damaged: its secret: {error}") from None
    return ExportedKey(links.parse(f"zchat://{match['at']}"), nick, keys.from_secret(secret).secret)
