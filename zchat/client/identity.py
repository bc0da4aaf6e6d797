"""Who the caller is and which broker is meant: link, nick and key, from options, environment and files."""

import contextlib
import os
import sys
from pathlib import Path
from typing import NamedTuple

from zchat.common import keys, limits, links, names, places
from zchat.common.errors import ConfigurationError, WrongIdentity
from zchat.common.keys import KeyPair
from zchat.common.links import Link
from zchat.common.text import say

_DEFAULT_HOST = "127.0.0.1"


class Asked(NamedTuple):
    """What a command was told about it, as typed; None where nothing was said. `nick` may come from
    ZCHAT_NICK; ZCHAT_LINK is looked at here."""

    link: str | None = None
    interface: str | None = None
    port: int | None = None
    nick: str | None = None


class Identity(NamedTuple):
    """A nick at a broker. Its key and its files follow from both."""

    link: Link
    nick: str

    def key(self) -> KeyPair:
        """The key pair of this nick, drawn and on disk when there was none."""
        path = places.client_config_dir(self._broker()) / f"{names.folded(self.nick)}.key"
        return keys.load_or_draw(path)

    def state(self) -> Path:
        """The file that holds how far this installation has read."""
        return places.client_state_dir(self._broker()) / f"{names.folded(self.nick)}.state"

    def remember(self) -> None:
        """Make this nick the default at this broker, unless there is one already."""
        path = _default_nick_file(self.link)
        if not path.exists():
            with contextlib.suppress(OSError):  # a read-only directory is enough once a key exists
                _publish(path, self.nick + "\n")

    def _broker(self) -> str:
        return keys.to_base32(self.link.key)


def find(asked: Asked, *, may_ask: bool = True) -> Identity:
    """Whom the caller means to be, and where. `may_ask`: a person at a terminal is asked for a nick.

    Raises ConfigurationError when that is not known or contradicts itself, and WrongIdentity when the
    broker's key is not known.
    """
    link = find_link(asked)
    return Identity(link, _valid_nick(asked.nick) if asked.nick else _default_nick(link, may_ask))


def find_link(asked: Asked) -> Link:
    """The broker: the link or address that was given, else ZCHAT_LINK, else the one of this account."""
    if asked.link is not None:
        link = links.parse(asked.link)
        _check_same(link, asked)
        return link
    if asked.interface is not None or asked.port is not None:
        host, port = asked.interface or _DEFAULT_HOST, asked.port or limits.PORT
        return Link(host.strip("[]"), port, _local_key(host, port))
    if from_environment := os.environ.get("ZCHAT_LINK"):
        return links.parse(from_environment)
    local = _local_link()
    if local is None:
        raise ConfigurationError(
            "which broker? Give --link LINK or set ZCHAT_LINK, or start one here: zchat broker"
        )
    return local


def _check_same(link: Link, asked: Asked) -> None:
    host, port = asked.interface or link.host, asked.port or link.port
    if (host.strip("[]"), port) != (link.host, link.port):
        raise ConfigurationError(
            f"two brokers are named: {links.authority(link.host, link.port)} by the link, "
            f"{links.authority(host.strip('[]'), port)} by -i and -p. Name one."
        )


def _local_key(host: str, port: int) -> str:
    local = _local_link()
    if local is None:
        address = links.authority(host.strip("[]"), port)
        raise WrongIdentity(f"no key known for {address}; ask there for the link that `zchat broker` printed")
    return local.key


def _local_link() -> Link | None:
    """The link of the broker whose data directory this account can read."""
    try:
        text = (places.broker_dir() / places.BROKER_LINK).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return links.parse(text) if text.strip() else None


def _valid_nick(typed: str) -> str:
    try:
        names.folded(typed)
        return names.nick(typed)
    except names.InvalidName as error:
        raise ConfigurationError(f"the nick {typed!r} {error}") from None


def _default_nick(link: Link, may_ask: bool) -> str:
    """The nick that was first used with this broker; asked for where a person can answer."""
    path = _default_nick_file(link)
    try:
        return _valid_nick(path.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the default nick {path}: {error}") from None
    if not (may_ask and sys.stdin and sys.stderr and sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            "which nick? No nick was used with this broker yet: --nick NAME or ZCHAT_NICK"
        )
    return _ask_nick()


def _ask_nick() -> str:
    while True:
        print("Your nick at this broker: ", end="", file=sys.stderr, flush=True)
        typed = sys.stdin.buffer.readline().decode("utf-8", "surrogateescape")
        if not typed:
            raise ConfigurationError("which nick? --nick NAME or ZCHAT_NICK")
        try:
            return _valid_nick(typed.strip())
        except ConfigurationError as error:
            say(str(error))


def _default_nick_file(link: Link) -> Path:
    return places.client_config_dir(keys.to_base32(link.key)) / "nick"


def _publish(path: Path, text: str) -> None:
    """Put a whole file in place, unless somebody else was first."""
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".nick-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
