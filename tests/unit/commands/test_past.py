"""The past of several conversations, merged (zchat/client/commands/past.py)."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.client.commands import past
from zchat.client.commands.past import Wanted
from zchat.client.messages import Entry, Message


class Conversations:
    """Answers like a client."""

    def __init__(self, rooms: Sequence[int]) -> None:
        """`rooms[i]` is the room of the message at position i + 1."""
        self.rooms = {
            to: [pos for pos, room in enumerate(rooms, 1) if f"#{room}" == to] for to in ("#0", "#1", "#2")
        }

    async def history(
        self,
        to: str,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        since_ms: int | None = None,
    ) -> list[Message]:
        found = [message(to, pos, prev) for prev, pos in pairwise([0, *self.rooms[to]])]
        found = [one for one in found if before is None or one.pos < before]
        if after is None and since_ms is None:
            return found[-limit:]
        return [m for m in found if m.pos > (after or 0) and m.time_ms >= (since_ms or 0)][:limit]

    async def entries(
        self,
        to: str,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        since_ms: int | None = None,
    ) -> list[Entry]:
        return [*await self.history(to, limit=limit, before=before, after=after, since_ms=since_ms)]


def message(to: str, pos: int, prev: int) -> Message:
    """The time rises with every fourth position."""
    return Message(pos, prev, pos // 4, "ann", to, "message", "k", "text", to)


rooms_of_messages = st.lists(st.integers(0, 2), max_size=40)


ALL = ("#0", "#1", "#2")


@pytest.fixture(autouse=True, scope="module")
def small_pages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(past, "_PAGE", 3)
        yield


def merged(rooms: Sequence[int], *wanted: Wanted) -> list[Entry]:
    async def read() -> list[Entry]:
        return [one async for one in past.merged(Conversations(rooms), wanted)]

    return asyncio.run(read())


@given(rooms_of_messages, st.integers(0, 45))
def test_all_after_a_position_in_order(rooms: list[int], pos: int) -> None:
    found = merged(rooms, *(Wanted(to, after=pos) for to in ALL))
    assert [one.pos for one in found] == list(range(pos + 1, len(rooms) + 1))


@given(rooms_of_messages, st.integers(1, 12))
def test_all_since_a_time_in_order(rooms: list[int], time_ms: int) -> None:
    found = merged(rooms, *(Wanted(to, since_ms=time_ms) for to in ALL))
    assert [one.pos for one in found] == list(range(4 * time_ms, len(rooms) + 1))


@given(rooms_of_messages, st.integers(1, 12))
def test_nothing_up_to_the_position_before_a_time_is_as_new(rooms: list[int], time_ms: int) -> None:
    found = asyncio.run(past.position_before(Conversations(rooms), ["#0", "#1", "#2"], time_ms))
    assert found == min(4 * time_ms - 1, len(rooms))
    some = asyncio.run(past.position_before(Conversations(rooms), ["#1"], time_ms))
    assert some <= found


@given(rooms_of_messages, st.integers(0, 5))
def test_the_last_of_each(rooms: list[int], count: int) -> None:
    found = merged(rooms, Wanted("#0", most=count), Wanted("#2", most=count))
    assert all(one.pos < other.pos for one, other in pairwise(found))
    for to in ("#0", "#2"):
        expected = Conversations(rooms).rooms[to][-count:] if count else []
        assert [one.pos for one in found if one.to == to] == expected
