"""`zchat invite` with real processes: who is let in, as whom and how often, and who may invite."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Zchat
from tests.e2e.test_identity_commands import on_a_terminal, whole
from zchat.common import links


@pytest.fixture
def broker(tmp_path: Path, bare_environment: dict[str, str]) -> Iterator[Broker]:
    """By invite only."""
    running = Broker(tmp_path / "broker", bare_environment, "--registration", "invite")
    yield running
    running.kill()


@pytest.fixture
def elsewhere(tmp_path: Path, bare_environment: dict[str, str], broker: Broker) -> Iterator[Zchat]:
    """As `run`, of an account that does not run the broker. It knows the link."""
    other = {"ZCHAT_LINK": broker.link, "ZCHAT_RUNTIME_DIR": str(tmp_path / "nothing")}
    zchat = Zchat(tmp_path / "elsewhere", bare_environment | other)
    yield zchat
    zchat.close()


def invite(run: Zchat, *options: str, nick: str | None = None) -> str:
    """The link of an invite."""
    done = run(["invite", *options], nick=nick)
    assert done.returncode == 0
    assert done.stderr == "" or "--nick" in options
    (line,) = done.stdout.splitlines()
    return line


def enters(zchat: Zchat, link: str, nick: str) -> int:
    """The exit code of somebody who connects with a link for the first time."""
    return zchat(["connect", link], nick=nick, ZCHAT_LINK="").returncode


def invites(run: Zchat) -> list[dict[str, object]]:
    """Those that can still be used."""
    done = run(["admin", "invites", "--json"], nick=None)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# ---- who gets in ------------------------------------------------------------------------------------------


def test_nobody_gets_in_without(elsewhere: Zchat) -> None:
    for command in (["connect"], ["send", "general", "hi"], ["users"]):
        done = elsewhere(command, nick="ann")
        assert done.returncode == 4
        assert "Ask who runs the broker for a link that zchat invite prints, and then: " in done.stderr
        assert "zchat connect --nick ann LINK" in done.stderr


def test_one_line_lets_one_in(run: Zchat, elsewhere: Zchat, broker: Broker) -> None:
    link = invite(run)
    assert re.fullmatch(re.escape(broker.link) + "/[a-z2-7]{40}", link)
    done = elsewhere(["connect", link], nick="ann", ZCHAT_LINK="")
    assert (done.returncode, done.stderr) == (0, "zchat: registered as ann\n")
    assert elsewhere(["send", "general", "hi"], nick="ann").returncode == 0
    refused = elsewhere(["connect", link], nick="bob", ZCHAT_LINK="")
    assert refused.returncode == 4
    assert "Ask who runs the broker for another link that zchat invite prints" in refused.stderr
    assert enters(elsewhere, link, "ann") == 0  # who is in does not need it
    assert invites(run) == []


def test_the_secret_is_kept_nowhere(run: Zchat, elsewhere: Zchat, broker: Broker, tmp_path: Path) -> None:
    link = invite(run)
    secret = links.parse(link).secret
    assert enters(elsewhere, link, "ann") == 0
    context = json.loads(elsewhere(["context", "list", "--json"], nick="ann", ZCHAT_LINK="").stdout)
    assert context["link"] == broker.link
    broker.stop()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert secret[8:].encode() not in path.read_bytes(), path


def test_the_environment_can_have_the_link(run: Zchat, elsewhere: Zchat) -> None:
    assert elsewhere(["send", "general", "hi"], nick="ann", ZCHAT_LINK=invite(run)).returncode == 0
    assert elsewhere(["send", "--link", invite(run), "general", "hi"], nick="bob").returncode == 0


def test_exactly_as_often_as_it_says(run: Zchat, elsewhere: Zchat) -> None:
    """Also when many come at the same moment."""
    link = invite(run, "--uses", "3")
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda number: enters(elsewhere, link, f"new{number}"), range(6)))
    assert sorted(codes) == [0, 0, 0, 4, 4, 4]


def test_for_one_nick(run: Zchat, elsewhere: Zchat) -> None:
    link = invite(run, "--nick", "@ann")
    assert enters(elsewhere, link, "bob") == 4
    assert enters(elsewhere, link, "ann") == 0


def test_a_lost_key_is_replaced(run: Zchat, elsewhere: Zchat) -> None:
    assert enters(elsewhere, invite(run), "ann") == 0
    old = elsewhere.start(["tail", "--events", "general"], nick="ann")
    assert enters(elsewhere, invite(run), "bob") == 0
    old.out.until("bob joined")
    refused = elsewhere(["connect", "--nick", "ann"], nick="laptop")
    assert refused.returncode == 4
    assert "For a lost key, ask who runs the broker for zchat invite --nick ann" in refused.stderr
    link = invite(run, "--nick", "ann", "--reason", "her laptop is gone")
    done = elsewhere(["connect", "--nick", "ann", link], nick="laptop", ZCHAT_LINK="")
    assert done.returncode == 0, done.stderr
    assert "the keys that ann had are worthless now" in done.stderr
    assert old.process.wait(DEADLINE_S) == 4  # at once
    assert elsewhere(["users"], nick="ann").returncode == 4
    assert elsewhere(["send", "general", "me again"], nick="laptop", ZCHAT_NICK="ann").returncode == 0
    audit = run(["admin", "audit"], nick=None).stdout
    assert "ann has another key, by an invite" in audit
    assert "her laptop is gone" in audit


def test_that_a_key_is_replaced_is_said_beforehand(run: Zchat, elsewhere: Zchat) -> None:
    done = run(["invite", "--nick", "ann"], nick=None)
    assert (done.returncode, done.stderr) == (0, "")
    done = elsewhere(["connect", done.stdout.strip()], nick="ann", ZCHAT_LINK="")
    assert (done.returncode, done.stderr) == (0, "zchat: registered as ann\n")
    done = run(["invite", "--nick", "ANN"], nick=None)
    assert done.returncode == 0
    assert "zchat: ann is registered: whoever uses this invite becomes ann" in done.stderr
    id = links.parse(done.stdout).invite
    assert f"zchat admin end-invite {id}" in done.stderr


def test_into_a_room(run: Zchat, elsewhere: Zchat) -> None:
    """Also into a private one, and also for one who is in already."""
    assert run(["users"], nick="owner").returncode == 0
    room = run(["join", "--private", "ops"], nick="owner").stdout.strip()
    link = invite(run, "--room", room, "--uses", "2")
    assert enters(elsewhere, link, "ann") == 0
    assert enters(elsewhere, invite(run), "bob") == 0
    assert enters(elsewhere, link, "bob") == 0
    members = run(["room", "members", "--json", room], nick="owner").stdout.splitlines()
    assert [json.loads(line)["nick"] for line in members] == ["ann", "bob", "owner"]


def test_it_ends(run: Zchat, elsewhere: Zchat) -> None:
    link = invite(run, "--expires", "1s")
    while invites(run):
        pass
    assert enters(elsewhere, link, "ann") == 4
    assert "has come to its end" in run(["admin", "audit", "-n", "1"], nick=None).stdout


# ---- who invites ------------------------------------------------------------------------------------------


def test_who_runs_the_broker_needs_no_invite(run: Zchat) -> None:
    """Ten times at once as well: one of them registers the nick."""
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda _: run(["send", "general", "hi"], nick="owner"), range(10)))
    assert [one.returncode for one in done] == [0] * 10, [one.stderr for one in done]
    assert sum("registered as owner" in one.stderr for one in done) == 1


def test_only_a_named_nick_is_registered(run: Zchat) -> None:
    assert run(["users"], nick="owner").returncode == 0
    home = Path(run.environment("owner")["ZCHAT_CONFIG_DIR"])
    (nick,) = home.rglob("nick")
    nick.write_text("typo\n")
    done = run(["users"], nick="owner", ZCHAT_NICK="")
    assert done.returncode == 4


def test_administrators_invite_from_anywhere(run: Zchat, elsewhere: Zchat) -> None:
    assert enters(elsewhere, invite(run), "ann") == 0
    refused = elsewhere(["invite"], nick="ann")
    assert refused.returncode == 5
    assert "only who administers the broker" in refused.stderr
    assert "and let ann: zchat admin grant ann" in refused.stderr
    assert run(["admin", "grant", "ann"], nick=None).returncode == 0
    assert enters(elsewhere, invite(elsewhere, nick="ann"), "bob") == 0
    made = elsewhere(["invite", "--as", "ann"], nick="ann", ZCHAT_NICK="bob")
    assert made.returncode == 0
    assert [one["by"] for one in invites(run)] == ["ann"]


def test_the_account_is_meant_when_nobody_is_named(run: Zchat) -> None:
    assert run(["users"], nick="owner").returncode == 0
    assert run(["invite"], nick="owner").returncode == 5
    for nick, options in ((None, []), ("owner", ["--as-account"])):
        assert run(["invite", *options], nick=nick).returncode == 0
    assert run(["invite"], nick="owner", ZCHAT_NICK="").returncode == 0  # though it is the default nick
    assert [one["by"] for one in invites(run)] == ["$"] * 3


def test_what_was_tried_is_said(run: Zchat, elsewhere: Zchat, broker: Broker) -> None:
    port = links.parse(broker.link).port
    nothing = f"no control socket of the broker at 127.0.0.1:{port} was found at /"
    done = elsewhere(["invite"], nick=None)
    assert done.returncode == 2
    assert "which nick? No nick was used with this broker yet: --as NAME or ZCHAT_NICK" in done.stderr
    assert nothing in done.stderr
    done = elsewhere(["invite", "--as-account"], nick=None)
    assert done.returncode == 2
    assert done.stderr.startswith(f"zchat: {nothing}")
    assert "ZCHAT_RUNTIME_DIR or XDG_RUNTIME_DIR" in done.stderr
    done = run(["invite", "--as-account", "--as", "ann"], nick=None)
    assert done.returncode == 2
    broker.kill()  # which leaves the socket behind
    done = run(["invite", "--timeout", "1"], nick=None)
    assert done.returncode == 3
    assert "Start it: zchat broker" in done.stderr


# ---- what is shown ----------------------------------------------------------------------------------------


def test_json(run: Zchat) -> None:
    assert run(["users"], nick="owner").returncode == 0  # and so there is a room
    made = json.loads(run(["invite", "--json", "--room", "general", "--nick", "ann"], nick=None).stdout)
    assert list(made) == ["id", "link"]
    assert links.parse(made["link"]).invite == made["id"]
    (row,) = invites(run)
    until = row.pop("until")
    assert isinstance(until, str) and until.endswith("Z")
    assert row == {"id": made["id"], "by": "$", "nick": "ann", "room": "general", "uses": 1}


def test_lists(run: Zchat) -> None:
    link = invite(run, "--expires", "never", "--nick", "ann")
    shown = run(["admin", "invites"], nick=None).stdout
    assert shown == f"{links.parse(link).invite}  uses 1  for ever  by the account  for ann\n"


def test_on_a_terminal_it_is_said_to_be_secret(run: Zchat) -> None:
    code, shown = whole(on_a_terminal(["invite"], run.environment(None)))
    link, said = shown.splitlines()
    id = links.parse(link).invite
    assert (code, said) == (0, f"zchat: whoever has this line is let in; it is the invite {id}")


def test_one_is_ended(run: Zchat, elsewhere: Zchat) -> None:
    first, second, third = (invite(run) for _ in range(3))
    id = links.parse(first).invite
    done = run(["admin", "end-invite", "--json", id, "--reason", "wrong list"], nick=None)
    assert list(json.loads(done.stdout)) == ["id", "pos"] and json.loads(done.stdout)["id"] == id
    assert run(["admin", "end-invite", second], nick=None).returncode == 0
    assert enters(elsewhere, first, "ann") == enters(elsewhere, second, "ann") == 4
    assert [one["id"] for one in invites(run)] == [links.parse(third).invite]
    again = run(["admin", "end-invite", id], nick=None)
    assert again.returncode == 5
    assert f"there is no invite {id}" in again.stderr
    wrong = run(["admin", "end-invite", third[-32:]], nick=None)
    assert wrong.returncode == 2
    assert third[-32:] not in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--uses", "0"], "1<=x<=1000"),
        (["--uses", "1001"], "1<=x<=1000"),
        (["--uses", "2", "--nick", "ann"], "--nick is for one person"),
        (["--expires", "soon"], "'soon' is no duration"),
        (["--expires", "0s"], "more than nothing"),
        (["--nick", "a b"], "nobody can be called '@a b'"),
        (["--room", "@ann"], "no room can be called"),
        (["--reason", "x" * 257], "a reason has at most 256 characters"),
        (["ann"], "unexpected extra argument"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], said: str) -> None:
    done = lasting.quick(["invite", *arguments], nick=None)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_nobody_is_called_like_a_room(run: Zchat) -> None:
    for nick, said in (("general", "a room is called general"), ("ops+12", "+ and digits")):
        done = run(["invite", "--nick", nick], nick=None)
        assert (done.returncode, done.stdout) == (5, "")
        assert said in done.stderr
    assert invites(run) == []
