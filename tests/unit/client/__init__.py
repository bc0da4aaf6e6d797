"""Tests of the client: its core as conversations (play.py), its sockets against brokers."""

import pytest

pytest.register_assert_rewrite("tests.unit.client.play")
