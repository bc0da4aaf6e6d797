"""AsyncClient against a real broker: sending, reading, rooms, what goes wrong, and the end."""

import asyncio
import os
import signal
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.programs import free_port
from tests.processes import BrokerProcess
from tests.unit.client.live import client, error_of, key_of, on_a_loop, take, until
from zchat import AsyncClient
from zchat.client.messages import MemberJoined, MemberLeft, Message, Sent, Status, TopicChanged
from zchat.common import wire
from zchat.common.codes import Refusal
from zchat.common.errors import (
    Closed,
    ConfigurationError,
    OutcomeUnknown,
    Refused,
    StateInUse,
    Unreachable,
    WrongIdentity,
)
from zchat.common.keys import draw
from zchat.common.links import Link, parse

CALLS: dict[str, Callable[[AsyncClient], Awaitable[Any]]] = {
    "connect": lambda c: c.connect(),
    "send": lambda c: c.send("general", "x"),
    "post": lambda c: c.post("general", "x"),
    "messages": lambda c: anext(c.messages()),
    "updates": lambda c: anext(c.updates()),
    "iteration": lambda c: anext(aiter(c)),
    "history": lambda c: c.history("general"),
    "users": lambda c: c.users(),
    "members": lambda c: c.members("general"),
    "rooms": lambda c: c.rooms(),
    "join": lambda c: c.join("general"),
    "leave": lambda c: c.leave("general"),
    "create_private": lambda c: c.create_private("ops"),
    "entries": lambda c: c.entries("general"),
    "whois": lambda c: c.whois(),
    "set_away": lambda c: c.set_away("x"),
    "set_ignored": lambda c: c.set_ignored("bob", True),
    "change_key": lambda c: c.change_key("k" * 40),
    "redact": lambda c: c.redact("general", 1),
    "admin": lambda c: c.admin.invites(),
    "set_topic": lambda c: c.set_topic("general", "x"),
    "follow": lambda c: c.follow([]),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One for all tests that leave it as it is."""
    with BrokerProcess(tmp_path_factory.mktemp("aio") / "broker") as running:
        yield running


@pytest.fixture
def stopped(broker: BrokerProcess) -> Iterator[Callable[[], None]]:
    """Call it, and the broker answers nothing until the test is over, or continues it."""

    def stop() -> None:
        broker.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, broker.pid, os.WSTOPPED)

    yield stop
    broker.send_signal(signal.SIGCONT)


def texts(messages: list[Any]) -> list[str]:
    return [message.text for message in messages]


# ---- sending and reading ----


@on_a_loop
async def test_a_message_is_durable_on_return_and_comes_back(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann:
        sent = await ann.send("general", "hello")
        got = await anext(ann.messages())
        instance, counter = sent.id.removeprefix("~").split(".")
        assert int(instance) > 2**60 and counter == "0"
        room = "#general"
        assert got == Message(
            sent.pos, got.prev, sent.time_ms, "ann", room, "message", sent.id, "hello", room
        )
        assert got.prev < got.pos and sent.duplicate is False


@on_a_loop
async def test_a_direct_message_comes_to_both_and_is_answered_to_its_sender(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann, client(broker, "bob") as bob:
        await ann.send("@Bob", "psst")  # as typed
        got, own = await anext(bob.messages()), await anext(ann.messages())
        assert got == own
        assert (got.to, got.conversation, got.reply_to) == ("@bob", "@ann,bob", "@ann")
        await bob.send(got.reply_to, "yes?")
        assert (await anext(ann.messages())).reply_to == "@bob"


@on_a_loop
async def test_posted_messages_have_one_order(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann:
        posted = [await ann.post("general", str(n)) for n in range(300)]
        sent = await asyncio.gather(*posted)
        assert [one.pos for one in sent] == sorted({one.pos for one in sent})
        assert [one.id.split(".")[1] for one in sent] == [str(n) for n in range(300)]
        assert texts(await take(ann.messages(), 300)) == [str(n) for n in range(300)]


@on_a_loop
async def test_closing_waits_for_what_was_posted(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann:
        posted = await ann.post("general", "last words")
    assert posted.result().pos > 0


@on_a_loop
async def test_an_id_is_stored_once_from_any_process(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann:
        first = await ann.send("general", "once", id="order-1")
        assert (first.id, first.duplicate) == ("order-1", False)
    async with client(broker, "ann", quiet=True) as again:
        second = await again.send("general", "once", id="order-1")
        assert second == Sent(first.pos, first.time_ms, "order-1", True)
        refused = await error_of(again.send("general", "otherwise", id="order-1"))
        assert isinstance(refused, Refused) and refused.refusal is Refusal.ID_REUSED


@on_a_loop
async def test_a_refused_message_blocks_nobody(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann:
        posted = [await ann.post(to, "x") for to in ("general", "nowhere", "general", "@nobody", "general")]
        done = await asyncio.gather(*posted, return_exceptions=True)
        refusals = {n: r.refusal for n, r in enumerate(done) if isinstance(r, Refused)}
        assert refusals == {1: Refusal.NO_SUCH_ROOM, 3: Refusal.NO_SUCH_USER}
        stored = [one.pos for one in done if isinstance(one, Sent)]
        assert stored == sorted(stored) and len(stored) == 3


@on_a_loop
async def test_history_in_all_ranges(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann, client(broker, "reader", quiet=True) as reader:
        await ann.join("past")
        sent = [await ann.send("past", str(n)) for n in range(10)]
        every = await reader.history("#past")
        assert texts(every) == [str(n) for n in range(10)]
        assert [message.pos for message in every] == [one.pos for one in sent]
        assert texts(await reader.history("past", limit=3)) == ["7", "8", "9"]
        assert texts(await reader.history("past", limit=2, before=sent[5].pos)) == ["3", "4"]
        assert texts(await reader.history("past", limit=2, after=sent[5].pos)) == ["6", "7"]
        assert texts(await reader.history("past", after=sent[2].pos, before=sent[5].pos)) == ["3", "4"]
        assert await reader.history("past", since_ms=sent[-1].time_ms + 1) == []
        assert texts(await reader.history("past", since_ms=sent[0].time_ms, limit=1)) == ["0"]


# ---- rooms and people ----


@on_a_loop
async def test_joining_a_topic_and_leaving(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann, client(broker, "bob") as bob:
        joined = await ann.join("#tea")
        assert await ann.join("tea") == 0
        assert await bob.join("tea") > joined
        topic = await ann.set_topic("tea", "green")
        assert await ann.set_topic("tea", "green") == 0
        left = await ann.leave("tea")
        assert await ann.leave("tea") == 0
        assert joined < topic < left
        assert "tea" not in ann.joined
        told = [
            await until(
                bob.updates(),
                lambda u: isinstance(u, MemberJoined | TopicChanged | MemberLeft) and u.pos >= topic,
            )
            for _ in range(2)
        ]
        assert [(type(u), u.pos, u.room, u.nick) for u in told] == [
            (TopicChanged, topic, "tea", "ann"),
            (MemberLeft, left, "tea", "ann"),
        ]


@on_a_loop
async def test_a_joined_room_is_read(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann, client(broker, "bob") as bob:
        await bob.join("garden")
        await ann.join("garden")
        await bob.send("garden", "first")
        assert (await anext(ann.messages())).text == "first"
        assert "garden" in ann.joined


@on_a_loop
async def test_a_followed_room_is_read_from_now_on_until_it_is_followed_no_longer(
    broker: BrokerProcess,
) -> None:
    async with client(broker, "bob") as bob, client(broker, "ann") as ann:
        await bob.join("news")
        await bob.send("news", "old")
        await ann.follow(["news"])
        await bob.send("news", "new")
        messages = ann.messages()
        assert (await anext(messages)).text == "new"
        assert "news" not in ann.joined
        await ann.follow([])
        await bob.send("news", "unheard")
        await bob.send("@ann", "heard")
        assert (await anext(messages)).text == "heard"
        error = await error_of(ann.follow(["nowhere"]))
        assert isinstance(error, Refused) and error.refusal is Refusal.NO_SUCH_ROOM


@on_a_loop
async def test_rooms_can_be_followed_from_the_beginning(broker: BrokerProcess) -> None:
    async with client(broker, "bob") as bob:
        await bob.join("radio")
        async with client(broker, "ann", rooms=["#radio"]) as ann:
            await bob.send("radio", "on air")
            assert (await anext(ann.messages())).text == "on air"
    error = await error_of(client(broker, "ann", rooms=["nowhere"]).connect())
    assert isinstance(error, Refused) and error.refusal is Refusal.NO_SUCH_ROOM


@on_a_loop
async def test_lists_of_people_and_rooms(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann, client(broker, "quietly", quiet=True) as quietly:
        await ann.join("shelf")
        await ann.set_topic("shelf", "of rooms")
        people = {person.nick: person.present for person in await quietly.users()}
        assert people["ann"] is True and people["quietly"] is False
        assert await quietly.members("#shelf") == [wire.Person("ann", True, role=wire.OWNER)]
        assert wire.Room("shelf", "of rooms", 1) in await quietly.rooms()
        assert quietly.joined == frozenset()


@on_a_loop
async def test_a_quiet_client_cannot_be_asked_to_read(broker: BrokerProcess, tmp_path: Path) -> None:
    for options in ({"rooms": ["general"]}, {"state": tmp_path / "state"}):
        with pytest.raises(ConfigurationError):
            client(broker, "ann", quiet=True, **options)
    async with client(broker, "ann", quiet=True) as quiet:
        assert isinstance(await error_of(quiet.follow(["general"])), ConfigurationError)


# ---- the connection ----


@on_a_loop
async def test_a_nick_is_registered_once_and_keeps_its_form(broker: BrokerProcess) -> None:
    async with client(broker, "Zoe") as zoe:
        assert (zoe.nick, zoe.registered, zoe.connected) == ("Zoe", True, True)
    async with client(broker, "zoe", key=key_of("Zoe")) as zoe:
        assert (zoe.nick, zoe.registered) == ("Zoe", False)
    assert not zoe.connected


@on_a_loop
async def test_a_foreign_nick_is_the_wrong_identity(broker: BrokerProcess) -> None:
    async with client(broker, "ann"):
        pass
    foreign = client(broker, "ann", key=draw())
    assert isinstance(await error_of(foreign.connect()), WrongIdentity)
    assert isinstance(await error_of(foreign.connect()), Closed)
    bound = client(broker, "somebody", key=key_of("ann"))
    assert isinstance(await error_of(bound.connect()), WrongIdentity)


@on_a_loop
async def test_another_key_of_the_broker_is_the_wrong_identity(broker: BrokerProcess) -> None:
    link = parse(broker.link)
    forged = AsyncClient(Link(link.host, link.port, draw().public), "ann", key=key_of("ann"), timeout=20)
    error = await error_of(forged.connect())
    assert isinstance(error, WrongIdentity) and "another key" in str(error)


@on_a_loop
async def test_nobody_there_is_unreachable(broker: BrokerProcess) -> None:
    link = Link("127.0.0.1", free_port(), broker.key)
    error = await error_of(AsyncClient(link, "ann", key=draw(), timeout=0.3).connect())
    assert isinstance(error, Unreachable) and "no broker at" in str(error)


@on_a_loop
async def test_somebody_silent_there_is_unreachable(broker: BrokerProcess) -> None:
    gone = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        link = Link("127.0.0.1", server.sockets[0].getsockname()[1], broker.key)
        error = await error_of(AsyncClient(link, "ann", key=draw(), timeout=0.4).connect())
        gone.set()
    assert isinstance(error, Unreachable) and "does not answer" in str(error)


@on_a_loop
async def test_a_client_comes_back_and_what_was_not_handed_over_is_unreachable(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "broker") as broker:
        async with client(broker, "ann") as ann:
            updates = ann.updates()
            await ann.send("general", "before")
            broker.kill()
            await until(updates, lambda u: isinstance(u, Status) and u.kind == "away")
            assert not ann.connected
            assert isinstance(await error_of(ann.send("general", "never", timeout=0.05)), Unreachable)
            waiting = await ann.post("general", "after")
            broker.start()
            await until(updates, lambda u: isinstance(u, Status) and u.kind == "back")
            await waiting
            assert texts(await ann.history("general")) == ["before", "after"]


# ---- no answer in time ----


@on_a_loop
async def test_no_answer_in_time(broker: BrokerProcess, stopped: Callable[[], None]) -> None:
    async with client(broker, "ann") as ann:
        ann._timeout = 0.2
        stopped()
        errors = await asyncio.gather(
            ann.send("general", "a", timeout=0.1),
            ann.send("general", "b"),
            ann.join("late"),
            ann.users(),
            ann.rooms(),
            ann.history("general"),
            ann.follow(["general"]),
            return_exceptions=True,
        )
        assert [type(error) for error in errors] == [OutcomeUnknown] * 3 + [Unreachable] * 4
        assert isinstance(errors[0], OutcomeUnknown) and errors[0].id is None
        broker.send_signal(signal.SIGCONT)
        assert (await ann.send("general", "c", timeout=20)).duplicate is False


@on_a_loop
async def test_an_unknown_outcome_is_cleared_up_by_its_id(
    broker: BrokerProcess, stopped: Callable[[], None]
) -> None:
    async with client(broker, "ann") as ann:
        stopped()
        error = await error_of(ann.send("general", "text", id="doubtful", timeout=0.1))
        assert isinstance(error, OutcomeUnknown) and error.id == "doubtful"
        broker.send_signal(signal.SIGCONT)
        sent = await ann.send("general", "text", id="doubtful")
        assert sent.duplicate is True
        assert texts(await ann.history("general", after=sent.pos - 1)) == ["text"]


@on_a_loop
async def test_cancelling_a_send(broker: BrokerProcess, stopped: Callable[[], None]) -> None:
    """What was handed over comes; what was not, never does; and nobody else is held up."""
    async with client(broker, "ann") as ann:
        await ann.join("hurry")
        stopped()
        sends = [asyncio.create_task(ann.send("hurry", str(n))) for n in range(6)]
        await asyncio.sleep(0)  # each is in the outbox, and four are on their way
        for task in (sends[4], sends[0]):
            task.cancel()
        broker.send_signal(signal.SIGCONT)
        done = await asyncio.gather(*sends, return_exceptions=True)
        cancelled = [n for n, result in enumerate(done) if isinstance(result, asyncio.CancelledError)]
        assert cancelled == [0, 4]
        assert all(isinstance(done[n], Sent) for n in (1, 2, 3, 5))
        assert texts(await ann.history("hurry")) == ["0", "1", "2", "3", "5"]


# ---- resuming ----


@on_a_loop
async def test_two_lives_of_an_installation_miss_nothing_and_repeat_what_was_not_done(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with client(broker, "bob") as bob:
        await bob.join("saga")
        async with client(broker, "carl", state=state) as first:
            await first.join("saga")
            for text in ("a", "b", "c"):
                await bob.send("saga", text)
            assert texts(await take(first.messages(), 2)) == ["a", "b"]  # it is not done with "b"
        await bob.send("saga", "d")
        await bob.send("@carl", "psst")
        async with client(broker, "carl", state=state) as second:
            assert second.joined == {"general", "saga"}
            got = await take(second.messages(), 4)
            assert [m.text for m in got if m.conversation == "#saga"] == ["b", "c", "d"]
            assert [m.text for m in got if m.conversation != "#saga"] == ["psst"]
            await bob.send("saga", "e")
            assert (await anext(second.messages())).text == "e"


@on_a_loop
async def test_a_new_installation_gets_direct_messages_since_the_registration(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    async with client(broker, "bob") as bob:
        async with client(broker, "dora", quiet=True):
            pass
        await bob.send("general", "not for the first life")
        await bob.send("@dora", "for it")
        async with client(broker, "dora", state=tmp_path / "state") as dora:
            assert (await anext(dora.messages())).text == "for it"


@on_a_loop
async def test_without_a_state_everything_begins_now(broker: BrokerProcess) -> None:
    async with client(broker, "bob") as bob, client(broker, "emil"):
        await bob.send("@emil", "before")
    async with client(broker, "bob") as bob, client(broker, "emil") as emil:
        await bob.send("@emil", "after")
        assert (await anext(emil.messages())).text == "after"


@on_a_loop
async def test_a_state_has_one_client_and_belongs_to_one_nick(broker: BrokerProcess, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with client(broker, "ann", state=state) as first:
        assert isinstance(await error_of(client(broker, "ann", state=state).connect()), StateInUse)
        await first.send("general", "still here")
    error = await error_of(client(broker, "bob", state=state).connect())
    assert isinstance(error, ConfigurationError) and "belongs to ann" in str(error)
    async with client(broker, "ann", state=state):
        pass


# ---- the end ----


@on_a_loop
async def test_a_closed_client_is_of_no_use(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann:
        reader = asyncio.create_task(until(ann.messages(), lambda message: False))
        await asyncio.sleep(0)
    assert isinstance(await error_of(reader), Closed)
    for name, call in CALLS.items():
        assert isinstance(await error_of(call(ann)), Closed), name
    await ann.close()


@on_a_loop
async def test_a_client_that_is_not_connected_is_of_no_use_yet(broker: BrokerProcess) -> None:
    ann = client(broker, "ann")
    for name, call in CALLS.items():
        if name != "connect":
            assert isinstance(await error_of(call(ann)), Closed), name
    async with ann:
        assert isinstance(await error_of(ann.connect()), Closed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@on_a_loop
async def test_a_forked_process_cannot_use_the_client(broker: BrokerProcess) -> None:
    async with client(broker, "ann") as ann:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads
            child = os.fork()
        if child == 0:
            try:
                os._exit(0 if _all_raise_closed(ann) else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        await ann.send("general", "the parent goes on")


def _all_raise_closed(forked: AsyncClient) -> bool:
    """Whether each call fails at once, without the loop; and closing leaves the parent's sockets alone."""
    for call in CALLS.values():
        try:
            call(forked).__await__().send(None)
        except Closed:
            continue
        return False
    try:
        forked.close().send(None)
    except StopIteration:
        return True
    return False
