"""Where files are kept: the directories for settings, state, data and sockets, and what lies in them."""

import os
import stat
from pathlib import Path
from typing import Final

from zchat.common.errors import ConfigurationError

_LINKS_MAX: Final = 8  # one behind the other


def config_dir() -> Path:
    """Keys and nicks. Reading is enough once a key exists. Raises ConfigurationError without a home."""
    return _directory("CONFIG")


def state_dir() -> Path:
    """What an installation has been shown already. Raises ConfigurationError without a home."""
    return _directory("STATE")


def data_dir() -> Path:
    """The data of a broker. Raises ConfigurationError without a home."""
    return _directory("DATA")


def client_config_dir(broker: str) -> Path:
    """What a client keeps about the broker with this key (base32): keys by nick, and the default nick."""
    return config_dir() / "client" / broker


def client_state_dir(broker: str) -> Path:
    """How far the nicks of this installation have read at the broker with this key (base32)."""
    return state_dir() / "client" / broker


def runtime_dir() -> Path:
    """What lives as long as a process: the control sockets of brokers. Raises ConfigurationError when there
    is no place for such things."""
    if chosen := os.environ.get("ZCHAT_RUNTIME_DIR"):
        return Path(chosen)
    import warnings

    import platformdirs

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it takes another directory, and says so
            return platformdirs.user_runtime_path("zchat", appauthor=False)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError(
            f"there is no directory for sockets ({reason}): set ZCHAT_RUNTIME_DIR to one"
        ) from None


def control_socket(broker: str) -> Path:
    """Where the broker with this key (base32) listens to the account that runs it. The name is short: a path
    of a Unix socket has at most 107 bytes."""
    return runtime_dir() / f"{broker[:16]}.sock"


def is_ours(directory: Path) -> bool:
    """Whether only this account, and root, can put anything into a directory, or another one in its place.
    That is so when each directory on the way there is theirs, and others can write into none of them, unless
    it is one like /tmp where nobody moves what is another's. The same holds for each link on the way, which
    whoever it belongs to could turn elsewhere, and for the way that it leads. Raises OSError."""
    return _is_ours(directory.absolute(), _LINKS_MAX, is_end=True)


def _is_ours(whole: Path, links_max: int, *, is_end: bool) -> bool:
    for place in (whole, *whole.parents):
        found = place.lstat()
        if found.st_uid not in (os.geteuid(), 0):
            return False
        ends = is_end and place == whole
        if stat.S_ISLNK(found.st_mode):
            target = place.parent / place.readlink()
            if not links_max or not _is_ours(target, links_max - 1, is_end=ends):
                return False
        elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and (ends or not found.st_mode & stat.S_ISVTX):
            return False
    return True


def settings_file() -> Path:
    """The settings of this account, whether there are any or not."""
    return config_dir() / "config.toml"


def contexts_dir() -> Path:
    """The brokers that this installation knows by a name."""
    return config_dir() / "client" / "contexts"


def broker_dir() -> Path:
    """Where a broker of this account keeps its files unless the settings or an option say otherwise."""
    return data_dir() / "broker"


BROKER_KEY = "broker.key"
BROKER_DATABASE = "zchat.db"
BROKER_LINK = "link"  # one line, the join link
BROKER_LOCK = "lock"


def _directory(kind: str) -> Path:
    variable = f"ZCHAT_{kind}_DIR"
    if chosen := os.environ.get(variable):
        return Path(chosen)
    if os.name == "posix" and not (os.environ.get("HOME") or os.environ.get(f"XDG_{kind}_HOME")):
        raise ConfigurationError(
            f"there is no home directory (HOME is not set): set {variable} to a directory"
        )
    import platformdirs

    paths = {
        "CONFIG": platformdirs.user_config_path,
        "STATE": platformdirs.user_state_path,
        "DATA": platformdirs.user_data_path,
    }
    return paths[kind]("zchat", appauthor=False)
