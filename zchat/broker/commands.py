"""`zchat broker`: run a broker."""

import difflib
import ipaddress
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from zchat.common import limits, links, settings
from zchat.common.errors import CannotStart, ConfigurationError
from zchat.common.text import say

if TYPE_CHECKING:
    from zchat.broker.connections import ConnectionLimits
    from zchat.broker.core.limits import Limits
    from zchat.common.keys import KeyPair

_HOST = "127.0.0.1"
_PORT_MAX = 65534
_MOST = {
    "joined_rooms_max": limits.JOINED_ROOMS_MAX,
    "ignored_max": limits.IGNORED_MAX,
    "timeout_ms": 3_600_000,
    "heartbeat_ms": 3_600_000,
}  # of what the protocol, or reason, bounds
_LEAST = {"timeout_ms": 1_000, "heartbeat_ms": 1_000, "sessions_max": 2, "users_max": 2}
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LEVEL_OF_EVENT = {
    "storage_error": logging.ERROR,
    "storage_failed": logging.ERROR,
    "cut": logging.WARNING,
    "no_control_socket": logging.WARNING,
    "refused": logging.WARNING,
}


@click.command(
    epilog="""\b
Examples:
  zchat broker                                   for this machine only
  zchat broker -i 0.0.0.0 --advertise chat.lan   for the network
  zchat broker -p 7000 --data-dir ./data         another pair of ports and other files
"""
)
@click.option(
    "-i", "--interface", "host", metavar="ADDR",
    help=f"Address to listen at, {_HOST} if not given (ZCHAT_LISTEN=HOST:PORT).",
)  # fmt: skip
@click.option(
    "-p", "--port", type=click.IntRange(1, _PORT_MAX), metavar="PORT",
    help=f"Port for requests, {limits.PORT} if not given; the next one is used too.",
)  # fmt: skip
@click.option(
    "--advertise", metavar="HOST[:PORT]", help="What the join link says, when not where it listens.",
)  # fmt: skip
@click.option(
    "--registration", type=click.Choice(["open", "invite"]),
    help="Who may register: anyone with the link, or who is invited. If not given: open while it listens at "
    "this machine only.",
)  # fmt: skip
@click.option(
    "--data-dir", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="Key, database and link (ZCHAT_DATA_DIR, and broker in it).",
)  # fmt: skip
@click.option(
    "--log-level", type=click.Choice(list(_LEVELS)), default=lambda: settings.broker().log_level or "info",
    help="What is worth a line; info if not given.",
)  # fmt: skip
@click.option(
    "--log-file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="Log here, not to stderr.",
)  # fmt: skip
def broker(
    host: str | None,
    port: int | None,
    advertise: str | None,
    registration: str | None,
    data_dir: Path | None,
    log_level: str,
    log_file: Path | None,
) -> None:
    """Run the broker that everybody connects to.

    When it is ready it prints one line: the join link, which is all that a client needs. Ctrl-C or SIGTERM
    end it after everything that was received is answered. Messages and nicks are kept in the data directory.
    What no option says is taken from the environment, and then from section [broker] of config.toml.
    """
    from zchat import __version__
    from zchat.broker import revival
    from zchat.broker.directory import Directory
    from zchat.broker.server import Server
    from zchat.broker.store.sqlite import SqliteStore

    log = _logger(log_level, log_file or _set_path(settings.broker().log_file))
    host, port = _listen(host, port)
    address, advertised = _address(host), _advertised(advertise)
    if revival.has_begun_again():
        log.error("began_again after libzmq has aborted")
    directory = Directory(data_dir or settings.broker_dir())
    key = directory.key()
    link, guessed = _link(address, port, advertised, key.public)
    registration = registration or settings.broker().registration or _registration(address)
    broker_limits, connection_limits = _limits(registration == "invite")
    _allow_many_connections()

    def say_ready() -> None:
        try:
            directory.publish(link)
        except OSError as error:
            log.warning("link_not_kept why=%r", error.strerror)
        click.echo(str(link))
        _say_who_gets_in(registration, guessed)
        log.info("started at=%s", links.authority(address, port))

    store = SqliteStore(directory.database)
    server = Server(
        store,
        key,
        host=address,
        port=port,
        software=f"zchat/{__version__}",
        log=lambda event, details: log.log(_LEVEL_OF_EVENT.get(event, logging.INFO), "%s %s", event, details),
        ready=say_ready,
        control=_control(key),
        broker_limits=broker_limits,
        connection_limits=connection_limits,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    revival.arm()
    server.run()
    directory.close()
    log.info("stopped")


def _logger(level: str, file: Path | None) -> logging.Logger:
    handler: logging.Handler
    try:
        handler = logging.FileHandler(file, encoding="utf-8") if file else logging.StreamHandler(sys.stderr)
    except OSError as error:
        raise CannotStart(f"cannot write the log {file}: {error.strerror}") from None
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    log = logging.Logger("zchat.broker", _LEVELS[level])
    log.addHandler(handler)
    return log


def _address(host: str) -> str:
    """The numeric address that a name or an address stands for on this machine."""
    host = host.strip("[]")
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        raise CannotStart(f"{host!r} is no address of this machine") from None


def _link(
    address: str, port: int, advertised: tuple[str, int | None] | None, key: str
) -> tuple[links.Link, bool]:
    """The link to print, and whether its host is only a guess."""
    if advertised:
        host, advertised_port = advertised
        return links.Link(host, advertised_port or port, key), False
    if ipaddress.ip_address(address.partition("%")[0]).is_unspecified:
        return links.Link(_guess(), port, key), True
    return links.Link(address, port, key), False


def _listen(host: str | None, port: int | None) -> tuple[str, int]:
    """Where to listen: options, then ZCHAT_LISTEN, then the settings."""
    listen = os.environ.get("ZCHAT_LISTEN")
    origin = "ZCHAT_LISTEN" if listen else "listen in config.toml"
    listen = listen or settings.broker().listen
    if listen is None:
        return host or _HOST, port or limits.PORT
    set_host, set_port = _split(listen, origin)
    if set_port is not None and not 1 <= set_port <= _PORT_MAX:
        raise ConfigurationError(f"{origin}: the port is from 1 to {_PORT_MAX}")
    return host or set_host, port or set_port or limits.PORT


def _advertised(option: str | None) -> tuple[str, int | None] | None:
    """What the link is to say, if that was said."""
    text = option or settings.broker().advertise
    return _split(text, "--advertise" if option else "advertise in config.toml") if text else None


def _set_path(setting: str | None) -> Path | None:
    return None if setting is None else settings.path_in(setting)


def _split(text: str, origin: str) -> tuple[str, int | None]:
    """HOST[:PORT], an IPv6 address in brackets. Raises ConfigurationError with who said it."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or port == 0 or parts.netloc != text or "@" in text or any(map(str.isspace, text)):
        raise ConfigurationError(f"{origin} is neither HOST nor HOST:PORT: {text!r}")
    return host, port


def _guess() -> str:
    """An address of this machine that others can probably reach. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737)
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _registration(address: str) -> str:
    """Who may register when nobody said it: whoever can reach the broker, while that is this machine only."""
    return "open" if ipaddress.ip_address(address.partition("%")[0]).is_loopback else "invite"


