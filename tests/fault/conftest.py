"""Brokers for the fault tests, and `--long` for their long form."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from tests.fault.faulty import SmallDisk
from tests.processes import BrokerProcess

_DISK_MIB = 32
_LONG_S = 900  # for one test in its long form


def pytest_addoption(parser: pytest.Parser) -> None:
    with suppress(ValueError):  # others have it, too
        parser.addoption("--long", action="store_true", help="run the long form of the tests that have one")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """The long form is wanted."""
    return _is_long(request.config)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker for one test."""
    with BrokerProcess(tmp_path / "broker") as process:
        yield process


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _is_long(config):
        for item in items:
            if item.path.parent == Path(__file__).parent:
                item.add_marker(pytest.mark.timeout(_LONG_S))


def _is_long(config: pytest.Config) -> bool:
    """`--long`, or ZCHAT_TESTS_LONG in the environment."""
    return bool(config.getoption("--long", default=False) or os.environ.get("ZCHAT_TESTS_LONG"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("strace") and not _can_trace():
        pytest.skip("the program strace is missing, or may not trace")
    if item.get_closest_marker("tmpfs") and (os.geteuid() != 0 or shutil.which("mount") is None):
        pytest.skip("only root can mount a tmpfs")


@cache
def _can_trace() -> bool:
    strace = shutil.which("strace")
    return strace is not None and subprocess.run([strace, "-o", os.devnull, "true"]).returncode == 0


@pytest.fixture
def impatient_broker(long: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BrokerProcess]:
    """A broker, and clients with it, that notice silence after two seconds; in the long form after the usual
    time."""

    def command(port: int, data_dir: Path, *options: str) -> list[str]:
        arguments = ["broker", "-p", str(port), "--data-dir", str(data_dir), *options]
        return [sys.executable, "-m", "tests.fault.impatient_broker", *arguments]

    if not long:
        monkeypatch.setattr("tests.processes.broker_command", command)
    with BrokerProcess(tmp_path / "broker") as process:
        yield process


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of a few MiB, in memory."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "zchat-test", path], check=True)
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
