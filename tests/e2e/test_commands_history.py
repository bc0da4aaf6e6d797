"""`zchat history` with real processes."""

import json
import re
import signal
import subprocess
import time
from typing import Any

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Zchat, free_port


def send(run: Zchat, to: str, *texts: str, nick: str = "ann") -> None:
    done = run(["send", "--lines", to], nick=nick, input="".join(f"{text}\n" for text in texts))
    assert done.returncode == 0, done.stderr


def read(run: Zchat, *arguments: str, nick: str = "ann") -> list[dict[str, Any]]:
    done = run(["history", "--json", *arguments], nick=nick)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def texts(run: Zchat, *arguments: str, nick: str = "ann") -> list[str]:
    return [one["text"] for one in read(run, *arguments, nick=nick)]


def numbers(begin: int, end: int) -> list[str]:
    return list(map(str, range(begin, end)))


# ---- which ones -------------------------------------------------------------------------------------------


def test_the_last_ones(run: Zchat) -> None:
    send(run, "general", *numbers(0, 120))
    assert texts(run, "general") == numbers(70, 120)
    assert texts(run, "-n", "3", "general") == numbers(117, 120)
    assert texts(run, "-n", "0", "general") == []
    assert texts(run, "-n", "1000", "General") == numbers(0, 120)


def test_pages_back_and_forth(run: Zchat) -> None:
    send(run, "general", *numbers(0, 5000))
    everything = read(run, "--after", "0", "general")
    assert [one["text"] for one in everything] == numbers(0, 5000)
    pos = [one["pos"] for one in everything]
    assert texts(run, "-n", "5", "--before", str(pos[1000]), "general") == numbers(995, 1000)
    assert texts(run, "-n", "4400", "--before", str(pos[4500]), "general") == numbers(100, 4500)
    assert texts(run, "-n", "5", "--after", str(pos[1000]), "general") == numbers(1001, 1006)
    assert texts(run, "--after", str(pos[3]), "--before", str(pos[7]), "general") == numbers(4, 7)
    assert texts(run, "--after", str(pos[-1]), "general") == []
    assert texts(run, "--before", str(pos[0]), "general") == []
    assert texts(run, "--after", str(2**70), "general") == []
    assert texts(run, "-n", "1", "--before", str(2**70), "general") == ["4999"]


def test_since_a_time(run: Zchat) -> None:
    send(run, "general", "before")
    (before,) = read(run, "general")
    while time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) <= before["time"][:19]:
        send(run, "general", "meanwhile")
    send(run, "general", "one", "two")
    since = read(run, "general")[-2]["time"]
    assert texts(run, "--since", since, "general") == ["one", "two"]
    assert texts(run, "--since", since, "-n", "1", "general") == ["one"]
    assert texts(run, "--since", "1h", "general")[0] == "before"
    assert texts(run, "--since", "0s", "general") == []


def test_from_somebody(run: Zchat) -> None:
    for number in range(3):
        send(run, "general", *(f"ann {number}.{n}" for n in range(400)))
        send(run, "general", f"Bob {number}", nick="Bob")
    assert texts(run, "--from", "BOB", "general") == ["Bob 0", "Bob 1", "Bob 2"]
    assert texts(run, "--from", "@bob", "-n", "2", "general") == ["Bob 1", "Bob 2"]
    assert texts(run, "--from", "bob", "-n", "2", "--after", "0", "general") == ["Bob 0", "Bob 1"]
    assert len(texts(run, "--from", "ann", "-n", "1100", "general")) == 1100
    assert texts(run, "--from", "nobody1", "general") == []


def test_a_direct_conversation_and_no_other(run: Zchat) -> None:
    for nick in ("ann", "bob", "eve"):
        assert run(["users"], nick=nick).returncode == 0
    assert texts(run, "@bob") == []
    send(run, "@bob", "to bob")
    send(run, "@eve", "to eve")
    send(run, "@ann", "to ann", nick="bob")
    send(run, "general", "to all")
    assert texts(run, "@Bob") == texts(run, "@ann", nick="bob") == ["to bob", "to ann"]
    assert texts(run, "@bob", nick="eve") == []


def test_only_messages(run: Zchat) -> None:
    assert run(["join", "kitchen"]).returncode == 0
    assert run(["topic", "kitchen", "lunch"]).returncode == 0
    send(run, "kitchen", "hi")
    assert texts(run, "kitchen") == texts(run, "--after", "0", "kitchen") == ["hi"]


