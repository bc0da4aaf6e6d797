"""When a session has delivered everything that was there before it began."""

from collections.abc import Callable


class CatchUp:
    """What is still missing of what a session's first list of heads, and its answer to Follow, told of."""

    def __init__(self) -> None:
        self._targets: dict[str, int] | None = None  # None: told already, or no session yet
        self._doubtful: dict[str, int] = {}  # targets in rooms that may have to be read
        self._listed = False

    def begin(self) -> None:
        """A session begins, and with it a new list."""
        self._targets = {}
        self._doubtful = {}
        self._listed = False

    def expect(self, conversation: str, position: int) -> None:
        """Of this conversation everything up to `position` was there before."""
        if self._targets is not None:
            self._targets[conversation] = max(position, self._targets.get(conversation, 0))

    def listed(self) -> None:
        """The list of heads is complete."""
        self._listed = True

    def reached(self, conversation: str, position: int) -> None:
        """This conversation is delivered up to `position`."""
        if self._targets and self._targets.get(conversation, position + 1) <= position:
            del self._targets[conversation]

    def forget(self, conversation: str) -> None:
        """Nothing is to be had of this conversation any more."""
        if self._targets is not None:
            self._targets.pop(conversation, None)

    def doubt(self, conversation: str, position: int = 0) -> None:
        """It is read no longer, or named and not read. Whether it was joined, the next list tells."""
        if self._targets is not None:
            position = max(position, self._targets.pop(conversation, 0), self._doubtful.get(conversation, 0))
            if position:
                self._doubtful[conversation] = position

    def resolve(self, is_missing: Callable[[str, int], bool]) -> None:
        """That list is here: what is in doubt is expected if it `is_missing`."""
        doubtful, self._doubtful = self._doubtful, {}
        for conversation, position in doubtful.items():
            if is_missing(conversation, position):
                self.expect(conversation, position)

    @property
    def awaited(self) -> set[str]:
        """The conversations that are not complete yet."""
        return set(self._targets or ())

    @property
    def is_complete(self) -> bool:
        """Everything that was told of is here, and the user does not know yet."""
        return self._listed and self._targets == {} and not self._doubtful

    def told(self) -> None:
        """The user knows."""
        self._targets = None
