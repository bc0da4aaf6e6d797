"""What is at a broker's address."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import zmq

from tests.unit.client.fake_broker import FakeBroker
from zchat.client.diagnosis import Finding, look
from zchat.common.errors import Unreachable, WrongIdentity
from zchat.common.links import Link

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def link(port: int, host: str = "127.0.0.1") -> Link:
    return Link(host, port, "k" * 40)


async def look_at(behave: Behaviour, timeout: float = 2.0) -> Finding:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await behave(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        return await look(link(server.sockets[0].getsockname()[1]), timeout)
    finally:
        server.close()
        await server.wait_closed()


async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" + b"x" * 64)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(64)
    await reader.read(64)  # until the other side hangs up


def test_something_else() -> None:
    assert asyncio.run(look_at(speak_http)).kind == "other"
    assert asyncio.run(look_at(hang_up)).kind == "other"


def test_silence() -> None:
    assert asyncio.run(look_at(stay_silent, 0.05)).kind == "silent"


def test_nobody() -> None:
    with FakeBroker() as broker:
        port = broker.link.port
    found = asyncio.run(look(link(port), 1.0))
    assert found.kind == "refused"
    assert f"no broker at 127.0.0.1:{port}" in found.text
    assert isinstance(found.error(handshake_failed=False), Unreachable)


def test_a_name_that_nobody_has() -> None:
    async def resolve(*_: object, **__: object) -> None:
        import socket

        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    async def run() -> Finding:
        asyncio.get_running_loop().getaddrinfo = resolve  # type: ignore[method-assign, assignment]
        return await look(link(1, "nosuch.invalid"), 1.0)

    assert asyncio.run(run()).kind == "unresolved"


def test_a_broker() -> None:
    with FakeBroker() as broker:
        found = asyncio.run(look(broker.link, 1.0))
    assert found.kind == "curve"
    assert isinstance(found.error(handshake_failed=True), WrongIdentity)
    assert isinstance(found.error(handshake_failed=False), Unreachable)


def test_zeromq_without_encryption() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        port = router.bind_to_random_port("tcp://127.0.0.1")
        assert asyncio.run(look(link(port), 1.0)).kind == "plain"


@pytest.mark.parametrize("kind", ["refused", "other", "plain", "silent", "unreachable", "unresolved"])
def test_only_a_refused_handshake_of_a_broker_is_a_wrong_key(kind: str) -> None:
    assert isinstance(Finding(kind, "x").error(handshake_failed=True), Unreachable)
