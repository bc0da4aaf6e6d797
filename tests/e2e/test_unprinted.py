"""What the broker has done and the command cannot print: it is not said that nothing was done."""

import json
import os
import subprocess

import pytest

from tests.e2e.programs import DEADLINE_S, Zchat

_REFERS = {
    "invite": (["invite"], None, "zchat admin end-invite "),
    "token": (["token", "create", "ci"], "ann", "zchat token revoke ci"),
    "private": (["join", "--private", "ops"], "ann", "zchat leave ops+"),
    "rotate": (["key", "rotate", "--json"], "ann", "the key of ann is a new one"),
    "join": (["join", "--json", "builds"], "ann", "it was done"),
    "mute": (["room", "mute", "--json", "builds", "bob"], "ann", "it was done"),
}


@pytest.fixture
def run(run: Zchat) -> Zchat:
    """Ann has made a room; bob is there."""
    assert run(["join", "builds"]).returncode == 0
    assert run(["users"], nick="bob").returncode == 0
    return run


def unprinted(run: Zchat, arguments: list[str], nick: str | None, how: str) -> tuple[int, str]:
    """The exit code and what is said, of a command whose stdout takes nothing."""
    if how == "closed":
        quoted = subprocess.list2cmdline(["python", "-m", "zchat", *arguments])
        done = subprocess.run(
            ["sh", "-c", f"exec {quoted} >&-"],
            env=run.environment(nick),
            stderr=subprocess.PIPE,
            timeout=DEADLINE_S,
            check=False,
        )
        return done.returncode, done.stderr.decode()
    if how == "full":
        out = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, out = os.pipe()
        os.close(reader)
    process = run.open(arguments, nick, stdout=out, stderr=subprocess.PIPE)
    os.close(out)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    return process.wait(DEADLINE_S), said


@pytest.mark.parametrize("how", ["full", "closed", "gone"])
@pytest.mark.parametrize("name", _REFERS)
def test_what_exists_is_said(run: Zchat, name: str, how: str) -> None:
    arguments, nick, refers = _REFERS[name]
    code, said = unprinted(run, arguments, nick, how)
    assert code == 8, said
    assert refers in said and "could not be printed" in said
    assert "nothing was sent" not in said


def test_it_can_be_ended_as_it_says(run: Zchat) -> None:
    _, said = unprinted(run, ["invite"], None, "full")
    (row,) = run(["admin", "invites", "--json"], nick=None).stdout.splitlines()
    id = json.loads(row)["id"]
    assert f"zchat admin end-invite {id}" in said
    assert run(["admin", "end-invite", id], nick=None).returncode == 0
    _, said = unprinted(run, ["token", "create", "ci"], "ann", "full")
    assert run(["token", "revoke", "ci"]).returncode == 0
    assert run(["token", "create", "ci"]).returncode == 0
