"""How messages and news look on a terminal: the plain lines, with styles, wrapped at words."""

import re
import time
from collections.abc import Iterator
from zlib import crc32

from prompt_toolkit.formatted_text import StyleAndTextTuples as Fragments
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from zchat.client.commands.formats import REMOVED
from zchat.client.commands.notices import Notice, notice_text
from zchat.client.messages import Act, Came, Message, Went
from zchat.common.text import one_line, shown

INDENT = 6  # of what goes on below the first line of a message, as in plain lines
_STAR, _DASHES = 2, 3  # of what goes on below "* " and "-- "
_NICK_COLOURS = ("ansicyan", "ansigreen", "ansiyellow", "ansiblue", "ansired", "ansibrightcyan")
_TOKENS = re.compile(r"( *)([^ ]*)")

STYLE = Style.from_dict(
    {
        "time": "dim",
        "room": "ansicyan",
        "private": "bold ansimagenta",
        "own": "bold",
        "mention": "bold",
        **{f"nick{number}": colour for number, colour in enumerate(_NICK_COLOURS)},
        "news": "dim",
        "removed": "dim italic",
        "day": "dim",
        "remark": "ansiyellow",
        "waiting": "dim italic",
        "status": "dim",
        "away": "bold ansired",
        "prompt.room": "bold ansicyan",
        "prompt.private": "bold ansimagenta",
        "prompt.choice": "bold ansiyellow",
        "completion-toolbar": "noreverse",
        "completion-toolbar.completion": "",
        "completion-toolbar.completion.current": "reverse",
    }
)


def message(shown_message: Message, nick: str, columns: int) -> Fragments:
    """A message as `message_text` has it, no wider than the terminal. `nick` is the reader's own."""
    sender, to = one_line(shown_message.sender), one_line(shown_message.to)
    clock = time.strftime("%H:%M", time.localtime(shown_message.time_ms / 1000))
    head: Fragments = [("class:time", clock), ("", " ")]
    if to.startswith("#"):
        head += [("class:room", to), ("", " "), (_nick_style(sender, nick), f"<{sender}>")]
    else:
        head.append(("class:private", f"@{sender} -> {to}"))
    head.append(("", " "))
    offset = sum(get_cwidth(piece[1]) for piece in head)
    style = "class:mention" if sender != nick and _names(shown_message.text, nick) else ""
    if shown_message.redacted:
        style = "class:removed"
    head.append((style, wrapped(shown(shown_message.text or REMOVED), offset, columns) + "\n"))
    return head


def news(notice: Notice, nick: str, columns: int) -> Fragments:
    """What happened beside messages. `nick` is the reader's own."""
    style = "class:news" if isinstance(notice, Came | Went) else ""
    if isinstance(notice, Act) and notice.subject == nick:
        style = "class:mention"
    return [(style, wrapped(notice_text(notice, nick).rstrip("\n"), 0, columns, _STAR) + "\n")]


def lines(text: str, columns: int) -> Fragments:
    """Lines that were asked for."""
    return [("", "".join(wrapped(line, 0, columns, _STAR) + "\n" for line in shown(text).splitlines()))]


def remark(text: str, columns: int) -> Fragments:
    """What the user or the client did, told apart from what others say by two dashes."""
    return [("class:remark", wrapped(f"-- {one_line(text)}", 0, columns, _DASHES) + "\n")]


def day(shown_message: Message) -> str:
    """The day of a message, in local time."""
    return _day(shown_message.time_ms / 1000)


def today() -> str:
    """The present day, in local time."""
    return _day(time.time())


def _day(seconds: float) -> str:
    return time.strftime("%A, %Y-%m-%d", time.localtime(seconds))


def wrapped(text: str, offset: int, columns: int, indent: int = INDENT) -> str:
    """The text broken at spaces and between wide characters, to lines no wider than `columns` cells, of which
    the first begins at cell `offset`; the others are indented. A word that fits no line, such as an address,
    is left whole: the terminal breaks it, and it can be copied."""
    if text.isascii() and "\n" not in text and offset + len(text) <= columns:
        return text
    first, *others = text.split("\n")
    broken = [_broken(first, offset, columns, indent)]
    broken += [" " * indent + _broken(line, indent, columns, indent) for line in others]
    return "\n".join(broken)


def _broken(line: str, at: int, columns: int, indent: int) -> str:
    pieces: list[str] = []
    begins = at  # where the present line begins, of which something stands already if `at` is behind it
    for space, word in _words(line):
        width = get_cwidth(word)
        fits_below = indent + width <= columns
        if at + len(space) + width > columns and fits_below and (at > begins or begins > indent):
            pieces.append("\n" + " " * indent + word)
            begins = indent
            at = indent + width
        else:
            pieces.append(space + word)
            at = at + len(space) + width
            if at > columns:  # the terminal breaks it
                at, begins = at % columns, -1
    return "".join(pieces)


def _words(line: str) -> Iterator[tuple[str, str]]:
    """What is not to be broken, each with the spaces before it."""
    for space, word in _TOKENS.findall(line):
        if word.isascii():
            if space or word:
                yield space, word
            continue
        for piece in _pieces(word):
            yield space, piece
            space = ""


def _pieces(word: str) -> Iterator[str]:
    """A wide character is a piece of its own, with what combines with it."""
    piece, is_wide = "", False
    for character in word:
        width = get_cwidth(character)
        if piece and width and (width == 2 or is_wide):
            yield piece
            piece = ""
        if width:
            is_wide = width == 2
        piece += character
    yield piece


def _names(text: str, nick: str) -> bool:
    """Whether the text has the nick as a word."""
    begins = text.casefold().find(nick.casefold())
    return begins >= 0 and re.search(rf"(?<!\w){re.escape(nick)}(?!\w)", text, re.IGNORECASE) is not None


def _nick_style(sender: str, nick: str) -> str:
    if sender == nick:
        return "class:own"
    return f"class:nick{crc32(sender.encode()) % len(_NICK_COLOURS)}"
