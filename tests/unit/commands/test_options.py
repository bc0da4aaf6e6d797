"""The options that every command of a client has (zchat/client/commands/options.py)."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from zchat.client.commands.options import Caller, client_options
from zchat.client.identity import Asked
from zchat.common import settings


@click.command()
@client_options
def shown(caller: Caller) -> None:
    click.echo(repr(caller))


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZCHAT_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("ZCHAT_TIMEOUT", raising=False)
    settings._read.cache_clear()
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(shown, arguments)


def test_all_of_them_are_what_was_typed() -> None:
    typed = {
        "--link": "zchat://h/k",
        "-i": "h",
        "-p": "1",
        "--context": "c",
        "--nick": "n",
        "--key-file": "f",
        "--token": "t",
        "--timeout": "2.5",
    }
    result = run(*(part for pair in typed.items() for part in pair))
    assert result.output == f"{Caller(Asked('zchat://h/k', 'h', 1, 'c', 'n', 'f', 't'), 2.5)}\n"


def test_nothing_is_typed() -> None:
    assert run().output == f"{Caller(Asked(), 5.0)}\n"


def test_the_timeout_of_flag_environment_and_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "config.toml").write_text("[client]\ntimeout = 1\n")
    assert run().output == f"{Caller(Asked(), 1.0)}\n"
    monkeypatch.setenv("ZCHAT_TIMEOUT", "")
    assert run().output == f"{Caller(Asked(), 1.0)}\n"
    monkeypatch.setenv("ZCHAT_TIMEOUT", "2")
    assert run().output == f"{Caller(Asked(), 2.0)}\n"
    assert run("--timeout", "3").output == f"{Caller(Asked(), 3.0)}\n"
    assert run("--timeout", "0").output == f"{Caller(Asked(), None)}\n"


@pytest.mark.parametrize("typed", ["-1", "nan", "inf", "1e10", "five", ""])
def test_no_number_of_seconds(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(f"--timeout={typed}")
    assert result.exit_code == 2
    assert f"Invalid value for '--timeout': {typed!r} is no number of seconds" in result.output
    if typed:
        monkeypatch.setenv("ZCHAT_TIMEOUT", typed)
        assert f"Invalid value for ZCHAT_TIMEOUT: {typed!r} is no number of seconds" in run().output


def test_a_link_from_an_argument_beside_the_option() -> None:
    caller = Caller(Asked("zchat://h/k"), None)
    assert caller.at(None) == caller.at("zchat://h/k") == caller
    assert Caller(Asked(), None).at("zchat://h/k") == caller
    with pytest.raises(click.UsageError, match="two links are given"):
        caller.at("zchat://other/k")
