"""What is at a broker's address."""

import asyncio
import errno
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import zmq

from tests.unit.client.fake_broker import FakeBroker
from zchat.client import diagnosis
from zchat.client.diagnosis import Connection, Finding, look, reach
from zchat.common import keys
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
    while await reader.read(64):  # until the other side hangs up
        pass


async def greet_as_mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    await stay_silent(reader, writer)


async def wait_for_a_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await stay_silent(reader, writer)


async def answer_in_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x15\x03\x01\x00\x02\x02\n")
    await stay_silent(reader, writer)


async def stop_within_the_greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\xff" + bytes(8) + b"\x7f\x03")
    await stay_silent(reader, writer)


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (speak_http, "a web server listens at"),
        (wait_for_a_request, "a web server listens at"),
        (greet_as_mail, "something else ('220 mail.example ESMTP') listens at"),
        (answer_in_bytes, "something else listens at"),
        (stop_within_the_greeting, "something else listens at"),
        (hang_up, "something else listens at"),
    ],
)
def test_something_else(behave: Behaviour, said: str) -> None:
    found = asyncio.run(look_at(behave, 0.2))
    assert found.kind == "other"
    assert found.text.startswith(said)
    assert found.text.endswith("not a zchat broker. Is the port right?")


def test_silence() -> None:
    assert asyncio.run(look_at(stay_silent, 0.05)).kind == "silent"


def test_nobody() -> None:
    with FakeBroker() as broker:
        port = broker.link.port
    found = asyncio.run(look(link(port), 1.0))
    assert found.kind == "refused"
    assert f"no broker at 127.0.0.1:{port}" in found.text
    assert isinstance(found.error(handshake_failed=False), Unreachable)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), "no machine is called 'nosuch.invalid'"),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "'nosuch.invalid' could not be looked up"),
        (UnicodeError("no label"), "no machine is called 'nosuch.invalid'"),
    ],
)
def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    found = asyncio.run(look(link(1, "nosuch.invalid"), 1.0))
    assert found.kind == "unresolved"
    assert said in found.text


def test_a_name_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait())
    try:
        found = asyncio.run(look(link(1, "slow.invalid"), 0.05))  # and nothing waits for the look-up
        assert (found.kind, answered.is_set()) == ("unresolved", False)
    finally:
        answered.set()


def test_nobody_at_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    monkeypatch.setattr(asyncio, "open_connection", refuse)
    found = asyncio.run(look(link(9242, "192.0.2.1"), 1.0))
    assert found.text == (
        "no broker at 192.0.2.1:9242. If it runs there, have it listen to others: zchat broker -i 0.0.0.0. "
        "Another machine: zchat connect LINK"
    )


def test_an_address_that_is_silent_before_one_that_is_not() -> None:
    async def address_that_takes() -> str:
        found = await reach(link(port), ["127.0.0.2", "127.0.0.1"], 0.2)
        assert isinstance(found, Connection)
        await found.close()
        return found.address

    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as full, socket.socket() as one:
        port = server.getsockname()[1]
        full.bind(("127.0.0.2", port))
        full.listen(0)
        one.connect(full.getsockname())  # and there is no room for another one
        assert asyncio.run(address_that_takes()) == "127.0.0.1"


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


def test_nobody_where_ones_own_broker_is_advertised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data are here, so it is not elsewhere that it has to be started."""
    monkeypatch.setenv("ZCHAT_DATA_DIR", str(tmp_path))
    error = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    elsewhere = Link("chat.lan", 9242, keys.draw().public)
    assert "If it runs there" in diagnosis._not_connected(elsewhere, ["10.0.0.1"], error).hint
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "link").write_text(f"{elsewhere}\n")
    found = diagnosis._not_connected(elsewhere, ["10.0.0.1"], error)
    assert found.problem == "no broker at chat.lan:9242"
    assert "this account's own: start it again" in found.hint
