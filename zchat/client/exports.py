"""A key in one line, to be taken to another machine or given to a bot: broker, nick and secret."""

import re
from typing import NamedTuple

from zchat.common import keys, links, names
from zchat.common.errors import ConfigurationError
from zchat.common.keys import KeyPair
from zchat.common.links import Link

_LINE = re.compile(
    r"zchat-(?P<kind>key|token)://(?P<nick>[^/:\s]+)@(?P<at>[^/@\s]+/[a-zA-Z2-7]{52})/(?P<secret>[a-zA-Z2-7]{52})/?"
)
_ELSEWHERE = {
    "token": "that is a token and no exported key: --token or ZCHAT_TOKEN takes it",
    "key": "that is an exported key and no token: zchat key import takes it",
}


class ExportedKey(NamedTuple):
    """`zchat-key://NICK@HOST:PORT/KEY/SECRET`, or with `is_token` `zchat-token://…`, the same for a bot.
    `secret` is in Z85. Whoever has it is that user."""

    link: Link
    nick: str
    secret: str
    is_token: bool = False

    def __str__(self) -> str:
        at = links.authority(self.link.host, self.link.port)
        key, secret = keys.to_base32(self.link.key), keys.to_base32(self.secret)
        return f"zchat-{'token' if self.is_token else 'key'}://{self.nick}@{at}/{key}/{secret}"

    def key(self) -> KeyPair:
        """Both halves."""
        return keys.from_secret(self.secret)


def parse(text: str) -> ExportedKey:
    """The parts of an exported key; raises ConfigurationError, without quoting it, for anything else."""
    return _parse(text, "key", "not an exported key: zchat key export prints one line, zchat-key://…")


def parse_token(text: str) -> ExportedKey:
    """The parts of a token; raises ConfigurationError, without quoting it, for anything else."""
    return _parse(text, "token", "not a token: zchat token create prints one line, zchat-token://…")


def _parse(text: str, kind: str, wanted: str) -> ExportedKey:
    match = _LINE.fullmatch(text.strip())
    if match is None:
        raise ConfigurationError(wanted)
    if match["kind"] != kind:
        raise ConfigurationError(_ELSEWHERE[match["kind"]])
    called = "token" if kind == "token" else "exported key"
    try:
        nick = names.nick(match["nick"])
        secret = keys.from_base32(match["secret"])
    except names.InvalidName as error:
        raise ConfigurationError(f"the {called} is damaged: the nick {error}") from None
    except ValueError as error:
        raise ConfigurationError(f"the {called} is damaged: its secret: {error}") from None
    link = links.parse(f"zchat://{match['at']}")
    return ExportedKey(link, nick, keys.from_secret(secret).secret, kind == "token")
