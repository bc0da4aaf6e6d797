"""What a line typed into the chat asks for: text, a command behind a slash, or a word of the old chat."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct

from zchat.client.commands.addresses import address
from zchat.common.errors import ConfigurationError
from zchat.common.text import one_line

HISTORY = 20  # messages, when no number is given
_HISTORY_MAX = 1000
_QUOTED_CHARACTERS = 40


class Nothing(Struct, frozen=True):
    """An empty line."""


class Say(Struct, frozen=True):
    """Text for whom one speaks to."""

    text: str


class Tell(Struct, frozen=True):
    """One message to somebody else, `@nick` or `#room`."""

    to: str
    text: str


class Turn(Struct, frozen=True):
    """Speak to this person or room from now on."""

    to: str


class Join(Struct, frozen=True):
    """Become a member of `#room`, and speak there."""

    room: str


class Leave(Struct, frozen=True):
    """Be a member no longer; None: of the current room."""

    room: str | None


class ShowPeople(Struct, frozen=True):
    """Who is here. `choose`: and the choice whom to speak to."""

    choose: bool


class ShowRooms(Struct, frozen=True):
    """The public rooms."""


class Topic(Struct, frozen=True):
    """Show the topic of the current room, or set it."""

    text: str | None


class History(Struct, frozen=True):
    """The last messages of whom one speaks to."""

    count: int


class Whois(Struct, frozen=True):
    """What is known about somebody."""

    nick: str


class Help(Struct, frozen=True):
    """What can be typed."""


class Quit(Struct, frozen=True):
    """Leave the chat."""


Typed = (
    Nothing
    | Say
    | Tell
    | Turn
    | Join
    | Leave
    | ShowPeople
    | ShowRooms
    | Topic
    | History
    | Whois
    | Help
    | Quit
)


class Command(NamedTuple):
    """A command behind a slash: how it is written, what it does, and what the rest of its line means."""

    arguments: str
    summary: str
    read: Callable[[str], Typed]


def parse(text: str) -> Typed:
    """What a line (or several, pasted) asks for. Raises ConfigurationError, in words for who typed it, for
    what looks like a command and is none: that is never sent."""
    text = text.rstrip("\r\n")
    if not text.strip():
        return Nothing()
    if text.startswith("//"):
        return Say(text[1:])
    word, rest = _first_word(text)
    if word.startswith("/"):
        return _command(word[1:]).read(rest)
    if word == "TELL":
        return _tell(rest)
    if word in WORDS:
        if rest:
            raise ConfigurationError(f"{word} stands alone. With a space in front the line is sent as text")
        return WORDS[word]
    return Say(text)


class Question(NamedTuple):
    """Whom to speak to: a nick by its number, or the room. `is_first`: asked on arriving, when q leaves the
    chat; later it only leaves the question."""

    nicks: Sequence[str]
    room: str
    is_first: bool

    def choices(self) -> str:
        """What can be answered."""
        count = len(self.nicks)
        number = f"a number from 1 to {count}" if count > 1 else f"1 for {one_line(self.nicks[0])}"
        return f"{number}, Enter for {self.room}, q to {'leave' if self.is_first else 'go back'}"


def choose(text: str, asked: Question) -> Turn | ShowPeople | Nothing | Quit:
    """What was answered: the number of a nick counts from 1, a nick that is offered will do, nothing means
    the room. Raises ConfigurationError with what is expected."""
    answer = text.strip()
    if not answer:
        return Turn(asked.room)
    if answer in ("q", "Q"):
        return Quit() if asked.is_first else Nothing()
    if answer in ("QUIT", "/quit"):
        return Quit()
    if answer in ("LIST", "/users"):
        return ShowPeople(choose=True)
    if answer.isascii() and answer.isdigit() and 1 <= int(answer[:9]) <= len(asked.nicks):
        return Turn("@" + asked.nicks[int(answer) - 1])
    nick = next((one for one in asked.nicks if one.casefold() == answer.removeprefix("@").casefold()), None)
    if nick is not None:
        return Turn(f"@{nick}")
    raise ConfigurationError(f"{_quoted(answer)} is no choice. Type {asked.choices()}")


def help_text() -> str:
    """All that can be typed, for a terminal of 80 columns."""
    rows = [("TEXT", "goes to whom the prompt names")]
    rows += [(f"/{name} {one.arguments}".rstrip(), one.summary) for name, one in COMMANDS.items()]
    rows += [
        ("//TEXT", "sends text that begins with a slash"),
        (" TEXT", "a space in front: sends it as text, whatever its first word is"),
        ("LIST", "who is here, and the choice whom to speak to"),
        ("TELL NICK TEXT", "the same as /msg; also HELP and QUIT, in capitals"),
    ]
    width = max(len(written) for written, _ in rows) + 2
    return "".join(f"{written:{width}}{summary}\n" for written, summary in rows)


def _first_word(text: str) -> tuple[str, str]:
    """The word that the text begins with, and what is behind it; no word when it begins with a space."""
    word, rest = re.fullmatch(r"(\S*)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    return word, rest.strip()


def _command(word: str) -> Command:
    found = COMMANDS.get(word.lower())
    if found is not None:
        return found
    elsewhere = _ELSEWHERE.get(word.lower()) or _similar(word.lower())
    suggestion = f"did you mean {' or '.join('/' + name for name in elsewhere)}? " if elsewhere else ""
    raise ConfigurationError(
        f"there is no command /{word}. {suggestion[:1].upper() + suggestion[1:]}"
        "/help lists them, and // sends a slash"
    )


def _similar(word: str) -> list[str]:
    import difflib

    return difflib.get_close_matches(word, COMMANDS, n=1)


def _person_or_room(typed: str) -> str:
    return address(typed if typed.startswith("#") else "@" + typed.removeprefix("@"))


def _room(typed: str) -> str:
    return address("#" + typed.removeprefix("#"))


def _msg(rest: str) -> Typed:
    to, text = _first_word(rest)
    if not to:
        raise ConfigurationError("/msg NICK [TEXT]")
    return Tell(_person_or_room(to), text) if text else Turn(_person_or_room(to))


def _tell(rest: str) -> Typed:
    to, text = _first_word(rest)
    if not text:
        raise ConfigurationError("TELL NICK TEXT. With a space in front the line is sent as text")
    return Tell(_person_or_room(to), text)


def _join(rest: str) -> Typed:
    if not rest:
        raise ConfigurationError("/join ROOM")
    return Join(_room(rest))


def _leave(rest: str) -> Typed:
    return Leave(_room(rest) if rest else None)


def _topic(rest: str) -> Typed:
    return Topic(rest or None)


def _history(rest: str) -> Typed:
    if not rest:
        return History(HISTORY)
    if not (rest.isascii() and rest.isdigit() and len(rest) < 9 and 0 < int(rest) <= _HISTORY_MAX):
        raise ConfigurationError(f"/history [N], N from 1 to {_HISTORY_MAX}")
    return History(int(rest))


def _whois(rest: str) -> Typed:
    if not rest:
        raise ConfigurationError("/whois NICK")
    return Whois(address("@" + rest.removeprefix("@"))[1:])


def _quoted(answer: str) -> str:
    return repr(answer if len(answer) <= _QUOTED_CHARACTERS else answer[:_QUOTED_CHARACTERS] + "…")


def _alone(typed: Typed) -> Callable[[str], Typed]:
    def read(rest: str) -> Typed:
        if rest:
            raise ConfigurationError("nothing stands behind this command; // sends a slash")
        return typed

    return read


COMMANDS = {
    "msg": Command("NICK [TEXT]", "sends TEXT to NICK; without TEXT you speak to NICK from now on", _msg),
    "join": Command("ROOM", "joins a room, made if there is none, and speaks there", _join),
    "leave": Command("[ROOM]", "leaves the room, or the current one", _leave),
    "users": Command("", "who is here, and who is registered", _alone(ShowPeople(choose=False))),
    "rooms": Command("", "the public rooms; a star marks yours", _alone(ShowRooms())),
    "topic": Command("[TEXT]", "shows or sets the topic of the current room", _topic),
    "history": Command("[N]", f"the last N messages here, {HISTORY} without N", _history),
    "whois": Command("NICK", "whether NICK is registered, is here, and your common rooms", _whois),
    "help": Command("", "this list", _alone(Help())),
    "quit": Command("", "leaves when all that you wrote is stored; Ctrl-D does the same", _alone(Quit())),
}

WORDS: dict[str, Typed] = {"LIST": ShowPeople(choose=True), "HELP": Help(), "QUIT": Quit()}
"""What the old chat knew in capitals, beside TELL."""

_ELSEWHERE = {
    "part": ["leave"],
    "query": ["msg"],
    "tell": ["msg"],
    "whisper": ["msg"],
    "w": ["msg", "whois"],
    "names": ["users"],
    "who": ["users", "whois"],
    "list": ["rooms", "users"],
    "exit": ["quit"],
    "q": ["quit"],
    "bye": ["quit"],
}
"""What other chats call it."""
