"""The control socket of a broker, for the account that runs it: where it is, and whether to trust it."""

import os
import stat
from pathlib import Path

from zchat.common import keys, places
from zchat.common.errors import ConfigurationError
from zchat.common.links import Link


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
        socket, directory = path.lstat(), path.parent.stat()
    except (OSError, ConfigurationError):
        return None
    if not stat.S_ISSOCK(socket.st_mode) or not _is_ours(socket) or not _is_ours(directory):
        return None
    return None if directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH) else path


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid in (os.geteuid(), 0)
