"""A look with plain TCP at what is at a broker's address, since ZeroMQ does not tell why it fails."""

import asyncio
import errno
import socket
from contextlib import suppress
from typing import Final, NamedTuple

from zchat.common.errors import Unreachable, WrongIdentity, ZchatError
from zchat.common.links import Link, authority

_GREETING_BYTES: Final = 64
_SIGNATURE: Final = b"\xff" + bytes(8) + b"\x7f\x03"  # and the version; at a mechanism libzmq might hang up


class Finding(NamedTuple):
    """What was found. `kind` is one of: unresolved, refused, unreachable, silent, other, plain, curve."""

    kind: str
    text: str

    def error(self, handshake_failed: bool) -> ZchatError:
        """What to raise when no session could be opened."""
        if self.kind == "curve" and handshake_failed:
            return WrongIdentity(self.text)
        return Unreachable(self.text)


async def look(link: Link, timeout: float) -> Finding:
    """Read the greeting of whoever is there. RFC 37 (ZMTP 3.1), Framing: 64 bytes, the mechanism from the
    thirteenth on."""
    place = authority(link.host, link.port)
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(link.host, link.port)
    except TimeoutError:
        return Finding("unreachable", f"{place} does not answer. Is a firewall between, or the machine off?")
    except (socket.gaierror, ValueError):
        return Finding("unresolved", f"no machine is called {link.host!r}. Is the link right?")
    except OSError as error:
        return _not_connected(place, error)
    try:
        greeting = await _greeting(reader, writer, timeout)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return _judge(greeting, place)


async def _greeting(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float
) -> bytes | None:
    try:
        async with asyncio.timeout(timeout):
            writer.write(_SIGNATURE)
            await writer.drain()
            return await reader.readexactly(_GREETING_BYTES)
    except TimeoutError:
        return None
    except asyncio.IncompleteReadError as error:
        return error.partial
    except OSError:
        return b""


def _not_connected(place: str, error: OSError) -> Finding:
    if error.errno in (errno.ECONNREFUSED, None):  # None: several addresses, each with its own error
        text = f"no broker at {place}. Start one: zchat broker. Another machine: zchat connect LINK"
        return Finding("refused", text)
    return Finding("unreachable", f"{place} cannot be reached: {error.strerror or error}")


def _judge(greeting: bytes | None, place: str) -> Finding:
    if greeting is None:
        return Finding("silent", f"what listens at {place} accepts connections but does not answer")
    if len(greeting) < _GREETING_BYTES or greeting[0] != 0xFF or not greeting[9] & 1:
        return Finding("other", f"something else listens at {place}, not a zchat broker")
    mechanism = greeting[12:32].rstrip(b"\0")
    if mechanism != b"CURVE":
        return Finding("plain", f"{place} speaks ZeroMQ without encryption: that is no zchat broker")
    text = f"the broker at {place} has another key than the link: ask for the link again"
    return Finding("curve", text)
