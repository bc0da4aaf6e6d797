"""Which messages of a conversation are read, and how (zchat/client/commands/past.py)."""

import asyncio
from itertools import count as counting
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.client.commands import past
from zchat.client.commands.past import Wanted, entries
from zchat.client.messages import Act, Entry, MemberJoined, Message

PAGE = 4


@pytest.fixture(autouse=True, scope="module")
def small_pages() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(past, "_PAGE", PAGE)
        yield


class Conversation:
    """Answers as AsyncClient.history does. Position 10 n holds message n; its time is n seconds."""

    def __init__(self, senders: list[str]) -> None:
        self.all = [
            Message(10 * n, 0, 1000 * n, sender, "#r", "message", "k", "", "#r")
            for n, sender in enumerate(senders, 1)
        ]
        self.asked: list[int] = []

    async def history(
        self,
        to: str,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        since_ms: int | None = None,
    ) -> list[Message]:
        assert to == "#r"
        self.asked.append(limit)
        found = self.within(before, after, since_ms)
        return found[-limit:] if after is None and since_ms is None else found[:limit]

    async def entries(
        self,
        to: str,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        since_ms: int | None = None,
    ) -> list[Entry]:
        raise AssertionError

    def within(self, before: int | None, after: int | None, since_ms: int | None) -> list[Message]:
        return [
            one
            for one in self.all
            if (before is None or one.pos < before)
            and (after is None or one.pos > after)
            and (since_ms is None or one.time_ms >= since_ms)
        ]


def printed(conversation: Conversation, wanted: Wanted) -> list[int]:
    async def read() -> list[int]:
        return [one.pos async for one in entries(conversation, wanted)]

    return asyncio.run(read())


positions = st.none() | st.integers(0, 330)


@given(
    st.lists(st.sampled_from(["ann", "Bob", "cid"]), max_size=30),
    st.none() | st.integers(0, 35),
    positions,
    positions,
    st.none() | st.integers(0, 33_000),
    st.sampled_from([None, "ann", "bob", "eve"]),
)
def test_exactly_those_that_are_wanted(
    senders: list[str],
    most: int | None,
    before: int | None,
    after: int | None,
    since_ms: int | None,
    sender: str | None,
) -> None:
    forward = after is not None or since_ms is not None
    if most is None and not forward:
        most = 50
    conversation = Conversation(senders)
    matching = [
        one.pos
        for one in conversation.within(before, after, since_ms)
        if sender is None or one.sender.lower() == sender
    ]
    kept = len(matching) if most is None else most
    expected = matching[:kept] if forward else matching[max(0, len(matching) - kept) :]
    assert printed(conversation, Wanted("#r", most, before, after, since_ms, sender)) == expected
    assert max(conversation.asked) <= PAGE
    assert len(conversation.asked) <= 2 * (len(senders) // PAGE + 2)


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_is_read_than_is_wanted(most: int) -> None:
    conversation = Conversation(["ann"] * 20)
    assert len(printed(conversation, Wanted("#r", most, None, None, None, None))) == most
    assert len(printed(conversation, Wanted("#r", most, None, 0, None, None))) == most
    assert conversation.asked == [most, most]


def test_the_broker_is_asked_even_for_nothing() -> None:
    conversation = Conversation([])
    assert printed(conversation, Wanted("#r", 0, None, None, None, None)) == []
    assert conversation.asked == [1]


def test_a_nick_that_is_none_here_is_compared_as_it_is() -> None:
    conversation = Conversation(["not a nick", "ann"])
    assert printed(conversation, Wanted("#r", 9, None, None, None, "not a nick")) == [10]


def test_it_prints_while_it_reads() -> None:
    """However long the conversation is, little of it is held."""

    class Endless(Conversation):
        async def history(
            self, to: str, *, limit: int = 50, after: int | None = None, **_: Any
        ) -> list[Message]:
            return [
                Message(pos, 0, 0, "ann", "#r", "message", "k", "", "#r")
                for pos in range((after or 0) + 1, (after or 0) + 1 + limit)
            ]

    async def first(wanted: int) -> None:
        numbers = counting(1)
        async for one in entries(Endless([]), Wanted("#r", None, None, 0, None, None)):
            assert one.pos == next(numbers)
            if one.pos == wanted:
                break

    asyncio.run(first(1000))


class Eventful(Conversation):
    """With all that happened, of which the messages are a part."""

    async def history(self, to: str, **which: Any) -> list[Message]:
        raise AssertionError

    async def entries(self, to: str, **which: Any) -> list[Entry]:
        return [
            MemberJoined(1, 0, 0, "r", "Bob", True),
            Message(2, 1, 0, "ann", "#r", "message", "k", "", "#r"),
            Act(3, 2, 0, "#r", "bob", "muted", "r", "ann", 0, "", ""),
        ]


def test_what_else_happened() -> None:
    everything = Wanted("#r", most=3, events=True)
    assert printed(Eventful([]), everything) == [1, 2, 3]
    assert printed(Eventful([]), everything._replace(sender="bob", most=5, after=0)) == [1, 3]
