"""AsyncClient on real sockets, against a broker that does as it is told."""

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from tests.unit.client.fake_broker import FakeBroker
from tests.unit.client.live import DEADLINE_S
from tests.unit.client.play import said, segment
from zchat.client.aio import AsyncClient
from zchat.client.messages import CaughtUp, Message, Status
from zchat.common import keys, wire
from zchat.common.codes import Refusal
from zchat.common.errors import (
    Closed,
    ConfigurationError,
    OutcomeUnknown,
    Refused,
    Unreachable,
    WrongIdentity,
)

KEY = keys.draw()


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as fake:
        yield fake


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


def client(broker: FakeBroker, **options: Any) -> AsyncClient:
    return AsyncClient(broker.link, "ann", key=KEY, **options)


@on_a_loop
async def test_what_one_does_with_a_client(broker: FakeBroker) -> None:
    async with client(broker) as ann:
        assert (ann.nick, ann.registered, ann.connected, ann.joined) == ("ann", True, True, {"general"})
        sent = await ann.send("general", "hi")
        assert (sent.pos, sent.time_ms, sent.duplicate) == (6, 1000, False)
        assert sent.id.startswith("~") and sent.id.endswith(".0")
        assert (await ann.send("@bob", "hi", id="mine")).id == "mine"
        posted = [await ann.post("#general", f"{n}") for n in range(3)]
        assert [(await future).pos for future in posted] == [8, 9, 10]
        assert (await ann.join("#tea"), await ann.leave("tea"), await ann.set_topic("tea", "x")) == (6, 6, 6)
        assert [p.nick for p in await ann.users()] == ["ann", "bob"]
        assert [p.nick for p in await ann.members("tea")] == ["ann", "bob"]
        assert [r.name for r in await ann.rooms()] == ["general", "tea"]
        assert await ann.history("general") == []
        await ann.follow(["tea"])
    assert not ann.connected
    while not isinstance(broker.received.get(timeout=DEADLINE_S), wire.Bye):
        pass
    assert broker.received.empty()


@on_a_loop
async def test_messages_come_and_count_as_taken_when_the_next_is_asked_for(
    broker: FakeBroker, tmp_path: Path
) -> None:
    state = tmp_path / "deep" / "state.json"
    async with client(broker, state=state) as ann:
        broker.publish(segment("@ann,bob", 0, 6, said("bob", "a", "b")))
        taken = []
        async for message in ann:
            taken.append(message)
            if len(taken) == 2:
                break
        assert [(m.text, m.reply_to) for m in taken] == [("a", "@bob"), ("b", "@bob")]
    saved = json.loads(state.read_text())
    assert (saved["floor"], saved["positions"]) == (5, {"#general": 2, "@ann,bob": 6})
    assert state.parent.stat().st_mode & 0o777 == 0o700


@on_a_loop
async def test_updates_tell_more_than_messages(broker: FakeBroker) -> None:
    async with client(broker) as ann:
        updates = ann.updates()
        assert await anext(updates) == CaughtUp()
        broker.publish(segment("@ann,bob", 0, 6, said("bob", "a")))
        assert isinstance(await anext(updates), Message)
        broker.stop()
        lost = await anext(updates)
        assert isinstance(lost, Status)
        assert lost.kind == "away"
        assert not ann.connected
        with pytest.raises(Unreachable, match="nothing was handed over"):
            await ann.send("general", "x", timeout=0.01)


@on_a_loop
async def test_a_send_without_an_answer_has_an_unknown_outcome(broker: FakeBroker) -> None:
    async with client(broker) as ann:
        broker.silent = True
        with pytest.raises(OutcomeUnknown) as unknown:
            await ann.send("general", "x", id="K", timeout=0.01)
        assert unknown.value.id == "K"
        with pytest.raises(OutcomeUnknown) as unknown:
            await ann.send("general", "x", timeout=0.01)
        assert unknown.value.id is None


@on_a_loop
async def test_what_is_refused_is_raised(broker: FakeBroker) -> None:
    async with client(broker) as ann:
        with pytest.raises(Refused, match="no #none") as refused:
            await ann.send("none", "x")
        assert refused.value.refusal is Refusal.NO_SUCH_ROOM
        with pytest.raises(Refused) as refused:
            await ann.send("general", "x" * 65_537)
        assert refused.value.refusal is Refusal.TOO_LARGE
        with pytest.raises(Refused):
            await (await ann.post("none", "x"))


@on_a_loop
async def test_what_cannot_be_sent_never_leaves(broker: FakeBroker) -> None:
    async with client(broker) as ann:
        for text, id in (("", None), ("\ud800", None), ("x", "~1.2"), ("x", "a b"), ("x", "k" * 129)):
            with pytest.raises(ConfigurationError):
                await ann.send("general", text, id=id)
        for to in ("", "#", "@", "x" * 33, "\ud800"):
            with pytest.raises(Refused):
                await ann.send(to, "x")
        for room in ("", "#", "x" * 33):
            with pytest.raises(Refused):
                await ann.join(room)
        with pytest.raises(Refused):
            await ann.set_topic("general", "x" * 1025)
    assert not [r for r in broker.received.queue if isinstance(r, wire.Send | wire.Join | wire.SetTopic)]


