"""`zchat connect` with real processes, over pipes and in a terminal."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.programs import DEADLINE_S, Broker, Program, Zchat
from zchat.common import keys


def connected(run: Zchat, nick: str, *arguments: str) -> Program:
    """A chat that is known to be in `general`: it has shown its own first words."""
    chat = run.start(["connect", *arguments], nick=nick)
    chat.type(f"{nick} says hello")
    chat.out.until(f"<{nick}> {nick} says hello")
    return chat


def until_all(chat: Program, *lines: str) -> None:
    """Until all have come, in whatever order: it is told within each conversation only."""
    for line in lines:
        if line not in shown(chat):
            chat.out.until(line)


def shown(chat: Program) -> list[str]:
    """The messages so far, without their time, and without the notices."""
    return [line[6:] for line in chat.out.seen if re.match(r"\d\d:\d\d ", line)]


# ---- talking ----------------------------------------------------------------------------------------------


def test_a_second_terminal_of_the_same_person(run: Zchat) -> None:
    first = run.start(["connect"], "ann")
    first.type("in the first")
    first.out.until("<ann> in the first")
    second = run.start(["connect"], "ann")
    second.err.until("chats in another terminal")
    second.type("in the second")
    second.out.until("<ann> in the second")
    first.out.until("<ann> in the second")
    assert second.ended() == first.ended() == 0


def test_two_people_and_a_script(run: Zchat) -> None:
    ann = connected(run, "ann")
    bob = connected(run, "bob")
    ann.out.until("#general <bob> bob says hello")
    ann.type("hello bob")
    bob.out.until("#general <ann> hello bob")
    bob.type("/msg ann psst, only you")
    ann.out.until("@bob -> @ann psst, only you")
    bob.out.until("@bob -> @ann psst, only you")
    assert run(["send", "general", "the build is green"], nick="script").returncode == 0
    for chat in (ann, bob):
        chat.out.until("#general <script> the build is green")
    ann.type("/quit")
    assert ann.process.wait(DEADLINE_S) == 0
    bob.out.until("* ann has gone")
    assert bob.ended() == 0


def test_what_was_typed_is_stored_before_the_end(run: Zchat) -> None:
    done = run(["connect"], input="one\ntwo\n/msg ann three\n")
    assert done.returncode == 0
    assert sorted(line[6:] for line in done.stdout.splitlines()) == [
        "#general <ann> one", "#general <ann> two", "@ann -> @ann three"
    ]  # fmt: skip
    done = run(["tail", "--no-follow", "general", "@ann"])
    assert [line[6:] for line in done.stdout.splitlines()] == [
        "#general <ann> one", "#general <ann> two", "@ann -> @ann three"
    ]  # fmt: skip


def test_rooms(run: Zchat) -> None:
    ann = connected(run, "ann")
    ann.type("/join Kitchen")
    ann.err.until("you write to #kitchen now")
    bob = run.start(["connect", "--room", "kitchen"], nick="bob")
    ann.out.until("* bob joined #kitchen")
    bob.type("in here?")
    ann.out.until("#kitchen <bob> in here?")
    ann.type("yes")
    bob.out.until("#kitchen <ann> yes")


def test_what_was_meant_for_a_room_goes_to_no_other(run: Zchat) -> None:
    ann = run.start(["connect", "--room", "dev"])
    ann.type("hello")
    ann.out.until("#dev <ann> hello")
    bob = run.start(["connect", "--room", "dev"], nick="bob")
    ann.out.until("* bob joined #dev")
    ann.type("/ban bob rude")
    bob.out.until("* you were banned from #dev by ann: rude")
    bob.err.until("you write nowhere now")
    bob.type("only for #dev", "/join dev", "only for #dev")
    assert bob.ended() == 5
    refused = run(["connect"], nick="bob", input="/join dev\nonly for #dev\n")
    assert refused.returncode == 5
    assert "not sent: you write nowhere" in refused.stderr
    for to in ("general", "dev"):
        assert "only for" not in run(["history", to]).stdout


def test_commands(run: Zchat) -> None:
    ann = connected(run, "ann")
    assert run(["users"], nick="bob").returncode == 0
    for typed in ("/users", "LIST"):
        ann.type(typed)
        ann.out.until(lambda line: line == "Here: ann (you)")
        ann.out.until(lambda line: line == "Not here: bob")
    ann.type("/history 1")
    ann.out.until("#general <ann> ann says hello")
    for typed in ("/help", "HELP"):
        ann.type(typed)
        ann.out.until("/quit")
    ann.type("//shrug", " LIST", "/msg bob psst", "TELL bob only you")
    ann.out.until("@ann -> @bob only you")
    ann.type("/msg bob", "you, too", "/msg #general", "and all")
    ann.err.until("you write to @bob now")
    ann.err.until("you write to #general now")
    until_all(ann, "@ann -> @bob you, too", "#general <ann> and all")
    for line in ("#general <ann> /shrug", "#general <ann>  LIST", "@ann -> @bob psst"):
        assert line in shown(ann)
    ann.type("/topic Lunch at noon", "/topic", "/rooms", "/whois bob", "/whois ann", "QUIT")
    ann.out.until("* ann set the topic of #general: Lunch at noon")
    assert ann.process.wait(DEADLINE_S) == 0
    ann.out.rest()
    assert "* The topic of #general: Lunch at noon" in ann.out.seen
    assert "* #general  2  Lunch at noon" in ann.out.seen
    profiles = [line.split(maxsplit=1) for line in ann.out.seen if re.match(r"(nick|last seen|here) ", line)]
    assert [profiles[0], profiles[1][:1], *profiles[2:]] == [
        ["nick", "bob"], ["last"], ["nick", "ann"], ["here", "in 1 session"]
    ]  # fmt: skip
    assert "common rooms  #general" in ann.out.seen and "rooms         #general" in ann.out.seen


def test_leaving_a_room(run: Zchat) -> None:
    ann = connected(run, "ann")
    ann.type("/leave kitchen", "/join kitchen", "/leave", "only for #kitchen")
    ann.err.until("#kitchen")
    ann.err.until("you write to #kitchen now")
    ann.err.until("not sent: you write nowhere")
    ann.type("/msg #general", "back in general", "/leave nowhere")
    ann.err.until("you write to #general now")
    ann.out.until("#general <ann> back in general")
    ann.err.until("nowhere")
    ann.type("/msg #kitchen secret", "/msg ann", "/leave", "/leave general", "/topic")
    ann.err.until("you are not in #kitchen; /join kitchen joins it")
    ann.err.until("you write to @ann now")
    ann.err.until("you write to @ann, which is no room")
    ann.err.until("you write to @ann, which is no room")
    assert "only for" not in run(["history", "general"]).stdout


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Iterator[Zchat]:
    """A broker and a user who comes again and again, and sees only what is new."""
    directory = tmp_path_factory.mktemp("settled")
    broker = Broker(directory / "broker", bare_environment)
    run = Zchat(directory / "users", bare_environment | {"ZCHAT_LINK": broker.link})
    yield run
    run.close()
    broker.kill()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/nonsense secret", "there is no command /nonsense"),
        ("/ secret", "there is no command /."),
        ("/mgs bob secret", "Did you mean /msg?"),
        ("/part", "Did you mean /leave?"),
        ("TELL ann", "TELL NICK TEXT"),
        ("QUIT smoking", "QUIT stands alone"),
        ("/quit secret", "nothing stands behind this command"),
        ("/whois zed", "nobody is registered as @zed"),
        ("/msg a,b secret", "nobody can be called '@a,b'"),
        ("/msg nobody1 secret", "not sent to @nobody1: "),
        ("/history x", "/history [N]"),
        ("/history 0", "/history [N]"),
        ("x" * 65537, "larger than 65536 bytes"),
        ("\udcff secret", "the input is not UTF-8"),
    ],
)
def test_what_is_wrong_is_said_and_never_sent(settled: Zchat, typed: str, said: str) -> None:
    ann = connected(settled, "ann")
    ann.stdin.write(typed.encode("utf-8", "surrogateescape") + b"\n")
    ann.stdin.flush()
    ann.err.until(said)
    ann.type("still here")
    ann.out.until("still here")
    assert ann.ended() in (2, 5)  # a program hears of it
    ann.out.rest()
    assert shown(ann) == ["#general <ann> ann says hello", "#general <ann> still here"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/msg bob", "nobody is registered as bob"),
        ("/msg", "/msg NICK [TEXT]"),
        ("/join", "/join ROOM"),
        ("/join a b", "no room can be called"),
    ],
)
def test_after_a_turn_that_failed_a_program_writes_to_nobody(settled: Zchat, typed: str, said: str) -> None:
    ann = connected(settled, "ann")
    ann.type(typed, "secret")
    ann.err.until(said)
    ann.err.until("not sent: you write nowhere")
    ann.type("/msg #general", "still here")
    ann.out.until("still here")
    assert ann.ended() in (2, 5)
    ann.out.rest()
    assert shown(ann) == ["#general <ann> ann says hello", "#general <ann> still here"]


def test_foreign_text_is_shown_and_not_obeyed(run: Zchat) -> None:
    ann = connected(run, "ann")
    assert run(["send", "general"], nick="eve", input="\x1b[2Jone\ntwo\u202e").returncode == 0
    ann.out.until(r"#general <eve> \x1b[2Jone")
    ann.out.until(lambda line: line == r"      two\u202e")


def test_objects_a_line(run: Zchat) -> None:
    assert run(["connect", "--room", "kitchen"], nick="ann", input="one\n/msg ann\npsst\n").returncode == 0
    assert run(["send", "general", "while ann was away"], nick="bob").returncode == 0
    ann = run.start(["connect", "--json", "--room", "kitchen"])
    ann.type("two")
    as_it_came = ann.out.until('"two"')
    ann.type("/users", "/history 1")
    assert ann.out.until('"two"') == as_it_came
    ann.err.until("Here: ann (you)")
    bob = connected(run, "bob")
    assert json.loads(ann.out.until('"here"'))["from"] == "bob"
    bob.type("once more")
    ann.out.until("once more")
    assert ann.ended() == bob.ended() == 0
    assert any("while ann was away" in line for line in ann.out.seen)
    for line in ann.out.seen:
        assert set(json.loads(line)) == {"pos", "prev", "time", "from", "to", "kind", "id", "text"}


def test_all_that_was_missed_as_objects(run: Zchat) -> None:
    assert connected(run, "ann").ended() == 0
    lines = "".join(f"line {number}\n" for number in range(1234))
    assert run(["send", "--lines", "general"], nick="bob", input=lines).returncode == 0
    ann = run.start(["connect", "--json"], nick="ann")
    ann.out.until("line 1233")
    texts = [one["text"] for one in map(json.loads, ann.out.seen) if one["kind"] == "message"]
    assert texts == [f"line {number}" for number in range(1234)]


def test_what_operators_do_as_objects_and_as_lines(run: Zchat) -> None:
    assert run(["join", "dev"]).returncode == 0
    objects = run.start(["connect", "--json", "--room", "dev"], nick="bob")
    lines = run.start(["connect", "--room", "dev"], nick="carl")
    for chat in (objects, lines):
        chat.type("hello")
        chat.out.until("hello")
    pos = json.loads(run(["send", "--json", "dev", "oops"]).stdout)["pos"]
    for arguments in (["redact", "dev", f"{pos}"], ["room", "kick", "--reason", "spam", "dev", "bob"]):
        assert run(arguments).returncode == 0
    removed = json.loads(objects.out.until('"removed"'))
    assert (removed["from"], removed["to"], removed["text"]) == ("ann", "#dev", str(pos))
    kicked = json.loads(objects.out.until(lambda line: '"kicked"' in line and '"@bob"' in line))
    assert (kicked["from"], kicked["text"]) == ("ann", "#dev: bob: spam")
    objects.err.until("you write nowhere now")
    lines.out.until(f"* message {pos} of #dev was removed by ann")
    lines.out.until("* ann kicked bob out of #dev: spam")
    assert objects.ended() == lines.ended() == 0


def test_what_concerns_oneself_is_told_also_when_it_was_missed(run: Zchat) -> None:
    for nick in ("ann", "bob"):
        assert run(["join", "dev"], nick=nick).returncode == 0
    assert connected(run, "bob").ended() == 0
    assert run(["room", "kick", "--reason", "spam", "dev", "bob"]).returncode == 0
    assert run(["room", "role", "dev", "carl", "voice"]).returncode != 0  # nobody is called that
    bob = run.start(["connect"], nick="bob")
    bob.out.until("* you were kicked out of #dev by ann: spam")
    bob.type("/msg #dev hello")
    bob.err.until("you are not in #dev; /join dev joins it")
    assert bob.ended() == 2


# ---- a broker that comes and goes -------------------------------------------------------------------------


def test_what_is_typed_while_the_broker_is_away_is_sent_once(run: Zchat, broker: Broker) -> None:
    ann, bob = connected(run, "ann"), connected(run, "bob")
    broker.kill()
    for chat in (ann, bob):
        chat.err.until("what you type is kept")
    ann.type("one", "two")
    bob.type("three")
    broker.start()
    for chat in (ann, bob):
        for text in ("one", "two", "three"):
            if not any(line.endswith(text) for line in chat.out.seen):
                chat.out.until(text)
    for chat in (ann, bob):
        assert chat.ended() == 0
        chat.out.rest()
        spoken = [line for line in shown(chat) if "says hello" not in line]
        assert sorted(spoken) == ["#general <ann> one", "#general <ann> two", "#general <bob> three"]
        assert spoken.index("#general <ann> one") < spoken.index("#general <ann> two")


def test_what_was_missed_is_shown_once(run: Zchat) -> None:
    assert connected(run, "ann").ended() == 0
    assert run(["send", "general", "while you were away"], nick="bob").returncode == 0
    assert run(["send", "@ann", "and this"], nick="bob").returncode == 0
    ann = run.start(["connect"], nick="ann")
    ann.out.until("and this")
    assert shown(ann) == ["#general <bob> while you were away", "@bob -> @ann and this"]
    assert ann.ended() == 0
    ann = connected(run, "ann")
    assert shown(ann) == ["#general <ann> ann says hello"]


def test_of_much_that_was_missed_the_last_is_shown(run: Zchat) -> None:
    assert connected(run, "ann").ended() == 0
    lines = "".join(f"line {number}\n" for number in range(1234))
    assert run(["send", "--lines", "general"], nick="bob", input=lines).returncode == 0
    ann = run.start(["connect"], nick="ann")
    ann.out.until("line 1233")
    assert ann.out.seen[0] == "* 1134 more messages were missed before these; /history N shows them"
    assert shown(ann) == [f"#general <bob> line {number}" for number in range(1134, 1234)]


def test_a_link_as_an_argument(run: Zchat, broker: Broker) -> None:
    done = run(["connect", broker.link], input="hi\n", ZCHAT_LINK="")
    assert (done.returncode, done.stderr) == (0, "zchat: registered as ann\n")
    done = run(["users"], ZCHAT_LINK="")  # it is remembered
    assert (done.returncode, done.stdout) == (0, "  ann\n")
    other = f"zchat://127.0.0.1:{broker.port}/{keys.to_base32(keys.draw().public)}"
    done = run(["connect", "--link", other, broker.link], input="hi\n")
    assert done.returncode == 2
    assert "two links are given" in done.stderr


def test_no_broker(run: Zchat, broker: Broker) -> None:
    assert run(["users"]).returncode == 0
    broker.kill()
    done = run(["connect", "--timeout", "0.5"], input="hi\n")
    assert done.returncode == 3


def test_not_stored_before_the_end(run: Zchat, broker: Broker) -> None:
    ann = connected(run, "ann", "--timeout", "0.5")
    broker.kill()
    ann.err.until("what you type is kept")
    ann.type("never heard")
    assert ann.ended() == 3
    ann.err.until("not sent to #general: ")


def test_not_answered_before_the_end(run: Zchat, broker: Broker) -> None:
    ann = connected(run, "ann", "--timeout", "0.5")
    broker.process.send_signal(signal.SIGSTOP)
    ann.type("perhaps heard")
    assert ann.ended() == 8
    ann.err.until("perhaps not sent to #general: ")
    broker.process.send_signal(signal.SIGCONT)


# ---- the end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(run: Zchat, number: signal.Signals) -> None:
    assert connected(run, "ann").signalled(number) == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_with_something_under_way(run: Zchat, broker: Broker, number: signal.Signals) -> None:
    ann = connected(run, "ann")
    broker.process.send_signal(signal.SIGSTOP)
    ann.type("perhaps heard", "/nonsense")
    ann.err.until("there is no command /nonsense")
    assert ann.signalled(number) == 8
    ann.err.until("perhaps not sent to #general: ")
    broker.process.send_signal(signal.SIGCONT)


# ---- in a terminal ----------------------------------------------------------------------------------------


class Terminal:
    """A `zchat` in a terminal of its own, which echoes what is typed."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.screen = self.passed = ""
        self._end, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "zchat", *arguments],
            env=environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(terminal)

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def until(self, wanted: str) -> None:
        """What is on the screen must come to hold `wanted`, behind what was waited for before."""
        ends_at = time.monotonic() + DEADLINE_S
        while wanted not in self.screen:
            left = ends_at - time.monotonic()
            assert left > 0 and select.select([self._end], [], [], left)[0], (
                f"{wanted!r} not in {self.screen!r}"
            )
            self.screen += os.read(self._end, 65536).decode().replace("\r\n", "\n")
        before, _, self.screen = self.screen.partition(wanted)
        self.passed += before + wanted

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)


