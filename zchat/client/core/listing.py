"""A list of heads, as its pages come."""


class Listing:
    """A list of heads, as its pages come: complete up to `as_of`, reached when nothing is `behind`.

    `is_first`: of its session. `covers_followed`: the session followed what is to be followed before it was
    asked for the list; otherwise the list says nothing about those rooms, and the floor cannot rise to it.
    """

    def __init__(self, is_first: bool, covers_followed: bool) -> None:
        self.is_first = is_first
        self.covers_followed = covers_followed
        self.as_of: int | None = None
        self.rooms: set[str] = set()
        self.behind: dict[str, int] = {}

    def page(self, as_of: int) -> None:
        """Another page came."""
        self.as_of = as_of if self.as_of is None else min(self.as_of, as_of)
