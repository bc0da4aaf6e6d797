"""The data directory: one broker in it, its key, and its link."""

import os
import stat
from pathlib import Path

import pytest

from zchat.broker.directory import Directory
from zchat.common import keys, links, places
from zchat.common.errors import CannotStart

LINK = links.Link("127.0.0.1", 9242, keys.from_base32("a" * 52))


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "a" / "b")
    assert directory.database == tmp_path / "a" / "b" / "zchat.db"
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    directory.close()


def test_its_key_is_drawn_once(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    key = directory.key()
    assert directory.key() == key
    assert stat.S_IMODE((tmp_path / places.BROKER_KEY).stat().st_mode) == 0o600
    directory.close()


def test_a_second_broker_is_told_who_holds_it(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    with pytest.raises(CannotStart, match="just starting"):
        Directory(tmp_path)
    directory.publish(LINK)
    with pytest.raises(CannotStart) as caught:
        Directory(tmp_path)
    assert f"pid {os.getpid()}, {LINK}" in str(caught.value)
    directory.close()
    Directory(tmp_path).close()


def test_the_link_is_there_for_clients(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    other = LINK._replace(port=1, host="example.org.a.long.name")
    directory.publish(other)
    directory.publish(LINK)
    assert (tmp_path / places.BROKER_LINK).read_text() == f"{LINK}\n"
    assert (tmp_path / places.BROKER_LOCK).read_text() == f"pid {os.getpid()}, {LINK}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "lock"]
    directory.close()


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    directory.key()
    (tmp_path / places.BROKER_KEY).chmod(0o644)
    with pytest.raises(CannotStart, match="others can read the key"):
        directory.key()
    directory.close()


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="cannot use the data directory"):
        Directory(tmp_path / "file" / "below")
