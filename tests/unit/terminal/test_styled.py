"""How messages look on a terminal (zchat/client/terminal/styled.py)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from zchat.client.commands.formats import message_text
from zchat.client.commands.notices import notice_text
from zchat.client.messages import Act, Came, MemberJoined, Message, TopicChanged
from zchat.client.terminal import styled
from zchat.client.terminal.styled import Fragments, wrapped


def message(text: str, to: str = "#general", sender: str = "bob") -> Message:
    return Message(1, 0, 0, sender, to, "message", "k", text, to)


def text_of(fragments: Fragments) -> str:
    return "".join(fragment[1] for fragment in fragments)


@pytest.mark.parametrize(
    "text", ["", "hi", "one\n  two\n\nthree", "\x1b[2J\u202e\r\t{}<b>%s", "世界 e\u0301"]
)
@pytest.mark.parametrize("to", ["#general", "@ann"])
def test_the_text_is_that_of_plain_lines(text: str, to: str) -> None:
    assert text_of(styled.message(message(text, to), "ann", 200)) == message_text(message(text, to))


@pytest.mark.parametrize(
    "notice",
    [
        Came("b\x1bob"),
        MemberJoined(1, 0, 0, "general", "bob", True),
        TopicChanged(1, 0, 0, "r", "bob", "a\nb"),
        Act(1, 0, 0, "#r", "bob", "muted", "r", "ann", 0, "", "a\x1b"),
    ],
)
def test_so_it_is_with_news(notice: Act | Came | MemberJoined | TopicChanged) -> None:
    assert text_of(styled.news(notice, "ann", 200)) == notice_text(notice, "ann")


def test_rooms_and_private_messages_and_ones_own_are_told_apart() -> None:
    def styles(one: Message) -> set[str]:
        return {fragment[0] for fragment in styled.message(one, "ann", 80)}

    assert "class:room" in styles(message("hi"))
    assert "class:private" in styles(message("hi", "@ann"))
    assert "class:own" in styles(message("hi", sender="ann"))


@pytest.mark.parametrize(
    ("text", "is_spoken_to"),
    [
        ("hi ann", True),
        ("ANN: hi", True),
        ("annual", False),
        ("joann", False),
        ("@ann?", True),
        ("hi", False),
    ],
)
def test_who_is_spoken_of(text: str, is_spoken_to: bool) -> None:
    assert (styled.message(message(text), "ann", 80)[-1][0] == "class:mention") is is_spoken_to
    assert styled.message(message(text, sender="ann"), "ann", 80)[-1][0] == ""


def test_remarks_and_lists() -> None:
    assert text_of(styled.remark("a\x1b\nb", 80)) == "-- a\\x1b\\x0ab\n"
    assert text_of(styled.lines("* one two\nthree\n", 8)) == "* one\n  two\nthree\n"


def test_words_are_wrapped_with_an_indent() -> None:
    assert wrapped("aaa bbb ccc ddd", 10, 20) == "aaa bbb\n      ccc ddd"
    assert wrapped("aaa bbb", 10, 17) == "aaa bbb"
    assert wrapped("aaa  bbb", 10, 17) == "aaa\n      bbb"
    assert wrapped("first\n  second", 10, 80) == "first\n        second"
    assert wrapped("aaa", 18, 20) == "\n      aaa"


def test_an_address_is_left_whole() -> None:
    address = "https://example.org/" + "x" * 100
    assert wrapped(f"see {address} there", 20, 40).count(address) == 1
    assert "\n" not in wrapped(address, 20, 40)


def test_wide_characters_are_broken_anywhere() -> None:
    lines = wrapped("世" * 50, 10, 40).split("\n")
    assert "".join(line.strip() for line in lines) == "世" * 50
    assert [get_cwidth(line) for line in lines] == [30, 40, 40, 8]
    accented = wrapped("a" * 20 + " " + "e\u0301" * 20, 10, 40)
    assert accented == "a" * 20 + "\n      " + "e\u0301" * 20


@given(st.text(st.sampled_from("ab 世\u0301\n"), max_size=200), st.integers(0, 60), st.integers(1, 80))
def test_nothing_is_lost(text: str, offset: int, columns: int) -> None:
    assert "".join(wrapped(text, offset, columns).split()) == "".join(text.split())


@given(
    st.lists(st.text(st.sampled_from("ab世\u0301"), min_size=1, max_size=8), max_size=40), st.integers(0, 30)
)
def test_no_line_is_wider_than_the_terminal(words: list[str], offset: int) -> None:
    first, *others = wrapped(" ".join(words), offset, 40).split("\n")
    assert offset + get_cwidth(first) <= 40
    assert all(get_cwidth(line) <= 40 and line.startswith(" " * 6) for line in others)
