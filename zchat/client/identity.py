"""Who the caller is and which broker is meant: link, nick and key, from options, environment and files.

Longer than other files: which of many sources counts is one order, to be read from its beginning to its end.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from zchat.client import contexts, exports
from zchat.client.exports import ExportedKey
from zchat.common import files, keys, limits, links, names, places, settings
from zchat.common.errors import ConfigurationError, WrongIdentity
from zchat.common.keys import KeyPair
from zchat.common.links import Link
from zchat.common.text import say

_DEFAULT_HOST = "127.0.0.1"


class Asked(NamedTuple):
    """What a command was told about it, as typed; None where nothing was said. What the environment and the
    settings say is looked at here."""

    link: str | None = None
    interface: str | None = None
    port: int | None = None
    context: str | None = None
    nick: str | None = None
    key_file: str | None = None
    token: str | None = None


class Identity(NamedTuple):
    """A nick at a broker. Its key and its files follow from both, unless the key comes from elsewhere: as
    text in `secret`, or from `key_file`. `may_register`: the nick was named, so it may be registered;
    `was_asked`: a person typed it at the question. `loaded`: what was in `key_file`. `invite`: the secret
    that the link had, which is in `link` no more. `is_bot`: all of it comes from a token."""

    link: Link
    nick: str
    may_register: bool = True
    secret: str | None = None
    key_file: Path | None = None
    was_asked: bool = False
    loaded: KeyPair | None = None
    invite: str = ""
    is_bot: bool = False

    def key(self) -> KeyPair:
        """The key pair of this nick, drawn and on disk when there was none. Raises ConfigurationError."""
        if self.loaded is not None:
            return self.loaded
        if self.secret is not None:
            with _said_by("ZCHAT_KEY"):
                return keys.from_secret(self.secret.strip())
        if self.key_file is not None:
            return keys.load(self.key_file)
        return keys.load_or_draw(self.own_key_file())

    def with_key_loaded(self) -> "Identity":
        """The same with what is in `key_file`, if there is one. That may be a pipe: it waits, and whoever
        reads it a second time finds nothing. Raises ConfigurationError."""
        return self if self.key_file is None else self._replace(loaded=self.key())

    def has_key(self) -> bool:
        """Whether there is a key already, without drawing one."""
        if self.secret is not None or self.key_file is not None:
            return True
        return self.own_key_file().exists()

    def own_key_file(self) -> Path:
        """Where the key of this nick is kept, whether or not it is used."""
        return places.client_config_dir(self._broker()) / f"{names.folded(self.nick)}.key"

    def state(self) -> Path:
        """The file that holds how far this installation has read."""
        return places.client_state_dir(self._broker()) / f"{names.folded(self.nick)}.state"

    def remember(self) -> None:
        """Make this nick the default at this broker, unless there is one already or that cannot be kept. A
        bot's is nobody's default."""
        if self.is_bot:
            return
        with contextlib.suppress(OSError, ConfigurationError):  # a read-only directory, or none, is enough
            path = _default_nick_file(self.link)
            if not path.exists():
                files.publish(path, self.nick + "\n")

    def _broker(self) -> str:
        return keys.to_base32(self.link.key)


def find(asked: Asked, *, may_ask: bool = True) -> Identity:
    """Whom the caller means to be, and where. A token says all of it. `may_ask`: a person at a terminal is
    asked for a nick.

    Raises ConfigurationError when that is not known or contradicts itself, and WrongIdentity when the
    broker's key is not known.
    """
    found, token = _find_link(asked), _token(asked)
    link = found.without_secret()
    if token is not None:
        _check_token(token, asked)
        return Identity(link, token.nick, may_register=False, secret=token.secret, is_bot=True)
    nick, is_named, was_asked = _named_nick(asked), True, False
    if nick is None:
        nick, is_named = default_nick(link), False
    if nick is None:
        nick, is_named, was_asked = _ask_nick(may_ask), True, True
    secret = None if asked.key_file else os.environ.get("ZCHAT_KEY")
    key_file = None if secret else _key_file(asked)
    return Identity(link, nick, is_named, secret or None, key_file, was_asked, invite=found.secret)


def find_link(asked: Asked) -> Link:
    """The broker, by the first of these that is given: a token, a link, an address or a context, ZCHAT_LINK,
    ZCHAT_CONTEXT, the settings' link and context, the current context, the broker of this account. Without
    the secret of an invite."""
    return _find_link(asked).without_secret()


def _find_link(asked: Asked) -> Link:
    link = _named_link(asked) or _set_link() or local_link()
    if link is None:
        raise ConfigurationError(
            "which broker? zchat connect LINK, --link LINK or ZCHAT_LINK; or start one here: zchat broker"
        )
    return link


def local_link() -> Link | None:
    """The link of the broker whose data directory this account can read."""
    try:
        path = settings.broker_dir() / places.BROKER_LINK
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ConfigurationError):
        return None
    with _said_by(str(path)):
        return links.parse(text) if text.strip() else None


def default_nick(link: Link) -> str | None:
    """The nick that was first used with this broker. Raises ConfigurationError when it cannot be read."""
    try:
        path = _default_nick_file(link)
    except ConfigurationError:
        return None  # no home
    try:
        return _valid_nick(path.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None
    except ConfigurationError as error:
        raise ConfigurationError(f"the default nick in {path} is damaged: {error}. Remove it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"cannot read the default nick {path}: {files.why(error)}. Remove it"
        ) from None


@contextlib.contextmanager
def _said_by(origin: str) -> Iterator[None]:
    """What is wrong comes with who said it."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{origin}: {error}") from None


