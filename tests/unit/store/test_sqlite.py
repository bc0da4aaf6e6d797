"""What is particular to SQLite: how it syncs, fails, recovers, bounds its WAL and keeps its files."""

import os
import sqlite3
from functools import partial
from pathlib import Path

import pytest
from store_disks import SqliteDisk, copy, fail, files_at_most, wal_bytes
from store_logs import Log, after, ranges, sent

from zchat.broker.core.port import StateRow
from zchat.broker.store import wal
from zchat.broker.store.sqlite import SqliteStore
from zchat.common.errors import CannotStart, StorageFailed


@pytest.fixture
def disk(sqlite_disk: SqliteDisk) -> SqliteDisk:
    return sqlite_disk


class TestSettings:
    @pytest.mark.parametrize(
        ("pragma", "value"),
        [
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("fullfsync", 1),
            ("checkpoint_fullfsync", 1),
            ("secure_delete", 1),
            ("busy_timeout", 500),
            ("wal_autocheckpoint", 1000),
            ("journal_size_limit", 64 * 1024 * 1024),
            ("temp_store", 2),
            ("user_version", 3),
            ("application_id", 0x7A636874),
        ],
    )
    def test_are_in_force(self, disk: SqliteDisk, pragma: str, value: object) -> None:
        assert disk.connections[0].execute(f"PRAGMA {pragma}").fetchone() == (value,)

    def test_a_reader_cannot_write(self, disk: SqliteDisk) -> None:
        disk.store.reader()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            disk.connections[1].execute("DELETE FROM segment")

    def test_nobody_else_can_read_the_files(self, disk: SqliteDisk) -> None:
        disk.store.write(Log().talk("#a"))
        files = list(disk.path.parent.iterdir())
        assert {file.name for file in files} == {"zchat.db", "zchat.db-wal", "zchat.db-shm"}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}

    def test_a_restored_file_is_made_private(self, disk: SqliteDisk) -> None:
        disk.close()
        disk.path.chmod(0o644)
        disk.open(disk.path)
        assert disk.path.stat().st_mode & 0o777 == 0o600

    def test_a_path_with_marks_of_an_address(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "a b?c=d#e%20.db")
        store.write(Log().talk("#a"))
        reader = store.reader()
        assert ranges(reader, after("#a")) == ["1-1"]
        reader.close()
        store.close()

    def test_a_file_system_without_a_wal_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CannotStart, match="write-ahead"):
            SqliteStore(
                tmp_path / "z.db", connect=lambda _path, **options: sqlite3.connect(":memory:", **options)
            )


class TestDurability:
    def test_a_probe_writes_a_commit(self, disk: SqliteDisk) -> None:
        log = Log()
        disk.store.write(log.talk("#a"))
        before = wal_bytes(disk.path)
        disk.store.write(log.write())
        disk.store.write(log.write())
        assert wal_bytes(disk.path) >= before + 2 * 4096

    def test_a_reader_sees_only_what_is_committed(self, disk: SqliteDisk) -> None:
        log = Log()
        reader = disk.store.reader()
        seen: list[list[str]] = []
        disk.interrupt("COMMIT", lambda: seen.append(ranges(reader, after("#a"))))
        disk.store.write(log.talk("#a"))
        assert (seen, ranges(reader, after("#a"))) == ([[]], ["1-1"])

    def test_what_a_killed_process_left_is_in_the_database_before_it_is_shown(self, disk: SqliteDisk) -> None:
        disk.store.write(Log().talk("#a"))
        disk.crash()
        assert wal_bytes(disk.path) == 0
        without_wal = disk.open(copy(disk.path, "power loss", suffixes=("",)))
        assert ranges(without_wal.reader(), after("#a")) == ["1-1"]

    @pytest.mark.parametrize(
        ("code", "starts"), [(sqlite3.SQLITE_FULL, True), (sqlite3.SQLITE_IOERR_FSYNC, False)]
    )
    def test_a_full_disk_can_be_started_from(
        self, disk: SqliteDisk, monkeypatch: pytest.MonkeyPatch, code: int, starts: bool
    ) -> None:
        disk.store.write(Log().talk("#a"))
        path = copy(disk.path, "crash")

        def connect(*args: object, **options: object) -> sqlite3.Connection:
            connection = disk.connect(*args, **options)
            disk.connections[-1].acts["PRAGMA wal_checkpoint"] = partial(fail, code)
            return connection

        if starts:
            store = SqliteStore(path, connect=connect)
            assert ranges(store.reader(), after("#a")) == ["1-1"]
        else:
            with pytest.raises(CannotStart, match="disk I/O error"):
                SqliteStore(path, connect=connect)

    def test_what_is_deleted_is_overwritten(self, disk: SqliteDisk) -> None:
        secret = b"a secret that goes away" * 10
        disk.store.write(Log().write(state=[StateRow("k", "a", secret), StateRow("k", "b", b"stays")]))
        disk.restart()
        assert secret in disk.path.read_bytes()
        disk.store.write(Log().write(state=[StateRow("k", "a", None)]))
        disk.close()
        assert b"stays" in disk.path.read_bytes()
        assert secret[:23] not in disk.path.read_bytes()


