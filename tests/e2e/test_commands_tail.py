"""`zchat tail` and `zchat users` with real processes."""

import json
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Program, Zchat


def send(run: Zchat, to: str, *texts: str, nick: str = "ann") -> None:
    done = run(["send", "--lines", to], nick=nick, input="".join(f"{text}\n" for text in texts))
    assert done.returncode == 0, done.stderr


def register(run: Zchat, *nicks: str) -> None:
    for nick in nicks:
        assert run(["users"], nick=nick).returncode == 0


def following(run: Zchat, *arguments: str, nick: str = "bob") -> Program:
    """A tail that is known to follow: it has printed a message that was sent for it."""
    tail = run.start(["tail", *arguments], nick=nick)
    tail.out.until("ready")
    return tail


# ---- the past ---------------------------------------------------------------------------------------------


def test_the_last_ten(run: Zchat) -> None:
    send(run, "general", *map(str, range(15)))
    done = run(["tail", "--no-follow"])
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert all(re.fullmatch(r"\d\d:\d\d #general <ann> \d+", line) for line in lines)
    assert [int(line.split()[-1]) for line in lines] == list(range(5, 15))


@pytest.mark.parametrize(("n", "count"), [("0", 0), ("3", 3), ("100", 15)])
def test_the_last_n(run: Zchat, n: str, count: int) -> None:
    send(run, "general", *map(str, range(15)))
    assert len(run(["tail", "--no-follow", "-n", n]).stdout.splitlines()) == count


def test_all_after_a_position(run: Zchat) -> None:
    send(run, "general", *map(str, range(1500)))
    all_of_it = [
        json.loads(line)
        for line in run(["tail", "--json", "--no-follow", "--after", "0"]).stdout.splitlines()
    ]
    assert [one["text"] for one in all_of_it] == list(map(str, range(1500)))
    assert all(after["prev"] == before["pos"] for before, after in pairwise(all_of_it))
    rest = run(["tail", "--json", "--no-follow", "--after", str(all_of_it[1200]["pos"])]).stdout
    assert [json.loads(line) for line in rest.splitlines()] == all_of_it[1201:]


def test_json_of_a_message(run: Zchat) -> None:
    register(run, "bob")
    assert run(["send", "--id", "K", "@bob", "psst \x1b[31m\u202e"]).returncode == 0
    (line,) = run(["tail", "--json", "--no-follow", "@ann"], nick="bob").stdout.splitlines()
    assert line.isascii()
    message = json.loads(line)
    assert list(message) == ["pos", "prev", "time", "from", "to", "kind", "id", "text"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["time"])
    assert (message["from"], message["to"], message["kind"], message["id"], message["text"]) == (
        "ann", "@bob", "message", "K", "psst \x1b[31m\u202e"
    )  # fmt: skip


def test_several_conversations_in_the_order_of_positions(run: Zchat) -> None:
    register(run, "ann", "bob")
    for number in range(3):
        send(run, "general", f"room {number}")
        send(run, "@bob", f"to bob {number}")
        send(run, "@ann", f"to ann {number}", nick="bob")
    lines = run(["tail", "--no-follow", "general", "@Bob"]).stdout.splitlines()
    assert [line[6:] for line in lines] == [
        line
        for number in range(3)
        for line in (
            f"#general <ann> room {number}",
            f"@ann -> @bob to bob {number}",
            f"@bob -> @ann to ann {number}",
        )
    ]


