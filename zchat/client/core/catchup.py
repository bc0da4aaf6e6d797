"""When a session has delivered everything that was there before it began."""


class CatchUp:
    """What is still missing of what a session's first list of heads, and its answer to Follow, told of."""

    def __init__(self) -> None:
        self._targets: dict[str, int] | None = None  # None: told already, or no session yet
        self._listed = False

    @property
    def is_pending(self) -> bool:
        """It is not told yet."""
        return self._targets is not None

    def begin(self) -> None:
        """A session begins, and with it a new list."""
        self._targets = {}
        self._listed = False

    def expect(self, conversation: str, position: int) -> None:
        """Of this conversation everything up to `position` was there before."""
        if self._targets is not None:
            self._targets[conversation] = max(position, self._targets.get(conversation, 0))

    def listed(self) -> None:
        """The list of heads is complete."""
        self._listed = True

    def forget(self, conversation: str) -> None:
        """Nothing is to be had of this conversation any more."""
        if self._targets is not None:
            self._targets.pop(conversation, None)

    @property
    def awaited(self) -> set[str]:
        """The conversations that may not be complete yet."""
        return set(self._targets or ())

    def next_target(self) -> tuple[str, int] | None:
        """A conversation that may not be complete yet, and up to where it is to be."""
        return next(iter(self._targets.items()), None) if self._targets else None

    @property
    def is_complete(self) -> bool:
        """Everything that was told of is here."""
        return self._listed and self._targets == {}

    def told(self) -> None:
        """The user knows."""
        self._targets = None
