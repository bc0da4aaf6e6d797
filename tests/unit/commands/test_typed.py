"""What a line asks for (zchat/client/commands/typed.py and slash.py)."""

import re
from pathlib import Path

import pytest

from zchat.client.commands import slash
from zchat.client.commands.asked import (
    Asked,
    Ban,
    CreatePrivate,
    Help,
    History,
    Invite,
    Join,
    Kick,
    Leave,
    Mute,
    Nothing,
    Quit,
    Redact,
    Say,
    SetAway,
    SetIgnored,
    SetMode,
    SetRole,
    ShowIgnored,
    ShowPeople,
    ShowRooms,
    Tell,
    Topic,
    Turn,
    Unban,
    Unmute,
    Whois,
)
from zchat.client.commands.slash import COMMANDS
from zchat.client.commands.typed import Question, choose, help_text, parse
from zchat.common.errors import ConfigurationError
from zchat.common.wire import NONE, OWNER

DOCUMENT = Path(__file__).parents[3] / "docs" / "chat.md"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("", Nothing()),
        (" \t \n", Nothing()),
        ("hello", Say("hello")),
        ("  hello ", Say("  hello ")),
        ("one\n  two\n\n", Say("one\n  two")),
        ("1", Say("1")),
        ("q", Say("q")),
        ("//shrug", Say("/shrug")),
        ("///", Say("//")),
        (" /quit", Say(" /quit")),
        (" QUIT", Say(" QUIT")),
        ("list", Say("list")),
        ("LISTEN", Say("LISTEN")),
        ("QUIT", Quit()),
        ("HELP ", Help()),
        ("LIST\n", ShowPeople(choose=True)),
        ("TELL bob  hello there", Tell("@bob", "hello there")),
        ("TELL @bob one\n  two", Tell("@bob", "one\n  two")),
        ("/msg bob", Turn("@bob")),
        ("/msg @Bob", Turn("@Bob")),
        ("/msg #Kitchen", Turn("#kitchen")),
        ("/msg bob hello  there", Tell("@bob", "hello  there")),
        ("/msg bob\nhello", Tell("@bob", "hello")),
        ("/MSG bob /quit", Tell("@bob", "/quit")),
        ("/join Kitchen", Join("#kitchen")),
        ("/join #kitchen", Join("#kitchen")),
        ("/leave", Leave(None)),
        ("/leave kitchen", Leave("#kitchen")),
        ("/users", ShowPeople(choose=False)),
        ("/rooms", ShowRooms()),
        ("/topic", Topic(None)),
        ("/topic Lunch at  noon", Topic("Lunch at  noon")),
        ("/history", History(20)),
        ("/history 1000", History(1000)),
        ("/whois @bob", Whois("bob")),
        ("/private Ops", CreatePrivate("ops")),
        ("/join #ops+4711", Join("#ops+4711")),
        ("/away", SetAway("away")),
        ("/away at \n lunch", SetAway("at lunch")),
        ("/back", SetAway("")),
        ("/ignore", ShowIgnored()),
        ("/ignore @bob", SetIgnored("bob", True)),
        ("/unignore bob", SetIgnored("bob", False)),
        ("/redact", Redact(None, None, "")),
        ("/redact 42", Redact(42, None, "")),
        ("/redact 42 a secret", Redact(42, None, "a secret")),
        ("/redact @bob spam", Redact(None, "bob", "spam")),
        ("/invite bob", Invite("bob", None)),
        ("/invite @bob #ops+1", Invite("bob", "#ops+1")),
        ("/kick bob", Kick("bob", "")),
        ("/kick bob spam, and more", Kick("bob", "spam, and more")),
        ("/ban bob", Ban("bob", None, "")),
        ("/ban bob 10m", Ban("bob", 600, "")),
        ("/ban bob 2h spam", Ban("bob", 7200, "spam")),
        ("/ban bob never again", Ban("bob", None, "never again")),
        ("/ban bob 10 times spam", Ban("bob", None, "10 times spam")),
        ("/unban bob", Unban("bob")),
        ("/mute bob 1d", Mute("bob", 86_400, "")),
        ("/unmute bob", Unmute("bob")),
        ("/role bob owner", SetRole("bob", OWNER)),
        ("/role bob none", SetRole("bob", NONE)),
        ("/mode announce", SetMode(True)),
        ("/mode open", SetMode(False)),
        ("/help", Help()),
        ("/quit", Quit()),
    ],
)
def test_what_is_meant(line: str, meant: Asked) -> None:
    assert (type(parse(line)), parse(line)) == (type(meant), meant)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/", "there is no command /. /help lists them, and // sends a slash"),
        ("/etc/passwd", "there is no command /etc/passwd. /help lists them"),
        ("/ msg bob", "there is no command /. "),
        ("/hsitory", "there is no command /hsitory. Did you mean /history? /help"),
        ("/list", "Did you mean /rooms or /users?"),
        ("/part", "Did you mean /leave?"),
        ("/msg", "/msg NICK [TEXT]"),
        ("/msg a,b hello", "nobody can be called '@a,b'"),
        ("/join", "/join ROOM"),
        ("/join a b", "no room can be called"),
        ("/leave @bob", "no room can be called"),
        ("/history x", "/history [N], N from 1 to 1000"),
        ("/history 0", "/history [N]"),
        ("/history 1001", "/history [N]"),
        ("/history " + "9" * 5000, "/history [N]"),
        ("/history ²", "/history [N]"),
        ("/private", "/private NAME"),
        ("/unignore", "/unignore NICK"),
        ("/ignore a b", "nobody can be called"),
        ("/redact a,b", "nobody can be called"),
        ("/invite", "/invite NICK [ROOM]"),
        ("/kick", "/kick NICK [WHY]"),
        ("/ban", "/ban NICK [FOR] [WHY]"),
        ("/ban bob 10x", "'10x' is no duration: 30s, 10m"),
        ("/mute bob 0m", "'0m': more than nothing"),
        ("/unban bob 10m", "/unban NICK"),
        ("/role bob", "a role is one of none, voice, operator, owner"),
        ("/role bob king", "a role is one of"),
        ("/mode", "/mode announce"),
        ("/mode closed", "/mode announce"),
        ("/op bob", "Did you mean /role?"),
        ("/users x", "nothing stands behind this command"),
        ("/quit\nnow", "nothing stands behind this command"),
        ("QUIT smoking", "QUIT stands alone. With a space in front the line is sent as text"),
        ("HELP me", "HELP stands alone"),
        ("LIST\nof things", "LIST stands alone"),
        ("TELL", "TELL NICK TEXT. With a space in front"),
        ("TELL bob", "TELL NICK TEXT"),
        ("TELL me more", "is a reserved word"),
    ],
)
def test_what_looks_like_a_command_is_never_text(line: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        parse(line)


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("1", Turn("@ann")),
        (" 2 ", Turn("@Bob")),
        ("02", Turn("@Bob")),
        ("bob", Turn("@Bob")),
        ("@ANN", Turn("@ann")),
        ("", Turn("#kitchen")),
        ("q", Quit()),
        ("QUIT", Quit()),
        ("/quit", Quit()),
        ("LIST", ShowPeople(choose=True)),
        ("/users", ShowPeople(choose=True)),
    ],
)
def test_choices(answer: str, meant: Asked) -> None:
    chosen = choose(answer, Question(["ann", "Bob"], "#kitchen", is_first=True))
    assert (type(chosen), chosen) == (type(meant), meant)