def test_text_of_others_is_shown_and_not_obeyed(run: Zchat) -> None:
    assert run(["send", "general"], input="a\x1b[2J\tb\n06:00 #general <bob> lie\x07\u202e").returncode == 0
    assert run(["tail", "--no-follow"]).stdout[6:] == (
        "#general <ann> a\\x1b[2J    b\n      06:00 #general <bob> lie\\x07\\u202e\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["-n", "1", "--after", "1"], 2, "exclude each other"),
        (["-n", "-1"], 2, "-1"),
        (["a b"], 2, "no room can be called"),
        (["nowhere"], 5, "nowhere"),
        (["@nobody1"], 5, "nobody1"),
        (["-n", "0", "@nobody1"], 5, "nobody1"),
        (["--after", "9", "@nobody1"], 5, "nobody1"),
    ],
)
@pytest.mark.parametrize("follow", [[], ["--no-follow"]])
def test_not_possible(
    lasting: Zchat, follow: list[str], arguments: list[str], code: int, reason: str
) -> None:
    done = lasting.quick(["tail", *follow, *arguments])
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr


# ---- as they come -----------------------------------------------------------------------------------------


def test_rooms_and_own_direct_messages(run: Zchat) -> None:
    register(run, "eve")
    send(run, "general", "ready")
    tail = following(run)
    send(run, "@bob", "to bob")
    send(run, "@eve", "to eve")
    send(run, "general", "to all")
    tail.out.until("to all")
    assert [line[6:] for line in tail.out.seen] == [
        "#general <ann> ready", "@ann -> @bob to bob", "#general <ann> to all"
    ]  # fmt: skip


def test_only_what_was_named(run: Zchat) -> None:
    register(run, "bob", "eve")
    send(run, "@bob", "ready")
    tail = following(run, "@Ann")
    send(run, "general", "to all")
    send(run, "@bob", "from eve", nick="eve")
    send(run, "@ann", "from bob", nick="bob")
    send(run, "@bob", "from ann")
    tail.out.until("from ann")
    assert [line[6:] for line in tail.out.seen] == [
        "@ann -> @bob ready", "@bob -> @ann from bob", "@ann -> @bob from ann"
    ]  # fmt: skip


def test_a_room_that_was_not_joined(run: Zchat) -> None:
    assert run(["connect", "--room", "kitchen"], input="ready\n").returncode == 0
    tail = following(run, "Kitchen")
    send(run, "general", "elsewhere")
    send(run, "kitchen", "here")
    tail.out.until("here")
    assert [line[6:] for line in tail.out.seen] == ["#kitchen <ann> ready", "#kitchen <ann> here"]
    assert run(["tail", "--no-follow"], nick="bob").stdout[6:] == "#general <ann> elsewhere\n"


def test_nothing_is_missed_or_repeated_between_the_past_and_the_present(run: Zchat) -> None:
    feed = run.start(["send", "--json", "--lines", "general"])
    tails = []
    for number in range(1, 2001):
        feed.type(str(number))
        if number % 400 == 200:
            feed.out.until("pos")
            tails.append(run.start(["tail", "--json", "--after", "0"], nick=f"b{number}"))
    assert feed.ended() == 0
    for tail in tails:
        tail.out.until('"text":"2000"')
        assert [json.loads(line)["text"] for line in tail.out.seen] == list(map(str, range(1, 2001)))


def test_a_broker_that_comes_back(run: Zchat, broker: Broker) -> None:
    send(run, "general", "ready")
    tail = following(run)
    broker.kill()
    tail.err.until("zchat: ")
    broker.start()
    send(run, "general", "after")
    tail.out.until("after")
    assert [line[6:] for line in tail.out.seen] == ["#general <ann> ready", "#general <ann> after"]


# ---- what else happens ------------------------------------------------------------------------------------


