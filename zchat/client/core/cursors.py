"""How far a reader has got: a position per conversation, above a floor below which all are complete."""

from collections.abc import Mapping
from typing import NamedTuple


class Snapshot(NamedTuple):
    """What outlives the process. `floor` None: a new installation that does not know its first list of heads
    yet. `joined` and `followed` are conversations (`#room`)."""

    floor: int | None
    positions: Mapping[str, int]
    joined: frozenset[str]
    followed: frozenset[str]


class Cursors:
    """Positions, the floor, and the rooms they are about. protocol.md, Cursors."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.floor = (snapshot.floor or 0) if snapshot else 0
        self.positions = dict(snapshot.positions) if snapshot else {}
        self.joined = set(snapshot.joined) if snapshot else set()
        self.followed = set(snapshot.followed) if snapshot else set()

    def begin_anew(self, floor: int) -> None:
        """All conversations are to be read from `floor` on. What is followed stays: the user said so, not the
        log."""
        self.floor = floor
        self.positions.clear()
        self.joined.clear()

    def position(self, conversation: str) -> int:
        """Up to where the conversation is complete."""
        position = self.positions.get(conversation, 0)
        if position and conversation in self.joined:
            return position
        return self.floor if position < self.floor else position

    def join(self, room: str) -> None:
        """Begin to read a room as a member, from where all is complete."""
        self.positions[room] = max(self.positions.get(room, 0), self.floor)
        self.joined.add(room)

    def move(self, conversation: str, position: int) -> None:
        """The conversation is complete up to `position`. Never moves back."""
        if position > self.position(conversation):
            self.positions[conversation] = position

    def raise_floor(self, floor: int) -> None:
        """All conversations are complete up to `floor`: positions below say nothing any more."""
        if floor <= self.floor:
            return
        for room in self.joined:
            self.positions.setdefault(room, self.floor)
        self.floor = floor
        passed = [c for c, position in self.positions.items() if position <= floor and c not in self.joined]
        for conversation in passed:
            del self.positions[conversation]
