"""The write-ahead log (WAL) of the database: secured at start, bounded, and emptied of what was redacted."""

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

BYTES_MAX: Final = 64 * 1024 * 1024  # above it, the WAL is emptied before the next commit
LOOKS: Final = 16  # at its size while the WAL grows to its bound: each look costs 75 µs
COMMIT_BYTES: Final = 32 * 1024  # what a commit writes beside its segments, roughly
STEP_BYTES: Final = 16 * 1024 * 1024  # and tried again after so much, when a reader stood in the way
BUSY_TIMEOUT_MS: Final = 500  # for what others do with the file, such as a backup
SCRUB_PATIENCE_MS: Final = 2_000  # for readers that still see what was redacted; commits wait meanwhile
_PAUSE_S: Final = 0.01  # where SQLite does not wait by itself: another program empties the WAL


class WriteAheadLog:
    """The WAL of the database at `path`, whose writing connection is `db`. A commit is appended to it, and
    SQLite copies it into the database now and then; the pages of earlier commits stay in it until it is
    emptied. A reader that came before the last commit stands in the way of that."""

    def __init__(self, db: sqlite3.Connection, path: Path, bytes_max: int) -> None:
        self._db = db
        self._path = path.with_name(path.name + "-wal")
        self._bytes_max = self._bytes_next = bytes_max
        self._unlooked_bytes = bytes_max  # written since the last look
        self._scrub_is_owed = False

    def secure_recovered(self) -> None:
        """Makes durable what a killed process left in the WAL: it may never have been synced, and is about to
        be shown as durable. And since the kernel takes pages for written whose sync failed, it is also copied
        into the database, and synced there. Raises sqlite3.Error, OSError."""
        with suppress(FileNotFoundError):
            sync(self._path)
        try:
            self._scrub_is_owed = not self._empty()
        except sqlite3.OperationalError as error:
            # A full disk can be read all the same, and the WAL is synced.
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            self._scrub_is_owed = True

    def bound(self, segments_bytes: int) -> None:
        """Empties a WAL that has become too large, before a commit with that much in it. A reader of another
        program can prevent it; that costs BUSY_TIMEOUT_MS, and so it is not tried at each commit. Raises
        sqlite3.Error."""
        self._unlooked_bytes += segments_bytes + COMMIT_BYTES
        if self._unlooked_bytes < self._bytes_max // LOOKS:
            return
        self._unlooked_bytes = 0
        size = self._bytes()
        if size <= self._bytes_max:
            self._bytes_next = self._bytes_max
        elif size > self._bytes_next:
            self._checkpoint()
            self._bytes_next = self._bytes() + STEP_BYTES

    def scrub(self) -> bool:
        """Leaves nothing of what was before the last commit in the WAL, durably. False when that cannot be: a
        reader did not end in time, or the disk is full or fails. Then every later commit tries again, and
        until one has succeeded the next call waits BUSY_TIMEOUT_MS only."""
        patience_ms = 0 if self._scrub_is_owed else SCRUB_PATIENCE_MS
        deadline = time.monotonic() + patience_ms / 1000
        self._scrub_is_owed = True
        try:
            while not self._empty():
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_PAUSE_S)
        except (sqlite3.Error, OSError):  # the commit is durable all the same
            return False
        self._scrub_is_owed = False
        return True

    def scrub_what_is_owed(self) -> None:
        """After a commit: scrubs without waiting when an earlier attempt was in vain."""
        if self._scrub_is_owed:
            with suppress(sqlite3.Error, OSError):
                self._db.execute("PRAGMA busy_timeout = 0")
                try:
                    self._scrub_is_owed = not self._empty()
                finally:
                    self._db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    def _empty(self) -> bool:
        if not self._checkpoint():
            return False
        with suppress(FileNotFoundError):
            sync(self._path)  # SQLite does not: after a loss of power the file would be as long as before
        return True

    def _checkpoint(self) -> bool:
        """Copies all of the WAL into the database and cuts it to nothing, unless somebody is in the way."""
        (busy, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def _bytes(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0


def sync(path: Path) -> None:
    """Has the kernel write the file or directory to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
