"""A play for each test; whatever the core says in it has to be expected."""

from collections.abc import Iterator

import pytest

from tests.unit.broker.play import Play


@pytest.fixture
def play() -> Iterator[Play]:
    """A broker that has just started, with the default limits."""
    begun = Play()
    yield begun
    begun.expect()
