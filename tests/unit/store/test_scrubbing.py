"""What was redacted is in none of the database's files any more when the store says so: they are searched."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic

import pytest
from store_disks import SqliteDisk, fail, files_at_most, wal_bytes
from store_logs import Log, after, said, texts
from store_talks import Talk, marked, marks

from zchat.broker.core.port import Durable, PageRead, Read, StoredSegment
from zchat.broker.store import wal
from zchat.broker.store.migrations import MIGRATIONS, migrate
from zchat.broker.store.threads import StoreThreads
from zchat.common.limits import SEND_MESSAGES_MAX, TEXT_BYTES_MAX

EMPTYING = "PRAGMA wal_checkpoint(TRUNCATE)"
KIB = 1024

# A process that reads the database until its stdin ends.
READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM segment").fetchone()
print("reading", flush=True)
sys.stdin.read()
"""

# A process that redacts position 1 and is killed before it empties the WAL.
KILLED = """
import os, sys
from pathlib import Path
from store_disks import SqliteDisk
from zchat.broker.core.port import Write
disk = SqliteDisk(Path(sys.argv[1]))
disk.interrupt("PRAGMA wal_checkpoint(TRUNCATE)", lambda: os._exit(0))
disk.store.write(Write(1, [], [], [], [], [1], *disk.store.load()[1:]))
raise AssertionError
"""


@pytest.fixture
def talk(sqlite_disk: SqliteDisk) -> Talk:
    return Talk(sqlite_disk)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, talk: Talk) -> None:
    """What waits for a reader waits only shortly."""
    monkeypatch.setattr(wal, "SCRUB_PATIENCE_MS", 50)
    monkeypatch.setattr(wal, "BUSY_TIMEOUT_MS", 10)
    talk.disk.connections[0].execute("PRAGMA busy_timeout = 10")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, talk: Talk) -> None:
    """What waits for a reader tries often, and does not give up while a machine is slow."""
    monkeypatch.setattr(wal, "SCRUB_PATIENCE_MS", 60_000)
    talk.disk.connections[0].execute("PRAGMA busy_timeout = 10")


