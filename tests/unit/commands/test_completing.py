"""What is offered without a broker (zchat/client/commands/completing.py)."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from zchat.client import contexts
from zchat.client.commands import completing
from zchat.client.core.cursors import Snapshot
from zchat.client.cursorfile import cursor_of
from zchat.client.identity import Identity
from zchat.common.links import Link, parse

LINK = parse("zchat://127.0.0.1:9/" + "a" * 51 + "q")
ANYTHING = click.Option(["--any"])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ZCHAT_NICK", "ZCHAT_LINK", "ZCHAT_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    for kind in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"ZCHAT_{kind}_DIR", str(tmp_path / kind))
    return tmp_path


def context(**params: str) -> click.Context:
    found = click.Context(click.Command("any"))
    found.params = dict(params)
    return found


def test_cursors_of_whoever_is_named() -> None:
    for nick, names in {"ann": ["deploy", "Dump", "other"], "bob": ["his"]}.items():
        for name in names:
            cursor = cursor_of(Identity(LINK, nick), name)
            cursor.open()
            cursor.write(Snapshot(1, {}, frozenset(), frozenset()))
            cursor.close()
    whose = context(nick="ann", link=str(LINK))
    assert completing.cursor(whose, ANYTHING, "d") == ["Dump", "deploy"]
    assert completing.cursor(whose, ANYTHING, "x") == []
    assert completing.cursor(context(nick="bob", link=str(LINK)), ANYTHING, "") == ["his"]
    assert completing.cursor(context(link=str(LINK)), ANYTHING, "") == []  # nobody is named
    assert completing.cursor(context(nick="ann", link="nonsense"), ANYTHING, "") == []


def test_contexts() -> None:
    assert completing.broker(context(), ANYTHING, "") == []
    contexts.save(Link("office.example", 9242, LINK.key))
    assert completing.broker(context(), ANYTHING, "") == ["office.example"]
    assert completing.broker(context(), ANYTHING, "x") == []


def test_without_a_key_nobody_is_asked(home: Path) -> None:
    for offered in (completing.to, completing.room, completing.nick):
        assert offered(context(nick="ann", link=str(LINK)), ANYTHING, "") == []
    assert list(home.iterdir()) == []


def test_what_is_not_printable_is_not_offered() -> None:
    assert completing._beginning("A", ["ann", "a\x1b", "a\n", "bob"]) == ["ann"]


def test_it_is_light() -> None:
    program = """
import sys
import click
before = set(sys.modules)
import zchat.client.commands.completing
assert not {"zmq", "asyncio", "msgspec", "zchat.client.identity"} & (set(sys.modules) - before)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
