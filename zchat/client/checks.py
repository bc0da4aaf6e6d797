"""What may be asked of a broker: names, addresses, texts and times, checked before anything is sent."""

import math
import re
from typing import Any, Final, TypeVar

import msgspec

from zchat.common import limits, wire
from zchat.common.codes import Refusal
from zchat.common.errors import ConfigurationError, Refused

_T = TypeVar("_T", bound=msgspec.Struct)
_KEY: Final = re.compile(r"[!-}][!-~]*")


def address(to: str) -> str:
    """Where a message or a page belongs: `#room`, `@nick`, or `$` for what belongs to no conversation. Raises
    Refused."""
    if to == wire.ACCOUNT:
        return to
    typed = to if to.startswith(("#", "@")) else f"#{to}"
    if not 2 <= len(typed) <= 1 + limits.NAME_CHARACTERS_MAX or not is_unicode(typed):
        raise Refused(Refusal.NAME_INVALID, f"nobody and no room can be called {to[:64]!r}")
    return typed


def room(name: str) -> str:
    """The name of a room, without `#`. Raises Refused."""
    found = name.removeprefix("#")
    if not 1 <= len(found) <= limits.NAME_CHARACTERS_MAX or not is_unicode(found):
        raise Refused(Refusal.NAME_INVALID, f"no room can be called {name[:64]!r}")
    return found


def nick(name: str) -> str:
    """A nick, without `@`. Raises Refused."""
    found = name.removeprefix("@")
    if not 1 <= len(found) <= limits.NAME_CHARACTERS_MAX or not is_unicode(found):
        raise Refused(Refusal.NAME_INVALID, f"nobody can be called {name[:64]!r}")
    return found


def message(text: str, id: str | None) -> None:
    """Raises ConfigurationError for a text or an id that no message has."""
    if not text:
        raise ConfigurationError("an empty message cannot be sent")
    if not text.isascii() and not is_unicode(text):
        raise ConfigurationError("the text has half a surrogate pair: it is no Unicode")
    if id is not None and (len(id) > limits.KEY_CHARACTERS_MAX or _KEY.fullmatch(id) is None):
        raise ConfigurationError(
            f"an id has 1 to {limits.KEY_CHARACTERS_MAX} printable ASCII characters, and no ~ in front"
        )


def topic(text: str) -> str:
    """A topic. Raises Refused."""
    if len(text) > limits.TOPIC_BYTES_MAX or not is_unicode(text):
        raise Refused(Refusal.TOO_LARGE, f"a topic has at most {limits.TOPIC_BYTES_MAX} bytes")
    return text


def lifetime_ms(seconds: float | None) -> int:
    """A time to last in ms, of at least one; 0, for ever, for None. Raises ConfigurationError."""
    if seconds is None:
        return 0
    if not (math.isfinite(seconds) and 0 < seconds * 1000 < wire.FOR_EVER):
        raise ConfigurationError(f"a time to last is more than 0 seconds: {seconds}. None is for ever")
    return max(1, round(seconds * 1000))


def bounds(request: _T) -> _T:
    """A request all of whose fields are within their bounds: the broker could not read another one, nor say
    whose it was. Raises ConfigurationError."""
    for field in msgspec.structs.fields(request):
        value: Any = getattr(request, field.name)
        try:
            msgspec.convert(value, field.type)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"{field.name} is out of its bounds: {error}") from None
        if isinstance(value, str) and not is_unicode(value):
            raise ConfigurationError(f"{field.name} has half a surrogate pair: it is no Unicode")
    return request


def is_unicode(text: str) -> bool:
    """Whether the text can be encoded: it has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
