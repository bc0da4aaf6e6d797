"""When the state is written, that it is whole at every moment, and whose it is."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from zchat.client.core.cursors import Snapshot
from zchat.client.saving import Saving
from zchat.client.statefile import StateFile
from zchat.common.errors import ConfigurationError

OLD = Snapshot(7, {"#a": 9}, frozenset({"#a"}), frozenset())
NEW = OLD._replace(floor=10, positions={})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A file that holds OLD, of Ann."""
    file = StateFile(tmp_path / "state", "key")
    file.open()
    file.nick = "ann"
    file.write(OLD)
    file.close()
    return tmp_path / "state"


def content(path: Path) -> Snapshot | None:
    file = StateFile(path, "key")
    try:
        return file.open()
    finally:
        file.close()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(
    written: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    file = StateFile(written, "key")
    file.open()
    with monkeypatch.context() as patched:
        patched.setattr(os, step, fail)
        with pytest.raises(OSError, match="full"):
            file.write(NEW)
    file.close()
    assert content(written) == OLD
    assert {path.name for path in written.parent.iterdir()} == {"state", "state.lock"}


def test_what_takes_its_place_is_synced_before(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append("fsync"), fsync(file))[1])
    monkeypatch.setattr(os, "replace", lambda one, other: (steps.append("replace"), replace(one, other))[1])
    file = StateFile(written, "key")
    file.open()
    file.write(NEW)
    file.close()
    assert steps == ["fsync", "replace"]
    assert content(written) == NEW


def test_a_state_belongs_to_one_nick(written: Path) -> None:
    async def run() -> None:
        saving = Saving(StateFile(written, "key"))
        assert saving.open() == OLD
        saving.belongs_to("ann")
        with pytest.raises(ConfigurationError, match="belongs to ann, not to Ann"):
            saving.belongs_to("Ann")
        await saving.close()

    asyncio.run(run())
    assert content(written) == OLD


class Source:
    """In place of a shell and its core: a snapshot, and what it is told."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.now = snapshot
        self.core = self.delivery = self
        self.reports = 0
        self.failed = asyncio.Event()
        self.error: Exception | None = None

    def snapshot(self) -> Snapshot:
        return self.now

    def tell_taken(self) -> None:
        self.reports += 1

    def fail(self, error: Exception) -> None:
        self.error = error
        self.failed.set()


def test_it_is_written_at_the_end_and_not_before_it_is_known_whose_it_is(tmp_path: Path) -> None:
    async def run() -> None:
        for nick in (None, "ann"):
            saving = Saving(StateFile(tmp_path / "state", "key"))
            assert saving.open() is None
            source = Source(NEW)
            saving.attach(source)  # type: ignore[arg-type]
            if nick is not None:
                saving.belongs_to(nick)
            await saving.close()
            assert (source.reports > 0) is (nick is not None)

    asyncio.run(run())
    assert content(tmp_path / "state") == NEW


def test_what_cannot_be_written_fails_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    async def run() -> None:
        saving = Saving(StateFile(tmp_path / "state", "key"))
        saving.open()
        source = Source(NEW)
        saving.attach(source)  # type: ignore[arg-type]
        saving.belongs_to("ann")
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", fail)
            saving.hasten()
            await asyncio.wait_for(source.failed.wait(), 20)
        assert isinstance(source.error, ConfigurationError)
        await saving.close()  # by now it can be written

    asyncio.run(run())
    assert content(tmp_path / "state") == NEW
