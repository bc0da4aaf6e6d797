"""The chat drawn on a terminal, with prompt_toolkit."""
