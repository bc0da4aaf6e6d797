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

    async def history(
        self, to: str, *, limit: int = 50, after: int | None = None, since_ms: int | None = None
    ) -> list[Message]:
        found = [message(to, pos, prev) for prev, pos in pairwise([0, *self.rooms[to]])]
        if after is None and since_ms is None:
            return found[-limit:]
        later = [m for m in found if m.pos > (after or 0) and m.time_ms >= (since_ms or 0)]
        return later[: min(limit, 3)]


def message(to: str, pos: int, prev: int) -> Message:
    """The time rises with every fourth position."""
    return Message(pos, prev, pos // 4, "ann", to, "message", "k", "text", to)


rooms_of_messages = st.lists(st.integers(0, 2), max_size=40)


@given(rooms_of_messages, st.integers(0, 45))
def test_all_after_a_position_in_order(rooms: list[int], pos: int) -> None:
    async def read() -> list[int]:
        return [one.pos async for one in past.beginning(Conversations(rooms), ["#0", "#1", "#2"], after=pos)]

    assert asyncio.run(read()) == list(range(pos + 1, len(rooms) + 1))


@given(rooms_of_messages, st.integers(1, 12))
def test_all_since_a_time_in_order(rooms: list[int], time_ms: int) -> None:
    async def read() -> list[int]:
        addresses = ["#0", "#1", "#2"]
        return [one.pos async for one in past.beginning(Conversations(rooms), addresses, since_ms=time_ms)]

    assert asyncio.run(read()) == list(range(4 * time_ms, len(rooms) + 1))


@given(rooms_of_messages, st.integers(1, 12))
def test_nothing_up_to_the_position_before_a_time_is_as_new(rooms: list[int], time_ms: int) -> None:
    found = asyncio.run(past.position_before(Conversations(rooms), ["#0", "#1", "#2"], time_ms))
    assert found == min(4 * time_ms - 1, len(rooms))
    some = asyncio.run(past.position_before(Conversations(rooms), ["#1"], time_ms))
    assert some <= found


@given(rooms_of_messages, st.integers(0, 5))
def test_the_last_of_each(rooms: list[int], count: int) -> None:
    conversations = Conversations(rooms)
    found = asyncio.run(past.last(conversations, ["#0", "#2"], count))
    assert all(one.pos < other.pos for one, other in pairwise(found))
    for to in ("#0", "#2"):
        expected = conversations.rooms[to][-count:] if count else []
        assert [one.pos for one in found if one.to == to] == expected
