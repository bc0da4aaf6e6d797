"""`zchat connect` on a terminal of 80x24, as two people, a script and a broker that is killed have it."""

import re
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.programs import Broker, Zchat
from tests.e2e.screens import CTRL_C, CTRL_D, ENTER, TAB, UP, Screen

Sit = Callable[..., Screen]


@pytest.fixture
def sit(run: Zchat) -> Iterator[Sit]:
    """Somebody sits down at a terminal and connects: `sit("ann", "--room", "kitchen", NO_COLOR="1")`."""
    screens: list[Screen] = []

    def sit_down(nick: str | None, *arguments: str, **environment: str) -> Screen:
        screens.append(Screen(["connect", *arguments], run.environment(nick) | environment))
        return screens[-1]

    yield sit_down
    for screen in screens:
        screen.close()


def alone(sit: Sit, nick: str = "ann", *arguments: str, **environment: str) -> Screen:
    """A chat where nobody else is."""
    screen = sit(nick, *arguments, **environment)
    screen.until("* Nobody else is here.")
    return screen


def in_general(sit: Sit, nick: str, **environment: str) -> Screen:
    """A chat where somebody else is, in the general room."""
    screen = sit(nick, **environment)
    screen.until_typed("choose>")
    screen.type(ENTER)
    screen.until_typed("#general>")
    return screen


def messages(screen: Screen) -> list[str]:
    """What was said, without the time."""
    return [row[6:] for row in screen.scrolled() if re.match(r"\d\d:\d\d ", row)]


# ---- talking ----------------------------------------------------------------------------------------------


def test_two_people_a_script_and_a_broker_that_is_killed(run: Zchat, broker: Broker, sit: Sit) -> None:
    ann = alone(sit)
    bob = in_general(sit, "bob")
    ann.until("* bob is here")
    bob.type("hello ann", ENTER)
    for screen in (ann, bob):
        screen.until("#general <bob> hello ann")
    bob.type("/msg ann psst, only you", ENTER)
    for screen in (ann, bob):
        screen.until("@bob -> @ann psst, only you")
    assert run(["send", "general", "the build is green"], nick="script").returncode == 0
    for screen in (ann, bob):
        screen.until("#general <script> the build is green")
    ann.type("half a li")
    ann.until_typed("#general> half a li")
    broker.kill()
    for screen in (ann, bob):
        screen.until("what you type is kept")
        screen.until("the broker is away")
    ann.type("ne", ENTER, "and another", ENTER, "/users", ENTER)
    ann.until("(waiting) #general half a line\n(waiting) #general and another\n#general>\n")
    ann.until("-- not now: the broker is away")
    ann.type("typed meanwh")
    broker.start()
    for screen in (ann, bob):
        screen.until("-- the broker is back")
        screen.until("#general <ann> and another")
    assert run(["send", "general", "the build is red"], nick="script").returncode == 0
    ann.until("<script> the build is red")
    ann.until_typed("#general> typed meanwh")
    ann.type("ile", ENTER)
    bob.until("#general <ann> typed meanwhile")
    bob.type("/quit", ENTER)
    assert bob.ended() == 0
    ann.until("* bob has gone")
    ann.type(CTRL_D)
    assert ann.ended() == 0
    for screen in (ann, bob):
        assert messages(screen) == [
            "#general <bob> hello ann",
            "@bob -> @ann psst, only you",
            "#general <script> the build is green",
            "#general <ann> half a line",
            "#general <ann> and another",
            "#general <script> the build is red",
            "#general <ann> typed meanwhile",
        ]
        assert "(waiting)" not in "\n".join(screen.scrolled())
        assert not screen.typed
        assert screen.is_restored()


def test_who_leaves_while_the_broker_is_away_has_gone(broker: Broker, sit: Sit) -> None:
    ann = alone(sit)
    bob = in_general(sit, "bob")
    ann.until("* bob is here")
    broker.kill()
    bob.until("the broker is away")
    bob.type("/quit", ENTER)
    assert bob.ended() == 0
    broker.start()
    ann.until("-- the broker is back")
    ann.until("* bob has gone")
    ann.type(CTRL_D)
    assert ann.ended() == 0


