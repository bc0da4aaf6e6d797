"""The broker's data directory: one broker at a time in it, its key, its database and its link."""

import fcntl
import os
from pathlib import Path

from zchat.common import keys, links, places
from zchat.common.errors import CannotStart, ConfigurationError
from zchat.common.keys import KeyPair


class Directory:
    """A data directory that this process holds until it ends. Made, for its owner alone, when there is none.

    Raises CannotStart when another broker holds it (with its process number and link) or it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / places.BROKER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(f"cannot use the data directory {path}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(f"already running in {path}: {self._holder()}") from None

    @property
    def database(self) -> Path:
        """The file of the log."""
        return self._path / places.BROKER_DATABASE

    def key(self) -> KeyPair:
        """The broker's key pair, drawn when there is none. Raises CannotStart."""
        try:
            return keys.load_or_draw(self._path / places.BROKER_KEY)
        except ConfigurationError as error:
            raise CannotStart(str(error)) from None

    def publish(self, link: links.Link) -> None:
        """Leave the link for the clients of this account, and for a second broker that is started here.
        Raises OSError, for example on a full disk, where a broker can still be read from."""
        path = self._path / places.BROKER_LINK
        if not path.exists() or path.read_text(encoding="utf-8", errors="replace") != f"{link}\n":
            temporary = self._path / f".{places.BROKER_LINK}"
            temporary.write_text(f"{link}\n", encoding="ascii")
            temporary.replace(path)
        holder = f"pid {os.getpid()}, {link}\n".encode()
        os.pwrite(self._lock, holder, 0)
        os.ftruncate(self._lock, len(holder))

    def close(self) -> None:
        """Let another broker have the directory."""
        os.close(self._lock)

    def _holder(self) -> str:
        return os.pread(self._lock, 4096, 0).decode("ascii", "replace").strip() or "just starting"
