"""What a nick and a room may be called (RFC 8266, and the stricter rule of protocol.md, chapter Names)."""

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from zchat.common import limits

if TYPE_CHECKING:
    from precis_i18n.profile import Profile

_PRESERVED, _MAPPED = "NicknameCasePreserved", "NicknameCaseMapped"  # the profiles of RFC 8266
_FORBIDDEN = frozenset(" ,:/'\"`\\")
_FORBIDDEN_FIRST = frozenset("#@/-+$")
_PRIVATE = re.compile(r".*\+[0-9]+", re.DOTALL)
_RESERVED = frozenset(
    ("all", "anyone", "broker", "channel", "everybody", "everyone", "help", "here", "list", "me", "nobody")
    + ("quit", "root", "server", "system", "tell", "you", "zchat")
)
_WRITTEN_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"CJK", "HANGUL"}),
    frozenset({"CJK", "BOPOMOFO"}),
)
_SHARED = frozenset(
    {"MODIFIER", "IDEOGRAPHIC", "KATAKANA-HIRAGANA"}
)  # first words of letters of no one script


class InvalidName(ValueError):
    """The name is against the rule; `str()` is the reason, in words that can follow "the name"."""


@lru_cache(maxsize=4096)
def nick(typed: str) -> str:
    """The form in which a nick is shown and stored, case preserved; raises InvalidName.

    RFC 8266 section 2.3 (enforcement), then the additional rule.
    """
    return _checked(typed, _PRESERVED)


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    """The form in which nicks and rooms are compared; raises InvalidName. RFC 8266 section 2.4, applied to
    the stored form: lower-casing what was typed differs for U+03F9."""
    return _checked(nick(name), _MAPPED)


def room(typed: str) -> str:
    """The form of a room's name, lower case; raises InvalidName. A leading `#` is not part of a name."""
    return folded(typed)


def is_of_private_room(name: str) -> bool:
    """Whether a name ends as those of private rooms do, in `+` and digits: nobody can choose such a name."""
    return _PRIVATE.fullmatch(name) is not None


def of_private_room(base: str, pos: int) -> str:
    """The name of the private room that the entry at `pos` creates; raises InvalidName if it is too long."""
    name = f"{base}+{pos}"
    _check(name)
    return name


@lru_cache(maxsize=2)
def _profile(name: str) -> "Profile":
    import precis_i18n

    return precis_i18n.get_profile(name)


def _checked(typed: str, profile_name: str) -> str:
    if len(typed) > limits.NAME_CHARACTERS_MAX:
        raise InvalidName(f"has more than {limits.NAME_CHARACTERS_MAX} characters")
    try:
        name = _enforced(typed, profile_name)
    except UnicodeEncodeError as error:
        raise InvalidName(_precis_reason(error)) from None
    _check(name)
    return name


def _enforced(typed: str, profile_name: str) -> str:
    """What the profile makes of it; raises UnicodeEncodeError for what it disallows. ASCII without spaces and
    controls it leaves as it is, but for the case: so most names need no tables."""
    if typed and typed.isascii() and typed.isprintable() and " " not in typed:
        return typed.lower() if profile_name == _MAPPED else typed
    return str(_profile(profile_name).enforce(typed))


def _check(name: str) -> None:
    if len(name) > limits.NAME_CHARACTERS_MAX:
        raise InvalidName(f"has more than {limits.NAME_CHARACTERS_MAX} characters")
    if len(name.encode()) > limits.NAME_BYTES_MAX:
        raise InvalidName(f"is longer than {limits.NAME_BYTES_MAX} bytes")
    for character in name:
        if character in _FORBIDDEN or unicodedata.category(character) in ("Pi", "Pf", "Zs"):
            raise InvalidName(f"has the character {character!r}; no space, comma, colon, slash or quote")
    if name[0] in _FORBIDDEN_FIRST:
        raise InvalidName(f"begins with {name[0]!r}; not with # @ / - + $")
    if name.isdigit():
        raise InvalidName("is digits only")
    if name.casefold() in _RESERVED:
        raise InvalidName("is a reserved word")
    scripts = {_script(character) for character in name} - {""}
    if len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER):
        raise InvalidName(f"mixes scripts: {', '.join(sorted(scripts)).lower()}")


def _script(character: str) -> str:
    """The script of a letter, by the first word of its Unicode name; empty for what all scripts share."""
    if not unicodedata.category(character).startswith("L"):
        return ""
    script = unicodedata.name(character, "UNKNOWN").split(" ")[0]
    return "" if script in _SHARED else script


def _precis_reason(error: UnicodeEncodeError) -> str:
    if not error.object:
        return "is empty"
    kind = error.reason.partition("/")[2] or error.reason
    reasons = {"empty": "is empty", "controls": "has a control character"}
    return reasons.get(kind, f"has a character that no name may have ({kind})")