def test_what_is_waiting_is_not_all_shown(broker: Broker, sit: Sit) -> None:
    ann = alone(sit)
    broker.kill()
    ann.until("the broker is away")
    ann.type(*(f"line {number}{ENTER}" for number in range(10)))
    ann.until("(waiting) #general line 2\n(waiting) and 7 more\n#general>\n")
    broker.start()
    ann.until("#general <ann> line 9\n#general>\n")
    assert messages(ann) == [f"#general <ann> line {number}" for number in range(10)]


def test_the_choice_of_a_partner(run: Zchat, sit: Sit) -> None:
    ann, bob = alone(sit, "ann"), in_general(sit, "bob")
    assert run(["users"], nick="dave").returncode == 0
    carl = sit("carl")
    carl.until("* Here are:\n  1 ann\n  2 bob\nNot here: dave\n")
    carl.until("* Write to whom? Type a number from 1 to 2, Enter for #general, q to leave.")
    carl.until_typed("choose>")
    carl.type("3", ENTER)
    carl.until("-- '3' is no choice. Type a number from 1 to 2, Enter for #general, q to leave")
    carl.type("hello?", ENTER)
    carl.until("-- 'hello?' is no choice")
    carl.type("2", ENTER)
    carl.until("you write to @bob now")
    carl.until_typed("@bob>")
    carl.type("1", ENTER)  # a number is a choice at that prompt only
    bob.until("@carl -> @bob 1")
    carl.type("LIST", ENTER)
    carl.until_typed("choose>")
    carl.type(ENTER)
    carl.until_typed("#general>")
    carl.type("LIST", ENTER)
    carl.until_typed("choose>")
    carl.type(CTRL_C)
    carl.until_typed("#general>")
    carl.type("LIST", ENTER)
    carl.until("Enter for #general, q to go back.")
    carl.until_typed("choose>")
    carl.type("Bob", ENTER)
    carl.until_typed("@bob>")
    carl.type("LIST", ENTER)
    carl.until_typed("choose>")
    carl.type("q", ENTER)  # only at the first question it leaves the chat
    carl.until_typed("@bob>")
    carl.type(CTRL_D)
    assert carl.ended() == 0
    ann.until("* carl has gone")
    assert messages(ann) == []
    assert messages(bob) == ["@carl -> @bob 1"]


def test_a_room_to_begin_with(sit: Sit) -> None:
    alone(sit, "bob")
    ann = sit("ann", "--room", "Kitchen")
    ann.until("and write to #kitchen.")
    ann.until("Enter for #kitchen, q to leave")
    ann.type(ENTER)
    ann.until_typed("#kitchen>")


def test_who_is_there_and_the_rooms(sit: Sit) -> None:
    ann = alone(sit)
    bob = in_general(sit, "bob")
    ann.until("* bob is here")
    ann.type("/join kitchen", ENTER)
    ann.until_typed("#kitchen>")
    ann.type("/topic Lunch at noon", ENTER)
    ann.until("* ann set the topic of #kitchen: Lunch at noon")
    ann.until(lambda screen: screen.rows[-1] == "" and "ann | 2 here | Lunch at noon" in screen.rows)
    ann.type("/users", ENTER, "/rooms", ENTER, "/whois bob", ENTER)
    ann.until("Here: ann (you), bob\n")
    ann.until("* #kitchen  1  Lunch at noon\n")
    ann.until("here          in 1 session\ncommon rooms  #general\n")
    bob.type("/join kitchen", ENTER)
    ann.until("* bob joined #kitchen")
    bob.type("/leave", ENTER)
    ann.until("* bob left #kitchen")
    bob.until_typed("#general>")


