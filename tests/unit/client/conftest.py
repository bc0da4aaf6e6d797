"""A client's core to talk to."""

import pytest

from tests.unit.client.play import Play


@pytest.fixture
def play() -> Play:
    """A client that starts now, with no state; nothing has happened yet."""
    return Play()


@pytest.fixture
def open_play() -> Play:
    """One that is in session 1, member of #general, with everything up to position 5."""
    play = Play()
    play.greet()
    return play
