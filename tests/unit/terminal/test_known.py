"""Names that are known (zchat/client/terminal/known.py)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from zchat.client.messages import Came, MemberJoined, Message, TopicChanged, Went
from zchat.client.terminal.known import Known
from zchat.common.errors import Unreachable
from zchat.common.wire import Person, Room


class Client:
    """Answers a turn of the loop later, or never."""

    nick = "ann"
    connected = True

    def __init__(self) -> None:
        self.asked = 0
        self.people = [Person("ann", True), Person("bob", True), Person("carl", False)]
        self.is_away = False
        self.left: list[str] = []  # what is said of them

    async def users(self) -> list[Person]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise Unreachable("away")
        return self.people

    async def rooms(self) -> list[Room]:
        return [Room("general", "Lunch", 2)]


def run(test: Callable[[Known, Client, asyncio.Event], Awaitable[None]]) -> None:
    async def with_known() -> None:
        client, changed = Client(), asyncio.Event()
        known = Known(cast(Any, client), changed.set, client.left.append)
        try:
            await test(known, client, changed)
        finally:
            known.close()

    asyncio.run(with_known())


def test_what_is_seen_is_known() -> None:
    async def test(known: Known, client: Client, changed: asyncio.Event) -> None:
        for update in (
            Came("Dave"),
            Came("bob"),
            Went("bob"),
            Message(1, 0, 0, "eve", "#general", "message", "k", "hi", "#general"),
            MemberJoined(2, 0, 0, "kitchen", "bob", True),
            TopicChanged(3, 0, 0, "ops", "bob", "Night shift"),
        ):
            known.saw(update)
        assert known.nicks == ["Dave", "bob", "eve"]
        assert known.here == 1
        assert known.topics == {"kitchen": "", "ops": "Night shift"}

    run(test)


def test_the_broker_is_asked_and_not_too_often() -> None:
    async def test(known: Known, client: Client, changed: asyncio.Event) -> None:
        known.refresh()
        assert known.nicks == []  # nobody waits for it
        await changed.wait()
        assert known.nicks == ["bob", "carl"]
        assert (known.here, known.topics) == (2, {"general": "Lunch"})
        known.refresh()
        known.refresh()
        await asyncio.sleep(0)
        assert client.asked == 1

    run(test)


def test_a_broker_that_is_away_changes_nothing() -> None:
    async def test(known: Known, client: Client, changed: asyncio.Event) -> None:
        known.ask()
        await changed.wait()
        changed.clear()
        client.is_away = True
        known.ask()
        while known._asking is not None:
            await asyncio.sleep(0)
        assert known.nicks == ["bob", "carl"]
        assert not changed.is_set()

    run(test)


def test_who_was_here_before_the_broker_was_away_is_no_news() -> None:
    async def test(known: Known, client: Client, changed: asyncio.Event) -> None:
        known.session_began()
        assert known.is_news(Came("bob"))
        await changed.wait()
        known.session_began()
        assert not known.is_news(Came("bob"))
        assert known.is_news(Came("bob"))  # once
        assert known.is_news(Went("bob"))
        assert known.is_news(Came("carl"))

    run(test)


def test_who_has_not_come_back_has_left_and_is_told_once() -> None:
    async def test(known: Known, client: Client, changed: asyncio.Event) -> None:
        async def asked(is_settled: bool) -> None:
            changed.clear()
            known.ask(is_settled)
            await changed.wait()

        client.people = [Person(nick, True) for nick in ("ann", "bob", "carl", "dave")]
        await asked(is_settled=False)
        known.session_began()
        await changed.wait()
        known.saw(Went("carl"))  # which is told by itself
        client.people = [
            Person("ann", True),
            Person("bob", False),
            Person("carl", False),
            Person("dave", True),
        ]
        await asked(is_settled=False)  # he may still come back
        assert client.left == []
        await asked(is_settled=True)
        await asked(is_settled=True)
        assert client.left == ["bob"]
        assert known.is_news(Came("bob"))

    run(test)
