"""The file of an installation's cursor."""

import json
from pathlib import Path

import pytest

from zchat.client.core.cursors import Snapshot
from zchat.client.statefile import StateFile
from zchat.common.errors import ConfigurationError

SNAPSHOT = Snapshot(7, {"#a": 9}, frozenset({"#a", "#b"}), frozenset({"#c"}))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state"
    file = StateFile(path, "key")
    assert file.open() is None
    file.nick = "ann"
    file.write(SNAPSHOT)
    file.write(SNAPSHOT._replace(floor=None))
    file.close()
    again = StateFile(path, "key")
    assert again.open() == SNAPSHOT._replace(floor=None)
    assert again.nick == "ann"
    again.close()
    assert sorted(p.name for p in path.parent.iterdir()) == ["state", "state.lock"]


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = StateFile(tmp_path / "s", "key"), StateFile(tmp_path / "s", "key")
    first.open()
    with pytest.raises(ConfigurationError, match="another zchat client"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_another_brokers_positions_mean_nothing(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "s", "key")
    file.open()
    file.nick = "ann"
    file.write(SNAPSHOT)
    file.close()
    with pytest.raises(ConfigurationError, match="another broker"):
        StateFile(tmp_path / "s", "other").open()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"nick": None},
        {"floor": -1},
        {"floor": 2**53},
        {"floor": True},
        {"positions": {"#a": "9"}},
        {"positions": []},
        {"joined": [1]},
        {"followed": None},
    ],
)
def test_a_damaged_file_is_not_guessed_at(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "s"
    good = {
        "version": 1,
        "broker": "key",
        "nick": "ann",
        "floor": 1,
        "positions": {},
        "joined": [],
        "followed": [],
    }
    path.write_text(json.dumps(good | change))
    with pytest.raises(ConfigurationError, match="damaged"):
        StateFile(path, "key").open()
    path.write_text(json.dumps(good))
    file = StateFile(path, "key")
    assert file.open() == Snapshot(1, {}, frozenset(), frozenset())
    file.close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_what_is_no_json_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(ConfigurationError, match="damaged"):
        StateFile(tmp_path / "s", "key").open()


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot use"):
        StateFile(tmp_path / "file" / "s", "key").open()
