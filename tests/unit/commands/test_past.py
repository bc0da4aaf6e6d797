"""Merged pages of several conversations (zchat/client/commands/past.py)."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from zchat.client.commands import past
from zchat.client.messages import Message


class Conversations:
    """Answers like a client, at most three messages a page."""

    def __init__(self, rooms: Sequence[int]) -> None:
        """`rooms[i]` is the room of the message at position i + 1."""
        self.rooms = {
            to: [pos for pos, room in enumerate(rooms, 1) if f"#{room}" == to] for to in ("#0", "#1", "#2")
        }

    async def history(self, to: str, *, limit: int = 50, after: int | None = None) -> list[Message]:
        if after is None:
            return [message(to, pos) for pos in self.rooms[to][-limit:]]
        return [message(to, pos) for pos in self.rooms[to] if pos > after][: min(limit, 3)]


def message(to: str, pos: int) -> Message:
    return Message(pos, 0, 0, "ann", to, "message", "k", "text", to)


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(0, 45))
def test_all_after_a_position_in_order(rooms: list[int], pos: int) -> None:
    async def read() -> list[int]:
        return [one.pos async for one in past.after(Conversations(rooms), ["#0", "#1", "#2"], pos)]

    assert asyncio.run(read()) == list(range(pos + 1, len(rooms) + 1))


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(0, 5))
def test_the_last_of_each(rooms: list[int], count: int) -> None:
    conversations = Conversations(rooms)
    found = asyncio.run(past.last(conversations, ["#0", "#2"], count))
    assert all(one.pos < other.pos for one, other in pairwise(found))
    for to in ("#0", "#2"):
        expected = conversations.rooms[to][-count:] if count else []
        assert [one.pos for one in found if one.to == to] == expected
