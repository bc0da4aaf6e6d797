"""A look with plain TCP at what is at a broker's address, since ZeroMQ does not tell why it fails."""

import asyncio
import errno
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, NamedTuple

from zchat.client.hosts import addresses
from zchat.common import limits
from zchat.common.errors import ConfigurationError, Unreachable, WrongIdentity, ZchatError
from zchat.common.links import Link, authority

_GREETING_BYTES: Final = 64
_SIGNATURE: Final = b"\xff" + bytes(8) + b"\x7f\x03"  # and the version; at a mechanism libzmq might hang up
_SIGNATURE_S: Final = 2.5  # for an answer to it, where an answer is waited for for ever
_END_OF_REQUEST: Final = b"\r\n\r\n"  # to this a web server answers
_SAID_MAX: Final = 40  # characters of what something else said


class Finding(NamedTuple):
    """What was found. `kind` is one of: unresolved, refused, unreachable, silent, other, plain, curve.
    `problem` says what is so, and `hint` what may be the reason or what to do; it can be empty."""

    kind: str
    problem: str
    hint: str = ""

    @property
    def text(self) -> str:
        """Both, for one line."""
        return f"{self.problem}. {self.hint}" if self.hint else self.problem

    def error(self, handshake_failed: bool) -> ZchatError:
        """What to raise when no session could be opened."""
        if self.kind == "curve" and handshake_failed:
            return WrongIdentity(self.text)
        return Unreachable(self.text)


class Connection(NamedTuple):
    """A plain connection to the broker's port, and the address that took it."""

    address: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> None:
        """Hang up. Once more is fine."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


async def look(link: Link, timeout: float) -> Finding:
    """Read the greeting of whoever is there, for `timeout` seconds at most in each of three steps: `resolve`,
    `reach` and `read_greeting`."""
    found = await resolve(link, timeout)
    if isinstance(found, Finding):
        return found
    connection = await reach(link, found, timeout)
    if isinstance(connection, Finding):
        return connection
    return await read_greeting(link, connection, timeout)


async def resolve(link: Link, timeout: float | None) -> list[str] | Finding:
    """The addresses of the link's host, or why there are none. `timeout` is in seconds, None: for ever."""
    try:
        async with asyncio.timeout(timeout):
            return await addresses(link.host, link.port)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        return _not_found(link.host, error)


async def reach(link: Link, found: Sequence[str], timeout: float | None) -> Connection | Finding:
    """A connection to the first of the addresses `found` that takes one, or why none does. Each gets its
    share of the time, so that one that is silent does not take it from the others."""
    share = None if timeout is None else timeout / max(1, len(found))
    try:
        return await _connected(found, link.port, share)
    except TimeoutError:
        place = authority(link.host, link.port)
        return Finding(
            "unreachable", f"{place} does not answer", "Is a firewall between, or the machine off?"
        )
    except OSError as error:
        return _not_connected(link, found, error)


async def read_greeting(link: Link, connection: Connection, timeout: float | None) -> Finding:
    """Who is at the other end, by the first bytes that come; the connection is closed then. RFC 37
    (ZMTP 3.1), Framing: 64 bytes, the mechanism from the thirteenth on."""
    try:
        greeting = await _greeting(connection.reader, connection.writer, timeout)
    finally:
        await connection.close()
    return _judge(greeting, link)


async def _connected(found: Iterable[str], port: int, timeout: float | None) -> Connection:
    """To the first address that takes a connection. Raises the error of the last one."""
    last = OSError("it has no address")
    for address in found:
        try:
            async with asyncio.timeout(timeout):
                return Connection(address, *await asyncio.open_connection(address, port))
        except OSError as error:
            last = error
    raise last


async def _greeting(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float | None
) -> bytes | None:
    """What the other side says at first, at most 64 bytes; None: nothing, and it does not hang up either."""
    said = b""
    first = _SIGNATURE_S if timeout is None else timeout / 2
    for asked, seconds in ((_SIGNATURE, first), (_END_OF_REQUEST, None if timeout is None else first)):
        try:
            async with asyncio.timeout(seconds):
                writer.write(asked)
                await writer.drain()
                while len(said) < _GREETING_BYTES and said[:1] in (b"", b"\xff"):
                    piece = await reader.read(_GREETING_BYTES - len(said))
                    if not piece:
                        return said
                    said += piece
        except TimeoutError:
            pass
        except OSError:
            return said
        if said:
            return said
    return None


def _not_found(host: str, error: Exception) -> Finding:
    if isinstance(error, TimeoutError) or (
        isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
    ):
        return Finding("unresolved", f"the address of {host!r} could not be looked up", "Is there a network?")
    return Finding("unresolved", f"no machine is called {host!r}", "Is the link right?")


def _not_connected(link: Link, found: Iterable[str], error: OSError) -> Finding:
    place = authority(link.host, link.port)
    if error.errno != errno.ECONNREFUSED:
        return Finding("unreachable", f"{place} cannot be reached: {error.strerror or error}")
    port = "" if link.port == limits.PORT else f" -p {link.port}"
    if all(ip_address(address.partition("%")[0]).is_loopback for address in found):
        start = f"Start one: zchat broker{port}"
    elif _is_own(link):
        start = "It is this account's own: start it again, with the options that it had (zchat broker …)"
    else:
        start = f"If it runs there, have it listen to others: zchat broker -i 0.0.0.0{port}"
    return Finding("refused", f"no broker at {place}", f"{start}. Another machine: zchat connect LINK")


def _is_own(link: Link) -> bool:
    """Whether this account has the data of the broker, wherever it may be advertised."""
    from zchat.client.identity import local_link

    try:
        own = local_link()
    except ConfigurationError:
        return False
    return own is not None and own.key == link.key


def _judge(greeting: bytes | None, link: Link) -> Finding:
    place = authority(link.host, link.port)
    if greeting is None:
        problem = f"what listens at {place} accepts connections but does not answer"
        return Finding("silent", problem, "Is it stopped?")
    if len(greeting) < _GREETING_BYTES or greeting[0] != 0xFF or not greeting[9] & 1:
        problem = f"{_something(greeting)} at {place}, not a zchat broker"
        return Finding("other", problem, "Is the port right?")
    mechanism = greeting[12:32].rstrip(b"\0")
    if mechanism != b"CURVE":
        return Finding("plain", f"{place} speaks ZeroMQ without encryption: that is no zchat broker")
    return Finding(
        "curve",
        f"the broker at {place} has another key than the link, or {link.port} is its second port",
        "Ask for the link again; there, zchat link shows it",
    )


def _something(said: bytes) -> str:
    if said.startswith((b"HTTP/", b"<")):
        return "a web server listens"
    line = said.partition(b"\n")[0].rstrip().decode("ascii", "replace")
    if line and line.isprintable() and "\ufffd" not in line:
        return f"something else ({line[:_SAID_MAX]!r}) listens"
    return "something else listens"
