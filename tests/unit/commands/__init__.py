"""Unit tests of the commands, and of what they need in common."""
