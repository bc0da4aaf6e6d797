"""What the chat shows when it is asked: people, rooms, topics, the past."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from zchat.client.commands import people
from zchat.common.text import one_line

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient
    from zchat.client.commands.front import Front


class Answers:
    """Each asks the broker, and raises what the client does."""

    def __init__(self, client: "AsyncClient", front: "Front") -> None:
        self._client, self._front = client, front

    async def people(self) -> None:
        """Who is here and who is registered."""
        await self._front.text(people.people_text(await self._client.users(), self._client.nick))

    async def rooms(self, joined: Collection[str]) -> None:
        """The rooms, those that were joined with a star."""
        await self._front.text(people.starred_rooms_text(await self._client.rooms(), joined))

    async def topic(self, room: str) -> None:
        """The topic of a `#room`."""
        topics = [one.topic for one in await self._client.rooms() if f"#{one.name}" == room]
        topic = one_line(topics[0]) if topics else ""
        await self._front.text(f"* The topic of {room}: {topic}\n" if topic else f"* {room} has no topic.\n")

    async def history(self, to: str, count: int) -> None:
        """The last messages of a conversation."""
        for message in await self._client.history(to, limit=count):
            await self._front.show(message)

    async def whois(self, nick: str | None) -> None:
        """All that is known about somebody."""
        await self._front.text(people.profile_text(await self._client.whois(nick), self._client.nick))

    async def ignored(self) -> None:
        """Whom one ignores."""
        ignored = (await self._client.whois()).ignored
        listed = ", ".join(map(one_line, ignored))
        await self._front.text(f"* You ignore {listed}.\n" if ignored else "* You ignore nobody.\n")
