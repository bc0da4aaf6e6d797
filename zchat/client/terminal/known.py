"""Nicks and rooms that are known, for completing what is typed and for the line below it."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from zchat.client.commands.notices import Notice
from zchat.client.messages import Came, MemberJoined, Message, TopicChanged, Went
from zchat.common.errors import ZchatError

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

_FRESH_S = 10.0  # for so long nobody is asked again
_AGAIN_S = (1.0, 5.0)  # after a session began
_RETURN_S = 60.0  # for so long those who were here before may take to be here again
_V = TypeVar("_V")
_NAMES_MAX = 5_000  # of each kind


class Known:
    """What was seen, and what the broker said when it was asked last. Nobody waits for it: `changed` is
    called when there is an answer, and `left` with everybody who was here before the broker was away, and
    has not come back."""

    def __init__(
        self, client: "AsyncClient", changed: Callable[[], None], left: Callable[[str], None]
    ) -> None:
        self._changed = changed
        self._left = left
        self.topics: dict[str, str] = {}  # by the rooms, without #
        self._client = client
        self._present: dict[str, bool] = {}  # by nick
        self._returning: set[str] = set()  # here before the broker was away
        self._return_ends_at = 0.0
        self._asked_at = -_FRESH_S
        self._asking: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None

    @property
    def nicks(self) -> list[str]:
        """Those of others, of who is here first."""
        others = self._present.keys() - {self._client.nick}
        return sorted(others, key=lambda nick: (not self._present[nick], nick.casefold()))

    @property
    def here(self) -> int:
        """How many are here."""
        return sum(self._present.values())

    def is_news(self, update: Message | Notice) -> bool:
        """Not that somebody who was here before the broker was away is here again."""
        if not isinstance(update, Came) or update.nick not in self._returning:
            return True
        self._returning.remove(update.nick)
        return time.monotonic() > self._return_ends_at

    def session_began(self) -> None:
        """Everybody comes anew when the broker was away. Ask who is here now, and once more when those who
        came before anybody could hear of it are surely here."""
        self._returning = {nick for nick, present in self._present.items() if present}
        self._return_ends_at = time.monotonic() + _RETURN_S
        self.ask()
        self._ask_later(*_AGAIN_S)

    def _ask_later(self, seconds: float, *more: float) -> None:
        if self._later is not None:
            self._later.cancel()

        def ask() -> None:
            self.ask(is_settled=not more)
            if more:
                self._ask_later(*more)

        self._later = asyncio.get_running_loop().call_later(seconds, ask)

    def saw(self, update: Message | Notice) -> None:
        """Names occur in what comes."""
        match update:
            case Came(nick=nick):
                self._add(nick, True)
            case Went(nick=nick):
                self._add(nick, False)
                self._returning.discard(nick)
            case Message(sender=nick):
                self._add(nick, self._present.get(nick, False))
            case MemberJoined(room=room):
                self._add_room(room, self.topics.get(room, ""))
            case TopicChanged(room=room, topic=topic):
                self._add_room(room, topic)
            case _:
                pass

    def refresh(self) -> None:
        """Ask the broker in the background, unless it was just asked or is away."""
        is_fresh = time.monotonic() - self._asked_at < _FRESH_S
        if self._asking is None and self._client.connected and not is_fresh:
            self.ask()

    def ask(self, is_settled: bool = False) -> None:
        """Ask the broker in the background; when it is settled, who is not here has left."""
        if self._asking is None:
            self._asked_at = time.monotonic()
            self._asking = asyncio.create_task(self._ask(is_settled))

    def close(self) -> None:
        """Ask no more."""
        for one in (self._asking, self._later):
            if one is not None:
                one.cancel()

    async def _ask(self, is_settled: bool) -> None:
        try:
            people, rooms = await asyncio.gather(self._client.users(), self._client.rooms())
        except ZchatError:
            return  # what is known has to do
        finally:
            self._asking = None
        self._present = dict(_first((person.nick, person.present) for person in people))
        self.topics = dict(_first((room.name, room.topic) for room in rooms))
        if is_settled:
            for nick in sorted(nick for nick in self._returning if not self._present.get(nick)):
                self._returning.remove(nick)
                self._left(nick)
        self._changed()

    def _add(self, nick: str, present: bool) -> None:
        if nick in self._present or len(self._present) < _NAMES_MAX:
            self._present[nick] = present

    def _add_room(self, room: str, topic: str) -> None:
        if room in self.topics or len(self.topics) < _NAMES_MAX:
            self.topics[room] = topic


def _first(rows: Iterable[tuple[str, _V]]) -> list[tuple[str, _V]]:
    return [row for _, row in zip(range(_NAMES_MAX), rows, strict=False)]
