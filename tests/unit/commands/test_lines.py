"""stdin as lines (zchat/client/commands/lines.py)."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.client.commands.lines import Line, Splitter, decode, read_text
from zchat.common import limits
from zchat.common.codes import Refusal
from zchat.common.errors import ConfigurationError, Refused

LIMIT = limits.TEXT_BYTES_MAX


def split(chunks: list[bytes]) -> list[Line]:
    splitter = Splitter()
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.end()


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"\n", b"\r\n", b"\r"])))
def test_chunks_do_not_matter(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    lines = split(chunks)
    assert lines == split([whole])
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert [line.data for line in lines] == [one.removesuffix(b"\r") for one in expected]
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all(whole[line.offset :].startswith(line.data) for line in lines)


def test_a_long_line_is_cut_and_the_next_is_whole() -> None:
    *_, long, after = split([b"a\n", *[b"x" * 100_000] * 20, b"\nafter"])
    assert long.too_long() and len(long.data) <= LIMIT + 2
    assert after == Line(3, 2 + 2_000_000 + 1, b"after")


@pytest.mark.parametrize("newline", [b"", b"\n", b"\r\n"])
def test_a_line_as_long_as_a_message_is_not_too_long(newline: bytes) -> None:
    (line,) = split([b"x" * LIMIT + newline])
    assert not line.too_long() and len(line.data) == LIMIT
    (line,) = split([b"x" * LIMIT + b"y" + newline])
    assert line.too_long()


def test_blank_is_nothing_but_white_space() -> None:
    assert [line.blank() for line in split([b"\n \t\r\n.\n"])] == [True, True, False]


def test_offset_of_bad_bytes() -> None:
    (_, line) = split([b"good\n", b"\xc3\xa4\xff\n"])
    with pytest.raises(ConfigurationError, match=r"byte 0xff at offset 7"):
        line.text()
    with pytest.raises(ConfigurationError, match=r"byte 0xc3 at offset 1"):
        decode(b"a\xc3")


def given_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> io.BytesIO:
    stdin = io.BytesIO(data)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stdin, encoding="latin-1"))
    return stdin


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\n", ""),
        (b"one\ntwo\n\n", "one\ntwo\n"),
        (b"one\r\n", "one"),
        (b"\r", "\r"),
        ("ä".encode(), "ä"),
        (b"x" * LIMIT + b"\r\n", "x" * LIMIT),
    ],
)
def test_whole_input(monkeypatch: pytest.MonkeyPatch, data: bytes, text: str) -> None:
    given_stdin(monkeypatch, data)
    assert read_text() == text


def test_of_too_much_only_a_little_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = given_stdin(monkeypatch, b"x" * LIMIT * 10)
    with pytest.raises(Refused) as raised:
        read_text()
    assert raised.value.refusal is Refusal.TOO_LARGE
    assert stdin.tell() < 2 * LIMIT


def test_closed_input_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert read_text() == ""
