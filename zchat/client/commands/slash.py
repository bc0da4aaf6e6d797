"""The commands behind a slash, and how the rest of the line is read."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import click

from zchat.client.commands.acting import AWAY as AWAY
from zchat.client.commands.addresses import address
from zchat.client.commands.asked import (
    Asked,
    Ban,
    CreatePrivate,
    Help,
    History,
    Invite,
    Join,
    Kick,
    Leave,
    Mute,
    Quit,
    Redact,
    SetAway,
    SetIgnored,
    SetMode,
    SetRole,
    ShowIgnored,
    ShowPeople,
    ShowRooms,
    Tell,
    Topic,
    Turn,
    Unban,
    Unmute,
    Whois,
)
from zchat.client.commands.formats import ROLES
from zchat.client.commands.times import lasting_s
from zchat.common.errors import ConfigurationError

HISTORY: Final = 20  # messages, when no number is given
_HISTORY_MAX: Final = 1000
_LONG: Final = re.compile(
    r"[0-9]+[A-Za-z]+"
)  # what looks like 10m is never taken for the first word of a reason


class Command(NamedTuple):
    """A command behind a slash: how it is written, what it does, and what the rest of its line means."""

    arguments: str
    summary: str
    read: Callable[[str], Asked]


def first_word(text: str) -> tuple[str, str]:
    """The word that the text begins with, and what is behind it; no word when it begins with a space."""
    word, rest = re.fullmatch(r"(\S*)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    return word, rest.strip()


def person_or_room(typed: str) -> str:
    """`#room` where a mark says so, else `@nick`."""
    return address(typed if typed.startswith("#") else "@" + typed.removeprefix("@"))


def _room(typed: str) -> str:
    return address("#" + typed.removeprefix("#"))


def _nick(typed: str) -> str:
    return address("@" + typed.removeprefix("@"))[1:]


def _usage(name: str) -> ConfigurationError:
    return ConfigurationError(f"/{name} {COMMANDS[name].arguments}")


# ---- to whom one speaks, and what there is ----------------------------------------------------------------


def _msg(rest: str) -> Asked:
    to, text = first_word(rest)
    if not to:
        raise _usage("msg")
    return Tell(person_or_room(to), text) if text else Turn(person_or_room(to))


def _join(rest: str) -> Asked:
    if not rest:
        raise _usage("join")
    return Join(_room(rest))


def _private(rest: str) -> Asked:
    if not rest:
        raise _usage("private")
    return CreatePrivate(_room(rest)[1:])


def _leave(rest: str) -> Asked:
    return Leave(_room(rest) if rest else None)


def _topic(rest: str) -> Asked:
    return Topic(rest or None)


def _history(rest: str) -> Asked:
    if not rest:
        return History(HISTORY)
    if not (rest.isascii() and rest.isdigit() and len(rest) < 9 and 0 < int(rest) <= _HISTORY_MAX):
        raise ConfigurationError(f"/history [N], N from 1 to {_HISTORY_MAX}")
    return History(int(rest))


def _whois(rest: str) -> Asked:
    return Whois(_nick(rest) if rest else None)


def _alone(asked: Asked) -> Callable[[str], Asked]:
    def read(rest: str) -> Asked:
        if rest:
            raise ConfigurationError("nothing stands behind this command; // sends a slash")
        return asked

    return read


# ---- about oneself, and about what was said ---------------------------------------------------------------


def _away(rest: str) -> Asked:
    return SetAway(" ".join(rest.split()) or AWAY)


def _ignore(rest: str) -> Asked:
    return SetIgnored(_nick(rest), True) if rest else ShowIgnored()


def _unignore(rest: str) -> Asked:
    if not rest:
        raise _usage("unignore")
    return SetIgnored(_nick(rest), False)


def _redact(rest: str) -> Asked:
    whose, reason = first_word(rest)
    if not whose:
        return Redact(None, None, "")
    if whose.isascii() and whose.isdigit() and len(whose) < 16:
        return Redact(int(whose), None, reason)
    return Redact(None, _nick(whose), reason)


# ---- who may do what in the current room ------------------------------------------------------------------


def _whom(rest: str, name: str) -> tuple[str, str]:
    """The nick, and what is behind it."""
    nick, behind = first_word(rest)
    if not nick:
        raise _usage(name)
    return _nick(nick), behind


def _invite(rest: str) -> Asked:
    nick, room = _whom(rest, "invite")
    return Invite(nick, _room(room) if room else None)


def _kick(rest: str) -> Asked:
    return Kick(*_whom(rest, "kick"))


def _ban(rest: str) -> Asked:
    nick, behind = _whom(rest, "ban")
    return Ban(nick, *_for(behind))


def _mute(rest: str) -> Asked:
    nick, behind = _whom(rest, "mute")
    return Mute(nick, *_for(behind))


def _for(behind: str) -> tuple[float | None, str]:
    """How long and why: how long is said by the first word, if it looks like a time at all."""
    word, reason = first_word(behind)
    if not _LONG.fullmatch(word):
        return None, behind
    try:
        return lasting_s(word), reason
    except click.BadParameter as error:
        raise ConfigurationError(error.message) from None


def _only_nick(name: str, asked: Callable[[str], Asked]) -> Callable[[str], Asked]:
    def read(rest: str) -> Asked:
        nick, behind = _whom(rest, name)
        if behind:
            raise _usage(name)
        return asked(nick)

    return read


def _role(rest: str) -> Asked:
    nick, role = _whom(rest, "role")
    if role not in ROLES:
        raise ConfigurationError(f"/role NICK ROLE, and a role is one of {', '.join(ROLES)}")
    return SetRole(nick, ROLES.index(role))


def _mode(rest: str) -> Asked:
    if rest not in ("announce", "open"):
        raise ConfigurationError("/mode announce (only who has a role writes here) or /mode open (everybody)")
    return SetMode(rest == "announce")


COMMANDS: Final = {
    "msg": Command("NICK [TEXT]", "sends TEXT; without TEXT you speak to NICK from now on", _msg),
    "join": Command("ROOM", "joins a room, made if there is none, and speaks there", _join),
    "private": Command("NAME", "makes a room for those you invite, and speaks there", _private),
    "leave": Command("[ROOM]", "leaves the room, or the current one", _leave),
    "users": Command("", "who is here, and who is registered", _alone(ShowPeople(choose=False))),
    "rooms": Command("", "the public rooms and yours, which have a star", _alone(ShowRooms())),
    "topic": Command("[TEXT]", "shows or sets the topic of the current room", _topic),
    "history": Command("[N]", f"the last N messages here, {HISTORY} without N", _history),
    "whois": Command("[NICK]", "all that is known about NICK, alone about you", _whois),
    "away": Command("[TEXT]", "says that you are away, and why", _away),
    "back": Command("", "says that you are back", _alone(SetAway(""))),
    "ignore": Command("[NICK]", "shows NICK no more; alone: whom you ignore", _ignore),
    "unignore": Command("NICK", "ends that", _unignore),
    "redact": Command("[POS|NICK] [WHY]", "removes a message, or the last of NICK or yours", _redact),
    "invite": Command("NICK [ROOM]", "lets NICK into a private room", _invite),
    "kick": Command("NICK [WHY]", "puts NICK out of the room", _kick),
    "ban": Command("NICK [FOR] [WHY]", "keeps NICK out, FOR 10m, 2h or 7d", _ban),
    "unban": Command("NICK", "ends that", _only_nick("unban", Unban)),
    "mute": Command("NICK [FOR] [WHY]", "lets NICK write nothing here", _mute),
    "unmute": Command("NICK", "ends that", _only_nick("unmute", Unmute)),
    "role": Command("NICK ROLE", f"ROLE is {', '.join(ROLES[:-1])} or {ROLES[-1]}", _role),
    "mode": Command("announce|open", "who may write here: those with a role, or everybody", _mode),
    "help": Command("", "this list", _alone(Help())),
    "quit": Command("", "leaves when all is stored; Ctrl-D does the same", _alone(Quit())),
}

ELSEWHERE: Final = {
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
    "op": ["role"],
    "deop": ["role"],
    "voice": ["role"],
    "delete": ["redact"],
    "remove": ["redact", "kick"],
    "block": ["ignore"],
}
"""What other chats call it."""
