"""Tests of the client: its core with plays, its sockets with brokers."""
