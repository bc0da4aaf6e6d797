"""What a command loads before it does anything: start-up is felt, so each loads only what it needs."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.e2e.programs import DEADLINE_S, Zchat
from zchat.__main__ import root

COMMANDS = root.list_commands(None)  # type: ignore[arg-type]


def loaded(arguments: Sequence[str], environment: dict[str, str]) -> set[str]:
    """The modules that a process of its own imports from its start to its end, as Python tells them."""
    done = subprocess.run(
        [sys.executable, "-m", "zchat", *arguments],
        env=environment | {"PYTHONPROFILEIMPORTTIME": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    modules = {line.rpartition("|")[2].strip() for line in lines}
    assert "click" in modules
    return modules


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_the_first_help(bare_environment: dict[str, str], arguments: list[str]) -> None:
    modules = loaded(arguments, bare_environment)
    assert modules.isdisjoint(
        {"zmq", "sqlite3", "asyncio", "ssl", "msgspec", "precis_i18n", "prompt_toolkit"}
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command(bare_environment: dict[str, str], command: str) -> None:
    assert loaded([command, "--help"], bare_environment).isdisjoint({"zmq", "sqlite3", "prompt_toolkit"})


@pytest.mark.parametrize(
    "arguments", [["send", "general", "hi"], ["tail", "--no-follow", "general"], ["users"]]
)
def test_a_command_of_a_client(run: Zchat, arguments: list[str]) -> None:
    environment = run.environment("ann")
    loaded(arguments, environment)  # draws a key, which the next one finds
    modules = loaded(arguments, environment)
    assert {"zmq", "msgspec"} <= modules
    assert not {module for module in modules if module.startswith("zchat.broker")}
    for unused in ("prompt_toolkit", "sqlite3", "precis_i18n", "tempfile", "secrets"):
        assert unused not in modules
    for unused in ("zmq.asyncio", "concurrent.futures.thread", "zchat.client.terminal"):
        assert unused not in modules


def test_send_loads_nothing_for_output(run: Zchat) -> None:
    assert "zchat.client.commands.formats" not in loaded(["send", "general", "hi"], run.environment("ann"))
