"""How far a reader has got: a position per conversation, above a floor below which all are complete."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Snapshot(NamedTuple):
    """What outlives the process. `floor` None: a new installation that does not know its first list of heads
    yet. `joined` and `followed` are conversations (`#room`)."""

    floor: int | None
    positions: Mapping[str, int]
    joined: frozenset[str]
    followed: frozenset[str]


class Cursors:
    """Positions, the floor, and the rooms they are about. protocol.md, Cursors.

    The floor counts for the conversations that every list of heads covers: joined rooms and direct ones. A
    room that is followed is covered only while the session follows it, so it always keeps its own position.
    """

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.floor = (snapshot.floor or 0) if snapshot else 0
        self.positions = dict(snapshot.positions) if snapshot else {}
        self.joined = set(snapshot.joined) if snapshot else set()
        self.followed = set(snapshot.followed) if snapshot else set()

    def position(self, conversation: str) -> int | None:
        """Up to where the conversation is complete; None for a followed room whose start is not known yet."""
        position = self.positions.get(conversation)
        if conversation in self.followed:
            return position
        return self.floor if position is None or position < self.floor else position

    def move(self, conversation: str, position: int) -> None:
        """The conversation is complete up to `position`. Never moves back."""
        if position <= self.floor and conversation not in self.followed:
            return
        if position > self.positions.get(conversation, -1):
            self.positions[conversation] = position

    def raise_floor(self, floor: int) -> None:
        """All conversations are complete up to `floor`: positions below say nothing any more."""
        if floor <= self.floor:
            return
        self.floor = floor
        covered = [c for c, p in self.positions.items() if p <= floor and c not in self.followed]
        for conversation in covered:
            del self.positions[conversation]

    def follow(self, rooms: Iterable[str]) -> None:
        """Exactly these rooms are followed from now on."""
        rooms = set(rooms)
        for room in rooms - self.followed:
            if room in self.joined:
                self.positions[room] = max(self.positions.get(room, 0), self.floor)
        dropped = self.followed - rooms
        self.followed = rooms
        for room in dropped:
            if self.positions.get(room, self.floor + 1) <= self.floor:
                del self.positions[room]
