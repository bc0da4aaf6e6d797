"""Where files are kept (zchat/common/places.py)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from zchat.common import places
from zchat.common.errors import ConfigurationError

KINDS = pytest.mark.parametrize(
    ("kind", "directory"),
    [("CONFIG", places.config_dir), ("STATE", places.state_dir), ("DATA", places.data_dir)],
)


@KINDS
def test_the_variable_decides(
    kind: str, directory: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv(f"ZCHAT_{kind}_DIR", str(tmp_path))
    assert directory() == tmp_path


@KINDS
def test_else_the_platform_does(
    kind: str, directory: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(f"ZCHAT_{kind}_DIR", "")
    monkeypatch.delenv(f"XDG_{kind}_HOME", raising=False)
    assert directory().is_relative_to(tmp_path)
    assert directory().name == "zchat"


@KINDS
def test_without_a_home_the_variable_is_named(
    kind: str, directory: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", f"ZCHAT_{kind}_DIR", f"XDG_{kind}_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match=f"ZCHAT_{kind}_DIR") as raised:
        directory()
    assert raised.value.exit_code == 2


def test_client_and_broker_have_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"ZCHAT_{kind}_DIR", str(tmp_path / kind))
    assert places.client_config_dir("key") == tmp_path / "CONFIG/client/key"
    assert places.client_state_dir("key") == tmp_path / "STATE/client/key"
    assert places.broker_dir() == tmp_path / "DATA/broker"