def test_the_words_of_the_old_chat(sit: Sit) -> None:
    ann, bob = alone(sit), in_general(sit, "bob")
    bob.type("TELL ann psst", ENTER)
    ann.until("@bob -> @ann psst")
    bob.type(" TELL ann everybody", ENTER)
    ann.until("#general <bob>  TELL ann everybody")
    bob.type("HELP", ENTER)
    bob.until("a space in front: sent as text")
    bob.type("QUIT", ENTER)
    assert bob.ended() == 0


# ---- typing -----------------------------------------------------------------------------------------------


def test_others_write_while_one_types(run: Zchat, sit: Sit) -> None:
    ann = alone(sit)
    assert run(["users"], nick="bob").returncode == 0
    typed = ""
    for number in range(5):
        lines = "".join(f"line {number}.{one}\n" for one in range(20))
        ann.type(f"word{number} ")
        typed += f"word{number} "
        assert run(["send", "--lines", "general"], nick="bob", input=lines).returncode == 0
        ann.until(f"#general <bob> line {number}.19")
        ann.until_typed(f"#general> {typed}".rstrip())
    assert messages(ann) == [
        f"#general <bob> line {number}.{one}" for number in range(5) for one in range(20)
    ]
    assert len([row for row in ann.scrolled() if row.startswith("#general>")]) == 1


def test_ten_thousand_at_once(run: Zchat, sit: Sit) -> None:
    ann = alone(sit)
    lines = "".join(f"line {number}\n" for number in range(10_000))
    assert run(["send", "--lines", "general"], nick="bob", input=lines).returncode == 0
    ann.type("typed")
    ann.until("<bob> line 9999\n#general> typed\n")
    assert messages(ann)[-300:] == [f"#general <bob> line {number}" for number in range(9_700, 10_000)]


def test_completion(sit: Sit) -> None:
    alone(sit, "bobby")
    bob = in_general(sit, "Bobine")
    bob.type("/join kitchen", ENTER)
    bob.until_typed("#kitchen>")
    ann = in_general(sit, "ann")
    ann.until("ann | 3 here")
    ann.type("/wh", TAB)
    ann.until_typed("#general> /whois")
    ann.type("bo", TAB)
    ann.until(lambda screen: screen.typed == "#general> /whois bob" and "   bobby Bobine" in screen.rows)
    ann.type("b", TAB, ENTER)
    ann.until("nick          bobby\n")
    ann.type("bobi", TAB)
    ann.until_typed("#general> Bobine:")
    ann.type("hi", ENTER)
    ann.until("#general <ann> Bobine: hi")
    ann.type("/join k", TAB, ENTER)
    ann.until_typed("#kitchen>")
    ann.type("LI", TAB)
    ann.until_typed("#kitchen> LIST")


def test_a_paste_of_lines_is_one_message(run: Zchat, sit: Sit) -> None:
    ann, bob = alone(sit), in_general(sit, "bob")
    ann.paste("def f():\n    return 1\r\n\n# end\n")
    ann.until("    return 1")
    ann.type(ENTER)
    for screen in (ann, bob):
        screen.until("#general <ann> def f():\n          return 1\n\n      # end\n")
    ann.paste("x" * 65_537)
    ann.until("-- not pasted: the text is larger than 65536 bytes")
    ann.until_typed("#general>")


def test_what_was_typed_before_comes_back(sit: Sit) -> None:
    ann = alone(sit)
    ann.type("one", ENTER, "two", ENTER)
    ann.until("<ann> two")
    ann.type(UP, UP)
    ann.until_typed("#general> one")


def test_an_unknown_command_is_not_sent(sit: Sit) -> None:
    ann = alone(sit)
    ann.type("/nonsense secret", ENTER)
    ann.until("-- there is no command /nonsense. /help lists them, and // sends a slash")
    ann.type("//shrug", ENTER)
    ann.until("#general <ann> /shrug")
    assert messages(ann) == ["#general <ann> /shrug"]


# ---- what is drawn ----------------------------------------------------------------------------------------


