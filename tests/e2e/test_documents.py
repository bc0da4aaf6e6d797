"""The examples of the documents do what the documents say: commands with their output, and bots."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.e2e.forked import ended
from tests.e2e.programs import DEADLINE_S, Broker, Zchat

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


def examples(block: str) -> list[tuple[str, str]]:
    """Each command of a block, and what it is said to print."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        found.append((command, output))
    return found


def matches(printed: str, said: str) -> bool:
    """Whether the output is what was said, where … stands for anything."""
    pattern = "".join(".*" if piece == "…" else re.escape(piece) for piece in re.split("(…)", said))
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def needs_shell(command: str) -> bool:
    """It is more than a plain `zchat`."""
    return not command.startswith("zchat ") or re.search(r"[$`|&;<>()*?~\\]", command) is not None


def by_hand(command: str, environment: dict[str, str]) -> list[str]:
    """What a shell prints when this is typed."""
    done = subprocess.run(
        ["bash", "-c", command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEADLINE_S,
        check=False,
    )
    return [done.stdout]


def at_once(command: str, environment: dict[str, str]) -> list[str]:
    """The same of a plain `zchat`, in less time. Which of its two streams came first is not known."""
    done = ended(shlex.split(command)[1:], environment, b"", 2 * DEADLINE_S)
    return [done.stdout + done.stderr, done.stderr + done.stdout]


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if blocks(d, "console")], ids=lambda document: document.name
)
def test_commands(document: Path, broker: Broker, run: Zchat, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "zchat").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zchat "$@"\n')
    (programs / "zchat").chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    exported: dict[str, str] = {}
    for command, said in [example for block in blocks(document, "console") for example in examples(block)]:
        if setting := re.fullmatch(r"export (\w+)=([\w.-]+)", command):
            exported[setting[1]] = setting[2]  # for all commands that follow
        environment = run.environment(None) | exported | {"PATH": path}
        printed = by_hand(command, environment) if needs_shell(command) else at_once(command, environment)
        assert any(matches(one, said) for one in printed), f"{command}\n{printed[0]}"


def test_the_bot_of_the_readme(broker: Broker, run: Zchat) -> None:
    (source,) = blocks(ROOT / "README.md", "python")
    assert len(source.splitlines()) <= 15
    assert run(["send", "general", "!echo before it came"]).returncode == 0
    bot = start(source, run)
    try:
        wait_until_present("echo", run)
        tail = run.start(["tail", "general"])
        tail.out.until("before it came")
        assert run(["send", "general", "!echo hello there"]).returncode == 0
        tail.out.until("<echo> hello there")
        broker.kill()
        broker.start()
        assert run(["send", "@echo", "!echo only you"]).returncode == 0
        private = run.start(["connect"])
        private.out.until("@echo -> @ann only you")
        bot.kill()
        bot.wait()
        assert run(["send", "general", "!echo while it was away"]).returncode == 0
        bot = start(source, run)
        tail.out.until("<echo> while it was away")
    finally:
        bot.kill()
        bot.wait()


def test_the_programs_of_the_bots_page(run: Zchat) -> None:
    for source in blocks(ROOT / "docs" / "bots.md", "python"):
        program = start(source, run, stdout=subprocess.PIPE)
        printed, _ = program.communicate(timeout=DEADLINE_S)
        assert program.returncode == 0
        assert b"reporter 42 tests passed" in printed


def wait_until_present(nick: str, run: Zchat) -> None:
    """Until somebody is here."""
    ends_at = time.monotonic() + DEADLINE_S
    while f"* {nick}\n" not in run(["users"]).stdout:
        assert time.monotonic() < ends_at, f"{nick} did not come"


def start(source: str, run: Zchat, stdout: int | None = None) -> "subprocess.Popen[bytes]":
    """A program of a document, in an installation of its own."""
    environment = run.environment(None)
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(source)], env=environment, stdout=stdout)
