"""Named cursors with real processes: nothing is missed over kills of reader and broker."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Program, Zchat


def send(run: Zchat, to: str, *texts: str, nick: str = "ann", id: str | None = None) -> None:
    arguments = ["send", "--lines", *(["--id", id] if id else []), "--timeout", "20", to]
    done = run(arguments, nick=nick, input="".join(f"{text}\n" for text in texts))
    assert done.returncode == 0, done.stderr


def tail(run: Zchat, *arguments: str, nick: str = "bob") -> "subprocess.CompletedProcess[str]":
    return run(["tail", *arguments], nick=nick)


def texts(done: "subprocess.CompletedProcess[str]") -> list[str]:
    assert done.returncode == 0, done.stderr
    return [one["text"] for one in objects(done.stdout.splitlines())]


def objects(lines: Sequence[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


# ---- where it begins, and whose it is ---------------------------------------------------------------------


def test_it_begins_now_and_goes_on_where_it_was(run: Zchat) -> None:
    send(run, "general", "before")
    arguments = ("--json", "--cursor", "c", "--no-follow")
    assert texts(tail(run, *arguments)) == []
    send(run, "general", "one", "two")
    assert run(["send", "@bob", "three"]).returncode == 0
    assert texts(tail(run, *arguments)) == ["one", "two", "three"]
    assert texts(tail(run, *arguments)) == []
    send(run, "general", "four")
    assert texts(tail(run, *arguments)) == ["four"]


def test_it_begins_where_it_was_told_to(run: Zchat) -> None:
    assert run(["users"], nick="bob").returncode == 0
    send(run, "general", "one", "two")
    assert run(["send", "@bob", "direct"]).returncode == 0
    first, *_ = objects(tail(run, "--json", "--no-follow", "general").stdout.splitlines())
    after = ("--after", str(first["pos"]))
    assert texts(tail(run, "--json", "--cursor", "a", "--no-follow", *after)) == ["two", "direct"]
    assert texts(tail(run, "--json", "--cursor", "a", "--no-follow", *after)) == []
    assert texts(tail(run, "--json", "--cursor", "b", "--no-follow", *after, "general")) == ["two"]
    assert texts(tail(run, "--json", "--cursor", "s", "--no-follow", "--since", "1h")) == [
        "one",
        "two",
        "direct",
    ]
    assert texts(
        tail(run, "--json", "--cursor", "t", "--no-follow", "--since", first["time"], "general")
    ) == [
        "one",
        "two",
    ]


def test_a_room_that_is_not_joined(run: Zchat) -> None:
    assert run(["join", "logs"]).returncode == 0
    arguments = ("--json", "--cursor", "c", "--no-follow", "logs")
    assert texts(tail(run, *arguments)) == []
    send(run, "logs", "one")
    send(run, "general", "not this")
    send(run, "logs", "two")
    assert texts(tail(run, *arguments)) == ["one", "two"]
    assert texts(tail(run, *arguments)) == []


def test_where_to_begin_is_for_a_new_one(run: Zchat) -> None:
    """Cron repeats the same line, also after a pause that is longer than what it says."""
    arguments = ("--json", "--cursor", "c", "--since", "1s", "--no-follow", "general")
    assert texts(tail(run, *arguments)) == []
    send(run, "general", "one")
    first = tail(run, "--json", "--no-follow", "general").stdout
    while run(["tail", "--no-follow", "--since", "1s", "general"], nick="bob").stdout:
        pass  # until it is older than that
    assert texts(tail(run, *arguments)) == ["one"]
    assert first


def test_a_run_that_reached_no_broker_changes_nothing(run: Zchat, broker: Broker) -> None:
    """What was printed before it can still be acknowledged, line by line."""
    assert run(["join", "zz"]).returncode == 0
    arguments = ("--json", "--cursor", "c", "--peek", "--no-follow", "--timeout", "0.5", "general", "zz")
    assert texts(tail(run, *arguments)) == []
    for number in range(4):
        send(run, ("zz", "general")[number % 2], str(number))
    printed = objects(tail(run, *arguments).stdout.splitlines())
    broker.kill()
    assert tail(run, *arguments).returncode == 3
    done = printed[:2]
    assert run(["cursor", "set", "c", str(done[-1]["pos"])], nick="bob").returncode == 0
    never_printed = run(["cursor", "set", "c", str(printed[-1]["pos"] + 7)], nick="bob")
    assert (never_printed.returncode, never_printed.stdout) == (5, "")
    assert "has not printed a message" in never_printed.stderr
    broker.start()
    arguments = (*arguments[:5], *arguments[7:])
    assert texts(tail(run, *arguments)) == [one["text"] for one in printed[2:]]


def test_one_holder_at_a_time_and_one_set_of_conversations(run: Zchat) -> None:
    assert tail(run, "--cursor", "c", "--no-follow", "general").returncode == 0
    holder = run.start(["tail", "--cursor", "c", "general"], nick="bob")
    send(run, "general", "ready")
    holder.out.until("ready")
    second = tail(run, "--cursor", "c", "general")
    assert (second.returncode, second.stderr) == (5, "zchat: another zchat tail is using the cursor c\n")
    assert run(["cursor", "set", "c", "1"], nick="bob").returncode == 5
    assert run(["cursor", "delete", "c"], nick="bob").returncode == 5
    assert tail(run, "--cursor", "other", "--no-follow", "general").returncode == 0
    assert holder.signalled(signal.SIGTERM) == 143
    other = tail(run, "--cursor", "c", "--no-follow", "general", "@ann")
    assert other.returncode == 2
    assert "the cursor c is for #general, not for #general @ann" in other.stderr
    assert texts(tail(run, "--json", "--cursor", "c", "--no-follow", "general")) == []


def test_listing_setting_and_deleting(run: Zchat) -> None:
    assert tail(run, "--cursor", "c", "--no-follow", "general").returncode == 0
    assert tail(run, "--cursor", "d", "--no-follow").returncode == 0
    send(run, "general", "one", "two")
    first, second = objects(tail(run, "--json", "--no-follow", "general").stdout.splitlines())
    assert run(["cursor", "set", "c", str(first["pos"])], nick="bob").stdout == ""
    listed = objects(run(["cursor", "list", "--json"], nick="bob").stdout.splitlines())
    assert [one["name"] for one in listed] == ["c", "d"]
    assert listed[0] == {"name": "c", "pos": first["pos"], "to": ["#general"]}
    assert listed[1]["to"] == []
    assert texts(tail(run, "--json", "--cursor", "c", "--no-follow", "general")) == ["two"]
    shown = run(["cursor", "set", "--json", "c", "0"], nick="bob").stdout
    assert json.loads(shown) == {"name": "c", "pos": 0, "to": ["#general"]}
    assert texts(tail(run, "--json", "--cursor", "c", "--no-follow", "general")) == ["one", "two"]
    assert run(["cursor", "delete", "c"], nick="bob").returncode == 0
    name, _, to = run(["cursor", "list"], nick="bob").stdout.split()
    assert (name, to) == ("d", "everything")
    assert texts(tail(run, "--json", "--cursor", "c", "--no-follow", "general")) == []
    for arguments in (["set", "no", "1"], ["delete", "no"]):
        done = run(["cursor", *arguments], nick="bob")
        assert (done.returncode, done.stdout) == (1, "")
        assert "there is no cursor no" in done.stderr
    assert second["pos"] > first["pos"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--cursor", "a/b"], "no cursor can be called 'a/b'"),
        (["--cursor", "c", "-n", "3"], "a cursor begins now, or where --since or --after say"),
        (["--peek"], "--peek is about a cursor: --cursor NAME"),
        (["--wait", "3"], "--wait is for --count N"),
        (["--since", "1h", "--after", "3"], "--since and --after exclude each other"),
        (["--since", "soon"], "is no time"),
        (["--count", "0"], "--count"),
    ],
)
def test_usage(lasting: Zchat, arguments: list[str], reason: str) -> None:
    done = lasting.quick(["tail", *arguments])
    assert done.returncode == 2
    assert reason in done.stderr


# ---- kills ------------------------------------------------------------------------------------------------


def test_nothing_is_missed_over_kills_of_reader_and_broker(run: Zchat, broker: Broker) -> None:
    """What a clean end has printed is not printed again; after a kill the last lines may be."""
    arguments = ["tail", "--json", "--timeout", "20", "--cursor", "c", "general", "@ann"]
    assert run([*arguments, "--no-follow"], nick="bob").returncode == 0
    wanted = [f"line {number}" for number in range(900)]

    def send_all() -> None:
        for start in range(0, 900, 100):
            send(run, "general" if start % 200 else "@bob", *wanted[start : start + 100], id=f"k{start}")

    sender = threading.Thread(target=send_all)
    sender.start()
    runs: list[list[dict[str, Any]]] = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        reader = run.start(arguments, nick="bob")
        for _ in range(60):
            reader.out.until("line")
        if number is signal.SIGKILL:
            broker.kill()
            broker.start()
        reader.process.send_signal(number)
        reader.process.wait(DEADLINE_S)
        reader.out.rest()
        runs.append(objects(whole_lines(reader)))
    sender.join()
    runs.append(objects(run([*arguments, "--no-follow"], nick="bob").stdout.splitlines()))
    for conversation in ("#general", "@bob"):
        for one in runs:
            positions = [message["pos"] for message in one if message["to"] == conversation]
            assert positions == sorted(set(positions))  # in order, and once in each run
    for after_clean_end in (2, 4):
        before = {message["pos"] for message in runs[after_clean_end - 1]}
        assert not before & {message["pos"] for message in runs[after_clean_end]}
    found = {message["pos"]: message["text"] for one in runs for message in one}
    assert sorted(found.values()) == sorted(wanted)


def whole_lines(program: Program) -> list[str]:
    """What a program that was killed printed; a line may be cut off at the end."""
    lines = program.out.seen
    return lines if not lines or lines[-1].endswith("}") else lines[:-1]


WORKER = """
import json, subprocess, sys
for number, line in enumerate(sys.stdin, 1):
    message = json.loads(line)
    with open(sys.argv[1], "a") as done:
        done.write(message["text"] + "\\n")
    if number == int(sys.argv[2]):
        sys.exit(9)  # it was done, and is not acknowledged
    command = [sys.executable, "-m", "zchat", "cursor", "set", "jobs", str(message["pos"])]
    subprocess.run(command, check=True)
    with open(sys.argv[1]) as done:
        if len(set(done)) == 6:
            break