def _say_who_gets_in(registration: str, guessed: bool) -> None:
    if registration == "invite":
        say("by invite only: zchat invite prints a link that lets somebody in (--registration invite)")
    else:
        say("open: anyone with the link can register (--registration open)")
    if guessed:
        say("the host in the link is a guess; --advertise HOST says which.")


def _limits(invite_only: bool) -> "tuple[Limits, ConnectionLimits]":
    """The limits that the settings change. Raises ConfigurationError for one that does not exist, or makes no
    sense: the protocol has no room for it, or nobody could use the broker."""
    from zchat.broker.connections import ConnectionLimits
    from zchat.broker.core.limits import Limits

    chosen = settings.broker().limits or {}
    known = [name for name in (*Limits._fields, *ConnectionLimits._fields) if name != "invite_only"]
    for name, value in chosen.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}"
            raise _wrong_limit(f"has no setting {name}. {meant}")
        if value > _MOST.get(name, value):
            raise _wrong_limit(f"{name} is at most {_MOST[name]}")
        if value < _LEAST.get(name, value):
            raise _wrong_limit(f"{name} is at least {_LEAST[name]}")
    own = {name: value for name, value in chosen.items() if name in Limits._fields}
    others = {name: value for name, value in chosen.items() if name not in Limits._fields}
    found = Limits(**own, invite_only=invite_only)
    if found.heartbeat_ms >= found.timeout_ms:
        less, more = f"heartbeat_ms ({found.heartbeat_ms})", f"timeout_ms ({found.timeout_ms})"
        raise _wrong_limit(f"{less} has to be less than {more}, or sessions end while nobody is gone")
    return found, ConnectionLimits(**others)


def _wrong_limit(what: str) -> ConfigurationError:
    from zchat.common import places

    return ConfigurationError(f"{places.settings_file()}: [broker.limits] {what}")


def _control(key: "KeyPair") -> Path | None:
    """Where to listen to this account, if there is a place for that."""
    from zchat.common import keys, places

    try:
        return places.control_socket(keys.to_base32(key.public)) if os.name == "posix" else None
    except ConfigurationError as error:
        say(str(error))
        return None


def _allow_many_connections() -> None:
    """Two descriptors for each client: take as many as this process may."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
