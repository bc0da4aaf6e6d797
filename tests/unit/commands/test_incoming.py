"""What comes while one chats (zchat/client/commands/incoming.py)."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from msgspec.structs import replace

from zchat.client.commands.account import Account
from zchat.client.commands.incoming import Incoming
from zchat.client.commands.notices import Notice
from zchat.client.messages import (
    Act,
    Came,
    CaughtUp,
    MemberJoined,
    MemberLeft,
    Message,
    Redaction,
    Sent,
    Status,
    TopicChanged,
    Update,
    Went,
)
from zchat.common.wire import Profile


class Front:
    """Writes down what it is to show."""

    may_ask = False

    def __init__(self) -> None:
        self.shown: list[object] = []

    async def show(self, update: Message | Notice) -> None:
        self.shown.append(update)

    def remove(self, pos: int) -> None:
        self.shown.append(f"remove {pos}")

    async def text(self, text: str) -> None:
        self.shown.append(text)

    def remark(self, text: str) -> None:
        self.shown.append(text)

    def caught_up(self) -> None:
        self.shown.append("caught up")

    @property
    def is_program(self) -> bool:
        raise AssertionError

    def keep(self, text: str) -> None:
        raise AssertionError

    def posted(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        raise AssertionError


class Chat:
    """Whose account ignores eve, from the second time it is asked on."""

    nick = "ann"

    def __init__(self) -> None:
        self.account = Account(self)
        self.asked = 0
        self.events: list[Act | MemberJoined] = []

    async def whois(self, nick: str | None = None) -> Profile:
        self.asked += 1
        ignored = ["eve"] if self.asked > 1 else []
        return Profile(1, 1, "ann", [], 0, 0, 1, True, "", 0, 0, "", [], ignored)

    async def heard(self, update: Act | MemberJoined | MemberLeft) -> None:
        self.events.append(update)


def message(pos: int, sender: str = "bob") -> Message:
    return Message(pos, 0, 0, sender, "#general", "message", "k", "text", "#general")


JOINED = MemberJoined(7, 0, 0, "general", "bob", False)
TOPIC = TopicChanged(8, 0, 0, "general", "bob", "Lunch")


def shown(updates: Sequence[Update], everything: bool = False) -> list[object]:
    front = Front()

    async def come() -> AsyncIterator[Update]:
        for update in updates:
            yield update

    asyncio.run(Incoming(front, Chat(), everything).run(come()))
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
        asyncio.run(Incoming(front, Chat()).run(come()))
    assert front.shown == [message(1)]


def test_nobody_hears_of_their_own_coming() -> None:
    assert shown([CaughtUp(), Came("ann"), Went("ann"), Came("bob")]) == ["caught up", Came("bob")]


# ---- acts and removals ------------------------------------------------------------------------------------


def act(pos: int, conversation: str, subject: str = "ann", name: str = "muted", time_ms: int = 1) -> Act:
    return Act(pos, 0, time_ms, conversation, "bob", name, "general", subject, 0, "", "")


def test_an_act_that_stands_in_two_conversations_is_told_once() -> None:
    room, both = act(1, "#general"), act(2, "@ann,bob")
    assert shown([CaughtUp(), room, both, act(5, "#general", time_ms=2)]) == [
        "caught up", room, act(5, "#general", time_ms=2)
    ]  # fmt: skip
    assert shown([CaughtUp(), both, room]) == ["caught up", both]
    assert shown([room, both], everything=True) == [room, both]


def test_of_what_was_missed_the_acts_that_concern_oneself_are_told() -> None:
    mine, other = act(3, "@ann,bob"), act(1, "#general", "carl")
    assert shown([other, mine, message(2), CaughtUp()]) == [message(2), mine, "caught up"]


def test_the_chat_hears_of_it_when_it_is_shown() -> None:
    chat, front = Chat(), Front()

    async def come() -> AsyncIterator[Update]:
        yield act(3, "@ann,bob", name="kicked")
        assert chat.events == []
        yield CaughtUp()
        assert chat.events == [act(3, "@ann,bob", name="kicked")]

    asyncio.run(Incoming(front, chat).run(come()))


def test_a_message_that_is_removed_while_it_is_held_back_comes_without_its_text() -> None:
    gone = Redaction(5, 2, 0, "#general", "bob", 2, "")
    held = replace(message(2), text="")
    assert shown([message(2), message(3), gone, CaughtUp()]) == ["remove 2", held, message(3), "caught up"]
    assert shown([CaughtUp(), message(2), gone]) == ["caught up", message(2), "remove 2", gone]


# ---- who is ignored ---------------------------------------------------------------------------------------


def test_who_is_ignored_is_asked_anew_in_each_session() -> None:
    updates: list[Update] = [
        CaughtUp(),
        message(1, "eve"),
        Status("away", "away"),
        Status("back", "back"),
        message(2, "eve"),
        message(3),
        CaughtUp(),
        message(4, "eve"),
    ]
    assert [one for one in shown(updates) if isinstance(one, Message)] == [message(1, "eve"), message(3)]
    programs = shown(updates, everything=True)
    assert [one for one in programs if isinstance(one, Message)] == [message(1, "eve"), message(3)]