def _take_terminal() -> None:
    """In the new process, which leads a session: the first terminal that it opens is the one that controls
    it. And where tests run in the background Ctrl-C is ignored, which is inherited."""
    os.close(os.open(os.ttyname(0), os.O_RDWR))
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def open_terminal(run: Zchat) -> Iterator[Callable[..., Terminal]]:
    """Runs a command in a terminal, for somebody whose nick is not known yet unless it is given."""
    opened: list[Terminal] = []

    def open_one(*arguments: str, nick: str | None = None) -> Terminal:
        opened.append(Terminal([*arguments], run.environment(nick)))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def test_a_person_in_a_plain_terminal(run: Zchat, open_terminal: Callable[..., Terminal]) -> None:
    bob = connected(run, "bob")
    terminal = open_terminal("connect", "--plain")
    terminal.until("Your nick at this broker: ")
    terminal.type("a b\n")
    terminal.until("the nick 'a b' has the character ' '")
    terminal.type("ann\n")
    terminal.until("registered as ann")
    terminal.until("You are ann at 127.0.0.1:")
    terminal.until("Here are:\n  1 bob\n")
    terminal.until("Write to whom? Type 1 for bob, Enter for #general, q to leave.")
    bob.out.until("* ann is here")
    terminal.type("2\n")
    terminal.until("'2' is no choice. Type 1 for bob, Enter for #general, q to leave")
    terminal.type("1\n")
    terminal.until("you write to @bob now")
    terminal.type("1\n")  # a number is a choice at the question only
    bob.out.until("@ann -> @bob 1")
    bob.type("hello ann")
    terminal.until("#general <bob> hello ann")
    terminal.type("/join general\nhello bob\n")
    bob.out.until("#general <ann> hello bob")
    bob.type("did you see it once?")
    terminal.until("did you see it once?")
    assert "<ann> hello bob" not in terminal.passed  # it stands there as it was typed
    terminal.type("LIST\n")
    terminal.until("q to go back")
    terminal.type("q\n/quit\n")
    assert terminal.process.wait(DEADLINE_S) == 0