def _named_link(asked: Asked) -> Link | None:
    """The broker that options or a token name. All that do must mean the same."""
    named: list[tuple[str, Link]] = []
    token = _token(asked)
    if token is not None:
        named.append(("the token", token.link))
    if asked.link is not None:
        named.append(("the link", links.parse(asked.link)))
    if asked.context is not None:
        named.append((f"the context {asked.context}", contexts.link_of(asked.context)))
    if asked.interface is not None or asked.port is not None:
        known = named[0][1] if named else None
        named.append(("-i and -p", _link_at(asked, known)))
    for origin, link in named[1:]:
        if link.without_secret() != named[0][1].without_secret():
            first, second = (links.authority(one.host, one.port) for one in (named[0][1], link))
            raise ConfigurationError(
                f"two brokers are named: {first} by {named[0][0]}, {second} by {origin}. Name one."
            )
    return next((link for _, link in named if link.secret), named[0][1]) if named else None


def _token(asked: Asked) -> ExportedKey | None:
    """What --token says, else ZCHAT_TOKEN. An empty one is none."""
    origin, typed = "--token", asked.token
    if typed is None:
        origin, typed = "ZCHAT_TOKEN", os.environ.get("ZCHAT_TOKEN")
    if not typed:
        return None
    with _said_by(origin):
        return exports.parse_token(typed)


def _check_token(token: ExportedKey, asked: Asked) -> None:
    """Raises ConfigurationError when an option says that it is somebody else."""
    if asked.nick and names.folded(_valid_nick(asked.nick)) != names.folded(token.nick):
        raise ConfigurationError(f"the token makes you {token.nick}: leave --nick out, or the token")
    if asked.key_file is not None:
        raise ConfigurationError("the token has a key of its own: leave --key-file out, or the token")


def _set_link() -> Link | None:
    """The broker that the environment, the settings or the current context name."""
    for origin, meaning, text in _links_set():
        if text:
            with _said_by(origin):
                return meaning(text)
    return None


def _links_set() -> Iterator[tuple[str, Callable[[str], Link], str | None]]:
    yield "ZCHAT_LINK", links.parse, os.environ.get("ZCHAT_LINK")
    yield "ZCHAT_CONTEXT", contexts.link_of, os.environ.get("ZCHAT_CONTEXT")
    yield "link in config.toml", links.parse, settings.client().link
    yield "context in config.toml", contexts.link_of, settings.client().context
    yield "the current context", contexts.link_of, contexts.current()


def _link_at(asked: Asked, known: Link | None) -> Link:
    """The broker at the address of -i and -p. `known` is what another option names: the key is its."""
    with _said_by("-i"):
        named = links.host(asked.interface) if asked.interface else None
    if known is not None:
        return Link(named or known.host, asked.port or known.port, known.key, known.secret)
    host, port = named or _DEFAULT_HOST, asked.port or limits.PORT
    found = _context_at(host, port)
    local = None if found is not None else local_link()
    if found is None and local is None:
        raise WrongIdentity(
            f"no key known for {links.authority(host, port)}; ask for `zchat link` there, and give that link"
        )
    return found or Link(host, port, local.key if local else "")


def _context_at(host: str, port: int) -> Link | None:
    try:
        return contexts.at(host, port)
    except ConfigurationError:  # no home, or a context that is damaged: it is not this one that was named
        return None


def _key_file(asked: Asked) -> Path | None:
    if asked.key_file is not None:
        return _file_of_key("--key-file", asked.key_file, Path(asked.key_file))
    chosen = settings.client().key_file
    return (
        None if chosen is None else _file_of_key("key_file in config.toml", chosen, settings.path_in(chosen))
    )


def _file_of_key(origin: str, typed: str, path: Path) -> Path:
    """The path, unless the key itself stands there, which must not be quoted."""
    if keys.may_be_secret(typed) and not os.path.exists(path):
        raise ConfigurationError(f"{origin} is the name of a file; ZCHAT_KEY can have the key itself")
    return path


def _named_nick(asked: Asked) -> str | None:
    """The nick that an option, the environment or the settings name."""
    for origin, typed in (
        ("--nick", asked.nick),
        ("ZCHAT_NICK", os.environ.get("ZCHAT_NICK")),
        ("nick in config.toml", settings.client().nick),
    ):
        if typed:
            with _said_by(origin):
                return _valid_nick(typed)
    return None


def _valid_nick(typed: str) -> str:
    try:
        names.folded(typed)
        return names.nick(typed)
    except names.InvalidName as error:
        quoted = f" {typed!r}" if len(typed) <= limits.NAME_CHARACTERS_MAX else ""  # else it may be a key
        raise ConfigurationError(f"the nick{quoted} {error}") from None


def _ask_nick(may_ask: bool) -> str:
    """Asked for where a person can answer."""
    if not (may_ask and sys.stdin and sys.stderr and sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            "which nick? No nick was used with this broker yet: --nick NAME or ZCHAT_NICK"
        )
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
