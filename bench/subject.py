"""What is measured: a server that can be started, and the clients that it gets."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from bench.drive import Client, Line

Kind = Literal["fan-out", "fan-out, one in flight", "pairs", "pairs, one in flight", "idle", "durable"]
CHATS: frozenset[Kind] = frozenset(
    ("fan-out", "fan-out, one in flight", "pairs", "pairs, one in flight", "idle")
)
STORES: frozenset[Kind] = frozenset(("durable",))


class Server(Protocol):
    """A server that runs, and its clients in this process."""

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far, user and system."""

    def memory_bytes(self) -> int:
        """Its resident memory."""

    def wait(self, seconds: float) -> None:
        """Have the clients read what has come, or what comes first within that time."""

    def room(self, readers: int) -> tuple[Line, Sequence[Client]]:
        """Somebody who writes in a room, and so many more who read it."""

    def listeners(self, count: int) -> Sequence[Client]:
        """So many more who read the room."""

    def pairs(self, count: int) -> tuple[Sequence[Line], Sequence[Client]]:
        """So many who write to one other each, and those others."""

    def storing(self) -> Line:
        """Somebody whose messages are stored, and acknowledged then."""

    def close(self) -> None:
        """End it and its clients."""


class Subject(NamedTuple):
    """A server in one of its modes. `promise`: what an acknowledgement of it means. `start` gets an empty
    directory."""

    name: str
    version: str
    promise: str
    kinds: frozenset[Kind]
    start: Callable[[Path], Server]
