"""An examination of what a real broker hardly does: silence, hanging up, a ban at the door."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
import zmq
from msgspec.structs import replace
from zmq.auth.thread import ThreadAuthenticator

from tests.unit.client.fake_broker import FakeBroker
from zchat.client import verdicts
from zchat.client.doctor import Examination, Known
from zchat.client.identity import Identity
from zchat.client.verdicts import Step
from zchat.common import keys, wire
from zchat.common.codes import Refusal
from zchat.common.links import Link

TIMEOUT_S = 1.0
FIRST = ["settings", "name", "port", "zmtp", "curve"]


@pytest.fixture(autouse=True)
def no_contexts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZCHAT_CONFIG_DIR", str(tmp_path))


def examined(
    link: Link,
    timeout: float | None = TIMEOUT_S,
    after: dict[str, Callable[[], object]] | None = None,
    invite: str = "",
) -> list[Step]:
    """All steps; what is in `after` happens when the step of that name was taken."""

    async def examine() -> list[Step]:
        known = Known(link, Identity(link, "ann", invite=invite), keys.draw(), has_key=True)
        found = []
        async with aclosing(Examination(known, timeout).steps()) as steps:
            async for step in steps:
                found.append(step)
                (after or {}).get(step.name, lambda: None)()
        return found

    return asyncio.run(examine())


def check(found: list[Step], right: list[str], wrong: Step) -> None:
    assert [step.name for step in found[:-1]] == right
    assert all(step.mend is None for step in found[:-1])
    assert found[-1] == wrong


def test_nothing_is_wrong() -> None:
    with FakeBroker() as broker:
        found = examined(broker.link, 10.0)
        hello, bye = broker.received.get(), broker.received.get()
    assert [step.mend for step in found] == [None] * 10
    assert found[-1].text.endswith("there fake")
    assert isinstance(hello, wire.Hello) and hello.quiet and not hello.register
    assert bye == wire.Bye(1)
    assert broker.received.empty()


class LateBroker(FakeBroker):
    """Has the time of 1970."""

    def _welcome(self, nick: str) -> wire.Welcome:
        return replace(super()._welcome(nick), time_ms=1)


def test_another_time() -> None:
    with LateBroker() as broker:
        *right, wrong = examined(broker.link, 10.0)
    assert [step.mend for step in right] == [None] * 8
    assert (wrong.name, wrong.exit_code) == ("clock", 2)
    assert re.match(r"the clock here is \d+(\.\d)? days ahead of the broker's", wrong.text)


def test_no_answer_to_hello() -> None:
    with FakeBroker() as broker:
        broker.silent = True
        found = examined(broker.link)
    text = f"127.0.0.1:{broker.link.port} completes the handshake, but does not answer within 1 s"
    check(found, FIRST, Step("admitted", text, verdicts.LOOK_THERE, 3))


def test_hanging_up() -> None:
    with FakeBroker() as broker:
        found = examined(broker.link, None, {"curve": broker.stop})
    text = "the broker breaks off the connection in place of an answer"
    check(found, FIRST, Step("admitted", text, verdicts.LOOK_THERE, 3))


@pytest.mark.parametrize("row", [Refusal.BANNED, Refusal.VERSION_UNSUPPORTED, Refusal.NOT_REGISTERED])
def test_refusals(row: Refusal) -> None:
    with FakeBroker() as broker:
        broker.refusal = row
        found = examined(broker.link, 10.0)
    wrong = verdicts.of_refused(wire.Refused(0, 0, row.value, "not you"), "ann", True)
    check(found, FIRST + ["admitted"] * (wrong.name == "nick"), wrong)


def test_an_invite_is_shown_only_where_it_takes_one() -> None:
    with FakeBroker() as broker:
        examined(broker.link, 10.0, invite="a" * 40)
        assert [broker.received.get() for _ in range(2)][1] == wire.Bye(1)
        broker.refusal = Refusal.NOT_INVITED
        examined(broker.link, 10.0, invite="a" * 40)
        first, second = broker.received.get(), broker.received.get()
    assert isinstance(first, wire.Hello) and isinstance(second, wire.Hello)
    assert second == replace(first, invite="a" * 40)
    assert not second.register


def test_a_nonce_that_is_not_answered() -> None:
    with FakeBroker() as broker:
        found = examined(broker.link, TIMEOUT_S, {"nick": lambda: setattr(broker, "silent", True)})
    assert [step.name for step in found] == [*FIRST, "admitted", "nick", "rooms"]
    assert "does not confirm what is subscribed to" in found[-1].text
    assert found[-1].exit_code == 3


def test_a_ban_at_the_door(tmp_path: Path) -> None:
    public, secret = zmq.curve_keypair()
    with zmq.Context() as context:
        door = ThreadAuthenticator(context)
        door.start()
        try:
            door.configure_curve(domain="*", location=str(tmp_path))  # nobody's key is there
            with context.socket(zmq.ROUTER) as router:
                router.linger, router.curve_server, router.curve_secretkey = 0, 1, secret
                port = router.bind_to_random_port("tcp://127.0.0.1")
                found = examined(Link("127.0.0.1", port, public.decode()), None)
        finally:
            door.stop()
    check(found, FIRST[:-1], verdicts.of_ban())


def test_a_handshake_that_is_not_completed() -> None:
    greeting = (b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE").ljust(64, b"\0")

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        with suppress(OSError):
            while await reader.read(64):
                pass
        writer.close()

    found, port = asyncio.run(with_server(greet))
    text = f"127.0.0.1:{port} begins to speak, but does not complete the handshake within 1 s"
    check(found, FIRST[:-1], Step("curve", text, verdicts.LOOK_THERE, 3))


async def with_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> tuple[list[Step], int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        return await asyncio.to_thread(examined, Link("127.0.0.1", port, "k" * 40)), port
    finally:
        server.close()
        await server.wait_closed()


def test_it_can_be_left_at_every_step() -> None:
    async def leave_after(count: int, link: Link) -> None:
        known = Known(link, Identity(link, "ann"), keys.draw(), has_key=True)
        async with aclosing(Examination(known, 10.0).steps()) as steps:
            for _ in range(count):
                await anext(steps)

    with FakeBroker() as broker:
        for count in range(11):
            asyncio.run(leave_after(count, broker.link))