@pytest.mark.parametrize(
    "answer", ["0", "3", "-1", "²", "1.0", "9" * 5000, "anna", "hello", "/msg ann", "\x1b"]
)
def test_no_choice(answer: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"Type a number from 1 to 2, Enter for #kitchen, q to leave"
    ):
        choose(answer, Question(["ann", "Bob"], "#kitchen", is_first=True))


def test_later_q_leaves_only_the_question() -> None:
    later = Question(["ann"], "#general", is_first=False)
    assert later.choices() == "1 for ann, Enter for #general, q to go back"
    assert choose("q", later) == Nothing()
    assert choose("/quit", later) == Quit()


def test_one_to_choose() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^'2' is no choice\. Type 1 for ann, Enter for #general, q"
    ):
        choose("2", Question(["ann"], "#general", is_first=True))


def test_the_help_fits_a_terminal_and_is_complete() -> None:
    lines = help_text().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) <= 32
    for word in (
        *(f"/{name}" for name in COMMANDS),
        "TELL NICK TEXT",
        "LIST",
        "HELP",
        "QUIT",
        "Ctrl-D",
        "//TEXT",
    ):
        assert word in help_text()
    assert " TEXT " in help_text() and "a space in front" in help_text()


def test_what_other_chats_call_it_is_not_what_it_is_called_here() -> None:
    assert not set(slash.ELSEWHERE) & set(COMMANDS)
    assert {name for names in slash.ELSEWHERE.values() for name in names} <= set(COMMANDS)


def test_the_document_has_every_command() -> None:
    text = DOCUMENT.read_text().replace("\\|", "|")
    listed = re.findall(r"^\| `/([a-z]+)( [^`]*)?` \|", text, re.MULTILINE)
    assert [(name, arguments.strip()) for name, arguments in listed] == [
        (name, command.arguments) for name, command in COMMANDS.items()
    ]
