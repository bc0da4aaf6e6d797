"""A real broker in its own process, and the commands run against it as a user would."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.programs import Broker, Zchat, runtime_dir


@pytest.fixture(scope="session")
def bare_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment without anything of zchat's, in the C locale, with a home that is empty."""
    unwanted = ("ZCHAT_", "LC_", "XDG_", "PYTHONDONTWRITE")  # the last: hundreds of processes, compiling anew
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    root = Path(__file__).parents[2]
    return kept | {
        "HOME": str(tmp_path_factory.mktemp("home")),
        "PYTHONPATH": str(root),
        "ZCHAT_RUNTIME_DIR": runtime_dir(),
        "TZ": "UTC",
        "PYTHONWARNINGS": "error",
    }


@pytest.fixture
def broker(tmp_path: Path, bare_environment: dict[str, str]) -> Iterator[Broker]:
    """A broker for one test."""
    running = Broker(tmp_path / "broker", bare_environment)
    yield running
    running.kill()


@pytest.fixture(scope="session")
def lasting_broker(
    tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]
) -> Iterator[Broker]:
    """A broker for all tests that neither stop it nor look at all of what it has."""
    running = Broker(tmp_path_factory.mktemp("lasting") / "broker", bare_environment)
    yield running
    running.kill()


@pytest.fixture(scope="session")
def lasting(
    tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str], lasting_broker: Broker
) -> Iterator[Zchat]:
    """As `run`, with the users of that broker: ann and bob are registered, and nothing is ever sent. For what
    is refused, and for usage errors."""
    environment = bare_environment | {"ZCHAT_LINK": lasting_broker.link}
    zchat = Zchat(tmp_path_factory.mktemp("lasting") / "users", environment)
    for nick in ("ann", "bob"):
        assert zchat(["users"], nick=nick).returncode == 0
    yield zchat
    said = zchat(["history", "general"])
    zchat.close()
    assert (said.returncode, said.stdout) == (0, "")


@pytest.fixture(scope="session")
def busy(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Iterator[Zchat]:
    """As `run`, with a broker that gets all sorts of things: each test comes as a `newcomer`, and looks at
    nothing but its own."""
    directory = tmp_path_factory.mktemp("busy")
    running = Broker(directory / "broker", bare_environment)
    zchat = Zchat(directory / "users", bare_environment | {"ZCHAT_LINK": running.link})
    yield zchat
    zchat.close()
    running.kill()


_numbers = itertools.count()


@pytest.fixture
def newcomer() -> str:
    """A nick that no other test has."""
    return f"new{next(_numbers)}"


@pytest.fixture
def run(tmp_path: Path, bare_environment: dict[str, str], broker: Broker) -> Iterator[Zchat]:
    """`run(arguments, nick=…, input=…)`, and `run.start(…)` for what goes on."""
    zchat = Zchat(tmp_path / "users", bare_environment | {"ZCHAT_LINK": broker.link})
    yield zchat
    zchat.close()
