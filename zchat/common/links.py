"""Join links, `zchat://HOST:PORT/KEY`: all that a client must know to reach a broker and to trust it."""

import re
from typing import NamedTuple

from zchat.common import keys, limits
from zchat.common.errors import ConfigurationError

_HOST = r"\[[0-9A-Fa-f:.%a-z]+\]|[^\s/:@?#\[\]*]+"
_LINK = re.compile(rf"zchat://(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?/(?P<key>[a-zA-Z2-7]{{52}})/?")


class Link(NamedTuple):
    """Where a broker is and who it is. `host` is a name or an address, IPv6 without brackets; `key` is the
    broker's public key in Z85."""

    host: str
    port: int
    key: str

    def __str__(self) -> str:
        return f"zchat://{authority(self.host, self.port)}/{keys.to_base32(self.key)}"


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


def parse(text: str) -> Link:
    """The parts of a link; raises ConfigurationError with what is wrong about it."""
    if "zchat-key:" in text.lower():  # a secret, never to be quoted
        raise ConfigurationError("that is an exported key and not a link: zchat key import takes it")
    match = _LINK.fullmatch(text.strip())
    if match is None or not match[0].isprintable():
        raise ConfigurationError(
            f"not a zchat link: {_quoted(text)}. "
            "It looks like zchat://HOST:PORT/KEY, as the broker prints it."
        )
    port = int(match["port"] or limits.PORT)
    if not 0 < port < 65536:
        raise ConfigurationError(f"not a port: {port}")
    try:
        key = keys.from_base32(match["key"])
    except ValueError as error:
        raise ConfigurationError(f"the key in the link is damaged: {error}") from None
    return Link(match["host"].strip("[]"), port, key)


def _quoted(typed: str) -> str:
    return "what stands there may be a secret key" if keys.may_be_secret(typed) else repr(typed)
