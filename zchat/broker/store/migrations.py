"""The schema of the database, as the numbered steps that lead to it from an empty file."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from zchat.common.errors import CannotStart

APPLICATION_ID: Final = 0x7A636874  # "zcht", at byte 68 of the file, so that file(1) and others can tell

# A migration is a list of statements, run in one transaction together with its number. One that was released
# is never changed; the next one is appended.
MIGRATIONS: Final[list[tuple[str, ...]]] = [
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        # The order of the columns is that of the rows in the port; frame is last, since what stands behind a
        # long value is slow to reach.
        """CREATE TABLE segment (
            conversation TEXT NOT NULL,
            prev INTEGER NOT NULL,
            first INTEGER PRIMARY KEY,
            last INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            frame BLOB NOT NULL
        )""",
        "CREATE INDEX segment_of_conversation ON segment (conversation, last)",
        # Instances and drawn keys begin with the time, so that new rows stand beside each other in the tree.
        """CREATE TABLE sent (
            instance INTEGER NOT NULL,
            user TEXT NOT NULL,
            counter INTEGER NOT NULL,
            messages INTEGER NOT NULL,
            pos INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            digest BLOB NOT NULL,
            PRIMARY KEY (instance, user, counter)
        ) WITHOUT ROWID""",
        """CREATE TABLE keyed (
            user TEXT NOT NULL,
            key TEXT NOT NULL,
            pos INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            digest BLOB NOT NULL,
            PRIMARY KEY (key, user)
        ) WITHOUT ROWID""",
        """CREATE TABLE state (
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (kind, key)
        ) WITHOUT ROWID""",
        # One row. `writes` grows with every Write that brings no segment, so that none leaves the file as it
        # was: SQLite does not write, and so does not sync, a page that did not change.
        """CREATE TABLE log (
            last_pos INTEGER NOT NULL,
            last_time_ms INTEGER NOT NULL,
            writes INTEGER NOT NULL
        )""",
        "INSERT INTO log VALUES (0, 0, 0)",
    ),
    (
        # Segments of which a text was redacted: so much of the frame is the segment, and the rest zeros. Rows
        # of `segment` are only appended and overwritten, never deleted or changed in length: so SQLite moves
        # none to another page, where a text would be once more.
        """CREATE TABLE shortened (
            first INTEGER PRIMARY KEY,
            frame_bytes INTEGER NOT NULL
        )""",
    ),
    (
        # From here on `log` says where the log ends only when the last segment does not: a page less to write
        # for each commit. Whoever does not know that must not open the database, and give positions twice.
        "UPDATE log SET writes = writes + 1",
    ),
]


def migrate(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[tuple[str, ...]] = MIGRATIONS
) -> None:
    """Brings the database to the newest version, each migration in a transaction of its own. Raises
    CannotStart for a database that is newer or not zchat's, before anything is written; and sqlite3.Error."""
    known = len(migrations)
    version = _version(connection, path)
    if version > known:
        raise CannotStart(
            f"database {path} is of version {version}, this zchat knows {known}: install a newer zchat"
        )
    for number, statements in enumerate(migrations[version:], start=version + 1):
        _run(connection, (*statements, f"PRAGMA user_version = {number}"))


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """0 for an empty file, which is also what a crash before the first migration leaves."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    empty = application_id == version == tables == 0
    if application_id != APPLICATION_ID and not empty:
        raise CannotStart(f"{path} is the database of another program")
    return int(version)


def _run(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
