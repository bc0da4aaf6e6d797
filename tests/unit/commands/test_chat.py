"""To whom one speaks, and what becomes of what was typed (zchat/client/commands/chat.py)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from zchat.client.commands.chat import Chat
from zchat.client.commands.notices import Notice
from zchat.client.messages import Act, MemberJoined, MemberLeft, Message, Sent
from zchat.common.codes import Refusal
from zchat.common.errors import Closed, OutcomeUnknown, Refused, Unreachable, ZchatError
from zchat.common.links import parse
from zchat.common.wire import FOR_EVER, OPERATOR, Person, Profile, Room

LINK = parse("zchat://127.0.0.1:9242/" + "a" * 52)


class Client:
    """Answers at once. What was posted is answered by the test."""

    link = LINK
    nick = "ann"
    connected = True
    held_s = 0.0

    def __init__(self, joined: Sequence[str] = ("general",)) -> None:
        self.joined = frozenset(joined)
        self.people = [Person("ann", True), Person("Bob", True), Person("carl", False)]
        self.posted: list[tuple[str, str]] = []
        self.ignored: set[str] = set()
        self.done: list[tuple[object, ...]] = []
        self.changes = 9
        self.admin = Admin(self)
        self.futures: list[asyncio.Future[Sent]] = []

    async def users(self) -> list[Person]:
        return self.people

    async def members(self, room: str) -> list[Person]:
        return self.people[:2] if room == "general" else self.people[:1]

    async def rooms(self) -> list[Room]:
        return [Room("general", "", 2), Room("kitchen", "Lunch", 1)]

    async def join(self, room: str) -> int:
        if room == "#secret":
            raise Refused(Refusal.NOT_ALLOWED, "you were banned from #secret")
        return 7  # `joined` follows later

    async def leave(self, room: str) -> int:
        was_there = room[1:] in self.joined
        self.joined -= {room[1:]}
        return 8 if was_there else 0

    async def set_topic(self, room: str, topic: str) -> int:
        raise Refused(Refusal.NO_SUCH_ROOM, f"no room {room}")

    async def create_private(self, base: str) -> str:
        return f"{base}+4711"

    async def whois(self, nick: str | None = None) -> Profile:
        if nick not in (None, "BOB"):
            raise Refused(Refusal.NO_SUCH_USER, f"nobody is registered as {nick}")
        who = (nick and "Bob") or "ann"
        return Profile(1, 1, who, [], 0, 0, 0, True, "", 0, 0, "", ["general"], sorted(self.ignored))

    async def set_away(self, text: str) -> int:
        return self.asked("set_away", text)

    async def set_ignored(self, nick: str, ignored: bool) -> int:
        (self.ignored.add if ignored else self.ignored.remove)(nick)
        return self.asked("set_ignored", nick, ignored)

    async def redact(self, to: str, pos: int, reason: str = "") -> int:
        return self.asked("redact", to, pos, reason)

    async def history(self, to: str, limit: int = 50) -> list[Message]:
        return [
            Message(pos, 0, 0, sender, to, "message", "k", text, to)
            for pos, sender, text in ((4, "Bob", "x"), (5, "ann", "y"), (6, "Bob", ""), (7, "carl", "z"))
        ]

    def asked(self, *what: object) -> int:
        """What the broker was to do; nothing of it changes anything if `changes` is 0."""
        self.done.append(what)
        return self.changes

    async def post(self, to: str, text: str) -> "asyncio.Future[Sent]":
        self.posted.append((to, text))
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


class Admin:
    """Writes down what it is to do."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Awaitable[int]]:
        async def asked(*arguments: object) -> int:
            return self._client.asked(name, *arguments)

        return asked


class Front:
    """Writes down what it is to show."""

    def __init__(self) -> None:
        self.may_ask = True
        self.is_program = False
        self.kept: list[str] = []
        self.texts: list[str] = []
        self.remarks: list[str] = []

    async def show(self, update: Message | Notice) -> None:
        raise AssertionError

    def remove(self, pos: int) -> None:
        raise AssertionError

    async def text(self, text: str) -> None:
        self.texts.append(text)

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def caught_up(self) -> None:
        raise AssertionError

    def keep(self, text: str) -> None:
        self.kept.append(text)

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
        for line in ("hi", "/history", "/redact", "/topic"):
            await chat.enter(line)
        assert (chat.to, client.posted, front.kept) == ("", [], ["hi", "/history", "/redact", "/topic"])
        assert front.remarks == [
            "you left #general",
            "you write nowhere now, until you choose: /join ROOM, /msg NICK, or a number of LIST",
            "you are not in #nowhere",
            *[NOWHERE] * 4,
        ]
        await chat.enter("/msg #ops")
        await chat.enter("hi")
        assert client.posted == [("#ops", "hi")]

    run(test, Client(("general", "ops")))


NOWHERE = "not sent: you write nowhere. Choose where to write: /join ROOM, /msg NICK, or a number of LIST"


@pytest.mark.parametrize(
    "line",
    ["/msg zed", "/join secret", "/msg #kitchen", "/join a b", "/JOIN", "/private", "/msg a,b", "/msg"],
)
def test_a_program_that_got_nowhere_writes_to_nobody(line: str) -> None:
    for is_program in (True, False):

        async def test(chat: Chat, client: Client, front: Front, is_program: bool = is_program) -> None:
            front.is_program = is_program
            await chat.enter(line)
            await chat.enter("only for them")
            assert client.posted == ([] if is_program else [("#general", "only for them")])
            if is_program:
                assert front.remarks[-1] == NOWHERE

        run(test)


def offered(chat: Chat) -> list[str]:
    """Who can be chosen at the moment."""
    return [] if chat.question is None else [*chat.question.nicks]