@pytest.fixture
def foreign_reader(talk: Talk) -> Iterator[Callable[[], Callable[[], None]]]:
    """Starts another process that reads the database; what that gives ends it."""
    processes: list[subprocess.Popen[str]] = []

    def end(process: subprocess.Popen[str]) -> None:
        process.communicate()
        assert process.returncode == 0

    def start() -> Callable[[], None]:
        command = [sys.executable, "-c", READER, str(talk.disk.path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        return partial(end, process)

    yield start
    for process in processes:
        process.kill()
        process.communicate()


class TestTexts:
    @pytest.mark.parametrize(
        ("sizes", "how"),
        [
            ([8], {}),
            ([40], {"keyed": True}),
            ([3 * KIB], {}),
            ([3 * KIB] * 3, {"send": 1}),
            ([5 * KIB], {}),
            ([20 * KIB] * 4, {"send": 2}),
            ([TEXT_BYTES_MAX], {"keyed": True}),
            ([TEXT_BYTES_MAX] * 2, {"send": 1}),
            ([16] * SEND_MESSAGES_MAX, {}),
            ([16] * SEND_MESSAGES_MAX, {"send": 1}),
            ([400] * SEND_MESSAGES_MAX, {"send": 7}),
        ],
    )
    @pytest.mark.parametrize("copied", [True, False])
    def test_of_any_size_and_kind(
        self, talk: Talk, sizes: list[int], how: dict[str, int], copied: bool
    ) -> None:
        """The text is in the database and in the WAL, or in the WAL only."""
        for _ in range(3):
            talk.say(*sizes, **how)
        if copied:
            talk.disk.restart()
        assert talk.found == talk.left
        middle = len(sizes) + 1 + len(sizes) // 2
        assert talk.redact(middle)
        talk.check()
        assert talk.redact(*range(len(sizes) + 1, 2 * len(sizes) + 1))
        talk.check()
        assert wal_bytes(talk.disk.path) == 0

    def test_said_and_redacted_in_one_commit(self, talk: Talk) -> None:
        write = talk.commit(5 * KIB, 40)
        assert talk.disk.store.write(write._replace(redactions=[1]))
        talk.there[1] = ""
        talk.check()

    def test_of_a_commit_that_does_not_fit_the_cache(self, talk: Talk) -> None:
        """SQLite writes pages into the WAL before the commit, and then once more."""
        talk.disk.connections[0].execute("PRAGMA cache_size = 10")
        for _ in range(5):
            talk.say(*[20 * KIB] * 8)
        assert talk.redact(*range(1, 41, 3))
        talk.check()

    @pytest.mark.parametrize(
        ("seed", "size_max"), [(0, 40), (1, 400), (6, 2000), (14, 2000), (59, 2000), (7, 9000)]
    )
    def test_in_a_long_life(self, talk: Talk, seed: int, size_max: int) -> None:
        """Rows of all sizes come, and shrink a little or to nothing, in any order. Among the seeds are some
        in which an UPDATE would have SQLite leave a copy of a row that it moved."""
        rng = Random(seed)
        for step in range(60):
            new: list[StoredSegment] = []
            for _ in range(rng.randint(0, 12)):
                sizes = [rng.randint(8, size_max) for _ in range(rng.randint(1, 3))]
                new += talk.commit(*sizes, send=rng.randint(1, 3)).segments
            left = sorted(talk.left)
            gone = rng.sample(left, min(len(left), rng.randint(1, 20)))
            assert talk.redact(*gone, new=new)
            if step % 10 == 9:
                assert talk.found == talk.left
                talk.disk.restart()
        talk.check()

    def test_written_by_an_older_version(self, tmp_path: Path) -> None:
        directory = tmp_path / "old"
        directory.mkdir()
        connection = sqlite3.connect(directory / "zchat.db", isolation_level=None)
        migrate(connection, directory / "zchat.db", MIGRATIONS[:1])
        log = Log()
        segment = log.segment_of("#a", said(marked(1, 5 * KIB), marked(2)))
        connection.execute("INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?)", segment)
        connection.close()
        disk = SqliteDisk(directory)
        assert disk.store.write(log.write(redactions=[1]))
        assert marks(directory) == {2}
        assert texts(disk.store.reader(), "#a") == ["", marked(2)]
        disk.close()


class TestReaders:
    def test_of_this_process_that_read_all_the_time(self, talk: Talk) -> None:
        threads = StoreThreads(talk.disk.store)
        reports: list[object] = []

        def finish(wanted: Callable[[], bool]) -> None:
            deadline = monotonic() + 30
            while not wanted():
                assert monotonic() < deadline
                reports.extend(threads.take())

        for _ in range(40):
            threads.submit(talk.commit(*[4 * KIB] * 8))
        for number in range(10):
            for _ in range(20):  # more than are read before the commit has emptied the WAL
                threads.submit(Read(number, after("#a")))
            write = talk.log.write(redactions=[1 + number * 16])
            talk.there[1 + number * 16] = ""
            threads.submit(write)
            finish(lambda write=write: any(getattr(report, "seq", 0) == write.seq for report in reports))
            assert Durable(write.seq, scrubbed=True) in reports
            assert talk.found == talk.left
        finish(lambda: sum(isinstance(report, PageRead) for report in reports) == 10 * 20)
        threads.stop()

    def test_that_came_before_and_end_soon_are_waited_for(
        self, talk: Talk, patient: None, foreign_reader: Callable[[], Callable[[], None]]
    ) -> None:
        talk.say(5 * KIB, 40)
        end = foreign_reader()
        # It is still there at the first attempt, and ends before the second.
        talk.disk.interrupt(EMPTYING, lambda: talk.disk.interrupt(EMPTYING, end))
        assert talk.redact(1)
        talk.check()

    def test_that_stay_prevent_it_and_that_is_told(
        self, talk: Talk, impatient: None, foreign_reader: Callable[[], Callable[[], None]]
    ) -> None:
        talk.say(5 * KIB, 40)
        end = foreign_reader()
        assert not talk.redact(1)
        assert talk.found == {1, 2}
        assert texts(talk.disk.store.reader(), "#a") == ["", marked(2, 40)]
        assert not talk.redact(1)
        end()
        assert talk.redact(1)
        talk.check()

    def test_that_stay_are_waited_for_once(
        self,
        talk: Talk,
        impatient: None,
        monkeypatch: pytest.MonkeyPatch,
        foreign_reader: Callable[[], Callable[[], None]],
    ) -> None:
        """Nobody can have all commits wait by repeating a redaction."""
        monkeypatch.setattr(wal, "SCRUB_PATIENCE_MS", 500)
        tries: list[float] = []

        def count() -> None:
            tries.append(monotonic())
            talk.disk.interrupt(EMPTYING, count)

        talk.say(40, 40)
        end = foreign_reader()
        talk.disk.interrupt(EMPTYING, count)
        assert not talk.redact(1)
        assert len(tries) > 1
        assert tries[-1] - tries[0] > 0.1
        tries.clear()
        assert not talk.redact(1)
        assert not talk.redact(2)
        assert len(tries) == 2
        end()
        assert talk.redact(2)
        foreign_reader()
        tries.clear()
        talk.say(40)
        assert not talk.redact(3)
        assert len(tries) > 1  # as at first

    @pytest.mark.parametrize("next_commit", ["of a message", "of nothing"])
    def test_that_stay_leave_it_to_the_next_commit(
        self,
        talk: Talk,
        impatient: None,
        next_commit: str,
        foreign_reader: Callable[[], Callable[[], None]],
    ) -> None:
        talk.say(5 * KIB, 40)
        end = foreign_reader()
        assert not talk.redact(1)
        assert talk.disk.store.write(talk.log.write())
        assert talk.found == {1, 2}
        end()
        if next_commit == "of a message":
            talk.say(40)
        else:
            talk.disk.store.write(talk.log.write())
        talk.check()
        assert talk.disk.connections[0].execute("PRAGMA busy_timeout").fetchone() == (wal.BUSY_TIMEOUT_MS,)

    def test_and_writers_of_other_programs_are_waited_for(self, talk: Talk, patient: None) -> None:
        other = sqlite3.connect(talk.disk.path, isolation_level=None)

        def write() -> None:
            other.execute("BEGIN IMMEDIATE")
            talk.disk.interrupt(EMPTYING, lambda: other.execute("ROLLBACK"))

        talk.say(5 * KIB, 40)
        talk.disk.interrupt(EMPTYING, write)
        assert talk.redact(1)
        talk.check()
        other.close()

    def test_that_come_while_others_are_waited_for_are_not_in_the_way(
        self, talk: Talk, patient: None, foreign_reader: Callable[[], Callable[[], None]]
    ) -> None:
        """So readers that come one after the other cannot put it off for ever."""

        def read() -> None:
            end = foreign_reader()
            talk.disk.interrupt(EMPTYING, lambda: (foreign_reader(), end()))

        talk.say(5 * KIB, 40)
        talk.disk.interrupt(EMPTYING, read)
        assert talk.redact(1)
        talk.check()


class TestFailures:
    def test_a_kill_before_the_wal_was_emptied(self, talk: Talk) -> None:
        talk.say(5 * KIB, 40)
        talk.disk.close()
        tests = str(Path(__file__).parent)
        killed = [sys.executable, "-c", f"import sys; sys.path.append({tests!r})" + KILLED]
        subprocess.run([*killed, str(talk.disk.path.parent)], check=True)
        assert talk.found == {1, 2}
        assert wal_bytes(talk.disk.path) > 0
        talk.disk.open(talk.disk.path)
        talk.there[1] = ""
        talk.check()

    def test_a_reader_in_the_way_of_the_start(
        self, talk: Talk, foreign_reader: Callable[[], Callable[[], None]]
    ) -> None:
        talk.say(5 * KIB, 40)
        end = foreign_reader()
        talk.disk.interrupt(EMPTYING, partial(fail, sqlite3.SQLITE_FULL))
        assert not talk.redact(1)
        talk.disk.restart()
        assert talk.found == {1, 2}
        end()
        talk.disk.store.write(talk.log.write())
        talk.check()

    @pytest.mark.parametrize(
        "code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_CORRUPT]
    )
    def test_when_it_cannot_be_emptied_it_is_durable_and_told(self, talk: Talk, code: int) -> None:
        talk.say(5 * KIB, 40)
        talk.disk.interrupt(EMPTYING, partial(fail, code))
        assert not talk.redact(1)
        assert texts(talk.disk.store.reader(), "#a") == ["", marked(2, 40)]
        assert talk.redact(1)
        talk.check()

    def test_a_disk_with_room_for_the_commit_only(self, talk: Talk) -> None:
        for _ in range(10):
            talk.say(60 * KIB)
        talk.disk.restart()
        for _ in range(5):
            talk.say(60 * KIB)
        size = talk.disk.path.stat().st_size
        assert wal_bytes(talk.disk.path) + 200 * KIB < size
        with files_at_most(size + 4 * KIB):
            assert not talk.redact(1, 12)
            assert not talk.redact(1)
            assert texts(talk.disk.store.reader(), "#a") == list(talk.there.values())
        assert talk.redact(1)
        talk.check()

    def test_a_loss_of_power_does_not_bring_it_back(
        self, talk: Talk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SQLite syncs the database before it cuts the WAL; that the cut is durable, too, is left to us."""
        synced: list[tuple[str, int]] = []
        sync = wal.sync

        def watch(path: Path) -> None:
            synced.append((path.name, wal_bytes(talk.disk.path)))
            sync(path)

        monkeypatch.setattr(wal, "sync", watch)
        talk.say(5 * KIB, 40)
        assert talk.redact(1)
        assert synced == [("zchat.db-wal", 0)]
