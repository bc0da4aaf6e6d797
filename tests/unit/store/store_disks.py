"""Where the stores under test live: how they are opened, made to fail, ended and killed."""

import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from zchat.broker.store.contract import Store
from zchat.broker.store.memory import MemoryStore
from zchat.broker.store.sqlite import SqliteStore


class Disk(Protocol):
    """A store, and what can happen to it."""

    store: Store

    def fail_next(self, certain: bool) -> None: ...

    def restart(self) -> Store: ...

    def crash(self) -> Store: ...


class MemoryDisk:
    def __init__(self) -> None:
        self.store = MemoryStore()

    def fail_next(self, certain: bool) -> None:
        self.store.fail_next(certain)

    def restart(self) -> Store:
        return self.store

    def crash(self) -> Store:
        self.store = self.store.crash()
        return self.store


class SqliteDisk:
    """A database in a directory. What it opens is closed by `close`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "zchat.db"
        self.connections: list[Interrupted] = []
        self.store = self.open(self.path)

    def open(self, path: Path, **options: Any) -> SqliteStore:
        self.store = SqliteStore(path, connect=self.connect, **options)
        return self.store

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        connection = sqlite3.connect(*args, factory=Interrupted, **options)
        self.connections.append(connection)
        return connection

    def interrupt(self, statement: str, act: Callable[[], None]) -> None:
        """Does `act` before the next statement of the store that begins so."""
        self.connections[0].acts[statement] = act

    def fail_next(self, certain: bool) -> None:
        statements = ("INSERT OR REPLACE INTO state", "UPDATE log") if certain else ("COMMIT",)

        def fail_once() -> None:
            for statement in statements:
                self.connections[0].acts.pop(statement, None)
            fail()

        for statement in statements:  # a write has the one or the other
            self.interrupt(statement, fail_once)

    def restart(self) -> Store:
        self.close()
        return self.open(self.path)

    def crash(self) -> Store:
        """What is on disk now, opened from a copy, as after kill -9."""
        self.path = copy(self.path, "crash")
        self.close()
        return self.open(self.path)

    def close(self) -> None:
        for connection in reversed(self.connections):
            connection.close()
        self.connections.clear()


class Interrupted(sqlite3.Connection):
    """A connection that does something else once, before a statement that begins so."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.acts: dict[str, Callable[[], None]] = {}

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        for start in [start for start in self.acts if sql.startswith(start)]:
            self.acts.pop(start)()
        return super().execute(sql, *args)


def fail(code: int = sqlite3.SQLITE_IOERR) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = code, "SQLITE_IOERR"
    raise error


def copy(path: Path, name: str, suffixes: tuple[str, ...] = ("", "-wal")) -> Path:
    """Copies the files of the database into a new directory beside it."""
    directory = path.parent / name
    directory.mkdir()
    for suffix in suffixes:
        shutil.copy(f"{path}{suffix}", directory)
    return directory / path.name


def wal_bytes(path: Path) -> int:
    wal = Path(f"{path}-wal")
    return wal.stat().st_size if wal.exists() else 0


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """The kernel refuses to write beyond `size` bytes in any file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
