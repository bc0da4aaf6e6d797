"""The store in SQLite: one transaction for each commit of the log, synced before it returns."""

import os
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache, reduce
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Final, TypeVar

from zchat.broker.core.port import CounterRow, KeyRow, Loaded, PageQuery, StateRow, Write
from zchat.broker.core.segments import redacted
from zchat.broker.store import wal
from zchat.broker.store.contract import INSTANCE_SENDS_MAX, fitting
from zchat.broker.store.migrations import migrate
from zchat.common.errors import CannotStart, StorageFailed
from zchat.common.wire import Malformed

CHECKPOINT_PAGES: Final = 1000  # of 4 KiB, which SQLite copies into the database within a commit, in 10 ms
CACHE_KIB: Final = 8192  # more than a commit of 4 MiB changes, so that none is written twice

# Rows a statement at most. Each call into SQLite lets go of the interpreter and, beside a busy loop, waits
# long to get it back: 1,000 rows cost 20 ms one by one, and 8 in a few statements. 128 rows of 7 values stay
# below the 999 that every SQLite takes.
_ROWS_MAX: Final = 128

_FAILURES: Final = (sqlite3.Error, OverflowError, MemoryError, Malformed)  # the last: of a damaged segment
_FRAMES: Final = "SELECT frame, frame_bytes, last - first + 1 FROM segment LEFT JOIN shortened USING (first)"
_LOG: Final = """SELECT max(log.last_pos, coalesce(newest.last, 0)), max(last_time_ms, coalesce(time_ms, 0))
    FROM log LEFT JOIN (SELECT last, time_ms FROM segment ORDER BY first DESC LIMIT 1) AS newest"""

Connect = Callable[..., sqlite3.Connection]
_Row = TypeVar("_Row")