def test_events(run: Zchat) -> None:
    assert run(["join", "dev"]).returncode == 0
    assert run(["join", "dev"], nick="bob").returncode == 0
    text = run.start(["tail", "--events"], nick="bob")
    objects = run.start(["tail", "--events", "--json", "dev", "@ann"], nick="bob")
    for tail in (text, objects):
        tail.out.until("dev")
    assert run(["room", "role", "dev", "bob", "voice"]).returncode == 0
    assert run(["room", "kick", "--reason", "spam", "dev", "bob"]).returncode == 0
    text.out.until("* you were kicked out of #dev by ann: spam")
    events = [json.loads(objects.out.until('"role"')), json.loads(objects.out.until('"role"'))]
    assert sorted((one["to"], one["text"]) for one in events) == [
        ("#dev", "bob voice"),
        ("@bob", "#dev: bob voice"),
    ]
    kicked = json.loads(objects.out.until(lambda line: '"kicked"' in line and '"@bob"' in line))
    assert list(kicked) == ["pos", "prev", "time", "from", "to", "kind", "id", "text"]
    assert (kicked["from"], kicked["to"], kicked["kind"], kicked["id"], kicked["text"]) == (
        "ann", "@bob", "kicked", None, "#dev: bob: spam"
    )  # fmt: skip
    assert text.out.seen.count("* ann gave you a voice in #dev") == 1  # it stands in two conversations


def test_events_of_the_past(run: Zchat) -> None:
    assert run(["join", "dev"]).returncode == 0
    send(run, "dev", "hi")
    done = run(["tail", "--events", "--no-follow", "-n", "2", "dev"])
    assert [line.partition("#dev")[2] for line in done.stdout.splitlines()] == ["", " <ann> hi"]
    assert run(["tail", "--no-follow", "-n", "2", "dev"]).stdout[6:] == "#dev <ann> hi\n"


def test_a_message_that_is_removed(run: Zchat) -> None:
    send(run, "general", "ready")
    tail = following(run, "--events", "general")
    pos = json.loads(run(["send", "--json", "general", "oops"]).stdout)["pos"]
    assert run(["redact", "general", str(pos)]).returncode == 0
    tail.out.until(f"* message {pos} of #general was removed by ann")


def test_whoever_is_put_out_is_told_why_nothing_more_comes(run: Zchat) -> None:
    assert run(["join", "dev"]).returncode == 0
    tail = run.start(["tail", "-n", "0", "dev"], nick="bob")
    while "* bob" not in run(["users"]).stdout:
        pass
    send(run, "dev", "ready")
    tail.out.until("ready")
    assert run(["room", "kick", "--reason", "spam", "dev", "bob"]).returncode == 0
    tail.err.until("zchat: you were kicked out of #dev by ann: spam")
    send(run, "dev", "without bob")
    assert run(["join", "dev"], nick="bob").returncode == 0
    send(run, "dev", "with bob")
    tail.out.until("with bob")
    assert [line[6:] for line in tail.out.seen] == ["#dev <ann> ready", "#dev <ann> with bob"]
    assert run(["room", "ban", "--reason", "again", "dev", "bob"]).returncode == 0
    tail.err.until("zchat: you were banned from #dev by ann: again")
    tail.err.until("nothing more comes: ")
    assert tail.process.wait(DEADLINE_S) == 5


@pytest.mark.parametrize("options", [["--events"], ["--events", "--json"]])
def test_the_ban_that_ends_it_is_among_the_events(run: Zchat, options: list[str]) -> None:
    assert run(["join", "dev"]).returncode == 0
    assert run(["join", "dev"], nick="bob").returncode == 0
    send(run, "dev", "ready")
    tail = run.start(["tail", *options, "dev"], nick="bob")
    tail.out.until("ready")
    while "* bob" not in run(["users"]).stdout:
        pass
    assert run(["room", "ban", "--reason", "spam", "dev", "bob"]).returncode == 0
    assert tail.process.wait(DEADLINE_S) == 5
    assert any("banned" in line and "spam" in line for line in tail.out.rest())
    tail.err.until("nothing more comes: you were banned from #dev")


def test_an_invitation(run: Zchat) -> None:
    register(run, "bob")
    tail = run.start(["tail", "--events", "-n", "0"], nick="bob")
    while "* bob" not in run(["users"]).stdout:
        pass
    room = run(["join", "--private", "ops"]).stdout.strip()
    assert run(["room", "invite", room, "bob"]).returncode == 0
    tail.out.until(f"* ann invited you to #{room}: zchat join {room}")
    assert run(["join", room], nick="bob").returncode == 0
    send(run, room, "welcome")
    tail.out.until(f"#{room} <ann> welcome")


