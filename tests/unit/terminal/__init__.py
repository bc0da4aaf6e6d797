"""Unit tests of the chat on a terminal."""
