"""`zchat rooms`, `join`, `leave`, `topic` and `users` with real processes."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.e2e.programs import Broker, Zchat, free_port
from tests.e2e.test_commands_send import wait_for_connecting
from zchat.common import limits

COMMANDS = [
    ["rooms"],
    ["users"],
    ["join", "k"],
    ["leave", "general"],
    ["topic", "general"],
    ["topic", "general", "x"],
]


def listed(run: Zchat) -> dict[str, tuple[int, str]]:
    """Members and topic of each room."""
    done = run(["rooms", "--json"])
    assert done.returncode == 0, done.stderr
    rooms = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(room) == ["name", "topic", "members", "private", "announce"] for room in rooms)
    return {room["name"]: (room["members"], room["topic"]) for room in rooms}


# ---- joining and leaving ----------------------------------------------------------------------------------


def test_a_room_is_made_joined_and_left(run: Zchat) -> None:
    done = run(["join", "Kitchen"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "zchat: registered as ann\n")
    assert run(["join", "#kitchen"], nick="bob").returncode == 0
    assert listed(run) == {"general": (2, ""), "kitchen": (2, "")}
    done = run(["leave", "kitchen"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert listed(run) == {"general": (2, ""), "kitchen": (1, "")}
    done = run(["rooms"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "#general  2\n#kitchen  1\n", "")


def test_a_joined_room_comes_by_itself_and_a_left_one_does_not(run: Zchat) -> None:
    for room in ("kitchen", "cellar"):
        assert run(["join", room]).returncode == 0
        assert run(["send", room, f"in the {room}"], nick="bob").returncode == 0
    assert run(["leave", "cellar"]).returncode == 0
    done = run(["tail", "--no-follow"])
    assert [line[6:] for line in done.stdout.splitlines()] == ["#kitchen <bob> in the kitchen"]
    assert run(["send", "cellar", "still there"]).returncode == 0


def test_json_tells_where_it_is_and_0_when_it_was_so_already(run: Zchat) -> None:
    for command in (["join", "Büro"], ["topic", "büro", "x"], ["leave", "büro"]):
        first, again = (json.loads(run([command[0], "--json", *command[1:]]).stdout) for _ in range(2))
        assert list(first) == ["room", "pos"]
        assert first["room"] == "büro" and first["pos"] > 0
        assert again == {"room": "büro", "pos": 0}
    positions = [json.loads(run(["join", "--json", room]).stdout)["pos"] for room in ("k", "l")]
    assert positions[0] < positions[1]


# ---- topics -----------------------------------------------------------------------------------------------


def test_a_topic_is_set_printed_and_removed(run: Zchat) -> None:
    done = run(["topic", "general"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("zchat: #general has no topic\n")
    done = run(["topic", "--json", "general"])
    assert (done.returncode, done.stdout) == (1, "")

    done = run(["topic", "General", "what", "--for", "--json", "lunch"])
    warned = "zchat: --json behind ROOM is text; options stand before ROOM\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", warned)
    assert run(["topic", "general"]).stdout == "what --for --json lunch\n"
    assert json.loads(run(["topic", "--json", "general"]).stdout) == {
        "room": "general",
        "topic": "what --for --json lunch",
    }
    assert listed(run) == {"general": (1, "what --for --json lunch")}

    assert run(["topic", "general", ""]).returncode == 0
    assert run(["topic", "general"]).returncode == 1


def test_a_topic_is_shown_and_not_obeyed(run: Zchat) -> None:
    assert run(["topic", "general", "a\x1b[2J\nb\u202e"]).returncode == 0
    assert run(["topic", "general"]).stdout == "a\\x1b[2J\\x0ab\\u202e\n"
    assert run(["rooms"]).stdout == "#general  1  a\\x1b[2J\\x0ab\\u202e\n"
    assert run(["topic", "--json", "general"]).stdout.isascii()


def test_a_topic_that_is_no_utf8_is_not_set(run: Zchat) -> None:
    done = run(["topic", "general", b"a\xff"])  # type: ignore[list-item]
    assert done.returncode == 2
    assert listed(run) == {"general": (1, "")}


@pytest.mark.parametrize(
    "topic", ["x" * (limits.TOPIC_BYTES_MAX + 1), "ä" * (limits.TOPIC_BYTES_MAX // 2 + 1)]
)
def test_a_topic_has_a_limit(lasting: Zchat, topic: str) -> None:
    done = lasting(["topic", "general", topic])
    assert (done.returncode, done.stdout) == (5, "")
    assert "1024 bytes" in done.stderr


# ---- users ------------------------------------------------------------------------------------------------


def test_users_are_in_the_order_of_their_names(run: Zchat) -> None:
    for nick in ("Bob", "ann", "Çem", "cid"):
        assert run(["users"], nick=nick).returncode == 0
    done = run(["users"])
    assert [line[2:] for line in done.stdout.splitlines()] == ["ann", "Bob", "cid", "Çem"]


# ---- what cannot be done ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["join"], 2, "Missing argument 'ROOM'"),
        (["join", "a b"], 2, "no room can be called 'a b'"),
        (["join", "@ann"], 2, "'@ann' is a person; a room is meant here"),
        (["leave", "@ann"], 2, "a room is meant here"),
        (["topic", "@ann"], 2, "a room is meant here"),
        (["rooms", "kitchen"], 2, "unexpected extra argument"),
        (["leave", "nowhere"], 5, "there is no room #nowhere"),
        (["topic", "nowhere"], 5, "there is no room #nowhere"),
        (["topic", "nowhere", "x"], 5, "there is no room #nowhere"),
        (["join", "--nick", "a,b", "k"], 2, "the nick 'a,b'"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], code: int, reason: str) -> None:
    done = lasting.quick(arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_broker(lasting: Zchat, lasting_broker: Broker, command: list[str]) -> None:
    link = f"zchat://127.0.0.1:{free_port()}/{lasting_broker.link.rpartition('/')[2]}"
    done = lasting([command[0], "--timeout", "0.5", "--link", link, *command[1:]])
    assert (done.returncode, done.stdout) == (3, "")
    assert "Start one: zchat broker" in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_nick_of_somebody_else(lasting: Zchat, command: list[str]) -> None:
    done = lasting.quick([command[0], "--nick", "BOB", *command[1:]])
    assert (done.returncode, done.stdout) == (4, "")


def test_a_broker_that_cannot_write(run: Zchat, broker: Broker) -> None:
    """Nobody knows whether it will have been done: in the end it was, and again is as good as once."""
    assert run(["join", "cellar"]).returncode == 0
    for command in (["join", "k"], ["topic", "cellar", "x"], ["leave", "cellar"]):
        with stalled(broker):
            done = run([command[0], "--timeout", "0.3", *command[1:]])
        assert (done.returncode, done.stdout) == (8, "")
        assert "nobody knows whether it was done. Repeating it is safe" in done.stderr
        assert run(command).returncode == 0
    assert listed(run) == {"cellar": (0, "x"), "general": (1, ""), "k": (1, "")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [["rooms"], ["join", "k"], ["topic", "general", "x"]], ids=" ".join)
def test_interrupted(run: Zchat, broker: Broker, command: list[str], number: signal.Signals) -> None:
    broker.process.send_signal(signal.SIGSTOP)
    program = run.start([command[0], "--timeout", "0", *command[1:]])
    wait_for_connecting(program)
    assert program.signalled(number) == 128 + number
    assert program.out.rest() == []
    broker.process.send_signal(signal.SIGCONT)
    assert listed(run) == {"general": (1, "")}


@contextmanager
def stalled(broker: Broker) -> Iterator[None]:
    """The broker's commits wait: somebody else has the database."""
    with closing(sqlite3.connect(broker.data_dir / "zchat.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


def test_no_private_room_is_made_by_its_name(lasting: Zchat) -> None:
    done = lasting.quick(["topic", "ops+12"])
    assert (done.returncode, done.stderr) == (5, "zchat: there is no room #ops+12\n")
    done = lasting.quick(["topic", "ops"])
    assert done.stderr == "zchat: there is no room #ops; zchat join ops creates it\n"