def test_what_else_happened(run: Zchat) -> None:
    assert run(["join", "kitchen"]).returncode == 0
    send(run, "kitchen", "hi", nick="bob")
    assert run(["topic", "kitchen", "lunch"]).returncode == 0
    assert run(["room", "ban", "--for", "1h", "--reason", "spam", "kitchen", "bob"]).returncode == 0
    found = read(run, "--events", "kitchen")
    assert [(one["kind"], one["from"], one["to"]) for one in found] == [
        ("joined", "ann", "#kitchen"),
        ("message", "bob", "#kitchen"),
        ("topic", "ann", "#kitchen"),
        ("banned", "ann", "#kitchen"),
    ]
    assert all(set(one) == set(found[0]) for one in found)
    assert re.fullmatch(r"bob until \d{4}-\S+Z: spam", found[3]["text"])
    assert texts(run, "--events", "-n", "1", "--before", str(found[3]["pos"]), "kitchen") == ["lunch"]
    assert texts(run, "--events", "--from", "bob", "kitchen") == ["hi"]
    lines = [line[17:] for line in run(["history", "--events", "kitchen"]).stdout.splitlines()]
    assert lines[:3] == ["* ann made #kitchen", "#kitchen <bob> hi", "* ann set the topic of #kitchen: lunch"]
    assert re.fullmatch(r"\* ann banned bob from #kitchen until \d{4}-\S+ \d\d:\d\d: spam", lines[3])
    told = run(["history", "--events", "@ann"], nick="bob").stdout
    assert re.search(r"\* you were banned from #kitchen by ann until .*: spam\n", told)


def test_a_room_that_was_not_joined(run: Zchat) -> None:
    assert run(["join", "kitchen"]).returncode == 0
    send(run, "kitchen", "hi")
    assert texts(run, "kitchen", nick="bob") == ["hi"]


# ---- how it looks -----------------------------------------------------------------------------------------


def test_lines_for_people_have_the_day(run: Zchat) -> None:
    assert run(["send", "general"], input="a\x1b[2J\n06:00 #general <bob> lie").returncode == 0
    done = run(["history", "general"])
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d #general <ann> a\\x1b\[2J\n      06:00 #general <bob> lie\n", done.stdout
    )


def test_json_of_a_message(run: Zchat) -> None:
    assert run(["send", "--id", "K", "general", "psst \x1b[31m\u202e"]).returncode == 0
    (line,) = run(["history", "--json", "general"]).stdout.splitlines()
    assert line.isascii()
    message = json.loads(line)
    assert list(message) == ["pos", "prev", "time", "from", "to", "kind", "id", "text"]
    assert line + "\n" == run(["tail", "--json", "--no-follow"]).stdout


def test_nobody_is_told(run: Zchat) -> None:
    send(run, "general", "hi")
    tail = run.start(["tail", "--events", "-n", "0"], nick="bob")
    while "* bob" not in run(["users"]).stdout:
        pass
    assert texts(run, "general", nick="cid") == ["hi"]
    send(run, "general", "bye")
    assert "bye" in tail.out.until("bye")
    assert not any("here" in line and "cid" in line for line in tail.out.seen)


# ---- what cannot be done ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ([], 2, "Missing argument 'TO'"),
        (["-n", "-1", "general"], 2, "-1"),
        (["--after", "x", "general"], 2, "'x' is not a valid integer"),
        (["--since", "yesterday", "general"], 2, "'yesterday' is no time: 10m, 2h or 3d ago"),
        (["--from", "a b", "general"], 2, "--from 'a b': the nick has the character"),
        (["a b"], 2, "can be called"),
        (["nowhere"], 5, "nowhere"),
        (["-n", "0", "nowhere"], 5, "nowhere"),
        (["--after", "9", "nowhere"], 5, "nowhere"),
        (["@nobody1"], 5, "nobody1"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], code: int, reason: str) -> None:
    done = lasting.quick(["history", *arguments])
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr


def test_no_broker(lasting: Zchat, lasting_broker: Broker) -> None:
    link = f"zchat://127.0.0.1:{free_port()}/{lasting_broker.link.rpartition('/')[2]}"
    done = lasting(["history", "--timeout", "0.5", "--link", link, "general"])
    assert (done.returncode, done.stdout) == (3, "")


def test_the_nick_of_somebody_else(lasting: Zchat) -> None:
    done = lasting(["history", "--nick", "BOB", "general"])
    assert (done.returncode, done.stdout) == (4, "")


# ---- the end ----------------------------------------------------------------------------------------------


def reading(run: Zchat) -> "subprocess.Popen[bytes]":
    """A history with more to print than a pipe holds."""
    send(run, "general", *(f"{number:01000}" for number in range(300)))
    return run.open(["history", "--after", "0", "general"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(run: Zchat, number: signal.Signals) -> None:
    history = reading(run)
    assert history.stdout and history.stderr
    with history.stdout, history.stderr:
        history.stdout.read(1)
        history.send_signal(number)
        assert history.wait(DEADLINE_S) == 128 + number
        assert history.stderr.read() == b""


def test_it_ends_when_its_reader_has_gone(run: Zchat) -> None:
    history = reading(run)
    assert history.stdout and history.stderr
    assert history.stdout.readline().endswith(b"<ann> " + b"0" * 1000 + b"\n")
    history.stdout.close()
    with history.stderr:
        assert history.stderr.read() == b""
    assert history.wait(DEADLINE_S) == 0