# ---- the end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(run: Zchat, number: signal.Signals) -> None:
    send(run, "general", "ready")
    tail = following(run)
    assert tail.signalled(number) == 128 + number
    assert tail.err.rest() == ["zchat: registered as bob"]


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_terminal_that_was_closed(run: Zchat, handler: signal.Handlers) -> None:
    """It says that it leaves; with nohup it stays."""
    send(run, "general", "ready")
    tail = run.open(
        ["tail", "--count", "2", "general"],
        "bob",
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, handler),
    )
    with tail:
        assert tail.stdout is not None and b"ready" in tail.stdout.readline()
        tail.send_signal(signal.SIGHUP)
        if handler is signal.SIG_DFL:
            assert tail.wait(DEADLINE_S) == 128 + signal.SIGHUP
            assert "* bob" not in run(["users"]).stdout
        else:
            send(run, "general", "one more")
            assert tail.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("follow", [[], ["--no-follow"]])
def test_it_ends_when_its_reader_has_gone(run: Zchat, follow: list[str]) -> None:
    """With nothing more to print, and so nothing to notice it by."""
    send(run, "general", *map(str, range(10)))
    tail = run.open(["tail", *follow], "bob", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert tail.stdout and tail.stderr
    assert tail.stdout.readline().endswith(b"<ann> 0\n")
    tail.stdout.close()
    with tail.stderr:
        assert tail.stderr.read() == b"zchat: registered as bob\n"
    assert tail.wait(DEADLINE_S) == 0


def test_a_reader_that_stops_costs_no_message_and_no_presence(run: Zchat) -> None:
    send(run, "general", "ready")
    tail = run.open(["tail", "--json"], "bob", stdout=subprocess.PIPE)
    assert tail.stdout
    assert b"ready" in tail.stdout.readline()
    send(run, "general", *(f"{number:01000}" for number in range(300)))  # more than a pipe holds
    assert "* bob" in run(["users"]).stdout.splitlines()
    with tail.stdout:
        texts = [json.loads(tail.stdout.readline())["text"] for _ in range(300)]
    assert texts == [f"{number:01000}" for number in range(300)]
    assert tail.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("command", [["tail", "--no-follow"], ["history", "general"], ["whoami"]])
def test_stdout_that_cannot_be_written(run: Zchat, command: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has /dev/full")
    send(run, "general", "hi")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "zchat", *command],
            env=run.environment("ann"),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, b"zchat: cannot write to stdout: No space left on device\n")


def test_interrupted_while_its_reader_reads_nothing(run: Zchat) -> None:
    send(run, "general", *(f"{number:01000}" for number in range(300)))  # more than a pipe holds
    tail = run.open(["tail", "-n", "300"], "bob", stdout=subprocess.PIPE)
    assert tail.stdout
    tail.stdout.read(1)
    tail.send_signal(signal.SIGINT)
    assert tail.wait(DEADLINE_S) == 130
    tail.stdout.close()


def test_closed_stdout_is_no_error(run: Zchat) -> None:
    send(run, "general", "hi")
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m zchat tail --no-follow >&-"],
        env=run.environment("ann"),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


# ---- users ------------------------------------------------------------------------------------------------


def test_users(run: Zchat) -> None:
    send(run, "general", "ready")
    following(run)
    register(run, "Cid")
    done = run(["users"])
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, ["  Cid", "  ann", "* bob"])
    lines = [json.loads(line) for line in run(["users", "--json"]).stdout.splitlines()]
    assert sorted(lines, key=lambda one: str(one["nick"])) == [
        {"nick": "Cid", "present": False, "away": False, "role": "none"},
        {"nick": "ann", "present": False, "away": False, "role": "none"},
        {"nick": "bob", "present": True, "away": False, "role": "none"},
    ]
