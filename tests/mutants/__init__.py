"""Planted bugs: what the tests are worth. `python -m tests.mutants` shows what catches each."""
