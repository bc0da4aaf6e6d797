"""What TO means: a room by its name, with or without a mark, or a person behind an @."""

import re

from zchat.common import names
from zchat.common.errors import ConfigurationError, Refused


def address(typed: str) -> str:
    """`#room` or `@nick`; raises ConfigurationError for what can be neither."""
    try:
        if typed.startswith("@"):
            return "@" + names.nick(typed[1:])
        return "#" + names.room(typed.removeprefix("#"))
    except names.InvalidName as error:
        what = "nobody" if typed.startswith("@") else "no room"
        raise ConfigurationError(f"{what} can be called {typed!r}: the name {error}") from None


def with_remedy(error: Refused) -> Refused:
    """The refusal with the command that helps. A broker tells what helps, but knows no commands."""
    reason = re.sub(
        r"\bjoining #(\S+) creates it",
        lambda found: f"zchat join {quoted(found[1])} creates it",
        error.reason,
    )
    return Refused(error.refusal, reason)


def quoted(argument: str) -> str:
    """An argument as it can be typed into a shell."""
    import shlex

    return shlex.quote(argument)
