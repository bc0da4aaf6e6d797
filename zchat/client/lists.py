"""Lists of the broker, asked for page by page."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from zchat.client.callers import Answer
from zchat.client.core.events import Act
from zchat.common import wire

_PAGES_MAX: Final = 1_000  # of one list

Ask = Callable[[Act], Awaitable[Answer]]
_P = TypeVar("_P", wire.People, wire.Rooms, wire.Invites, wire.Tokens, wire.Sanctions)


async def pages(ask: Ask, kind: type[_P], question: Callable[[str], wire.Question]) -> list[_P]:
    """All pages of a list. `question` makes the request for those behind a row; `kind` is what answers it.
    Raises what `ask` does."""
    found: list[_P] = []
    after = ""
    for _ in range(_PAGES_MAX):
        answer, _segments = await ask(question(after))
        assert isinstance(answer, kind)
        found.append(answer)
        after = answer.next
        if not after:
            break
    return found
