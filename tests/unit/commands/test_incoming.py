"""What comes while one chats (zchat/client/commands/incoming.py)."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from zchat.client.commands.formats import Notice
from zchat.client.commands.incoming import Incoming
from zchat.client.messages import (
    Came,
    CaughtUp,
    MemberJoined,
    Message,
    Sent,
    Status,
    TopicChanged,
    Update,
    Went,
)


class Front:
    """Writes down what it is to show."""

    may_ask = False

    def __init__(self) -> None:
        self.shown: list[object] = []

    async def show(self, update: Message | Notice) -> None:
        self.shown.append(update)

    async def text(self, text: str) -> None:
        self.shown.append(text)

    def remark(self, text: str) -> None:
        self.shown.append(text)

    def caught_up(self) -> None:
        self.shown.append("caught up")

    def posted(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        raise AssertionError


def message(pos: int) -> Message:
    return Message(pos, 0, 0, "bob", "#general", "message", "k", "text", "#general")


JOINED = MemberJoined(7, 0, 0, "general", "bob", False)
TOPIC = TopicChanged(8, 0, 0, "general", "bob", "Lunch")


def shown(updates: Sequence[Update], everything: bool = False) -> list[object]:
    front = Front()

    async def come() -> AsyncIterator[Update]:
        for update in updates:
            yield update

    asyncio.run(Incoming(front, "ann", everything).run(come()))
    return front.shown


def test_what_was_missed_comes_in_the_order_of_positions_and_without_notices() -> None:
    updates = [message(2), JOINED, message(1), Came("bob"), CaughtUp(), message(3), TOPIC, Went("bob")]
    assert shown(updates) == [
        Came("bob"), message(1), message(2), "caught up", message(3), TOPIC, Went("bob")
    ]  # fmt: skip


def test_of_much_the_last_are_shown() -> None:
    updates = [*(message(pos) for pos in range(1, 151)), CaughtUp()]
    note, *rest = shown(updates)
    assert str(note).startswith("* 50 more messages were missed")
    assert rest == [*(message(pos) for pos in range(51, 151)), "caught up"]


def test_programs_get_everything() -> None:
    updates = [*(message(pos) for pos in range(1, 151)), JOINED, CaughtUp()]
    assert shown(updates, everything=True) == [*updates[:-1], "caught up"]


def test_a_broker_that_was_away() -> None:
    updates: list[Update] = [
        CaughtUp(),
        Status("away", "the broker is away"),
        Status("back", "the broker is back"),
        message(1),
        TOPIC,
        CaughtUp(),
        TOPIC,
    ]
    assert shown(updates) == [
        "caught up",
        "the broker is away; what you type is kept, and sent when it is back",
        "the broker is back",
        message(1),
        "caught up",
        TOPIC,
    ]


def test_what_was_missed_is_shown_when_the_broker_goes_again_or_all_ends() -> None:
    away = Status("away", "away")
    assert shown([message(1), away])[0] == message(1)
    assert shown([message(1)]) == [message(1)]
    front = Front()

    async def come() -> AsyncIterator[Update]:
        yield message(1)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(Incoming(front, "ann").run(come()))
    assert front.shown == [message(1)]


def test_nobody_hears_of_their_own_coming() -> None:
    assert shown([CaughtUp(), Came("ann"), Went("ann"), Came("bob")]) == ["caught up", Came("bob")]
