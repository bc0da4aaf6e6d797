"""`zchat room`, and private rooms, with real processes: who may do what, who is told, and what ends."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Zchat
from tests.e2e.test_commands_completion import offered
from tests.e2e.test_trust import AnswerHeld


@pytest.fixture(scope="module")
def populated(
    tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]
) -> Iterator[tuple[Broker, Zchat]]:
    """A broker with ann, bob and cid, for all tests here; each has a room of its own."""
    directory = tmp_path_factory.mktemp("rooms")
    broker = Broker(directory / "broker", bare_environment)
    run = Zchat(directory / "users", bare_environment | {"ZCHAT_LINK": broker.link})
    for nick in ("ann", "bob", "cid"):
        assert run(["users"], nick=nick).returncode == 0
    yield broker, run
    run.close()
    broker.kill()


@pytest.fixture
def run(populated: tuple[Broker, Zchat]) -> Zchat:
    return populated[1]


@pytest.fixture
def room(run: Zchat, newcomer: str) -> str:
    """A room that ann has made, and bob has joined."""
    for nick in ("ann", "bob"):
        assert run(["join", newcomer], nick=nick).returncode == 0
    return newcomer


def code(run: Zchat, *arguments: str, nick: str | None = "ann") -> int:
    """The exit code of a command."""
    done = run(arguments, nick=nick)
    assert done.returncode in (0, 5), done.stderr
    return done.returncode


def silent(run: Zchat, *arguments: str, nick: str | None = "ann") -> bool:
    """Whether it was done, and nothing was said about it."""
    done = run(arguments, nick=nick)
    return (done.returncode, done.stdout, done.stderr) == (0, "", "")


def refusal(run: Zchat, *arguments: str, nick: str | None = "ann") -> str:
    """What is said about what is not allowed."""
    done = run(arguments, nick=nick)
    assert (done.returncode, done.stdout) == (5, ""), done
    return done.stderr


def rows(run: Zchat, *arguments: str, nick: str | None = "ann") -> list[dict[str, object]]:
    """The objects that a command prints."""
    done = run([*arguments, "--json"], nick=nick)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def wait_until_here(run: Zchat, nick: str) -> None:
    """Until somebody reads."""
    ends_at = time.monotonic() + DEADLINE_S
    while f"* {nick}\n" not in run(["room", "members", "general"]).stdout:
        assert time.monotonic() < ends_at, f"{nick} did not come"


# ---- members and roles ------------------------------------------------------------------------------------


def test_members(run: Zchat, room: str) -> None:
    assert run(["room", "members", room]).stdout == "  ann (owner)\n  bob\n"
    tail = run.start(["tail", "--events", room], nick="bob")
    assert silent(run, "join", room, nick="cid")
    tail.out.until("cid joined")
    assert run(["room", "members", f"#{room}"]).stdout == "  ann (owner)\n* bob\n  cid\n"
    assert rows(run, "room", "members", room)[0] == {
        "nick": "ann",
        "present": False,
        "away": False,
        "role": "owner",
    }


def test_roles_are_given_and_taken(run: Zchat, room: str) -> None:
    assert "has to be operator" in refusal(run, "room", "role", room, "ann", "none", nick="bob")
    for role in ("voice", "operator", "owner"):
        assert silent(run, "room", "role", room, "@Bob", role)
        assert rows(run, "room", "members", room)[1]["role"] == role
    assert silent(run, "room", "role", room, "ann", "none", nick="bob")
    said = refusal(run, "room", "role", room, "ann", "owner")
    assert f"zchat room members {room} shows who is" in said
    assert "and the account that runs the broker is, too: --as-account" in said
    assert silent(run, "room", "role", "--as-account", room, "ann", "owner", nick=None)


def test_an_announce_room(run: Zchat, room: str) -> None:
    assert silent(run, "room", "mode", room, "announce")
    assert "only those write who have a voice there" in refusal(run, "send", room, "hi", nick="bob")
    assert silent(run, "room", "role", room, "bob", "voice")
    assert code(run, "send", room, "hi", nick="bob") == 0
    (listed,) = [one for one in rows(run, "rooms") if one["name"] == room]
    assert listed["announce"] is True
    assert silent(run, "room", "mode", room, "open")
    assert code(run, "send", room, "hi", nick="cid") == 0
    changed = rows(run, "room", "mode", room, "open")
    assert changed == [{"room": room, "pos": 0}]


# ---- who misbehaves ---------------------------------------------------------------------------------------


def test_a_kick(run: Zchat, room: str) -> None:
    assert silent(run, "room", "kick", room, "bob", "--reason", "flooding")
    for command in (["send", room, "hi"], ["history", room]):
        said = refusal(run, *command, nick="bob")
        assert f"you were kicked out of #{room} by ann: flooding" in said
    assert "kicked" in run(["history", "--events", "@ann"], nick="bob").stdout  # bob is told
    assert silent(run, "join", room, nick="bob")
    assert code(run, "send", room, "hi", nick="bob") == 0


def test_who_was_kicked_hears_nothing_of_what_follows(run: Zchat, room: str) -> None:
    tail = run.start(["tail", "-n", "0"], nick="bob")
    wait_until_here(run, "bob")
    assert code(run, "send", room, "before") == 0
    tail.out.until("before")
    assert silent(run, "room", "kick", room, "bob")
    assert code(run, "send", room, "after") == 0
    assert code(run, "send", "@bob", "only you") == 0
    tail.out.until("only you")
    assert tail.signalled() == 130
    assert not any("after" in line for line in tail.out.seen + tail.out.rest())


def test_a_ban_and_its_end(run: Zchat, room: str) -> None:
    assert silent(run, "room", "ban", room, "bob", "--for", "24h", "--reason", "flooding")
    said = refusal(run, "join", room, nick="bob")
    assert f"you were banned from #{room} by ann until 20" in said and ": flooding" in said
    (row,) = rows(run, "room", "bans", room)
    until = row.pop("until")
    assert isinstance(until, str) and until.endswith("Z")
    assert row == {"kind": "ban", "nick": "bob", "by": "ann", "reason": "flooding"}
    assert "has to be operator" in refusal(run, "room", "bans", room, nick="cid")
    assert silent(run, "room", "unban", room, "bob")
    assert rows(run, "room", "bans", room) == []
    assert silent(run, "join", room, nick="bob")


def test_a_mute_that_ends_by_itself(run: Zchat, room: str) -> None:
    assert silent(run, "room", "mute", room, "bob", "--for", "2s", "--reason", "calm down")
    shown = run(["room", "bans", room]).stdout
    assert shown.startswith("mute  bob  until 20") and shown.endswith("  by ann  calm down\n")
    assert "you were muted by ann until" in refusal(run, "send", room, "hi", nick="bob")
    assert code(run, "history", room, nick="bob") == 0
    while rows(run, "room", "bans", room):
        pass
    assert code(run, "send", room, "hi", nick="bob") == 0
    assert silent(run, "room", "mute", room, "bob")
    assert rows(run, "room", "bans", room)[0]["until"] is None
    assert silent(run, "room", "unmute", room, "bob")


def test_the_account_acts_only_when_that_is_said(run: Zchat) -> None:
    assert "has to be operator in #general" in refusal(run, "room", "kick", "general", "bob")
    done = run(["room", "kick", "general", "bob"], nick=None)
    assert done.returncode == 2  # as whom?
    assert silent(run, "room", "kick", "--as-account", "general", "bob", nick=None)
    assert silent(run, "room", "kick", "--as-account", "general", "bob")  # ann, as the account: nothing to do
    assert silent(run, "join", "general", nick="bob")
    done = run(["room", "kick", "--as-account", "--nick", "ann", "general", "bob"], nick=None)
    assert done.returncode == 2
    assert "--as-account is nobody's" in done.stderr


@pytest.mark.parametrize("act", ["kick", "ban", "mute", "unban", "unmute"])
def test_json(run: Zchat, room: str, act: str) -> None:
    if act.startswith("un"):
        assert silent(run, "room", act[2:], room, "bob")
    first, again = (rows(run, "room", act, room, "bob") for _ in range(2))
    assert list(first[0]) == ["room", "nick", "pos"]
    assert (first[0]["room"], first[0]["nick"]) == (room, "bob")
    assert isinstance(first[0]["pos"], int) and first[0]["pos"] > 0
    if act not in ("ban", "mute"):  # which begin anew, with another end
        assert again == [{"room": room, "nick": "bob", "pos": 0}]


# ---- private rooms ----------------------------------------------------------------------------------------


def test_a_private_room(run: Zchat, newcomer: str) -> None:
    done = run(["join", "--private", newcomer])
    room = done.stdout.strip()
    assert (done.returncode, done.stderr) == (0, "")
    assert room.rpartition("+")[0] == newcomer and room.rpartition("+")[2].isdigit()
    assert [one["private"] for one in rows(run, "rooms") if one["name"] == room] == [True]
    for outsider in ("bob", None):
        assert room not in run(["rooms"], nick=outsider).stdout
    for command in (["send", room, "hi"], ["history", room], ["join", room], ["room", "members", room]):
        assert f"there is no room #{room}" in refusal(run, *command, nick="bob")
    assert silent(run, "room", "invite", room, "@bob")
    assert "invited you to" in run(["history", "--events", "@ann"], nick="bob").stdout
    assert silent(run, "join", room, nick="bob")
    assert code(run, "send", room, "hi", nick="bob") == 0
    assert silent(run, "room", "kick", room, "bob")
    assert f"there is no room #{room}" in refusal(run, "join", room, nick="bob")


def test_a_private_room_in_json_and_one_in_vain(run: Zchat, newcomer: str) -> None:
    made = rows(run, "join", "--private", newcomer)
    assert made[0]["room"] == f"{newcomer}+{made[0]['pos']}"
    said = refusal(run, "room", "invite", str(made[0]["room"]), "nobody-here")
    assert "nobody is registered as @nobody-here" in said


def test_to_a_public_room_nobody_is_invited(run: Zchat, room: str) -> None:
    assert "is public: whoever wants to joins it" in refusal(run, "room", "invite", room, "cid")


def test_the_account_is_in_no_private_room(run: Zchat, newcomer: str) -> None:
    room = run(["join", "--private", newcomer]).stdout.strip()
    for command in (["kick", room, "ann"], ["mode", room, "announce"], ["bans", room]):
        assert f"there is no room #{room}" in refusal(run, "room", *command, "--as-account", nick=None)
    done = run(["room", "invite", "--as-account", room, "bob"], nick=None)
    assert done.returncode == 2


# ---- what a shell offers ----------------------------------------------------------------------------------


def test_names_are_completed(run: Zchat, room: str) -> None:
    offered(run, f"zchat room kick {room} b", ["bob"])
    offered(
        run, f"zchat room kick {room[:-1]}", sorted(one for one in listed(run) if one.startswith(room[:-1]))
    )
    offered(run, "zchat token revoke ci", ["cid"])
    offered(run, "zchat admin ban an", ["ann"])
    offered(run, "zchat invite --nick c", ["cid"])
    offered(run, f"zchat invite --room {room}", [room])
    offered(run, "zchat token create --room gen", ["general"])
    offered(run, f"zchat room role {room} bob op", ["operator"])
    offered(run, f"zchat room mode {room} a", ["announce"])


def listed(run: Zchat) -> list[str]:
    """The names of the rooms."""
    return [str(one["name"]) for one in rows(run, "rooms")]


# ---- what is not possible ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["kick"], 2, "Missing argument 'ROOM'"),
        (["kick", "general"], 2, "Missing argument 'NICK'"),
        (["kick", "@ann", "bob"], 2, "a room is meant here"),
        (["kick", "general", "#bob"], 2, "nobody can be called '@#bob'"),
        (["kick", "nowhere", "bob"], 5, "there is no room #nowhere"),
        (["role", "general", "bob", "king"], 2, "'king' is not one of"),
        (["mode", "general", "closed"], 2, "'closed' is not one of"),
        (["mute", "general", "bob", "--for", "long"], 2, "'long' is no duration"),
        (["ban", "general", "bob", "--reason", "x" * 257], 2, "at most 256 characters"),
        (["members", "nowhere"], 5, "there is no room #nowhere"),
        (["invite", "nowhere+1", "bob"], 5, "there is no room #nowhere+1"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], exit_code: int, said: str) -> None:
    done = lasting.quick(["room", *arguments])
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert said in done.stderr


def test_a_reason_is_shown_and_not_obeyed(run: Zchat, room: str) -> None:
    assert silent(run, "room", "mute", room, "bob", "--reason", "a\x1b[2J\nb\u202e")
    assert run(["room", "bans", room]).stdout.endswith("a\\x1b[2J\\x0ab\\u202e\n")
    assert run(["room", "bans", "--json", room]).stdout.isascii()


def test_the_answer_is_lost(run: Zchat, room: str, populated: tuple[Broker, Zchat]) -> None:
    async def play() -> "tuple[int, list[str]]":
        async with AnswerHeld(populated[0].link) as proxy:
            program = run.start(["room", "mute", "--timeout", "1", room, "bob"], ZCHAT_LINK=str(proxy.link))
            return await asyncio.to_thread(program.ended), program.err.rest()

    exit_code, said = asyncio.run(play())
    assert exit_code == 8
    assert said == [
        "zchat: the broker gave no answer in time: nobody knows whether it was done. Repeating it is safe"
    ]
    assert len(rows(run, "room", "bans", room)) == 1


def test_nothing_is_advised_that_the_command_cannot(run: Zchat, room: str) -> None:
    private = run(["join", "--private", "ops"]).stdout.strip()
    assert run(["room", "invite", private, "bob"]).returncode == 0
    assert run(["join", private], nick="bob").returncode == 0
    for command in (["invite", private, "cid"], ["kick", private, "ann"]):
        said = refusal(run, "room", *command, nick="bob")
        assert "--as-account" not in said
    assert "--as-account" in refusal(run, "room", "mute", room, "ann", nick="bob")
