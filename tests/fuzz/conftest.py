"""`--long` for the long form."""

import os
from contextlib import suppress

import pytest

_LONG_S = 5_400


def pytest_addoption(parser: pytest.Parser) -> None:
    with suppress(ValueError):  # others have it, too
        parser.addoption("--long", action="store_true", help="run the long form of the tests that have one")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """The long form is wanted: `--long`, or ZCHAT_TESTS_LONG in the environment."""
    return _is_long(request.config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _is_long(config):
        for item in items:
            if "long" in getattr(item, "fixturenames", ()) and item.path.parent.name in ("fuzz", "wire"):
                item.add_marker(pytest.mark.timeout(_LONG_S))


def _is_long(config: pytest.Config) -> bool:
    return bool(config.getoption("--long", default=False) or os.environ.get("ZCHAT_TESTS_LONG"))
