"""Tests of the broker's parts without sockets, most of them as conversations with its core (play.py)."""

import pytest

pytest.register_assert_rewrite("tests.unit.broker.play", "tests.unit.broker.crowd")
