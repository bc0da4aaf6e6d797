"""Text of others never reaches a terminal raw (zchat/common/text.py)."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.common.text import json_safe, one_line, say, shown, without_keys

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))  # lone surrogates as well
OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}


SECRET = "abcdefghijklmnopqrstuvwxyz234567" + "a" * 20
JOINERS = {"\u200c", "\u200d"}


@given(ANY_TEXT)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not [one for one in one_line(text) if unicodedata.category(one) in OBEYED and one not in JOINERS]
    for line in shown(text).split("\n"):
        assert not [one for one in line if unicodedata.category(one) in OBEYED and one not in JOINERS]
        for before, one, after in zip(" " + line, line, line[1:] + " ", strict=False):
            assert one not in JOINERS or (min(before, after) >= "\u0300" and not {before, after} & JOINERS)


@given(st.text(alphabet=st.characters(exclude_categories=tuple(OBEYED))))
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert shown(text) == one_line(text) == text


@given(st.recursive(ANY_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=8))
def test_json_stays_equal_and_becomes_safe(value: object) -> None:
    safe = json_safe(json.dumps(value, ensure_ascii=False))
    assert json.loads(safe) == value
    assert not [one for one in safe if unicodedata.category(one) in OBEYED]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b2J\x7f\0", r"\x9b2J\x7f\x00"),
        ("abc\u202edef", r"abc\u202edef"),
        ("\u2028\u2029\u200b\ufeff", r"\u2028\u2029\u200b\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("one\r\ntwo\rthree\n", "one\ntwo\\x0dthree\n"),
        ("a\tb", "a    b"),
        ("Grüße, 世界 🙂 é", "Grüße, 世界 🙂 é"),
        ("👨\u200d👩\u200d👧 می\u200cخواهم", "👨\u200d👩\u200d👧 می\u200cخواهم"),
        ("ad\u200dmin \u200d👩 👩\u200d\u200d👧", r"ad\u200dmin \u200d👩 👩\u200d\u200d👧"),
    ],
)
def test_shown(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_one_line_shows_newlines() -> None:
    assert one_line("no\nroom\r\n") == r"no\x0aroom\x0a"


def test_characters_beyond_the_first_plane_are_two_units_in_json() -> None:
    assert json_safe('"\U000e0041"') == r'"\udb40\udc41"'


def test_say_is_one_safe_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("no such room: \x1b[2J\nzchat: fine")
    assert capsys.readouterr() == ("", "zchat: no such room: \\x1b[2J\\x0azchat: fine\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no command 'zchat-key://ann@h:1/k/s'. There", "no command 'zchat-key://…'. There"),
        ("cannot read /etc/zchat-key:/ann@h:1/k/s: why", "cannot read /etc/zchat-key://…: why"),
        ("ZCHAT-KEY://ann@h:1/k/s", "zchat-key://…"),
        ("no room zchat-token://bot@h:1/k/s, no", "no room zchat-token://…, no"),
        (f"no link 'zchat://h:1/{SECRET}/{SECRET[:40]}'", f"no link 'zchat://h:1/{SECRET}/…'"),
        (f"no room {SECRET[:40]}", "no room …"),
        (f"no room {SECRET}, and '{SECRET}'", "no room …, and '…'"),
        (f"zchat://h:1/{SECRET}", f"zchat://h:1/{SECRET}"),  # a public key
        (f"{SECRET}b", f"{SECRET}b"),
    ],
)
def test_keys_are_not_told(text: str, told: str) -> None:
    assert without_keys(text) == told


def test_say_shows_no_exported_key(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"zchat-key://ann@h:1/{SECRET}/{SECRET} zchat://h/{SECRET}/{SECRET[:40]} send --id {SECRET}")
    assert capsys.readouterr().err == f"zchat: zchat-key://… zchat://h/{SECRET}/… send --id {SECRET}\n"


def test_say_without_stderr_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    say("hello")
    assert capsys.readouterr().out == ""
