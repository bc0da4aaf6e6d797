"""The control socket of a broker, for the account that runs it: where it is, and whether to trust it."""

import asyncio
import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from zchat.client.diagnosis import Finding
from zchat.common import keys, places
from zchat.common.errors import ConfigurationError
from zchat.common.links import Link

_PATH_BYTES_MAX: Final = 103  # of a Unix socket, on macOS; 107 on Linux


def socket_of(link: Link) -> Path | None:
    """The control socket of this broker, if this account has one that can be trusted; else None.

    Nobody who listens there has to prove with a key to be the broker, as on TCP: the file system is all that
    tells. So the socket and its directory have to be this account's, or root's, and nobody else may be able
    to put another one there.
    """
    if os.name != "posix":
        return None
    try:
        path = places.control_socket(keys.to_base32(link.key))
        socket = path.lstat()
        is_ours = socket.st_uid in (os.geteuid(), 0) and places.is_ours(path.parent)
    except (OSError, ConfigurationError):
        return None
    return path if is_ours and stat.S_ISSOCK(socket.st_mode) else None


def checked(path: Path) -> Path:
    """The path in full, if a Unix socket can have it. Raises ConfigurationError."""
    full = path.absolute()
    if len(os.fsencode(full)) > _PATH_BYTES_MAX:
        raise ConfigurationError(f"no socket can have a path as long as {full}: set ZCHAT_RUNTIME_DIR")
    return full


async def look_at(path: Path) -> Finding:
    """What is at a control socket to which no session could be opened."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except PermissionError:
        return Finding(
            "unreachable", f"this account may not open {path}", "The account that runs the broker may"
        )
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
            return Finding("unreachable", f"{path} cannot be opened: {error.strerror or error}")
        return Finding("refused", f"no broker listens at {path}", "Does it run? Start it: zchat broker")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return Finding("there", f"something listens at {path}")
