"""How a database is brought to the newest version, and which ones are refused."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from zchat.broker.store.migrations import APPLICATION_ID, MIGRATIONS, migrate
from zchat.broker.store.sqlite import SqliteStore
from zchat.common.errors import CannotStart

FIRST = (f"PRAGMA application_id = {APPLICATION_ID}", "CREATE TABLE one (x)")
SECOND = ("CREATE TABLE two (x)", "INSERT INTO one VALUES (1)")
BROKEN = ("CREATE TABLE three (x)", "CREATE TABLE two (x)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "zchat.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


def version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]


def test_each_step_is_done_once(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, [FIRST])
    assert (version(connection), tables(connection)) == (1, ["one"])
    migrate(connection, path, [FIRST, SECOND])
    migrate(connection, path, [FIRST, SECOND])
    assert (version(connection), tables(connection)) == (2, ["one", "two"])
    assert connection.execute("SELECT x FROM one").fetchall() == [(1,)]


def test_a_step_that_fails_leaves_the_one_before(connection: sqlite3.Connection, path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection, path, [FIRST, SECOND, BROKEN])
    assert (version(connection), tables(connection)) == (2, ["one", "two"])
    assert not connection.in_transaction


def test_a_newer_database_is_refused_and_left_as_it_is(path: Path) -> None:
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(CannotStart) as refused:
        SqliteStore(path)
    assert str(refused.value) == (
        f"database {path} is of version {len(MIGRATIONS) + 1}, this zchat knows {len(MIGRATIONS)}: "
        "install a newer zchat"
    )
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(CannotStart, match=r"zchat\.db: file is not a database"):
        SqliteStore(path)
    assert path.read_text() == "Dear diary, " * 1000


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE t (x)", "PRAGMA user_version = 1", "PRAGMA application_id = 5"]
)
def test_the_database_of_another_program_is_refused(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()
    with pytest.raises(CannotStart, match="another program"):
        SqliteStore(path)


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.touch()
    store = SqliteStore(path)
    assert store.load().last_pos == 0
    store.close()


def test_a_directory_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    mode = tmp_path.stat().st_mode
    with pytest.raises(CannotStart, match="unable to open"):
        SqliteStore(tmp_path)
    assert tmp_path.stat().st_mode == mode
    with pytest.raises(CannotStart, match="No such file"):
        SqliteStore(tmp_path / "missing" / "zchat.db")
