"""config.toml (zchat/common/settings.py)."""

from pathlib import Path

import pytest

from zchat.common import settings
from zchat.common.errors import ConfigurationError
from zchat.common.settings import BrokerSettings, ClientSettings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZCHAT_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("ZCHAT_DATA_DIR", raising=False)
    return tmp_path / "config.toml"


def test_without_a_file_nothing_is_set(file: Path) -> None:
    assert settings.client() == ClientSettings()
    assert settings.broker() == BrokerSettings()


def test_without_a_home_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "ZCHAT_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert settings.client() == ClientSettings()


def test_all_that_can_be_set(file: Path) -> None:
    file.write_text(
        '[client]\nlink = "zchat://a/b"\ncontext = "c"\nnick = "ann"\nkey_file = "k"\ntimeout = 2\n'
        '[broker]\nlisten = "0.0.0.0:1"\nadvertise = "h"\ndata_dir = "d"\n'
        'log_level = "debug"\nlog_file = "l"\n'
    )
    assert settings.client() == ClientSettings("zchat://a/b", "c", "ann", "k", 2.0)
    assert settings.broker() == BrokerSettings("0.0.0.0:1", "h", "d", "debug", "l")
    assert settings.broker_dir() == file.parent / "d"


def test_paths_are_those_of_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert settings.path_in("keys/ann") == file.parent / "keys/ann"
    assert settings.path_in("~/k") == Path("/home/ann/k")
    assert settings.path_in("/etc/k") == Path("/etc/k")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[client]\nnik = 'ann'", r": \[client\] has no setting nik\. Did you mean nick\?$"),
        ("[client]\ncolour = 1", r"no setting colour\. There are: link, context, nick, key_file, timeout$"),
        ("[broker]\nnick = 'ann'", r": \[broker\] has no setting nick\."),
        ("[clients]", r": there is no section \[clients\]\. Did you mean client\?$"),
        ("[x]", r": there is no section \[x\]\. There are: client, broker$"),
        ("nick = 'ann'", r": nick stands in no section\. Write it below \[client\]$"),
        ("client = 'ann'", r": client is a section: \[client\] stands in a line of its own$"),
        ("[client]\ntimeout = '5'", r": \[client\] timeout has to be a number of seconds, .*; it says '5'$"),
        ("[client]\ntimeout = -1", "it says -1$"),
        ("[client]\ntimeout = inf", "it says inf$"),
        ("[client]\ntimeout = nan", "it says nan$"),
        ("[client]\nnick = 7", r": \[client\] nick has to be text in quotes; it says 7$"),
        ("[broker]\nlog_level = 'loud'", "log_level has to be debug, info, .* it says 'loud'$"),
        ("[broker]\nlimits = 7", r"limits has to be a section of its own, \[broker\.limits\].* it says 7$"),
        ("[broker.limits]\na = 1\nb = '5'", r": \[broker\.limits\] b has to be .* from 1 on; it says '5'$"),
        ("[broker.limits]\nb = 0", r"b has to be a whole number from 1 on; it says 0$"),
        ("[broker.limits]\nb = 1.5", r"it says 1\.5$"),
        ("[broker.limits]\nb = true", r"it says true$"),
        ("[broker.limits.b]\nc = 1", r"b has to be .*; it says a section$"),
        ("nick = ann", "is not TOML: .*line 1"),
    ],
)
def test_what_is_no_setting(file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=reason) as raised:
        settings.client()
    assert str(file) in str(raised.value)


def test_a_home_that_nobody_knows(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, where the account is a number only."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    with pytest.raises(ConfigurationError, match=r"no home directory for ~/k in config\.toml"):
        settings.path_in("~/k")


def test_what_cannot_be_read(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ConfigurationError, match="cannot read the settings"):
        settings.client()