class TestFailures:
    def test_a_full_disk_before_commit(self, disk: SqliteDisk) -> None:
        """As in the promises: it is refused, reading goes on, and writing resumes by itself."""
        log = Log()
        disk.store.write(log.talk("#a", frame_bytes=10_000))
        connection = disk.connections[0]
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageFailed, match="SQLITE_FULL: database or disk is full") as failed:
            disk.store.write(log.talk("#a", frame_bytes=100_000))
        assert failed.value.certain
        assert ranges(disk.store.reader(), after("#a")) == ["1-1"]
        assert disk.store.load().last_pos == 1
        connection.execute("PRAGMA max_page_count = 1000000")
        disk.store.write(log.talk("#a", frame_bytes=100_000))
        assert ranges(disk.store.reader(), after("#a")) == ["1-1", "3-3"]

    def test_a_full_disk_at_commit(self, disk: SqliteDisk) -> None:
        log = Log()
        disk.store.write(log.talk("#a"))
        reader = disk.store.reader()
        with files_at_most(wal_bytes(disk.path) + 6000):
            for _ in range(2):
                with pytest.raises(StorageFailed) as failed:
                    disk.store.write(log.talk("#a", frame_bytes=100_000))
                assert not failed.value.certain
                assert not disk.connections[0].in_transaction
                assert ranges(reader, after("#a")) == ["1-1"]
                assert disk.store.load().last_pos == 1
        disk.store.write(log.write())
        disk.store.write(log.talk("#a"))
        assert ranges(reader, after("#a")) == ["1-1", "4-4"]
        assert ranges(disk.crash().reader(), after("#a")) == ["1-1", "4-4"]

    def test_a_commit_that_spills_and_fails_is_certain(
        self, disk: SqliteDisk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = Log()
        disk.store.write(log.talk("#a"))
        disk.connections[0].execute("PRAGMA cache_size = 10")
        with files_at_most(wal_bytes(disk.path) + 60_000):
            with pytest.raises(StorageFailed) as failed:
                disk.store.write(log.write([log.segment("#a", 1, 50_000) for _ in range(20)]))
        assert failed.value.certain
        assert ranges(disk.crash().reader(), after("#a")) == ["1-1"]

    @pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
    def test_a_number_that_is_too_large_for_sqlite(self, disk: SqliteDisk, number: int) -> None:
        log = Log()
        with pytest.raises(StorageFailed, match="OverflowError") as failed:
            disk.store.write(log.write([log.segment("#a")], [sent(number)]))
        assert failed.value.certain
        assert ranges(disk.store.reader(), after("#a")) == []

    def test_what_was_accepted_before_is_not_accepted_again(self, disk: SqliteDisk) -> None:
        write = Log().talk("#a")
        disk.store.write(write)
        for again in (
            write._replace(counters=[], keys=[]),
            write._replace(segments=[], keys=[]),
            write._replace(segments=[], counters=[]),
        ):
            with pytest.raises(StorageFailed, match="SQLITE_CONSTRAINT_PRIMARYKEY") as failed:
                disk.store.write(again)
            assert failed.value.certain

    def test_a_transaction_that_could_not_be_left_is_left_before_the_next_look(
        self, disk: SqliteDisk
    ) -> None:
        disk.interrupt("INSERT OR REPLACE INTO state", fail)
        disk.interrupt("ROLLBACK", fail)
        with pytest.raises(StorageFailed) as failed:
            disk.store.write(Log().talk("#a"))
        assert failed.value.certain
        assert disk.connections[0].in_transaction
        assert disk.store.look([("ann", "key-1")]) == [None]
        disk.store.write(Log().talk("#b"))
        assert ranges(disk.store.reader(), after("#a")) == []

    def test_a_writer_from_outside_makes_a_certain_failure(
        self, disk: SqliteDisk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk.connections[0].execute("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(disk.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFailed, match="database is locked") as failed:
            disk.store.write(Log().talk("#a"))
        assert failed.value.certain
        other.close()
        disk.store.write(Log().talk("#a"))

    def test_a_bug_is_no_failure_of_the_storage_and_leaves_nothing(self, disk: SqliteDisk) -> None:
        log = Log()
        with pytest.raises(TypeError):
            disk.store.write(log.write([log.segment("#a")], [None]))  # type: ignore[list-item]
        assert not disk.connections[0].in_transaction
        assert ranges(disk.store.reader(), after("#a")) == []

    def test_an_unreadable_database(self, disk: SqliteDisk) -> None:
        reader = disk.store.reader()
        disk.close()
        for read in (
            lambda: reader.page(after("#a")),
            disk.store.load,
            lambda: disk.store.look([("ann", "k")]),
            lambda: disk.store.load_instance("ann", 7, 0),
        ):
            with pytest.raises(StorageFailed):
                read()


class TestWal:
    BOUND = 300_000

    @pytest.fixture
    def disk(self, sqlite_disk: SqliteDisk) -> SqliteDisk:
        sqlite_disk.close()
        sqlite_disk.open(sqlite_disk.path, wal_bytes_max=self.BOUND)
        return sqlite_disk

    def test_stays_within_its_bound_and_one_commit_while_pages_are_read(self, disk: SqliteDisk) -> None:
        log = Log()
        reader = disk.store.reader()
        largest = 0
        for _ in range(100):
            disk.store.write(log.talk("#a", frame_bytes=20_000))
            assert ranges(reader, after("#a", log.last_pos - 1)) == [f"{log.last_pos}-{log.last_pos}"]
            largest = max(largest, wal_bytes(disk.path))
        assert self.BOUND <= largest < self.BOUND + 100_000

    def test_a_reader_from_outside_does_not_stop_the_writing(
        self, disk: SqliteDisk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wal, "STEP_BYTES", 300_000)
        disk.connections[0].execute("PRAGMA busy_timeout = 10")
        tried: list[int] = []

        def watch() -> None:
            tried.append(wal_bytes(disk.path))
            disk.interrupt("PRAGMA wal_checkpoint(TRUNCATE)", watch)

        disk.interrupt("PRAGMA wal_checkpoint(TRUNCATE)", watch)
        log = Log()
        disk.store.write(log.talk("#a"))
        other = sqlite3.connect(disk.path, isolation_level=None)
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM segment").fetchone() == (1,)
        for _ in range(40):
            disk.store.write(log.talk("#a", frame_bytes=20_000))
        assert tried == sorted(tried)
        assert 3 <= len(tried) <= 8  # at each step of its growth, not at each commit
        assert wal_bytes(disk.path) > 2 * self.BOUND
        assert len(ranges(disk.store.reader(), after("#a"))) == 41
        other.close()
        for _ in range(10):
            disk.store.write(log.talk("#a", frame_bytes=20_000))
        assert wal_bytes(disk.path) < self.BOUND + 100_000

    def test_that_cannot_be_emptied_refuses_writes(self, disk: SqliteDisk) -> None:
        log = Log()
        while wal_bytes(disk.path) <= self.BOUND:
            disk.store.write(log.talk("#a", frame_bytes=20_000))
        disk.interrupt("PRAGMA wal_checkpoint(TRUNCATE)", fail)
        with pytest.raises(StorageFailed) as failed:
            disk.store.write(log.talk("#a"))
        assert failed.value.certain
        disk.store.write(log.talk("#b"))
        assert ranges(disk.store.reader(), after("#b")) == [f"{log.last_pos}-{log.last_pos}"]
        assert wal_bytes(disk.path) < 100_000

    def test_is_gone_after_a_clean_end(self, disk: SqliteDisk) -> None:
        disk.store.write(Log().talk("#a"))
        disk.close()
        assert os.listdir(disk.path.parent) == ["zchat.db"]