def test_the_same_line_of_somebody_else_is_shown(run: Zchat, open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("connect", "--plain", nick="ann")
    terminal.until("Nobody else is here.")
    terminal.type("hi\n")
    bob = connected(run, "bob")
    bob.type("hi")
    terminal.until("#general <bob> hi")
    terminal.type("\x04")  # Ctrl-D
    assert terminal.process.wait(DEADLINE_S) == 0


def test_ctrl_c_in_a_plain_terminal(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("connect", "--plain")
    terminal.until("Your nick at this broker: ")
    terminal.type("ann\n")
    terminal.until("Nobody else is here.")
    terminal.type("\x03")
    assert terminal.process.wait(DEADLINE_S) == 130


def test_ctrl_c_at_the_first_question(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("connect")
    terminal.until("Your nick at this broker: ")
    terminal.type("\x03")
    assert terminal.process.wait(DEADLINE_S) == 130


def test_a_message_is_typed_in_a_terminal(run: Zchat, open_terminal: Callable[..., Terminal]) -> None:
    first = open_terminal("send", "general", nick="ann")
    first.until("type the message; Ctrl-D")
    first.type("never sent\n\x03")
    assert first.process.wait(DEADLINE_S) == 130
    second = open_terminal("send", "general", nick="ann")
    second.until("type the message; Ctrl-D")
    second.type("one\ntwo\n\x04")
    assert second.process.wait(DEADLINE_S) == 0
    assert run(["tail", "--no-follow"]).stdout[6:] == "#general <ann> one\n      two\n"
