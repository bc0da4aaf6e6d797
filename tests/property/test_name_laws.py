"""Names: the rule gives one form, that form passes the rule, and anything else is an InvalidName."""

import unicodedata
from collections.abc import Callable

import precis_i18n
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zchat.common import limits, names

Rule = Callable[[str], str]

every_rule = pytest.mark.parametrize("rule", [names.nick, names.folded, names.room], ids=lambda r: r.__name__)

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)  # lone surrogates as well

# Where case, width, composition or length change, of one script at a time; and what no name may have.
_LATIN = st.sampled_from("abcXYZ019._ßẞéEeİIıiſﬁŉ\u01f0ǅǆＡａ１\u212b\u00e5ªº\u0301\u0308\u0307")
_GREEK = st.sampled_from("αΑωΩ\u2126ςσΣϹϲϷΐΰ\u0345ᾳᾼ\u0301")
_JAPANESE = st.sampled_from("あゝアーｱﾊﾟ゛漢字\u3099")
_HANGUL = st.sampled_from("가각\u1112\u1161\u11ab漢")
_OTHERS = st.characters(categories=("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"))
_WIDE = st.characters(min_codepoint=0x20000, max_codepoint=0x2A6D6)  # four bytes each
_REFUSED = st.sampled_from("# @+-,:/'\"`\\\t\0\u00ad\u200b\u202e\u3000\u2028«”")

NAMELIKE = st.one_of(
    *[st.text(alphabet, min_size=1, max_size=6) for alphabet in (_LATIN, _GREEK, _JAPANESE, _HANGUL)],
    st.text(_LATIN | _OTHERS, max_size=5),
    st.builds("{}{}{}".format, st.text(_LATIN, max_size=3), _REFUSED, st.text(_LATIN, max_size=3)),
    st.text(_LATIN, min_size=25, max_size=33),
    st.text(_WIDE, min_size=14, max_size=18),
)


def obeyed(rule: Rule, typed: str) -> str | None:
    """The form that the rule gives, None for what it refuses; nothing but InvalidName is raised."""
    try:
        return rule(typed)
    except names.InvalidName:
        return None


@every_rule
@settings(max_examples=200)
@given(typed=ANY_TEXT | NAMELIKE)
@example(typed="\ud800")
@example(typed="a" * 32 + " ")
def test_the_form_of_a_name_is_kept_by_the_rule(rule: Rule, typed: str) -> None:
    form = obeyed(rule, typed)
    if form is not None:
        assert rule(form) == form


@settings(max_examples=300)
@given(typed=ANY_TEXT | NAMELIKE)
@example(typed="ϹϹ")  # lower-cased as it was typed, it is another name
def test_a_nick_is_compared_like_what_was_typed(typed: str) -> None:
    nick = obeyed(names.nick, typed)
    if nick is None:
        assert obeyed(names.folded, typed) is None
    else:
        assert obeyed(names.folded, nick) == obeyed(names.folded, typed)


@settings(max_examples=200)
@given(typed=NAMELIKE)
def test_case_and_spaces_around_it_make_no_other_nick(typed: str) -> None:
    nick, folded = obeyed(names.nick, typed), obeyed(names.folded, typed)
    assert obeyed(names.room, typed) == folded
    if folded is not None:
        assert obeyed(names.nick, folded) == folded
    if len(typed) <= limits.NAME_CHARACTERS_MAX - 2:
        assert obeyed(names.nick, f" {typed} ") == nick


@every_rule
@settings(max_examples=200)
@given(typed=ANY_TEXT | NAMELIKE)
@example(typed="a,b")
@example(typed="ﬁ" * 17)  # becomes longer
@example(typed="\U00020000" * 17)
def test_a_name_is_short_and_has_nothing_unseen_and_no_comma(rule: Rule, typed: str) -> None:
    name = obeyed(rule, typed)
    if name is None:
        return
    assert 1 <= len(name) <= 32
    assert len(name.encode()) <= 64
    assert "," not in name
    assert not {"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"} & set(map(unicodedata.category, name))


def test_the_names_that_are_tried_are_not_all_refused() -> None:
    kept = []

    @settings(max_examples=200)
    @given(typed=NAMELIKE)
    def collect(typed: str) -> None:
        kept.append(obeyed(names.folded, typed) is not None)

    collect()
    assert sum(kept) > len(kept) // 10


@pytest.mark.parametrize(
    ("rule", "profile"), [(names.nick, "NicknameCasePreserved"), (names.folded, "NicknameCaseMapped")]
)
@settings(max_examples=300)
@given(typed=st.text(st.characters(max_codepoint=127), max_size=34))
def test_ascii_is_enforced_as_rfc_8266_does(rule: Rule, profile: str, typed: str) -> None:
    form = obeyed(rule, typed)
    if form is not None:
        assert form == precis_i18n.get_profile(profile).enforce(typed)