@on_a_loop
async def test_a_cancelled_send_is_not_sent_when_it_was_not_formed(broker: FakeBroker) -> None:
    async with client(broker) as ann:
        broker.silent = True
        sends = [asyncio.create_task(ann.send("general", f"{n}")) for n in range(5)]
        await asyncio.sleep(0)
        sends[-1].cancel()  # the window is four
        await asyncio.wait(sends[-1:])
        broker.silent = False
        for task in sends[:-1]:
            assert (await task).pos > 0  # after the core has repeated them
    texts = [text for r in broker.received.queue if isinstance(r, wire.Send) for text in r.texts]
    assert set(texts) == {"0", "1", "2", "3"}


@on_a_loop
async def test_posts_wait_for_room_and_close_waits_for_their_answers(broker: FakeBroker) -> None:
    async with client(broker) as ann:
        futures = [await ann.post("general", "x" * 10) for _ in range(12_000)]
        assert not futures[-1].done()
    assert {future.result().duplicate for future in futures} == {False}


@on_a_loop
async def test_after_close_everything_raises_closed(broker: FakeBroker) -> None:
    ann = client(broker)
    with pytest.raises(Closed):
        await ann.send("general", "x")
    await ann.connect()
    reader = asyncio.create_task(anext(ann.messages()))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await ann.close()
    await ann.close()
    with pytest.raises(Closed):
        await reader
    for call in (ann.connect(), ann.send("general", "x"), ann.users(), ann.history("general")):
        with pytest.raises(Closed):
            await call


@on_a_loop
async def test_a_forked_process_cannot_use_the_client(broker: FakeBroker) -> None:
    async with client(broker) as ann:
        ann._pid = os.getpid() + 1
        with pytest.raises(Closed, match="forked"):
            await ann.send("general", "x")
        await ann.close()
        ann._pid = os.getpid()
        assert ann.connected


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (Refusal.NICK_TAKEN, WrongIdentity),
        (Refusal.KEY_BOUND, WrongIdentity),
        (Refusal.NAME_INVALID, Refused),
        (Refusal.LIMIT_REACHED, Refused),
    ],
)
def test_a_broker_that_does_not_let_us_in(
    broker: FakeBroker, refusal: Refusal, error: type[Exception]
) -> None:
    async def connect() -> None:
        with pytest.raises(error, match="not you"):
            await client(broker, timeout=0.3).connect()

    broker.refusal = refusal
    asyncio.run(connect())


@on_a_loop
async def test_a_broker_with_another_key_is_found_out_at_once(broker: FakeBroker) -> None:
    link = broker.link._replace(key=keys.draw().public)
    with pytest.raises(WrongIdentity, match="another key than the link"):
        await AsyncClient(link, "ann", key=KEY).connect()


@on_a_loop
async def test_nobody_there(broker: FakeBroker) -> None:
    broker.stop()
    with pytest.raises(Unreachable, match="no broker at"):
        await client(broker, timeout=0.2).connect()


@on_a_loop
async def test_a_broker_that_does_not_answer(broker: FakeBroker) -> None:
    broker.silent = True
    with pytest.raises(Unreachable, match="does not answer"):
        await client(broker, timeout=0.2).connect()


@on_a_loop
async def test_rooms_are_followed_from_the_start(broker: FakeBroker) -> None:
    async with client(broker, rooms=["#tea"]):
        pass
    assert [r.rooms for r in broker.received.queue if isinstance(r, wire.Follow)] == [["tea"]]
    with pytest.raises(ConfigurationError):
        client(broker, rooms=["tea"], quiet=True)


@on_a_loop
async def test_a_name_is_resolved(broker: FakeBroker) -> None:
    async with AsyncClient(broker.link._replace(host="localhost"), "ann", key=KEY, quiet=True) as ann:
        assert (await ann.send("general", "x")).pos == 6


@on_a_loop
async def test_a_state_has_one_holder(broker: FakeBroker, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with client(broker, state=state):
        with pytest.raises(ConfigurationError, match="another zchat client"):
            await client(broker, state=state).connect()
    async with client(broker, state=state):
        pass
    with pytest.raises(ConfigurationError, match="belongs to ann"):
        await AsyncClient(broker.link, "bob", key=KEY, state=state).connect()
    hello = [r for r in broker.received.queue if isinstance(r, wire.Hello)]
    assert [h.floor for h in hello] == [None, 5, 5]


@on_a_loop
async def test_an_error_in_the_shell_fails_the_client(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(broker) as ann:
        assert ann._shell is not None
        reader = asyncio.create_task(anext(ann.messages()))  # type: ignore[arg-type]
        await asyncio.sleep(0)

        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(ann._shell.core._reception, "received", broken)
        broker.publish(segment("@ann,bob", 0, 6, said("bob", "a")))
        with pytest.raises(RuntimeError, match="a bug"):
            await reader
        with pytest.raises(RuntimeError, match="a bug"):
            await ann.send("general", "x")
