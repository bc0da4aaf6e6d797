"""What a line asks for (zchat/client/commands/typed.py)."""

import re
from pathlib import Path

import pytest

from zchat.client.commands import typed
from zchat.client.commands.typed import (
    COMMANDS,
    Help,
    History,
    Join,
    Leave,
    Nothing,
    Question,
    Quit,
    Say,
    ShowPeople,
    ShowRooms,
    Tell,
    Topic,
    Turn,
    Typed,
    Whois,
    choose,
    help_text,
    parse,
)
from zchat.common.errors import ConfigurationError

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
        ("/help", Help()),
        ("/quit", Quit()),
    ],
)
def test_what_is_meant(line: str, meant: Typed) -> None:
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
        ("/whois", "/whois NICK"),
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
def test_choices(answer: str, meant: Typed) -> None:
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
    assert len(lines) <= 20
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
    assert not set(typed._ELSEWHERE) & set(COMMANDS)
    assert {name for names in typed._ELSEWHERE.values() for name in names} <= set(COMMANDS)


def test_the_document_has_every_command() -> None:
    listed = re.findall(r"^\| `/([a-z]+)( [^`]*)?` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert [(name, arguments.strip()) for name, arguments in listed] == [
        (name, command.arguments) for name, command in COMMANDS.items()
    ]
