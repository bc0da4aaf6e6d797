"""The control socket of a broker (zchat/client/control.py)."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from zchat.client import control
from zchat.common import keys, places
from zchat.common.links import Link

LINK = Link("127.0.0.1", 9242, keys.draw().public)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a socket lies that can be trusted."""
    monkeypatch.setenv("ZCHAT_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    path = places.control_socket(keys.to_base32(LINK.key))
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        yield path


def test_the_socket_of_this_broker(path: Path) -> None:
    assert path.name == f"{keys.to_base32(LINK.key)[:16]}.sock"
    assert control.socket_of(LINK) == path
    assert control.socket_of(LINK._replace(key=keys.draw().public)) is None


def test_where_others_may_put_one_none_is_trusted(path: Path) -> None:
    for mode in (0o720, 0o702):
        path.parent.chmod(mode)
        assert control.socket_of(LINK) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="wants root, to give files away")
def test_what_belongs_to_somebody_else_is_not_trusted(path: Path) -> None:
    for one in (path, path.parent):
        os.chown(one, 12345, -1)
        assert control.socket_of(LINK) is None
        os.chown(one, 0, -1)
    assert control.socket_of(LINK) == path


def test_what_is_no_socket_is_none(path: Path) -> None:
    path.unlink()
    assert control.socket_of(LINK) is None
    path.write_text("")
    assert control.socket_of(LINK) is None
    path.unlink()
    path.symlink_to("elsewhere")
    assert control.socket_of(LINK) is None


def test_without_a_directory_for_sockets_there_is_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ZCHAT_RUNTIME_DIR", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert places.runtime_dir().is_absolute()
