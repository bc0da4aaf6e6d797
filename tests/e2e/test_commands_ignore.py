"""`zchat ignore` with real processes: who is not read, where, and from when on."""

import json

import pytest

from tests.e2e.programs import Broker, Zchat


def send(run: Zchat, to: str, *texts: str, nick: str) -> None:
    done = run(["send", "--lines", to], nick=nick, input="".join(f"{text}\n" for text in texts))
    assert done.returncode == 0, done.stderr


def register(run: Zchat, *nicks: str) -> None:
    for nick in nicks:
        assert run(["users"], nick=nick).returncode == 0


def ignore(run: Zchat, nick: str) -> None:
    assert run(["ignore", "add", nick]).returncode == 0


def test_the_list(run: Zchat) -> None:
    register(run, "ann", "Bob", "eve")
    assert run(["ignore", "list"]).stdout == ""
    done = run(["ignore", "add", "@bob"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(run(["ignore", "add", "--json", "eve"]).stdout) == {"nick": "eve", "ignored": True}
    assert run(["ignore", "list"]).stdout == "Bob\neve\n"
    assert run(["ignore", "list"], nick="eve").stdout == ""
    assert run(["ignore", "remove", "BOB"]).returncode == 0
    assert run(["ignore", "remove", "bob"]).returncode == 0  # it was so already
    assert [json.loads(line) for line in run(["ignore", "list", "--json"]).stdout.splitlines()] == [
        {"nick": "eve", "ignored": True}
    ]


def test_tail_passes_over_them_and_history_does_not(run: Zchat) -> None:
    register(run, "ann", "bob")
    ignore(run, "bob")
    send(run, "general", "from bob", nick="bob")
    send(run, "@ann", "only you", nick="bob")
    send(run, "general", "from eve", nick="eve")
    for arguments in (["general"], ["general", "@bob"], ["--json", "general"]):
        shown = run(["tail", "--no-follow", *arguments]).stdout
        assert "from eve" in shown and "bob" not in shown
    assert "from bob" in run(["history", "general"]).stdout
    assert "from bob" in run(["tail", "--no-follow", "general"], nick="eve").stdout


def test_a_tail_that_goes_on(run: Zchat, broker: Broker) -> None:
    register(run, "ann", "bob")
    tail = run.start(["tail", "--json", "general"])
    send(run, "general", "before", nick="bob")
    tail.out.until("before")
    ignore(run, "bob")
    broker.kill()
    tail.err.until("zchat: ")
    broker.start()
    tail.err.until("back")
    send(run, "general", "from bob", nick="bob")
    send(run, "general", "from eve", nick="eve")
    tail.out.until("from eve")
    assert not any("from bob" in line for line in tail.out.seen)


def test_a_cursor_moves_over_them(run: Zchat) -> None:
    register(run, "ann", "bob")
    reading = ["tail", "--cursor", "c", "--no-follow", "general"]
    assert run(reading).returncode == 0
    ignore(run, "bob")
    send(run, "general", "from bob", nick="bob")
    assert run(reading).stdout == ""
    assert run(["ignore", "remove", "bob"]).returncode == 0
    send(run, "general", "again", nick="bob")
    assert run(reading).stdout[6:] == "#general <bob> again\n"  # what was passed over does not come later


def test_only_those_that_are_read_are_counted(run: Zchat) -> None:
    register(run, "ann", "bob")
    ignore(run, "bob")
    send(run, "general", "one", "two", nick="bob")
    send(run, "general", "three", nick="eve")
    done = run(["tail", "--count", "1", "--wait", "10", "general"])
    assert (done.returncode, done.stdout[6:]) == (0, "#general <eve> three\n")


def test_a_chat_passes_over_them(run: Zchat) -> None:
    register(run, "ann", "bob")
    ignore(run, "bob")
    send(run, "general", "missed", nick="bob")
    for arguments in ([], ["--json"]):
        chat = run.start(["connect", *arguments])
        chat.type("ready")
        chat.out.until("ready")
        send(run, "general", "live", nick="bob")
        send(run, "general", "the end", nick="eve")
        chat.out.until("the end")
        assert not any("missed" in line or "live" in line for line in chat.out.seen)
        assert chat.ended() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["add"], 2, "Missing argument 'NICK'"),
        (["add", "nobody1"], 5, "nobody is registered as @nobody1"),
        (["remove", "nobody1"], 5, "nobody is registered as @nobody1"),
        (["add", "a b"], 2, "can be called"),
    ],
)
def test_not_possible(lasting: Zchat, arguments: list[str], code: int, reason: str) -> None:
    done = lasting.quick(["ignore", *arguments])
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr
