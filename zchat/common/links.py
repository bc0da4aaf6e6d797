"""Join links, `zchat://HOST:PORT/KEY[/SECRET]`: all that a client must know to reach and trust a broker."""

import re
from typing import NamedTuple

from zchat.common import keys, limits, text
from zchat.common.errors import ConfigurationError

_HOST = r"\[[0-9A-Fa-f:.%a-z]+\]|[^\s/:@?#\[\]*]+"
SECRET_CHARACTERS = 40  # of an invite: its id, and what only its digest is known of
_ID_CHARACTERS = 8
_LINK = re.compile(
    rf"zchat://(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?/(?P<key>[a-zA-Z2-7]{{52}})"
    rf"(?:/(?P<secret>[a-zA-Z2-7]{{{SECRET_CHARACTERS}}}))?/?"
)


class Link(NamedTuple):
    """Where a broker is and who it is. `host` is a name or an address, IPv6 without brackets; `key` is the
    broker's public key in Z85. `secret` is that of an invite, 40 characters of lower-case base32, or empty:
    whoever has it is let in."""

    host: str
    port: int
    key: str
    secret: str = ""

    def __str__(self) -> str:
        secret = f"/{self.secret}" if self.secret else ""
        return f"zchat://{authority(self.host, self.port)}/{keys.to_base32(self.key)}{secret}"

    @property
    def invite(self) -> str:
        """The id of the invite, which is no secret; empty without one."""
        return self.secret[:_ID_CHARACTERS]

    def without_secret(self) -> "Link":
        """The broker alone: what is compared, kept and shown."""
        return self._replace(secret="") if self.secret else self


def authority(host: str, port: int) -> str:
    """`HOST:PORT`, with an IPv6 address in brackets, as in a link and in ZeroMQ's endpoints."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host(typed: str) -> str:
    """A name or an address, IPv6 with or without brackets, as it stands in a Link; raises ConfigurationError
    for anything else."""
    name = typed.strip("[]")
    written = f"[{name}]" if ":" in name else name
    if name.count(":") == 1 or not name.isprintable() or not re.fullmatch(_HOST, written):
        raise ConfigurationError(f"neither a name nor an address: {_quoted(typed)}")
    return name


def parse(typed: str) -> Link:
    """The parts of a link; raises ConfigurationError with what is wrong about it."""
    if "zchat-key:" in typed.lower():  # a secret, never to be quoted
        raise ConfigurationError("that is an exported key and not a link: zchat key import takes it")
    if "zchat-token:" in typed.lower():
        raise ConfigurationError("that is a token and not a link: --token or ZCHAT_TOKEN takes it")
    match = _LINK.fullmatch(typed.strip())
    if match is None or not match[0].isprintable():
        raise ConfigurationError(
            f"not a zchat link: {_quoted(typed)}. "
            "It looks like zchat://HOST:PORT/KEY, as the broker prints it."
        )
    port = int(match["port"] or limits.PORT)
    if not 0 < port < 65536:
        raise ConfigurationError(f"not a port: {port}")
    try:
        key = keys.from_base32(match["key"])
    except ValueError as error:
        raise ConfigurationError(f"the key in the link is damaged: {error}") from None
    return Link(match["host"].strip("[]"), port, key, (match["secret"] or "").lower())


def _quoted(typed: str) -> str:
    shown = text.without_keys(typed)
    return "what stands there may be a secret key" if keys.may_be_secret(shown) else repr(shown)