class SqliteStore:
    """The log in the database at `path`, which is made when there is none. To be used by one thread at a
    time, not necessarily by the one that opened it. Raises CannotStart.

    `connect` stands in for sqlite3.connect; `wal_bytes_max` bounds the write-ahead log (WAL)."""

    def __init__(
        self, path: Path, connect: Connect = sqlite3.connect, wal_bytes_max: int = wal.BYTES_MAX
    ) -> None:
        self._path = path.absolute()
        self._connect = connect
        try:
            _make_private(self._path)
            self._db = connect(self._path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise CannotStart(f"cannot open the database {path}: {error}") from error
        try:
            self._begin(wal_bytes_max)
        except BaseException as error:
            self._db.close()
            if isinstance(error, (OSError, sqlite3.Error)):
                raise CannotStart(f"cannot use the database {path}: {error}") from error
            raise

    def _begin(self, wal_bytes_max: int) -> None:
        for pragma in (
            f"busy_timeout = {wal.BUSY_TIMEOUT_MS}",
            "synchronous = FULL",
            "fullfsync = ON",  # macOS: fsync alone leaves it in the drive's cache
            "checkpoint_fullfsync = ON",
            "secure_delete = ON",
            "temp_store = MEMORY",  # else a statement may set aside pages in a file
            f"cache_size = -{CACHE_KIB}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"journal_size_limit = {wal_bytes_max}",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        migrate(self._db, self._path)
        (mode,) = self._db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise CannotStart(f"the file system of {self._path} does not bear a write-ahead log")
        self._wal = wal.WriteAheadLog(self._db, self._path, wal_bytes_max)
        self._wal.secure_recovered()

    def load(self) -> Loaded:
        with _failing(certain=True):
            self._clear()
            last_pos, last_time_ms = self._db.execute(_LOG).fetchone()
            state = self._db.execute("SELECT kind, key, value FROM state ORDER BY kind, key").fetchall()
        return Loaded([StateRow(*row) for row in state], last_pos, last_time_ms)

    def write(self, write: Write) -> bool:
        try:
            with _failing(certain=True):
                self._clear()
                self._wal.bound(sum(len(segment.frame) for segment in write.segments))
                self._db.execute("BEGIN IMMEDIATE")
                self._put(write)
            with _failing(certain=False):
                self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # then the next call tries it again, and fails while it cannot
                self._clear()
            raise
        if write.redactions:
            return self._wal.scrub()
        self._wal.scrub_what_is_owed()
        return True

    def _clear(self) -> None:
        """Leaves a transaction that failed. SQLite often has done so by itself."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _put(self, write: Write) -> None:
        self._insert("INSERT INTO segment VALUES", write.segments)
        self._insert("INSERT INTO sent VALUES", sorted(write.counters))  # a quarter cheaper in key order
        self._insert("INSERT INTO keyed VALUES", write.keys)
        state = {(kind, key): value for kind, key, value in write.state}
        kept = [(kind, key, value) for (kind, key), value in state.items() if value is not None]
        self._insert("INSERT OR REPLACE INTO state VALUES", kept)
        gone = [key for key, value in state.items() if value is None]
        if gone:
            self._db.executemany("DELETE FROM state WHERE kind = ? AND key = ?", gone)
        if not write.segments:  # else the last of them says it, and a page less is written
            self._db.execute(
                "UPDATE log SET last_pos = ?, last_time_ms = ?, writes = writes + 1",
                (write.last_pos, write.last_time_ms),
            )
        for first, positions in groupby(sorted(set(write.redactions)), self._holder):
            if first is not None:
                self._redact(first, positions)

    def _holder(self, pos: int) -> int | None:
        """Where the segment with this position begins."""
        sql = "SELECT first, last FROM segment WHERE first <= ? ORDER BY first DESC LIMIT 1"
        row = self._db.execute(sql, (pos,)).fetchone()
        return row[0] if row is not None and pos <= row[1] else None

    def _redact(self, first: int, positions: Iterable[int]) -> None:
        """Overwrites a segment in its place. After an UPDATE that makes a row shorter SQLite moves rows from
        page to page, and leaves copies behind that secure_delete does not erase."""
        frame, _ = _sized(self._db.execute(f"{_FRAMES} WHERE first = ?", (first,)).fetchone())
        shorter = reduce(redacted, positions, frame)
        if shorter == frame:
            return
        with self._db.blobopen("segment", "frame", first) as blob:
            blob.write(shorter.ljust(len(blob), b"\0"))
        self._db.execute("INSERT OR REPLACE INTO shortened VALUES (?, ?)", (first, len(shorter)))

    def _insert(self, before: str, rows: Sequence[tuple[Any, ...]]) -> None:
        for batch in _batches(rows):
            sql = _statement(before, len(batch), len(batch[0]), "")
            self._db.execute(sql, tuple(chain.from_iterable(batch)))

    def look(self, keys: list[tuple[str, str]]) -> list[KeyRow | None]:
        found: dict[tuple[str, str], KeyRow] = {}
        # A cross join is carried out as written; for `(user, key) IN (VALUES ...)` the table is scanned.
        before = "WITH wanted (its_user, its_key) AS (VALUES"
        after = """) SELECT user, key, pos, time_ms, digest
            FROM wanted CROSS JOIN keyed ON key = its_key AND user = its_user"""
        with _failing(certain=True):
            self._clear()
            for batch in _batches(keys):
                sql = _statement(before, len(batch), 2, after)
                for row in self._db.execute(sql, tuple(chain.from_iterable(batch))).fetchall():
                    found[row[0], row[1]] = KeyRow(*row)
        return [found.get(key) for key in keys]

    def load_instance(self, user: str, instance: int, lowest: int) -> list[CounterRow]:
        # They do not overlap, so of those that begin before `lowest` only the last one can reach it.
        sql = """SELECT instance, user, counter, messages, pos, time_ms, digest FROM sent
            WHERE instance = :instance AND user = :user AND counter >= coalesce((
                SELECT max(counter) FROM sent
                WHERE instance = :instance AND user = :user AND counter <= :lowest), 0)
            AND counter + messages > :lowest ORDER BY counter DESC LIMIT :most"""
        values = {"instance": instance, "user": user, "lowest": lowest, "most": INSTANCE_SENDS_MAX}
        with _failing(certain=True):
            self._clear()
            return [CounterRow(*row) for row in self._db.execute(sql, values).fetchall()[::-1]]

    def reader(self) -> "SqliteReader":
        with _failing(certain=True):
            return SqliteReader(self._path, self._connect)

    def close(self) -> None:
        self._db.close()


class SqliteReader:
    """Reads pages through a read-only connection, each in a transaction that ends with it: one that stays
    open would keep the WAL growing."""

    def __init__(self, path: Path, connect: Connect = sqlite3.connect) -> None:
        uri = f"{path.as_uri()}?mode=ro"
        self._db = connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        self._db.execute(f"PRAGMA busy_timeout = {wal.BUSY_TIMEOUT_MS}")

    def page(self, query: PageQuery) -> tuple[list[bytes], int]:
        with _failing(certain=True):
            self._db.execute("BEGIN")
            try:
                return self._page(query), 0
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def close(self) -> None:
        self._db.close()

    def _page(self, query: PageQuery) -> list[bytes]:
        conversation, direction, bound = query[:3]
        if direction == "before":
            end = self._end(conversation, bound)
            sql = f"{_FRAMES} WHERE conversation = ? AND last < ? ORDER BY last DESC"
            return self._fitting(sql, (conversation, end), query)[::-1]
        if direction == "since":
            first = self._first_since(bound)
            if first is None:
                return []
            bound = first - 1
        sql = f"{_FRAMES} WHERE conversation = ? AND last > ? ORDER BY last"
        return self._fitting(sql, (conversation, bound), query)

    def _fitting(self, sql: str, values: tuple[Any, ...], query: PageQuery) -> list[bytes]:
        with closing(self._db.execute(sql, values)) as rows:
            return fitting(map(_sized, rows), query)

    def _end(self, conversation: str, bound: int) -> int:
        """The position behind the last segment that begins before `bound`; one may reach beyond it."""
        sql = "SELECT first, last FROM segment WHERE conversation = ? AND last >= ? ORDER BY last LIMIT 1"
        row = self._db.execute(sql, (conversation, bound)).fetchone()
        return row[1] + 1 if row is not None and row[0] < bound else bound

    def _first_since(self, time_ms: int) -> int | None:
        """The position where the first segment of the log at or after the time begins: a binary search, since
        time never decreases with position."""

        def late(pos: int) -> bool:
            sql = "SELECT time_ms FROM segment WHERE first >= ? ORDER BY first LIMIT 1"
            return bool(self._db.execute(sql, (pos,)).fetchone()[0] >= time_ms)

        (newest,) = self._db.execute("SELECT max(first) FROM segment").fetchone()
        if newest is None or not late(newest):
            return None
        pos = bisect_left(range(newest), True, key=late)
        sql = "SELECT first FROM segment WHERE first >= ? ORDER BY first LIMIT 1"
        return int(self._db.execute(sql, (pos,)).fetchone()[0])


@contextmanager
def _failing(certain: bool) -> Iterator[None]:
    """Turns what SQLite raises into StorageFailed."""
    try:
        yield
    except _FAILURES as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise StorageFailed(f"{name}: {error}", certain) from error


def _sized(row: tuple[bytes, int | None, int]) -> tuple[bytes, int]:
    """A frame and its entries. What was shortened is followed by zeros."""
    frame, frame_bytes, entries = row
    return frame[:frame_bytes], entries


def _make_private(path: Path) -> None:
    """Makes the file unless it is there, durably and for nobody else; SQLite gives its mode to the WAL. It is
    never opened here when it exists: to close it would take away the locks of this process."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_file():
            path.chmod(0o600)
        return
    wal.sync(path.parent)


def _batches(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """The rows in batches of powers of two, so that few statements serve every number of rows."""
    start, size = 0, _ROWS_MAX
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        yield rows[start : start + size]
        start += size


@cache
def _statement(before: str, rows: int, columns: int, after: str) -> str:
    row = f"({','.join('?' * columns)})"
    return f"{before} {','.join([row] * rows)}{after}"
