"""`zchat redact` with real processes, and what is left of the text."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.programs import Broker, Zchat


def send(run: Zchat, to: str, text: str, nick: str = "ann") -> int:
    """The position of a message that is stored."""
    done = run(["send", "--json", to, text], nick=nick)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["pos"])


def register(run: Zchat, *nicks: str) -> None:
    for nick in nicks:
        assert run(["users"], nick=nick).returncode == 0


def history(run: Zchat, *arguments: str, nick: str = "ann") -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in run(["history", "--json", *arguments], nick=nick).stdout.splitlines()
    ]


def files_with(directory: Path, text: str) -> list[str]:
    return [
        file.name for file in directory.rglob("*") if file.is_file() and text.encode() in file.read_bytes()
    ]


def test_the_text_is_gone_and_the_message_stays(run: Zchat, broker: Broker) -> None:
    pos = send(run, "general", "the word is swordfish")
    after = send(run, "general", "another")
    assert files_with(broker.data_dir, "swordfish")
    done = run(["redact", "--reason", "a secret", "general", str(pos)])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert files_with(broker.data_dir, "swordfish") == []
    for nick in ("ann", "bob"):
        first, second = history(run, "general", nick=nick)
        assert (first["pos"], first["from"], first["kind"], first["text"]) == (pos, "ann", "message", "")
        assert (second["pos"], second["text"]) == (after, "another")
    (told,) = [one for one in history(run, "--events", "general") if one["kind"] == "removed"]
    assert (told["kind"], told["from"], told["to"], told["id"], told["text"]) == (
        "removed", "ann", "#general", None, f"{pos}: a secret"
    )  # fmt: skip
    lines = run(["history", "general"]).stdout.splitlines()
    assert lines[0].endswith(" #general <ann> [removed]")
    assert run(["tail", "--no-follow", "general"]).stdout.splitlines()[0].endswith("<ann> [removed]")


def test_what_became_of_it(run: Zchat) -> None:
    pos = send(run, "general", "one")
    first, second = (run(["redact", "--json", "general", str(pos)]) for _ in range(2))
    assert json.loads(first.stdout) == {"to": "#general", "of": pos, "pos": pos + 1}
    assert (second.returncode, json.loads(second.stdout)) == (0, {"to": "#general", "of": pos, "pos": 0})


def test_a_direct_message(run: Zchat) -> None:
    register(run, "bob")
    pos = send(run, "@bob", "between us")
    denied = run(["redact", "@ann", str(pos)], nick="bob")
    assert denied.returncode == 5
    assert run(["redact", "@Bob", str(pos)]).returncode == 0
    assert [one["text"] for one in history(run, "@ann", nick="bob")] == [""]


def test_of_others_an_operator_removes_it_and_the_account(run: Zchat) -> None:
    assert run(["join", "dev"]).returncode == 0
    of_ann, of_bob, other = (send(run, "dev", "x", nick) for nick in ("ann", "bob", "bob"))
    denied = run(["redact", "dev", str(of_ann)], nick="bob")
    assert denied.returncode == 5
    assert "operator" in denied.stderr
    assert run(["redact", "dev", str(of_bob)]).returncode == 0  # who made the room owns it
    account = run(["redact", "--as-account", "dev", str(other)], nick=None)
    assert (account.returncode, account.stderr) == (0, "")
    assert [one["text"] for one in history(run, "dev")] == ["x", "", ""]
    told = [one for one in history(run, "--events", "dev") if one["kind"] == "removed"]
    assert [one["from"] for one in told] == ["ann", "$"]
    assert "* message" in run(["history", "--events", "dev"]).stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ([], 2, "Missing argument 'TO'"),
        (["general"], 2, "Missing argument 'POS'"),
        (["general", "0"], 2, "0 is not in the range"),
        (["general", "x"], 2, "'x' is not a valid integer"),
        (["a b", "1"], 2, "can be called"),
        (["--reason", "x" * 257, "general", "1"], 2, "at most 256 characters"),
        (["general", "1"], 5, "there is no message at 1 of #general"),
        (["general", "4711"], 5, "there is no message at 4711 of #general"),
        (["nowhere", "1"], 5, "there is no room #nowhere"),
        (["@nobody1", "1"], 5, "nobody1"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], code: int, reason: str) -> None:
    done = lasting.quick(["redact", *arguments])
    assert (done.returncode, done.stdout) == (code, "")
    assert re.search(re.escape(reason), done.stderr)
