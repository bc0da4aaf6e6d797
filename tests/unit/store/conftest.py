"""The stores under test, each on its disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_disks import Disk, MemoryDisk, SqliteDisk


@pytest.fixture
def sqlite_disk(tmp_path: Path) -> Iterator[SqliteDisk]:
    disk = SqliteDisk(tmp_path)
    yield disk
    disk.close()


@pytest.fixture(params=["memory", "sqlite"])
def disk(request: pytest.FixtureRequest) -> Disk:
    return MemoryDisk() if request.param == "memory" else request.getfixturevalue("sqlite_disk")
