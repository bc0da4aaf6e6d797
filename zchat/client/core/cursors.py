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

    def position(self, conversation: str) -> int:
        """Up to where the conversation is complete."""
        position = self.positions.get(conversation, 0)
        return self.floor if position < self.floor else position

    def move(self, conversation: str, position: int) -> None:
        """The conversation is complete up to `position`. Never moves back."""
        if position > self.position(conversation):
            self.positions[conversation] = position

    def raise_floor(self, floor: int) -> None:
        """All conversations are complete up to `floor`: positions below say nothing any more."""
        if floor <= self.floor:
            return
        self.floor = floor
        for conversation in [c for c, position in self.positions.items() if position <= floor]:
            del self.positions[conversation]
