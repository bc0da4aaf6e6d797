"""Text for a terminal: what a foreign character would do there is shown instead, never done."""

import contextlib
import re
import sys
import unicodedata

_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories that a terminal obeys or that reorder a line: controls, format and bidi characters, lone
surrogates, separators of lines and paragraphs."""

_BESIDE_JOINER = "[\u0300-\u1fff\u2600-\ud7ff\uf900-\U0010ffff]"
_JOINER = re.compile(f"(?<={_BESIDE_JOINER})([\u200c\u200d])(?={_BESIDE_JOINER})")
"""Zero-width joiner and non-joiner where scripts and emoji need them; elsewhere they only hide something."""

_TAB = " " * 4

_EXPORTED = re.compile(r"zchat-(key|token):\S*?(?=['\")\].,:;]*(?:\s|$))", re.IGNORECASE)
_INVITING = re.compile(
    r"(zchat://[^/\s]*/[^/\s]*/)[^\s'\")\].,:;]+", re.IGNORECASE
)  # behind the key: a secret
_SECRET = re.compile(r"(?<![A-Za-z0-9/])(?:[A-Za-z2-7]{52}|[a-z2-7]{40})(?![A-Za-z0-9])")
"""Of a key, or of an invite. Behind a slash: the key of a link."""


def shown(text: str) -> str:
    r"""The text with every character that a terminal might obey as an escape that is seen, such as `\x1b` or
    `\u202e`. A newline stays one (so does CR LF), a tab becomes spaces."""
    if text.isprintable():
        return text
    pieces = _JOINER.split(text.replace("\r\n", "\n"))  # every other one is a joiner in its place
    return "".join(one if place % 2 else "".join(map(_visible, one)) for place, one in enumerate(pieces))


def one_line(text: str) -> str:
    r"""Like `shown`, and a newline is seen as `\x0a`: for names, topics and reasons."""
    return shown(text).replace("\n", r"\x0a")


def json_safe(encoded: str) -> str:
    r"""JSON with the same characters as `\uXXXX`. Outside of strings JSON has none of them, so it stays
    equal to what it was."""
    if encoded.isprintable():
        return encoded
    return "".join(_json_escape(one) if unicodedata.category(one) in _OBEYED else one for one in encoded)


def without_exported(text: str) -> str:
    """The text with each exported key and each token, which somebody may have put in the wrong place, as
    `zchat-key://…`, and each link without the secret of its invite."""
    if "zchat" not in text.lower():
        return text
    text = _EXPORTED.sub(lambda match: f"zchat-{match[1].lower()}://…", text)
    return _INVITING.sub(r"\1…", text)


def without_keys(text: str) -> str:
    """The same, and what may be the secret of an exported key or of an invite, alone, as `…`: for what quotes
    a mistake."""
    return _SECRET.sub("…", without_exported(text))


def say(message: str) -> None:
    """One line on stderr, whatever is in the message; no exported key, token or invite is shown."""
    if sys.stderr is None:
        return  # it was closed when the process began, and print would turn to stdout
    with contextlib.suppress(OSError, ValueError):
        print(f"zchat: {one_line(without_exported(message))}", file=sys.stderr, flush=True)


def _visible(character: str) -> str:
    if character == "\n":
        return character
    if character == "\t":
        return _TAB
    return _escape(character) if unicodedata.category(character) in _OBEYED else character


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
