"""A broker for each file of tests, its clients, and a witness that it goes on serving."""

from collections.abc import Callable, Iterator

import pytest
import zmq

from tests.fuzz.conftest import long, pytest_addoption  # noqa: F401 -- for the tests of this folder, too
from tests.processes import BrokerProcess
from tests.wire.raw import Client
from zchat.common import wire

Connect = Callable[..., Client]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """The broker of this file."""
    with BrokerProcess(tmp_path_factory.mktemp("broker") / "data") as running:
        yield running
        assert running.is_running
        assert running.stop() == 0
        assert not [line for line in running.log_lines() if "Traceback" in line]


@pytest.fixture(scope="module")
def context() -> "Iterator[zmq.Context[zmq.Socket[bytes]]]":
    """Of all sockets of this file."""
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(0)


@pytest.fixture(scope="module")
def witness(broker: BrokerProcess, context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[Client]:
    """Somebody who does no harm."""
    client = Client(broker, context)
    client.greet("witness", quiet=True)
    yield client
    client.close()


@pytest.fixture
def connect(
    broker: BrokerProcess, context: "zmq.Context[zmq.Socket[bytes]]", witness: Client
) -> Iterator[Connect]:
    """Makes clients. After the test, the broker is alive and answers others."""
    clients: list[Client] = []

    def made(**options: object) -> Client:
        clients.append(Client(broker, context, **options))  # type: ignore[arg-type]
        return clients[-1]

    yield made
    for client in clients:
        client.close()
    assert broker.is_running
    token = witness.token
    witness.say(wire.Ping(witness.session, token, 0, ""))
    answer = witness.hear().answer
    assert isinstance(answer, wire.Heads | wire.Refused) and answer.token == token
    if isinstance(answer, wire.Refused):  # it was silent for too long
        witness.greet("witness", quiet=True)


@pytest.fixture
def account(connect: Connect, broker: BrokerProcess) -> Client:
    """The account that runs the broker, at its control socket."""
    client = connect(endpoint=f"ipc://{broker.control}", curve=False)
    client.greet(wire.ACCOUNT, quiet=True)
    return client


@pytest.fixture
def ann(connect: Connect) -> Client:
    """A client with a session, new for each test."""
    client = connect()
    client.greet()
    return client


@pytest.fixture
def bob(connect: Connect) -> Client:
    """Another one."""
    client = connect()
    client.greet()
    return client
