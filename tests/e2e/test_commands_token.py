"""`zchat token` with real processes: a bot needs one line, and may do no more than it says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Zchat
from tests.e2e.test_identity_commands import on_a_terminal, whole


@pytest.fixture
def run(run: Zchat) -> Zchat:
    """Ann has made a room."""
    assert run(["join", "builds"]).returncode == 0
    return run


@pytest.fixture
def bot(tmp_path: Path, bare_environment: dict[str, str]) -> Iterator[Zchat]:
    """Commands somewhere else, that are told nothing but what they need: a token, not even a home."""
    unset = {"HOME": "", "ZCHAT_RUNTIME_DIR": str(tmp_path / "nothing")}
    zchat = Zchat(tmp_path / "bot", bare_environment | unset)
    yield zchat
    zchat.close()


def token(run: Zchat, *arguments: str, nick: str | None = "ann") -> str:
    """The line that is printed."""
    done = run(["token", "create", *arguments], nick=nick)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    return line


def code(bot: Zchat, line: str, *arguments: str) -> int:
    """The exit code of a command of the bot."""
    done = bot(arguments, nick=None, ZCHAT_TOKEN=line)
    assert done.returncode in (0, 4, 5), done.stderr
    return done.returncode


def listed(run: Zchat, nick: str | None = "ann") -> list[dict[str, object]]:
    """The tokens that somebody sees."""
    done = run(["token", "list", "--json"], nick=nick)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# ---- what it is for ---------------------------------------------------------------------------------------


def test_one_line_is_all_that_a_bot_needs(run: Zchat, bot: Zchat, broker: Broker, tmp_path: Path) -> None:
    line = token(run, "ci")
    assert re.fullmatch(r"zchat-token://ci@127\.0\.0\.1:\d+/[a-z2-7]{52}/[a-z2-7]{52}", line)
    assert code(bot, line, "send", "general", "from the environment") == 0
    assert code(bot, "", "send", "--token", line, "@ann", "from an option") == 0
    assert [one.split(" ", 2)[2] for one in run(["history", "general"]).stdout.splitlines()] == [
        "#general <ci> from the environment"
    ]
    assert "@ci -> @ann from an option" in run(["history", "@ci"]).stdout
    assert not list((tmp_path / "bot").rglob("*"))  # it keeps nothing
    broker.stop()
    secret = line.rpartition("/")[2].encode()
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or secret not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ([], [0, 0, 0, 0, 0, 0]),
        (["--send-only"], [0, 5, 0, 5, 0, 5]),
        (["--read-only"], [5, 0, 5, 0, 5, 0]),
        (["--room", "builds"], [0, 0, 5, 5, 5, 5]),
        (["--room", "builds", "--room", "#general"], [0, 0, 0, 0, 5, 5]),
        (["--room", "builds", "--send-only"], [0, 5, 5, 5, 5, 5]),
        (["--room", "builds", "--read-only"], [5, 0, 5, 5, 5, 5]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_exactly_what_it_was_given(run: Zchat, bot: Zchat, options: list[str], codes: list[int]) -> None:
    line = token(run, "ci", *options)
    attempts = [
        (["send", to, "hi"], ["history", to]) for to in ("builds", "general", "@ann")
    ]  # of each: may it send, may it read
    assert [code(bot, line, *command) for pair in attempts for command in pair] == codes


def test_nothing_else(run: Zchat, bot: Zchat) -> None:
    line = token(run, "ci")
    for command in (
        ["join", "kitchen"],
        ["leave", "general"],
        ["topic", "general", "mine"],
        ["invite"],
        ["token", "create", "other"],
        ["room", "kick", "builds", "ann"],
        ["admin", "audit"],
        ["admin", "grant", "ci"],
    ):
        assert code(bot, line, *command) == 5, command


def test_it_is_cut_off_at_once(run: Zchat, bot: Zchat) -> None:
    line = token(run, "logger", "--read-only")
    tail = bot.start(["tail", "general"], nick=None, ZCHAT_TOKEN=line)
    assert run(["send", "general", "before"]).returncode == 0
    tail.out.until("before")
    done = run(["token", "revoke", "logger", "--reason", "its log was public"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run(["send", "general", "after"]).returncode == 0
    assert tail.process.wait(DEADLINE_S) == 4
    assert not any("after" in one for one in tail.out.rest())
    assert any("the token of logger has ended" in one for one in tail.err.rest())
    refused = bot(["users"], nick=None, ZCHAT_TOKEN=line)
    assert refused.returncode == 4
    assert "Ask who made it for another one: zchat token create" in refused.stderr
    again = token(run, "logger", "--read-only")  # the nick stays the bot's
    assert again != line
    assert code(bot, again, "users") == 0


def test_it_ends(run: Zchat, bot: Zchat) -> None:
    line = token(run, "ci", "--expires", "1s")
    tail = bot.start(["tail", "general"], nick=None, ZCHAT_TOKEN=line)
    assert tail.process.wait(DEADLINE_S) == 4
    assert listed(run) == []


def test_for_a_private_room(run: Zchat, bot: Zchat) -> None:
    room = run(["join", "--private", "ops"]).stdout.strip()
    line = token(run, "ci", "--room", room)
    assert code(bot, line, "send", room, "hi") == 0
    assert run(["users"], nick="bob").returncode == 0
    refused = run(["token", "create", "spy", "--room", room], nick="bob")
    assert refused.returncode == 5
    assert f"there is no room #{room}" in refused.stderr


def test_a_token_that_may_not_read_can_ping(run: Zchat, bot: Zchat) -> None:
    for options in (["--send-only"], ["--room", "builds"], []):
        line = token(run, f"ci{len(options)}", *options)
        done = bot(["ping"], nick=None, ZCHAT_TOKEN=line)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("broker zchat/")
        assert "key          ZCHAT_TOKEN\n" in bot(["whoami"], nick=None, ZCHAT_TOKEN=line).stdout


# ---- who makes them ---------------------------------------------------------------------------------------


def test_everybody_has_their_own(run: Zchat) -> None:
    assert run(["users"], nick="bob").returncode == 0
    token(run, "ci", "--room", "builds", "--send-only", "--expires", "30d")
    token(run, "echo", nick="bob")
    (row,) = listed(run)
    until = row.pop("until")
    assert isinstance(until, str) and until.endswith("Z")
    assert row == {"nick": "ci", "by": "ann", "may": ["send"], "rooms": ["builds"]}
    assert listed(run, "bob") == [
        {"nick": "echo", "by": "bob", "may": ["send", "read"], "rooms": [], "until": None}
    ]
    assert [one["nick"] for one in listed(run, None)] == ["ci", "echo"]  # the account sees all
    assert run(["admin", "tokens"], nick=None).stdout == run(["token", "list"], nick=None).stdout
    shown = run(["token", "list"], nick="bob").stdout
    assert shown == "echo  send+read  for ever  by bob\n"
    refused = run(["token", "revoke", "ci"], nick="bob")
    assert refused.returncode == 5
    assert "you have no token for ci" in refused.stderr
    assert run(["token", "revoke", "ci"], nick=None).returncode == 0


def test_where_invites_are_needed_administrators_make_them(
    tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    broker = Broker(tmp_path / "closed", bare_environment, "--registration", "invite")
    run = Zchat(tmp_path / "users", bare_environment | {"ZCHAT_LINK": broker.link})
    try:
        assert run(["users"], nick="ann").returncode == 0
        refused = run(["token", "create", "ci"], nick="ann")
        assert refused.returncode == 5
        assert "zchat admin grant ann" in refused.stderr
        assert run(["admin", "grant", "ann"], nick=None).returncode == 0
        line = token(run, "ci")
        assert run(["send", "general", "hi"], nick=None, ZCHAT_TOKEN=line, ZCHAT_LINK="").returncode == 0
    finally:
        run.close()
        broker.kill()


# ---- what is shown ----------------------------------------------------------------------------------------


def test_json(run: Zchat) -> None:
    made = json.loads(token(run, "--json", "ci"))
    assert list(made) == ["nick", "token"]
    assert made["nick"] == "ci" and made["token"].startswith("zchat-token://ci@")
    ended = json.loads(run(["token", "revoke", "--json", "ci"]).stdout)
    assert (ended["room"], ended["nick"]) == (None, "ci") and ended["pos"] > 0


def test_on_a_terminal_it_is_said_to_be_secret(run: Zchat) -> None:
    exit_code, shown = whole(on_a_terminal(["token", "create", "ci"], run.environment("ann")))
    line, said = shown.splitlines()
    assert line.startswith("zchat-token://")
    assert (exit_code, said) == (0, "zchat: whoever has this line is ci at this broker")


def test_its_key_is_in_no_file(run: Zchat, bot: Zchat) -> None:
    done = bot(["key", "path"], nick=None, ZCHAT_TOKEN=token(run, "ci"))
    assert (done.returncode, done.stderr) == (1, "zchat: the key is in ZCHAT_TOKEN, and in no file\n")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["create"], 2, "Missing argument 'NAME'"),
        (["create", "a b"], 2, "nobody can be called"),
        (["create", "--send-only", "--read-only", "ci"], 2, "exclude each other"),
        (["create", "--expires", "1", "ci"], 2, "'1' is no duration"),
        (["create", "--room", "@ann", "ci"], 2, "no room can be called"),
        (["create", "--room", "nowhere", "ci"], 5, "there is no room #nowhere"),
        (["create", "bob"], 5, "there is somebody called bob"),
        (["create", "general"], 5, "a room is called general"),
        (["revoke", "nobody-here"], 5, "nobody is registered as @nobody-here"),
        (["revoke", "bob"], 5, "you have no token for bob"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], exit_code: int, said: str) -> None:
    done = lasting.quick(["token", *arguments])
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert said in done.stderr