"""


def test_a_pipeline_that_acknowledges_does_everything_at_least_once(run: Zchat, tmp_path: Path) -> None:
    """The worker dies twice in the middle of a job. The positions of two rooms come in any order."""
    assert run(["join", "jobs"]).returncode == 0
    arguments = ["tail", "--json", "--cursor", "jobs", "--peek", "jobs", "general"]
    assert run([*arguments, "--no-follow"], nick="bob").returncode == 0
    for number in range(6):
        send(run, ("jobs", "general")[number % 2], f"job {number}")
    done = tmp_path / "done"
    for dies_at, code in (("2", 9), ("3", 9), ("0", 0)):
        reader = subprocess.Popen(
            [sys.executable, "-m", "zchat", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=run.environment("bob"),
        )
        with reader:
            worker = [sys.executable, "-c", WORKER, str(done), dies_at]
            ended = subprocess.run(
                worker, stdin=reader.stdout, env=run.environment("bob"), timeout=2 * DEADLINE_S, check=False
            )
            assert ended.returncode == code
        assert reader.returncode == 0  # its reader has gone
    handled = done.read_text().splitlines()
    assert sorted(set(handled)) == [f"job {number}" for number in range(6)]
    assert len(handled) == 8  # what was being done by a worker that died came again, and nothing else
    assert texts(run([*arguments, "--no-follow"], nick="bob")) == []


# ---- what is printed, and until when ----------------------------------------------------------------------


def test_count_and_wait(run: Zchat) -> None:
    send(run, "general", *map(str, range(5)))
    assert texts(tail(run, "--json", "--count", "3", "general")) == ["0", "1", "2"]
    enough = tail(run, "--json", "--cursor", "c", "--after", "0", "--count", "2", "general")
    assert texts(enough) == ["0", "1"]
    assert texts(tail(run, "--json", "--cursor", "c", "--no-follow", "general")) == ["2", "3", "4"]
    fewer = tail(run, "--no-follow", "--count", "6", "general")
    assert (fewer.returncode, fewer.stderr) == (1, "zchat: there were only 5 of 6 messages\n")
    waited = tail(run, "-n", "0", "--count", "1", "--wait", "0.2", "general")
    assert (waited.returncode, waited.stdout, waited.stderr) == (
        124,
        "",
        "zchat: nothing more within 0.2 s\n",
    )
    waiting = run.start(["tail", "-n", "0", "--count", "1", "--wait", "60", "general"], nick="bob")
    while waiting.process.poll() is None:
        send(run, "general", "at last")
    assert waiting.process.returncode == 0
    assert waiting.out.rest() == [line for line in waiting.out.seen if line.endswith("at last")][:1]


def test_not_mine(run: Zchat) -> None:
    send(run, "general", "from bob", nick="bob")
    send(run, "general", "from ann")
    assert texts(tail(run, "--json", "--not-mine", "--no-follow", "general")) == ["from ann"]
    assert texts(tail(run, "--json", "--not-mine", "--after", "0", "--count", "1", "general")) == ["from ann"]


def test_events(run: Zchat) -> None:
    arguments = ("--json", "--cursor", "c", "--no-follow", "--events")
    assert tail(run, *arguments).returncode == 0
    send(run, "general", "hello", nick="cat")
    assert run(["topic", "general", "tea", "and", "more"]).returncode == 0
    assert run(["leave", "general"], nick="cat").returncode == 0
    found = objects(tail(run, *arguments).stdout.splitlines())
    entries = [one for one in found if one["pos"] is not None]
    assert [(one["kind"], one["from"], one["text"]) for one in entries] == [
        ("joined", "cat", None),
        ("message", "cat", "hello"),
        ("joined", "ann", None),
        ("topic", "ann", "tea and more"),
        ("left", "cat", None),
    ]
    assert all(after["prev"] == before["pos"] for before, after in pairwise(entries))
    assert {tuple(one) for one in found} == {("pos", "prev", "time", "from", "to", "kind", "id", "text")}
    assert all(one["to"] == "#general" and one["time"] for one in entries)


def test_who_comes_and_goes(run: Zchat) -> None:
    """Told without repair: who comes before the watcher listens is not seen, so somebody comes until seen."""
    watcher = run.start(["tail", "--json", "--events", "-n", "0"], nick="bob")
    ends_at = time.monotonic() + DEADLINE_S

    def seen() -> set[str]:
        return {one["kind"] for one in objects(watcher.out.seen) if one["from"] == "ann"}

    while "here" not in seen():
        assert time.monotonic() < ends_at, watcher.out.seen
        assert run(["tail", "-n", "0", "--count", "1", "--wait", "0.5"]).returncode == 124
        send(run, "general", "to be waited for", nick="cat")
        watcher.out.until("to be waited for")
    if "gone" not in seen():  # told a moment later, unless she is here again by then
        watcher.out.until('"kind":"gone"')
    here = next(one for one in objects(watcher.out.seen) if one["kind"] == "here" and one["from"] == "ann")
    assert here == dict.fromkeys(("pos", "prev", "time", "to", "id", "text")) | {
        "from": "ann",
        "kind": "here",
    }