def test_the_choice() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        await chat.arrive()
        assert front.texts == [
            "* Here are:\n  1 Bob\nNot here: carl\n"
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
        assert (front.texts, offered(chat)) == (["Here: ann (you), Bob\nNot here: carl\n"], [])

    async def cannot(chat: Chat, client: Client, front: Front) -> None:
        front.may_ask = False
        await chat.arrive()
        await chat.enter("LIST")
        assert (front.texts, offered(chat)) == (["Here: ann (you), Bob\nNot here: carl\n"] * 2, [])

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
            "nick          Bob\nfingerprint   no key\nregistered    1970-01-01 00:00\n"
            "here          in 0 sessions\ncommon rooms  #general\n",
            "* #general  2\n  #kitchen  1  Lunch\n",
            "* #general has no topic.\n",
            "* The topic of #kitchen: Lunch\n",
        ]
        assert front.remarks[1:] == ["nobody is registered as zed", "no room #kitchen"]

    run(test)


def test_what_the_broker_is_to_do() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        for line in (
            "/kick bob spam, and more",
            "/ban bob 10m spam",
            "/ban bob",
            "/unban bob",
            "/mute bob 2h",
            "/unmute bob",
            "/role bob operator",
            "/mode announce",
            "/invite bob",
            "/invite bob ops+7",
            "/redact 42 typo",
            "/redact BOB",
            "/redact",
        ):
            await chat.enter(line)
        assert client.done == [
            ("kick", "#general", "bob", "spam, and more"),
            ("ban", "bob", "#general", 600.0, "spam"),
            ("ban", "bob", "#general", None, ""),
            ("unban", "bob", "#general"),
            ("mute", "bob", "#general", 7200.0, ""),
            ("unmute", "bob", "#general"),
            ("set_role", "bob", OPERATOR, "#general"),
            ("set_mode", "#general", True),
            ("invite_to_room", "#general", "bob"),
            ("invite_to_room", "#ops+7", "bob"),
            ("redact", "#general", 42, "typo"),
            ("redact", "#general", 4, ""),  # the last one of bob's that is not removed
            ("redact", "#general", 5, ""),  # one's own
        ]
        assert front.remarks == []  # the room tells of it
        client.changes = 0
        await chat.enter("/unmute bob")
        await chat.enter("/redact dave")
        assert front.remarks[0] == "it was so already"
        assert front.remarks[1].startswith("there is no message of dave among the last 500 here")

    run(test)


def test_what_concerns_nobody_else_is_said() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        for line in (
            "/away at lunch",
            "/away",
            "/back",
            "/ignore Bob",
            "/ignore",
            "/unignore Bob",
            "/ignore",
            "/ignore ANN",
        ):
            await chat.enter(line)
        assert front.remarks == [
            "you are away: at lunch",
            "you are away",
            "you are back",
            "what Bob writes is shown no more; /unignore Bob ends that",
            "what Bob writes is shown again",
            "you cannot ignore yourself",
        ]
        assert front.texts == ["* You ignore Bob.\n", "* You ignore nobody.\n"]
        assert chat.account.ignored == frozenset()

    run(test)


def test_a_private_room_is_entered_when_it_is_made() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        await chat.enter("/private ops")
        assert (chat.to, chat.rooms) == ("#ops+4711", {"general", "ops+4711"})
        assert front.remarks == [
            "you write to #ops+4711 now",
            "only who is invited comes in: /invite NICK, and then they /join ops+4711",
        ]

    run(test)


def put_out(act: str, room: str, subject: str = "ann") -> Act:
    return Act(9, 0, 0, f"#{room}", "bob", act, room, subject, FOR_EVER, "", "")


@pytest.mark.parametrize("act", ["kicked", "banned"])
def test_whoever_is_put_out_speaks_nowhere_until_they_choose(act: str) -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        await chat.enter("/join kitchen")
        client.people = client.people[1:]  # now ann is a member of nothing
        for other in (put_out(act, "kitchen", "bob"), put_out("muted", "kitchen"), put_out(act, "")):
            await chat.heard(other)
        assert chat.to == "#kitchen"
        await chat.heard(put_out(act, "kitchen"))
        assert (chat.to, chat.rooms) == ("", {"general"})
        await chat.enter("only for the kitchen")
        assert (client.posted, front.kept) == ([], ["only for the kitchen"])
        await chat.enter("/msg #kitchen hello?")
        assert front.remarks[1:] == [
            "you write nowhere now, until you choose: /join ROOM, /msg NICK, or a number of LIST",
            NOWHERE,
            "you are not in #kitchen; /join kitchen joins it",
        ]
        await chat.heard(MemberJoined(10, 9, 0, "kitchen", "ann", False))  # in another terminal
        assert chat.rooms == {"general"}
        await chat.enter("/join kitchen")
        assert chat.rooms == {"general", "kitchen"}
        await chat.heard(MemberLeft(12, 11, 0, "kitchen", "bob"))
        assert chat.to == "#kitchen"
        await chat.heard(MemberLeft(13, 12, 0, "kitchen", "ann"))  # in another terminal
        assert (chat.to, chat.rooms) == ("", {"general"})

    run(test)


def test_a_kick_of_before_one_joined_again_changes_nothing() -> None:
    async def test(chat: Chat, client: Client, front: Front) -> None:
        await chat.heard(put_out("kicked", "general"))
        assert (chat.to, chat.rooms, front.remarks) == ("#general", {"general"}, [])

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
        assert chat.posts.unsettled == 2
        client.futures[1].set_result(Sent(1, 0, "~1.1", False))
        client.futures[0].set_exception(error)
        await chat.posts.settle(None)
        found = await chat.posts.lost()
        assert front.remarks == [said]
        assert (found and found.exit_code) == lost

    run(test)
