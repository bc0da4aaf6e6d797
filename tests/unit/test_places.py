"""Whose a directory is, by everything on the way to it; and where a control socket is."""

import os
from pathlib import Path

import pytest
import zmq

from tests.e2e.programs import free_port
from zchat.broker.sockets import Sockets
from zchat.common import keys, places

ANOTHER = 21_001  # some account's number
root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes what is another's"
)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A directory of this account's, in one like /tmp."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    made = tmp_path / "shared" / "ours"
    made.mkdir(mode=0o700)
    return made


def test_a_directory_of_this_account(ours: Path) -> None:
    assert places.is_ours(ours)
    assert not places.is_ours(ours.parent)
    ours.chmod(0o770)
    assert not places.is_ours(ours)


def test_a_link_of_this_account(ours: Path) -> None:
    link = ours.parent / "link"
    link.symlink_to("ours")
    (ours / "within").mkdir(mode=0o700)
    assert places.is_ours(link) and places.is_ours(link / "within")
    ours.chmod(0o777)
    assert not places.is_ours(link) and not places.is_ours(link / "within")
    again = ours.parent / "round"
    again.symlink_to(again)
    assert not places.is_ours(again)


@root
@pytest.mark.parametrize("behind", [False, True])
def test_a_link_that_another_can_turn(ours: Path, behind: bool) -> None:
    """Its owner, later, to wherever they like."""
    link = theirs = ours.parent / "theirs"
    theirs.symlink_to(ours)
    os.lchown(theirs, ANOTHER, ANOTHER)
    if behind:
        link = ours.parent / "link"
        link.symlink_to(theirs)
    assert not places.is_ours(link)
    (ours / "within").mkdir(mode=0o700)
    assert not places.is_ours(link / "within")


@root
def test_a_link_into_a_directory_of_another(ours: Path) -> None:
    os.chown(ours, ANOTHER, ANOTHER)
    (ours / "within").mkdir(mode=0o700)
    link = ours.parent / "link"
    link.symlink_to(ours / "within")
    assert not places.is_ours(link)


@pytest.mark.skipif(os.name != "posix", reason="there are no Unix sockets")
def test_a_control_socket_is_a_file_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that begins with @ means one without a file to libzmq, and anybody may open that."""
    monkeypatch.chdir(tmp_path)
    control = Path("@run") / "x.sock"
    sockets = Sockets(keys.draw(), "127.0.0.1", free_port(), control)
    assert control.is_socket() and control.stat().st_mode & 0o777 == 0o600
    assert str(sockets.control.get(zmq.LAST_ENDPOINT)).find("@run/x.sock") > len("ipc://")
    sockets.close()
    assert not control.exists()