def test_escape_sequences_are_shown_and_not_obeyed(run: Zchat, sit: Sit) -> None:
    ann = alone(sit)
    evil = "\x1b[2J\x1b[31mred\x07 \x9b31m {\x1b]0;title\x07} <b>&amp;%s \u202eabc"
    assert run(["send", "general"], nick="eve", input=evil).returncode == 0
    ann.until(r"#general <eve> \x1b[2J\x1b[31mred\x07 \x9b31m {\x1b]0;title\x07}")
    ann.until(r"      <b>&amp;%s \u202eabc")
    ann.until("* Nobody else is here.")  # it is still there
    assert run(["connect"], nick="eve", input="/topic \x1b[2Jgone\x07\n").returncode == 0
    ann.until(r"* eve set the topic of #general: \x1b[2Jgone\x07")
    ann.until(r"ann | 1 here | \x1b[2Jgone\x07")
    for sequence in (b"\x1b[2J", b"\x1b]0;", b"\x07", "\x9b".encode(), "\u202e".encode()):
        assert sequence not in ann.drawn


def test_long_lines_and_wide_characters(run: Zchat, sit: Sit) -> None:
    ann = alone(sit)
    words = " ".join(f"word{number}" for number in range(30))
    assert run(["send", "general", words], nick="bob").returncode == 0
    ann.until("word29")
    rows = [row for row in ann.rows if "word" in row]
    assert all(len(row) <= 80 for row in rows)
    assert [row[:6] for row in rows[1:]] == ["      "] * (len(rows) - 1)
    assert " ".join(" ".join(rows).split()).endswith(words)
    assert run(["send", "general", "世界" * 40 + " e\u0301nd"], nick="bob").returncode == 0
    ann.until("\u00e9nd")  # the emulator composes it
    found = "".join(row for row in ann.rows if "世" in row or "界" in row)
    assert found.count("世") == found.count("界") == 40


def test_no_color(sit: Sit) -> None:
    colour = re.compile(rb"\x1b\[[\d;]*\b[349][0-7](;|m)")
    ann, bob = alone(sit, "ann", NO_COLOR="1"), in_general(sit, "bob")
    for screen in (ann, bob):
        screen.type("hi", ENTER)
        screen.until("<ann> hi")
    assert not colour.search(ann.drawn)
    assert colour.search(bob.drawn)


def test_a_window_that_changes_its_size(run: Zchat, sit: Sit) -> None:
    ann = alone(sit)
    ann.type("typed")
    for columns, rows in ((40, 24), (40, 6), (10, 3), (80, 24)):
        ann.resize(columns, rows)
        text = f"at{columns}x{rows}"
        assert run(["send", "general", text], nick="bob").returncode == 0
        ann.until(lambda screen, text=text: text in "".join(screen.scrolled()))
    ann.until_typed("#general> typed")
    ann.type(ENTER)
    ann.until("<ann> typed")


def test_of_much_that_was_missed_the_last_is_shown(run: Zchat, sit: Sit) -> None:
    ann = alone(sit)
    ann.type(CTRL_D)
    assert ann.ended() == 0
    lines = "".join(f"line {number}\n" for number in range(1234))
    assert run(["send", "--lines", "general"], nick="bob", input=lines).returncode == 0
    ann = sit("ann")
    ann.until("<bob> line 1233\n* Nobody else is here.\n#general>\n")
    assert messages(ann) == [f"#general <bob> line {number}" for number in range(1134, 1234)]
    assert "* 1134 more messages were missed before these; /history N shows them" in ann.scrolled()


# ---- connecting and leaving -------------------------------------------------------------------------------


def test_something_moves_while_it_connects(run: Zchat, broker: Broker, sit: Sit) -> None:
    broker.process.send_signal(signal.SIGSTOP)
    ann = sit("ann")
    ann.until(f"connecting to 127.0.0.1:{broker.port}")
    frames = set()

    def has_moved(screen: Screen) -> bool:
        frames.add(screen.rows[0][:1])
        return len(frames - {""}) > 2

    ann.until(has_moved)
    ann.until("Ctrl-C leaves)")
    broker.process.send_signal(signal.SIGCONT)
    ann.until("* Nobody else is here.")
    assert "connecting" not in "\n".join(ann.scrolled())
    assert ann.rows[0] == "zchat: registered as ann"


