"""A play for each test; whatever the core says in it has to be expected, and what it knows be on disk."""

from collections.abc import Iterator

import pytest

from tests.unit.broker.crowd import Crowd
from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, Play


@pytest.fixture
def play() -> Iterator[Play]:
    """A broker that has just started, with the default limits."""
    begun = Play()
    yield begun
    begun.expect()
    begun.check_kept()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """Ann, Bob, Cat and the account, at a broker with the default limits."""
    begun = Crowd(ANN, BOB, CAT, ACCOUNT)
    yield begun
    begun.play.check_kept()
