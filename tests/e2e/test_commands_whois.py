"""`zchat whois` and `zchat users` with real processes: what is known about somebody, to whom."""

import json
import re
from typing import Any

import pytest

from tests.e2e.programs import Zchat


def register(run: Zchat, *nicks: str) -> None:
    for nick in nicks:
        assert run(["users"], nick=nick).returncode == 0


def whois(run: Zchat, *arguments: str, nick: str = "ann") -> dict[str, Any]:
    done = run(["whois", "--json", *arguments], nick=nick)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def fingerprint(run: Zchat, nick: str) -> str:
    return str(json.loads(run(["whoami", "--json"], nick=nick).stdout)["fingerprint"])


TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def test_somebody_who_is_not_here(run: Zchat) -> None:
    register(run, "ann", "Bob")
    found = whois(run, "bob")
    assert found["nick"] == "Bob"
    assert found["fingerprints"] == [fingerprint(run, "Bob")]
    assert re.fullmatch(TIME, found["since"]) and re.fullmatch(TIME, found["seen"])
    rest = ("present", "sessions", "idle_ms", "away", "role", "maker", "rooms", "ignored")
    assert [found[key] for key in rest] == [False, 0, None, None, "none", None, ["general"], []]


def test_somebody_who_is_here(run: Zchat) -> None:
    bob = run.start(["connect"], nick="bob")
    bob.type("hello", "/join kitchen", "/join secret", "/away at lunch")
    bob.err.until("you are away: at lunch")
    assert run(["join", "kitchen"]).returncode == 0
    found = whois(run, "@BOB")
    assert (found["present"], found["sessions"], found["away"]) == (True, 1, "at lunch")
    assert 0 <= found["idle_ms"] < 60_000
    assert found["rooms"] == ["general", "kitchen"]  # of the third one ann is no member
    lines = run(["whois", "bob"]).stdout.splitlines()
    assert lines[0] == "nick          bob"
    assert lines[1] == f"fingerprint   {fingerprint(run, 'bob')}"
    assert lines[3:] == [
        "here          in 1 session", "away          at lunch", "common rooms  #general, #kitchen"
    ]  # fmt: skip


def test_oneself_and_whom_one_ignores(run: Zchat) -> None:
    register(run, "ann", "bob", "eve")
    for nick in ("eve", "bob"):
        assert run(["ignore", "add", nick]).returncode == 0
    assert whois(run)["ignored"] == whois(run, "ann")["ignored"] == ["bob", "eve"]
    assert whois(run, "ann", nick="bob")["ignored"] == []
    assert run(["whois"]).stdout.splitlines()[-1] == "ignores       bob, eve"


def test_who_administers_and_whose_bot_it_is(run: Zchat) -> None:
    register(run, "ann", "bob")
    assert run(["admin", "grant", "bob"], nick=None).returncode == 0
    assert run(["token", "create", "robot"]).returncode == 0
    assert whois(run, "bob")["role"] == "operator"
    assert "role          administrator of the broker" in run(["whois", "bob"]).stdout.splitlines()
    assert whois(run, "robot")["maker"] == "ann"
    assert "bot of        ann" in run(["whois", "robot"]).stdout.splitlines()
    assert run(["users"]).stdout.splitlines() == ["  ann", "  bob (administrator)", "  robot"]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["nobody1"], 5, "nobody is registered as @nobody1"),
        (["a b"], 2, "can be called"),
        (["ann", "bob"], 2, "unexpected extra argument"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], code: int, reason: str) -> None:
    done = lasting.quick(["whois", *arguments])
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr
