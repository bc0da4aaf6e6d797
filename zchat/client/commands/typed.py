"""What a line typed into the chat asks for: text, a command behind a slash, or a word of the old chat."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from zchat.client.commands.asked import Asked, Help, Nothing, Quit, Say, ShowPeople, Tell, Turn
from zchat.client.commands.slash import COMMANDS, ELSEWHERE, Command, first_word, person_or_room
from zchat.common.errors import ConfigurationError
from zchat.common.text import one_line

_QUOTED_CHARACTERS: Final = 40

WORDS: Final[dict[str, Asked]] = {"LIST": ShowPeople(choose=True), "HELP": Help(), "QUIT": Quit()}
"""What the old chat knew in capitals, beside TELL."""


def parse(text: str) -> Asked:
    """What a line (or several, pasted) asks for. Raises ConfigurationError, in words for who typed it, for
    what looks like a command and is none: that is never sent."""
    text = text.rstrip("\r\n")
    if not text.strip():
        return Nothing()
    if text.startswith("//"):
        return Say(text[1:])
    word, rest = first_word(text)
    if word.startswith("/"):
        return _command(word[1:]).read(rest)
    if word == "TELL":
        return _tell(rest)
    if word in WORDS:
        if rest:
            raise ConfigurationError(f"{word} stands alone. With a space in front the line is sent as text")
        return WORDS[word]
    return Say(text)


def is_turn(text: str) -> bool:
    """Whether a line, be it right or wrong, was to say where the following ones go."""
    word, rest = first_word(text.rstrip("\r\n"))
    return word.lower() in ("/join", "/private") or (word.lower() == "/msg" and not first_word(rest)[1])


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
        (" TEXT", "a space in front: sent as text, whatever it says"),
        ("LIST", "who is here, and the choice whom to speak to"),
        ("TELL NICK TEXT", "the same as /msg; also HELP and QUIT, in capitals"),
    ]
    width = max(len(written) for written, _ in rows) + 2
    return "".join(f"{written:{width}}{summary}\n" for written, summary in rows)


def _command(word: str) -> Command:
    found = COMMANDS.get(word.lower())
    if found is not None:
        return found
    elsewhere = ELSEWHERE.get(word.lower()) or _similar(word.lower())
    suggestion = f"did you mean {' or '.join('/' + name for name in elsewhere)}? " if elsewhere else ""
    raise ConfigurationError(
        f"there is no command /{word}. {suggestion[:1].upper() + suggestion[1:]}"
        "/help lists them, and // sends a slash"
    )


def _similar(word: str) -> list[str]:
    import difflib

    return difflib.get_close_matches(word, COMMANDS, n=1)


def _tell(rest: str) -> Asked:
    to, text = first_word(rest)
    if not text:
        raise ConfigurationError("TELL NICK TEXT. With a space in front the line is sent as text")
    return Tell(person_or_room(to), text)


def _quoted(answer: str) -> str:
    return repr(answer if len(answer) <= _QUOTED_CHARACTERS else answer[:_QUOTED_CHARACTERS] + "…")
