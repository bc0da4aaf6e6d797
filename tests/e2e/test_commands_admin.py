"""`zchat admin` with real processes: who administers, who is kept out, what is told of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Zchat


@pytest.fixture
def run(run: Zchat) -> Zchat:
    """Ann and bob are registered."""
    for nick in ("ann", "bob"):
        assert run(["users"], nick=nick).returncode == 0
    return run


@pytest.fixture
def elsewhere(tmp_path: Path, bare_environment: dict[str, str], broker: Broker) -> Iterator[Zchat]:
    """Another account, with the same users."""
    other = {"ZCHAT_LINK": broker.link, "ZCHAT_RUNTIME_DIR": str(tmp_path / "nothing")}
    zchat = Zchat(tmp_path / "users", bare_environment | other)
    yield zchat
    zchat.close()


def rows(run: Zchat, *arguments: str, nick: str | None = None) -> list[dict[str, object]]:
    """The objects that a command prints."""
    done = run([*arguments, "--json"], nick=nick)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def silent(run: Zchat, *arguments: str, nick: str | None = None) -> bool:
    """Whether it was done, and nothing was said about it."""
    done = run(arguments, nick=nick)
    return (done.returncode, done.stdout, done.stderr) == (0, "", "")


def acts(run: Zchat) -> list[tuple[object, object, object]]:
    """Who did what to whom."""
    return [(row["actor"], row["act"], row["subject"]) for row in rows(run, "admin", "audit")]


# ---- who administers --------------------------------------------------------------------------------------


def test_who_is_granted_it_administers_from_anywhere(run: Zchat, elsewhere: Zchat) -> None:
    refused = elsewhere(["admin", "ban", "bob"])
    assert refused.returncode == 5
    assert "only who administers the broker may do that, and ann does not" in refused.stderr
    assert silent(run, "admin", "grant", "@ann")
    assert silent(elsewhere, "admin", "ban", "bob", nick="ann")
    assert silent(elsewhere, "admin", "unban", "bob", nick="ann")
    assert silent(elsewhere, "room", "kick", "general", "bob", nick="ann")  # and owns every public room
    assert silent(run, "admin", "revoke", "ann", "--reason", "holidays")
    assert elsewhere(["admin", "bans"]).returncode == 5
    assert acts(run)[-1] == ("$", "role", "ann")


def test_every_command_says_what_is_not_allowed(run: Zchat) -> None:
    for command in (
        ["grant", "ann"],
        ["revoke", "bob"],
        ["ban", "bob"],
        ["unban", "bob"],
        ["mute", "bob"],
        ["unmute", "bob"],
        ["bans"],
        ["invites"],
        ["end-invite", "a" * 8],
        ["tokens"],
        ["limits"],
        ["audit"],
    ):
        done = run(["admin", *command])
        assert (done.returncode, done.stdout) == (5, "")
        assert "zchat admin grant ann" in done.stderr, command


def test_among_administrators_only_the_account_decides(run: Zchat) -> None:
    for nick in ("ann", "bob"):
        assert silent(run, "admin", "grant", nick)
    for command in (["admin", "ban"], ["admin", "revoke"]):
        done = run([*command, "bob"])
        assert done.returncode == 5
        assert done.stderr == (
            "zchat: bob administers the broker: only the account that runs the broker may do that to an "
            "administrator, on its machine (--as-account)\n"
        )
    assert silent(run, "admin", "ban", "bob", "--as-account", nick="cat")


# ---- who misbehaves ---------------------------------------------------------------------------------------


def test_a_ban_is_at_once_and_told(run: Zchat) -> None:
    tail = run.start(["tail", "general"], nick="bob")
    assert run(["send", "general", "before"]).returncode == 0
    tail.out.until("before")
    assert silent(run, "admin", "ban", "bob", "--for", "1h", "--reason", "flooding")
    assert tail.process.wait(DEADLINE_S) == 4
    said = run(["users"], nick="bob")
    assert said.returncode == 4
    assert "bob was banned" in said.stderr and ": flooding. Only who administers the broker" in said.stderr
    (row,) = rows(run, "admin", "bans")
    assert isinstance(until := row.pop("until"), str) and until.endswith("Z")
    assert row == {"kind": "ban", "nick": "bob", "by": "$", "reason": "flooding"}
    assert re.fullmatch(
        r"ban  bob  until 20\S+ \d\d:\d\d  by the account  flooding\n",
        run(["admin", "bans"], nick=None).stdout,
    )
    assert silent(run, "admin", "unban", "bob")
    assert run(["users"], nick="bob").returncode == 0
    assert rows(run, "admin", "bans") == []


def test_a_ban_takes_the_bots_with_it(run: Zchat) -> None:
    token = run(["token", "create", "bot"], nick="bob").stdout.strip()
    assert silent(run, "admin", "ban", "bob")
    assert run(["users"], nick=None, ZCHAT_TOKEN=token).returncode == 4
    assert silent(run, "admin", "unban", "bob")
    assert run(["users"], nick=None, ZCHAT_TOKEN=token).returncode == 0


def test_a_mute_holds_everywhere_and_ends(run: Zchat) -> None:
    assert silent(run, "admin", "mute", "bob", "--for", "2s")
    for to in ("general", "@ann"):
        done = run(["send", to, "hi"], nick="bob")
        assert done.returncode == 5 and "you were muted" in done.stderr
    while rows(run, "admin", "bans"):
        pass
    assert run(["send", "general", "hi"], nick="bob").returncode == 0
    assert acts(run)[-2:] == [("$", "muted", "bob"), ("$", "expired", "bob")]
    assert silent(run, "admin", "mute", "bob")
    assert run(["admin", "bans"], nick=None).stdout == "mute  bob  for ever  by the account\n"
    assert silent(run, "admin", "unmute", "bob")


def test_it_holds_over_a_restart(run: Zchat, broker: Broker) -> None:
    assert silent(run, "admin", "grant", "ann")
    assert silent(run, "admin", "ban", "bob", "--for", "24h", nick="ann")
    broker.kill()
    broker.start()
    assert run(["users"], nick="bob").returncode == 4
    assert silent(run, "admin", "unban", "bob", nick="ann")


# ---- what was done ----------------------------------------------------------------------------------------


def test_the_audit_has_every_act_in_its_order(run: Zchat) -> None:
    assert silent(run, "admin", "grant", "ann", "--reason", "she helps")
    id = json.loads(run(["invite", "--json", "--uses", "2"], nick="ann").stdout)["id"]
    assert silent(run, "admin", "end-invite", id, nick="ann")
    assert silent(run, "room", "mute", "general", "bob", "--for", "1h", "--reason", "calm down", nick="ann")
    assert silent(run, "room", "unmute", "general", "bob", nick="ann")
    assert run(["token", "create", "ci", "--room", "general", "--send-only"], nick="bob").returncode == 0
    assert run(["key", "rotate"], nick="bob").returncode == 0
    found = rows(run, "admin", "audit")
    assert [(one["actor"], one["act"], one["subject"]) for one in found] == [
        ("ann", "registered", "ann"),
        ("bob", "registered", "bob"),
        ("$", "role", "ann"),
        ("ann", "invite_made", id),
        ("ann", "invite_ended", id),
        ("ann", "muted", "bob"),
        ("ann", "unmuted", "bob"),
        ("ci", "registered", "ci"),
        ("bob", "token_made", "ci"),
        ("bob", "key_changed", "bob"),
    ]
    assert all(
        list(one) == ["pos", "time", "actor", "act", "room", "subject", "until", "details", "reason"]
        for one in found
    )
    positions = [one["pos"] for one in found]
    assert positions == sorted(positions)  # type: ignore[type-var]
    muted = found[5]
    assert (muted["room"], muted["details"], muted["reason"]) == ("general", None, "calm down")
    assert isinstance(muted["until"], str) and muted["until"] > str(muted["time"])
    shown = [line[21:] for line in run(["admin", "audit"], nick="ann").stdout.splitlines()]
    assert shown[:3] == [
        "ann was registered",
        "bob was registered",
        "the account made ann administrator of the broker: she helps",
    ]
    assert re.fullmatch(rf"ann made the invite {id} \(uses=2\), until 20\S+ \S+", shown[3])
    assert shown[4] == f"ann ended the invite {id}"
    assert re.fullmatch(r"ann muted bob in #general until 20\S+ \S+: calm down", shown[5])
    assert shown[8] == "bob made a token for ci (may=send rooms=general)"
    assert shown[9] == "bob has another key, by the one before"


def test_parts_of_the_audit(run: Zchat) -> None:
    for number in range(3):
        assert silent(run, "admin", "mute", "bob", "--reason", f"{number}")
    found = rows(run, "admin", "audit", "-n", "2")
    assert [one["reason"] for one in found] == ["1", "2"]
    assert len(rows(run, "admin", "audit", "--since", "1h")) == 5
    assert [one["act"] for one in rows(run, "admin", "audit", "--since", "1h", "-n", "1")] == ["registered"]
    assert rows(run, "admin", "audit", "--since", "2100-01-01") == []
    assert rows(run, "admin", "audit", "-n", "0") == []
    done = run(["admin", "audit", "--since", "soon"], nick=None)
    assert done.returncode == 2


def test_a_long_audit_is_whole(run: Zchat) -> None:
    """More than a page of the wire, and more than is read at once."""
    done = run.quick(["admin", "mute", "bob"], nick=None)
    assert done.returncode == 0
    for _ in range(60):
        assert run.quick(["admin", "unmute", "bob"], nick=None).returncode == 0
        assert run.quick(["admin", "mute", "bob", "--reason", "x" * 256], nick=None).returncode == 0
    assert len(rows(run, "admin", "audit")) == 50
    assert len(rows(run, "admin", "audit", "--since", "1h")) == 123


def test_reasons_are_shown_and_not_obeyed(run: Zchat) -> None:
    assert silent(run, "admin", "mute", "bob", "--reason", "a\x1b[2J\nb\u202e")
    assert run(["admin", "audit", "-n", "1"], nick=None).stdout.endswith(": a\\x1b[2J\\x0ab\\u202e\n")
    assert run(["admin", "audit", "--json"], nick=None).stdout.isascii()


# ---- limits -----------------------------------------------------------------------------------------------


def test_limits_are_those_of_the_settings(tmp_path: Path, bare_environment: dict[str, str]) -> None:
    settings = tmp_path / "config"
    settings.mkdir()
    (settings / "config.toml").write_text("[broker.limits]\nrooms_max = 2\n")
    broker = Broker(tmp_path / "small", bare_environment | {"ZCHAT_CONFIG_DIR": str(settings)})
    run = Zchat(tmp_path / "users", bare_environment | {"ZCHAT_LINK": broker.link})
    try:
        found = {str(row["name"]): row for row in rows(run, "admin", "limits")}
        assert found["rooms_max"] == {"name": "rooms_max", "value": 2, "meaning": "rooms that exist"}
        assert found["page_bytes_max"]["value"] == 262_144
        assert re.search(r"(?m)^rooms_max +2  rooms that exist$", run(["admin", "limits"], nick=None).stdout)
        assert run(["join", "one"], nick="ann").returncode == 0
        refused = run(["join", "two"], nick="ann")
        assert refused.returncode == 5
        assert "as many rooms as it may" in refused.stderr
    finally:
        run.close()
        broker.kill()


# ---- what is not possible ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["grant"], 2, "Missing argument 'NICK'"),
        (["grant", "#general"], 2, "nobody can be called"),
        (["grant", "nobody-here"], 5, "nobody is registered as @nobody-here"),
        (["ban", "bob", "--for", "0s"], 2, "more than nothing"),
        (["end-invite", "short"], 2, "not the id of an invite"),
        (["end-invite", "aaaaaaaa"], 5, "there is no invite aaaaaaaa"),
        (["end-invite", "zchat://h/k"], 2, "not a zchat link"),
        (["audit", "-n", "-1"], 2, "x>=0"),
        (["limits", "more"], 2, "unexpected extra argument"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], exit_code: int, said: str) -> None:
    done = lasting.quick(["admin", *arguments], nick=None)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert said in done.stderr


def test_without_a_broker(run: Zchat, broker: Broker) -> None:
    broker.stop()
    done = run(["admin", "audit", "--timeout", "0.5"])
    assert done.returncode == 3
    done = run(["admin", "audit", "--timeout", "0.5"], nick=None)
    assert done.returncode == 2  # no socket, no nick
    assert "; no control socket of the broker at " in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["invite", "--as", "cronn"],
        ["token", "create", "--nick", "cronn", "ci"],
        ["token", "list", "--nick", "cronn"],
        ["admin", "audit", "--nick", "cronn"],
        ["room", "kick", "--nick", "cronn", "general", "bob"],
        ["room", "members", "--nick", "cronn", "general"],
    ],
    ids=lambda value: " ".join(value[:2]),
)
def test_nobody_is_registered_by_a_typo(lasting: Zchat, command: list[str]) -> None:
    done = lasting.quick(command)
    assert (done.returncode, done.stdout) == (4, "")
    assert "zchat connect --nick cronn registers it" in done.stderr
    done = lasting.quick([word for word in command if word not in ("--as", "--nick", "cronn")], nick="cron")
    assert done.returncode == 4
    assert "cron" not in lasting.quick(["users"]).stdout
    for nick in ("ann", "cron"):
        home = Path(lasting.environment(nick)["ZCHAT_CONFIG_DIR"])
        assert not list(home.rglob("cron*.key"))