def test_a_newcomer_is_asked_for_a_nick(sit: Sit) -> None:
    ann = sit(None)
    ann.until("Your nick at this broker:")
    ann.type("a b", ENTER)
    ann.until("the nick 'a b' has the character ' '")
    ann.type("ann", ENTER)
    ann.until("zchat: registered as ann\n* You are ann at ")
    ann.until_typed("#general>")
    ann.type("hello", ENTER)
    ann.until("#general <ann> hello")


def test_no_broker(broker: Broker, sit: Sit) -> None:
    broker.kill()
    ann = sit("ann", "--timeout", "1")
    assert ann.ended() == 3
    assert ann.rows[0].startswith(f"zchat: no broker at 127.0.0.1:{broker.port}. Start one: zchat broker")
    assert ann.is_restored()


def test_ctrl_c_while_it_connects(broker: Broker, sit: Sit) -> None:
    broker.process.send_signal(signal.SIGSTOP)
    ann = sit("ann", "--timeout", "0")
    ann.until("connecting to")
    ann.type(CTRL_C)
    assert ann.ended() == 130
    assert "connecting" not in "\n".join(ann.rows)
    broker.process.send_signal(signal.SIGCONT)


def test_ctrl_c_clears_the_line_and_ctrl_d_leaves(sit: Sit) -> None:
    ann = alone(sit)
    ann.type("never sent", CTRL_C)
    ann.until_typed("#general>")
    ann.type(CTRL_C)
    ann.until("-- Ctrl-D or /quit leaves")
    ann.type("kept", CTRL_D)  # not on an empty line
    ann.until_typed("#general> kept")
    ann.type(ENTER)
    ann.until("<ann> kept")
    ann.type(CTRL_D)
    assert ann.ended() == 0
    assert messages(ann) == ["#general <ann> kept"]


def test_the_last_words_are_seen(sit: Sit) -> None:
    ann = alone(sit)
    ann.type("goodbye", ENTER, CTRL_D)
    assert ann.ended() == 0
    assert messages(ann) == ["#general <ann> goodbye"]


def test_leaving_waits_for_what_is_not_stored(broker: Broker, sit: Sit) -> None:
    ann = alone(sit, "ann", "--timeout", "0")
    broker.kill()
    ann.until("the broker is away")
    ann.type("last words", ENTER, CTRL_D)
    ann.until("-- waiting until all that you wrote is stored; Ctrl-C leaves now")
    broker.start()
    assert ann.ended() == 0
    assert messages(ann) == ["#general <ann> last words"]


def test_leaving_without_waiting(broker: Broker, sit: Sit) -> None:
    ann = alone(sit, "ann", "--timeout", "0")
    broker.kill()
    ann.until("the broker is away")
    ann.type("last words", ENTER, CTRL_D)
    ann.until("-- waiting until all that you wrote is stored; Ctrl-C leaves now")
    ann.type(CTRL_C)
    assert ann.ended() == 3
    assert "not sent to #general: " in "\n".join(ann.rows)
    assert ann.is_restored()


def test_sigterm_restores_the_terminal(sit: Sit) -> None:
    ann = alone(sit)
    assert not ann.is_restored()
    ann.type("half typed")
    ann.until_typed("#general> half typed")
    ann.process.send_signal(signal.SIGTERM)
    assert ann.ended() == 143
    assert ann.is_restored()
    assert not ann.typed
    assert b"\x1b[?2004l" in ann.drawn  # pastes are no longer told apart


def test_a_second_terminal_of_the_same_person(sit: Sit) -> None:
    first = alone(sit)
    second = sit("ann")
    second.until("chats in another terminal")
    second.until("* Nobody else is here.")
    second.type("in the second", ENTER)
    for screen in (first, second):
        screen.until("#general <ann> in the second")
