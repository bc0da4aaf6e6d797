"""To whom one speaks, and what becomes of what was typed (zchat/client/commands/chat.py)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from zchat.client.commands.chat import Chat
from zchat.client.commands.formats import Notice
from zchat.client.messages import Message, Sent
from zchat.common.codes import Refusal
from zchat.common.errors import Closed, OutcomeUnknown, Refused, Unreachable, ZchatError
from zchat.common.links import parse
from zchat.common.wire import Person, Room

LINK = parse("zchat://127.0.0.1:9242/" + "a" * 52)


class Client:
    """Answers at once. What was posted is answered by the test."""

    link = LINK
    nick = "ann"
    connected = True

    def __init__(self, joined: Sequence[str] = ("general",)) -> None:
        self.joined = frozenset(joined)
        self.people = [Person("ann", True), Person("Bob", True), Person("carl", False)]
        self.posted: list[tuple[str, str]] = []
        self.futures: list[asyncio.Future[Sent]] = []

    async def users(self) -> list[Person]:
        return self.people

    async def members(self, room: str) -> list[Person]:
        return self.people[:2] if room == "general" else self.people[:1]

    async def rooms(self) -> list[Room]:
        return [Room("general", "", 2), Room("kitchen", "Lunch", 1)]

    async def join(self, room: str) -> int:
        return 7  # `joined` follows later

    async def leave(self, room: str) -> int:
        was_there = room[1:] in self.joined
        self.joined -= {room[1:]}
        return 8 if was_there else 0

    async def set_topic(self, room: str, topic: str) -> int:
        raise Refused(Refusal.NO_SUCH_ROOM, f"no room {room}")

    async def post(self, to: str, text: str) -> "asyncio.Future[Sent]":
        self.posted.append((to, text))
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


class Front:
    """Writes down what it is to show."""

    def __init__(self) -> None:
        self.may_ask = True
        self.texts: list[str] = []
        self.remarks: list[str] = []

    async def show(self, update: Message | Notice) -> None:
        raise AssertionError

    async def text(self, text: str) -> None:
        self.texts.append(text)

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def caught_up(self) -> None:
        raise AssertionError

    def posted(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        assert not sent.done()


def run(test: Callable[[Chat, Client, Front], Awaitable[None]], client: Client | None = None) -> None:
    async def with_chat() -> None:
        there, front = client or Client(), Front()
        await test(Chat(cast(Any, there), front), there, front)

    asyncio.run(with_chat())


def test_what_is_typed_goes_to_whom_one_speaks_to() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        for line in (
            "hi",
            "/msg bob",
            "psst",
            "/join kitchen",
            "lunch?",
            "/msg #general all",
            "/msg carl you",
        ):
            assert await chat.enter(line)
        assert client.posted == [
            ("#general", "hi"),
            ("@Bob", "psst"),  # as it is registered
            ("#kitchen", "lunch?"),
            ("#general", "all"),
            ("@carl", "you"),
        ]
        assert chat.to == "#kitchen"
        assert front.remarks == [
            "you write to @Bob now; /join general returns to the room",
            "you write to #kitchen now",
        ]
        assert not await chat.enter("/quit")

    run(test)


def test_the_room_to_begin_with() -> None:
    for joined, room in (((), "#general"), (("b", "general"), "#general"), (("b", "a"), "#a")):

        async def test(chat: Chat, client: Client, front: Front, room: str = room) -> None:
            assert (chat.to, chat.room) == (room, room)

        run(test, Client(joined))


def test_a_room_that_is_left() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        await chat.enter("/leave")
        await chat.enter("/leave nowhere")
        assert chat.to == "#ops"
        await chat.enter("/leave ops")
        await chat.enter("hi")
        assert client.posted == []
        assert front.remarks == [
            "you left #general",
            "you write to #ops now",
            "you are not in #nowhere",
            "you left #ops",
            "you are in no room now; /join ROOM joins one",
            "you are not in #general; /join general joins it",
        ]

    run(test, Client(("general", "ops")))


def offered(chat: Chat) -> list[str]:
    """Who can be chosen at the moment."""
    return [] if chat.question is None else [*chat.question.nicks]


def test_the_choice() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        await chat.arrive()
        assert front.texts == [
            "* Here are:\n  1 Bob\nAway: carl\n"
            "* Write to whom? Type 1 for Bob, Enter for #general, q to leave.\n"
        ]
        await chat.enter("hello")
        assert (client.posted, offered(chat)) == ([], ["Bob"])
        await chat.enter("1")
        await chat.enter("1")
        assert (client.posted, offered(chat)) == ([("@Bob", "1")], [])
        await chat.enter("LIST")
        chat.keep()
        assert (chat.to, offered(chat)) == ("@Bob", [])
        await chat.enter("LIST")
        await chat.enter("")
        assert (chat.to, offered(chat)) == ("#general", [])
        await chat.enter("LIST")
        assert await chat.enter("q")
        assert offered(chat) == []
        await chat.arrive()
        chat._has_typed = False
        await chat.arrive()
        assert not await chat.enter("q")

    run(test)


def test_nobody_is_asked_who_has_begun_or_cannot_answer_or_is_alone() -> None:
    async def begun(chat: Chat, client: Client, front: Front) -> None:
        await chat.enter("hi")
        await chat.arrive()
        assert (front.texts, offered(chat)) == (["Here: ann (you), Bob\nAway: carl\n"], [])

    async def cannot(chat: Chat, client: Client, front: Front) -> None:
        front.may_ask = False
        await chat.arrive()
        await chat.enter("LIST")
        assert (front.texts, offered(chat)) == (["Here: ann (you), Bob\nAway: carl\n"] * 2, [])

    async def alone(chat: Chat, client: Client, front: Front) -> None:
        client.people = client.people[:1]
        await chat.arrive()
        assert (front.texts, offered(chat)) == (["* Nobody else is here.\n"], [])

    for test in (begun, cannot, alone):
        run(test)


def test_of_very_many_not_all_can_be_chosen() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        client.people = [Person(f"n{number}", True) for number in range(500)]
        await chat.arrive()
        assert len(offered(chat)) == 99
        assert "and 401 more, whom /msg NICK reaches" in front.texts[0]

    run(test)


def test_what_is_known() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        for line in ("/whois BOB", "/rooms", "/topic", "/join kitchen", "/topic", "/whois zed", "/topic x"):
            await chat.enter(line)
        assert front.texts == [
            "* Bob is registered, and here now. You are both in #general\n",
            "* #general  2\n  #kitchen  1  Lunch\n",
            "* #general has no topic.\n",
            "* The topic of #kitchen: Lunch\n",
        ]
        assert front.remarks[1:] == ["nobody is registered as zed", "no room #kitchen"]

    run(test)


def test_while_the_broker_is_away() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        client.connected = False
        for line in ("/users", "/rooms", "/topic", "/history", "/whois bob", "/join x", "/leave", "LIST"):
            await chat.enter(line)
        assert len(front.remarks) == 8
        assert set(front.remarks) == {
            "not now: the broker is away. Messages are kept, and sent when it is back"
        }
        await chat.enter("/msg bob")
        await chat.enter("kept")
        assert client.posted == [("@bob", "kept")]

    run(test)


def test_too_large_a_text() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        await chat.enter("ä" * 32_769)
        assert front.remarks == ["the text is larger than 65536 bytes"]
        assert client.posted == []

    run(test)


@pytest.mark.parametrize(
    ("error", "said", "lost"),
    [
        (Refused(Refusal.NO_SUCH_USER, "nobody is bob"), "not sent to #general: nobody is bob [hi]", None),
        (Unreachable("away"), "not sent to #general: away [hi]", 3),
        (Closed("closed"), "not sent to #general: the broker was not there any more [hi]", 3),
        (OutcomeUnknown("no answer", None), "perhaps not sent to #general: no answer [hi]", 8),
    ],
)
def test_what_was_not_stored_is_said(error: ZchatError, said: str, lost: int | None) -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        await chat.enter("hi")
        await chat.enter("stored")
        assert chat.unsettled == 2
        client.futures[1].set_result(Sent(1, 0, "~1.1", False))
        client.futures[0].set_exception(error)
        await chat.settle(None)
        found = await chat.lost()
        assert front.remarks == [said]
        assert (found and found.exit_code) == lost

    run(test)
