"""`zchat away` with real processes."""

import json

import pytest

from tests.e2e.programs import Broker, Zchat


def away(run: Zchat, nick: str = "ann") -> object:
    """The reason that others are told."""
    return json.loads(run(["whois", "--json", nick], nick="bob").stdout)["away"]


def test_away_and_back(run: Zchat, broker: Broker) -> None:
    done = run(["away", "at", "lunch"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "zchat: registered as ann\n")
    assert away(run) == "at lunch"
    assert "  ann (away)" in run(["users"]).stdout.splitlines()
    broker.kill()
    broker.start()
    assert away(run) == "at lunch"
    assert run(["away", "--back"]).returncode == 0
    assert away(run) is None
    assert run(["away"]).returncode == 0
    assert away(run) == "away"


def test_what_became_of_it(run: Zchat) -> None:
    first, second, third = (
        json.loads(run(["away", "--json", *arguments]).stdout) for arguments in (["x"], ["x"], ["--back"])
    )
    assert first["away"] == second["away"] == "x"
    assert first["pos"] > 0 == second["pos"]
    assert third["away"] is None and third["pos"] > first["pos"]


def test_the_reason_is_shown_and_not_obeyed(run: Zchat) -> None:
    assert run(["away", "a\x1b[2J\nb"]).returncode == 0
    assert r"away          a\x1b[2J\x0ab" in run(["whois", "ann"], nick="bob").stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--back", "x"], 2, "--back stands alone"),
        (["x" * 257], 2, "text is out of its bounds"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], code: int, reason: str) -> None:
    done = lasting.quick(["away", *arguments])
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr
