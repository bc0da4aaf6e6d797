"""Nicks and rooms that are known, for completing what is typed and for the line below it."""

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from zchat.client.commands.formats import Notice
from zchat.client.messages import Came, MemberJoined, Message, TopicChanged, Went
from zchat.common.errors import ZchatError

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

_FRESH_S = 10.0  # for so long nobody is asked again
_V = TypeVar("_V")
_NAMES_MAX = 5_000  # of each kind


class Known:
    """What was seen, and what the broker said when it was asked last. It never waits for the broker."""

    def __init__(self, client: "AsyncClient") -> None:
        self.topics: dict[str, str] = {}  # by the rooms, without #
        self._client = client
        self._present: dict[str, bool] = {}  # by nick
        self._asked_at = -_FRESH_S
        self._asking: asyncio.Task[None] | None = None

    @property
    def nicks(self) -> list[str]:
        """Those who are here first."""
        return sorted(self._present, key=lambda nick: (not self._present[nick], nick.casefold()))

    @property
    def here(self) -> int:
        """How many are here."""
        return sum(self._present.values())

    def saw(self, update: Message | Notice) -> None:
        """Names occur in what comes."""
        match update:
            case Came(nick=nick):
                self._add(nick, True)
            case Went(nick=nick):
                self._add(nick, False)
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

    def ask(self) -> None:
        """Ask the broker in the background."""
        if self._asking is None:
            self._asked_at = time.monotonic()
            self._asking = asyncio.create_task(self._ask())

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        try:
            people, rooms = await asyncio.gather(self._client.users(), self._client.rooms())
        except ZchatError:
            return  # what is known has to do
        finally:
            self._asking = None
        self._present = dict(_first((person.nick, person.present) for person in people))
        self.topics = dict(_first((room.name, room.topic) for room in rooms))

    def _add(self, nick: str, present: bool) -> None:
        if nick in self._present or len(self._present) < _NAMES_MAX:
            self._present[nick] = present

    def _add_room(self, room: str, topic: str) -> None:
        if room in self.topics or len(self.topics) < _NAMES_MAX:
            self.topics[room] = topic


def _first(rows: Iterable[tuple[str, _V]]) -> list[tuple[str, _V]]:
    return [row for _, row in zip(range(_NAMES_MAX), rows, strict=False)]
