"""`zchat broker`: run a broker."""

import ipaddress
import logging
import signal
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import click

from zchat.common import limits, links, places
from zchat.common.errors import CannotStart

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LEVEL_OF_EVENT = {
    "storage_error": logging.ERROR,
    "storage_failed": logging.ERROR,
    "cut": logging.WARNING,
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
    "-i", "--interface", "host", default="127.0.0.1", show_default=True, help="Address to listen at."
)
@click.option(
    "-p", "--port", type=click.IntRange(1, 65534), default=limits.PORT, show_default=True,
    help="Port for requests; the next one is used too.",
)  # fmt: skip
@click.option(
    "--advertise", metavar="HOST[:PORT]", help="What the join link says, when not where it listens."
)
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Key, database and link.")
@click.option("--log-level", type=click.Choice(list(_LEVELS)), default="info", show_default=True)
@click.option("--log-file", type=click.Path(path_type=Path, dir_okay=False), help="Log here, not to stderr.")
def broker(
    host: str, port: int, advertise: str | None, data_dir: Path | None, log_level: str, log_file: Path | None
) -> None:
    """Run the broker that everybody connects to.

    When it is ready it prints one line: the join link, which is all that a client needs. Ctrl-C or SIGTERM
    end it after everything that was received is answered. Messages and nicks are kept in the data directory.
    """
    from zchat import __version__
    from zchat.broker.directory import Directory
    from zchat.broker.server import Server
    from zchat.broker.store.sqlite import SqliteStore

    log = _logger(log_level, log_file)
    address = _address(host)
    directory = Directory(data_dir or places.broker_dir())
    key = directory.key()
    link, guessed = _link(address, port, advertise, key.public)
    _allow_many_connections()

    def say_ready() -> None:
        try:
            directory.publish(link)
        except OSError as error:
            log.warning("link_not_kept why=%r", error.strerror)
        click.echo(str(link))
        _say_who_gets_in(address, guessed)
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
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
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


def _link(address: str, port: int, advertise: str | None, key: str) -> tuple[links.Link, bool]:
    """The link to print, and whether its host is only a guess."""
    if advertise:
        host, advertised_port = _split(advertise)
        return links.Link(host, advertised_port or port, key), False
    if ipaddress.ip_address(address.partition("%")[0]).is_unspecified:
        return links.Link(_guess(), port, key), True
    return links.Link(address, port, key), False


def _split(advertise: str) -> tuple[str, int | None]:
    """HOST[:PORT], an IPv6 address in brackets."""
    try:
        parts = urlsplit(f"//{advertise}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.path or parts.username:
        raise click.BadParameter(f"not HOST[:PORT]: {advertise}", param_hint="--advertise")
    return host, port


def _guess() -> str:
    """An address of this machine that others can probably reach. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737)
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _say_who_gets_in(address: str, guessed: bool) -> None:
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        return
    click.echo("zchat: listening beyond this machine: anyone with the link can register.", err=True)
    if guessed:
        click.echo("zchat: the host in the link is a guess; --advertise HOST says which.", err=True)


def _allow_many_connections() -> None:
    """Two descriptors for each client: take as many as this process may."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
