"""What `zchat broker` makes of options, environment and settings (zchat/broker/commands.py)."""

from pathlib import Path

import pytest

from zchat.broker import commands
from zchat.common import limits, settings
from zchat.common.errors import ConfigurationError
from zchat.common.links import Link

KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZCHAT_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("ZCHAT_LISTEN", raising=False)
    settings._read.cache_clear()
    return tmp_path / "config.toml"


def test_where_it_listens(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commands._listen(None, None) == ("127.0.0.1", limits.PORT)
    file.write_text('[broker]\nlisten = "[::1]:1000"\n')
    settings._read.cache_clear()
    assert commands._listen(None, None) == ("::1", 1000)
    assert commands._listen("h", None) == ("h", 1000)
    monkeypatch.setenv("ZCHAT_LISTEN", "e:2000")
    assert commands._listen(None, None) == ("e", 2000)
    assert commands._listen(None, 3000) == ("e", 3000)
    assert commands._listen("h", 3000) == ("h", 3000)
    monkeypatch.setenv("ZCHAT_LISTEN", "e")
    assert commands._listen(None, None) == ("e", limits.PORT)


@pytest.mark.parametrize("text", ["::1", ":1", "h:x", "h:0", "h:65536", "h/x", "a b", "a@b", "[::1"])
def test_what_is_no_address(text: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^--advertise is neither HOST nor HOST:PORT: "):
        commands._advertised(text)
    file.write_text(f'[broker]\nadvertise = "{text}"\nlisten = "{text}"\n')
    settings._read.cache_clear()
    with pytest.raises(ConfigurationError, match=r"^advertise in config\.toml is neither"):
        commands._advertised(None)
    with pytest.raises(ConfigurationError, match=r"^listen in config\.toml is neither"):
        commands._listen(None, None)
    monkeypatch.setenv("ZCHAT_LISTEN", text)
    with pytest.raises(ConfigurationError, match=r"^ZCHAT_LISTEN is neither"):
        commands._listen(None, None)


def test_the_second_port_has_to_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCHAT_LISTEN", "h:65535")
    with pytest.raises(ConfigurationError, match="ZCHAT_LISTEN: the port is from 1 to 65534"):
        commands._listen(None, None)


def test_what_the_link_says(file: Path) -> None:
    assert commands._link("10.0.0.1", 1, commands._advertised(None), KEY) == (Link("10.0.0.1", 1, KEY), False)
    file.write_text('[broker]\nadvertise = "chat.example.org"\n')
    settings._read.cache_clear()
    link = Link("chat.example.org", 1, KEY)
    assert commands._link("10.0.0.1", 1, commands._advertised(None), KEY) == (link, False)
    assert commands._link("10.0.0.1", 1, commands._advertised("h:2"), KEY) == (Link("h", 2, KEY), False)


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_a_link_that_is_a_guess_is_said_to_be_one(address: str) -> None:
    link, is_guessed = commands._link(address, 1, None, KEY)
    assert is_guessed and link.host != address
    assert commands._link(address, 1, ("h", None), KEY) == (Link("h", 1, KEY), False)


# ---- limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timeout_ms = 999", "timeout_ms is at least 1000"),
        ("heartbeat_ms = 1", "heartbeat_ms is at least 1000"),
        ("sessions_max = 1", "sessions_max is at least 2"),
        ("users_max = 1", "users_max is at least 2"),
        (
            "heartbeat_ms = 2000\ntimeout_ms = 2000",
            r"heartbeat_ms \(2000\) has to be less than timeout_ms \(2000\)",
        ),
        ("timeout_ms = 1000", r"less than timeout_ms \(1000\)"),
        ("timeout_ms = 9999999", "timeout_ms is at most 3600000"),
        ("user_max = 5", r"has no setting user_max\. Did you mean users_max\?"),
        ("invite_only = 1", "has no setting invite_only"),
    ],
)
def test_limits_that_make_no_sense(file: Path, text: str, said: str) -> None:
    file.write_text(f"[broker.limits]\n{text}\n")
    settings._read.cache_clear()
    with pytest.raises(ConfigurationError, match=said) as raised:
        commands._limits(False)
    assert str(raised.value).startswith(f"{file}: [broker.limits] ")


def test_the_smallest_limits(file: Path) -> None:
    file.write_text(
        "[broker.limits]\nheartbeat_ms = 1000\ntimeout_ms = 1001\nusers_max = 2\nsessions_max = 2\n"
    )
    settings._read.cache_clear()
    found, _ = commands._limits(True)
    assert (found.heartbeat_ms, found.timeout_ms, found.users_max, found.sessions_max) == (1000, 1001, 2, 2)
