"""The file that says how far a reader has got: one holder at a time, replaced atomically."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from zchat.client.core.cursors import Snapshot
from zchat.client.printed import private
from zchat.common import files
from zchat.common.errors import ConfigurationError, StateInUse

_VERSION = 1


class StateFile:
    """Holds a state file from `open` to `close`, so that no other client reads or writes it meanwhile.

    `broker` is the broker's key: positions of another broker's log would mean nothing. `to`, when given, are
    the addresses that the positions are about; they are kept in the file.
    """

    begins_now = False

    def __init__(self, path: Path, broker: str, to: Sequence[str] | None = None) -> None:
        self.to = to
        self._path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._broker = broker
        self._lock: IO[str] | None = None
        self.nick: str | None = None  # whose positions they are

    def __str__(self) -> str:
        return str(self._path)

    def open(self) -> Snapshot | None:
        """Lock the file and read it; None when there is none yet. Raises ConfigurationError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = open(self._lock_path, "a", opener=private)  # noqa: SIM115
            lock(self._lock)
        except BlockingIOError:
            self.close()
            raise StateInUse(f"another zchat client is using {self}") from None
        except OSError as error:
            self.close()
            raise ConfigurationError(f"cannot use {self._path}: {error.strerror or error}") from None
        try:
            return self.read()
        except BaseException:
            self.close()
            raise

    def note(self, text: str) -> None:
        """Leave a word for others about who holds the file. Raises OSError."""
        assert self._lock is not None
        os.ftruncate(self._lock.fileno(), 0)
        os.write(self._lock.fileno(), text.encode())  # past the buffer: closing must not fail again

    def noted(self) -> str:
        """The word that the last holder left. Raises OSError."""
        try:
            return self._lock_path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def write(self, snapshot: Snapshot) -> None:
        """Replace the file. It is whole and synced, before or after. Raises OSError."""
        content = {
            "version": _VERSION,
            "broker": self._broker,
            "nick": self.nick,
            "floor": snapshot.floor,
            "positions": dict(snapshot.positions),
            "joined": sorted(snapshot.joined),
            "followed": sorted(snapshot.followed),
            **({} if self.to is None else {"to": list(self.to)}),
        }
        files.replace(self._path, json.dumps(content, ensure_ascii=False))

    def close(self) -> None:
        """Let others have the file."""
        if self._lock is not None:
            unlock(self._lock)
            self._lock.close()
            self._lock = None

    def read(self) -> Snapshot | None:
        """What is in the file, also while another client holds it. Raises ConfigurationError."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(f"cannot read {self._path}: {error.strerror or error}") from None
        except (ValueError, RecursionError):
            raise self._damaged() from None
        if not isinstance(content, dict) or content.get("version") != _VERSION:
            raise self._damaged()
        if content.get("broker") != self._broker:
            raise ConfigurationError(f"{self._path} belongs to another broker")
        try:
            self.nick = _text(content["nick"])
            self.to = [_text(one) for one in content["to"]] if "to" in content else None
            floor = None if content["floor"] is None else _position(content["floor"])
            positions = {_text(c): _position(p) for c, p in content["positions"].items()}
            joined = frozenset(_text(room) for room in content["joined"])
            followed = frozenset(_text(room) for room in content["followed"])
        except (KeyError, TypeError, AttributeError):
            raise self._damaged() from None
        return Snapshot(floor, positions, joined, followed)

    def _damaged(self) -> ConfigurationError:
        return ConfigurationError(f"{self._path} is damaged. Without it, reading starts anew: remove it")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _position(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise TypeError(value)
    return value


def lock(file: IO[str], wait: bool = False) -> None:
    """Raises BlockingIOError when another process, or another client of this one, holds the file."""
    try:
        import fcntl
    except ImportError:  # Windows: there, two clients with one state are not told apart
        return
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def unlock(file: IO[str]) -> None:
    """Closing alone would leave the lock with a child that was forked meanwhile."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(file, fcntl.LOCK_UN)
