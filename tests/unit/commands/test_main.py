"""The root of the commands and what errors end with (zchat/__main__.py)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import zchat
from zchat import __main__
from zchat.__main__ import main, root
from zchat.common.codes import Refusal
from zchat.common.errors import (
    CannotStart,
    ConfigurationError,
    OutcomeUnknown,
    Refused,
    Unreachable,
    WrongIdentity,
)


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "zchat", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_three_lines_get_one_started() -> None:
    code, out, err = run()
    assert (code, len(out.splitlines()), err) == (0, 3, "")


def test_versions() -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith(f"zchat {zchat.__version__} (libzmq 4.")


@pytest.mark.parametrize("arguments", [["-h"], ["--help"]])
def test_help_lists_the_commands(arguments: list[str]) -> None:
    code, out, _ = run(*arguments)
    assert code == 0
    for name in ("broker", "connect", "send", "tail", "users"):
        assert f"\n  {name} " in out


def test_help_loads_nothing_heavy() -> None:
    program = """
import sys
from zchat.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit:
    assert not {"zmq", "sqlite3", "asyncio", "msgspec", "precis_i18n"} & set(sys.modules), sorted(sys.modules)
"""
    for arguments in ([], ["--help"]):
        subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)


def test_a_command_loads_only_itself() -> None:
    program = """
import sys
from zchat.__main__ import main
try:
    main(["send", "--help"])
except SystemExit:
    assert not {"zmq", "sqlite3", "zchat.broker", "zchat.client.commands.tail"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_a_mistyped_command_gets_a_suggestion() -> None:
    code, out, err = run("sned", "general", "hi")
    assert (code, out) == (2, "")
    assert "No such command 'sned'. Did you mean 'send'?" in err


@pytest.mark.parametrize("name", ["connect", "send", "tail", "users"])
def test_help_of_a_command_has_examples_and_the_line_of_the_root(name: str) -> None:
    result = CliRunner().invoke(root, [name, "--help"])
    assert result.exit_code == 0
    assert f"zchat {name}" in result.output.split("Examples:")[1]
    for option in ("--nick", "--link", "-i, --interface", "-p, --port", "--timeout"):
        assert option in result.output
    for option in ("--context", "--key-file", "--json"):
        assert option in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("which nick?"), 2),
        (Unreachable("no broker"), 3),
        (WrongIdentity("another key"), 4),
        (Refused(Refusal.NICK_TAKEN, "taken"), 4),
        (Refused(Refusal.NO_SUCH_ROOM, "no \x1b[31mroom"), 5),
        (OutcomeUnknown("nobody knows", "k"), 8),
        (CannotStart("port in use"), 9),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(error, monkeypatch) == code
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("zchat: ") and err.count("\n") == 1 and "\x1b" not in err


def test_a_bug_is_reported_in_two_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(ZeroDivisionError("\x1b"), monkeypatch) == 70
    what, how = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"zchat: this is a bug in zchat [\d.]+ \(libzmq 4.*, Python 3.*\): "
        r"ZeroDivisionError: \\x1b \(zchat/__main__\.py:\d+\)",
        what,
    )
    assert "zchat --debug" in how


@pytest.mark.parametrize("options", [(), ("--debug",)])
def test_a_bug_below_is_found_where_zchat_met_it(options: tuple[str, ...], tmp_path: Path) -> None:
    """An installation that is not whole, for example."""
    (tmp_path / "zmq.py").write_text("raise ZeroDivisionError('\x1b[31m')")
    path = os.pathsep.join([str(tmp_path), str(Path(zchat.__file__).parents[1])])
    key = "a" * 51 + "q"
    code, out, err = run(*options, "link", "--link", f"zchat://h:1/{key}", PYTHONPATH=path)
    assert (code, out) == (70, "")
    assert "no pyzmq: \\x1b[31m" in err
    assert re.search(r"ZeroDivisionError: \\x1b\[31m \(zchat/common/keys\.py:\d+\)\n", err)
    assert err.count("\n") == 2 or options
    assert ("Traceback" in err) is bool(options)
    assert "\x1b" not in err


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",), ("users", "--help")])
def test_a_disk_without_room_is_no_bug(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "zchat", *arguments], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (2, b"zchat: cannot write: No space left on device\n")


def test_nothing_is_said_where_nobody_hears() -> None:
    for redirection in ("2>/dev/full", "2>&-"):
        for arguments, code in (("sned", 2), ("users --link x", 2)):
            done = subprocess.run(
                f"exec {sys.executable} -m zchat {arguments} {redirection}",
                shell=True,
                capture_output=True,
                check=False,
            )
            assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


def test_a_reader_that_has_gone() -> None:
    for arguments in ("--help", "--version", "context list --help"):
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m zchat {arguments} | true; exit ${{PIPESTATUS[0]}}"],
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_interrupted_while_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in the background\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "while True: pass\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(zchat.__file__).parents[1])])
    assert run("users", PYTHONPATH=path) == (130, "", "")


@pytest.mark.parametrize("error", [ZeroDivisionError("\x1b"), Unreachable("nobody there")])
def test_details_of_any_error_on_request(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(error, monkeypatch, "--debug")
    err = capsys.readouterr().err
    assert err.startswith("Traceback") and "raise error" in err and "\x1b" not in err


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(KeyboardInterrupt(), monkeypatch) == 130


def ended(error: BaseException, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(__main__.Root, "get_command", lambda *_: failing)
    with pytest.raises(SystemExit) as raised:
        main([*options, "users"])
    assert isinstance(raised.value.code, int)
    return raised.value.code
