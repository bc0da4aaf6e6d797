"""How fast a client sends after it was told that it sends too much: not for a while, then less at once."""

from typing import Final

from zchat.client.core.limited import Limited

_SENDS_MAX: Final = 256  # at once: then the limit is forgotten


class Pace:
    """Half as many Sends on their way as when the limit was met, and one more for each that is stored: what
    was sent beyond the limit was sent in vain, and the more often the more is on its way. `limited` is the
    limit that was met last, None when it is forgotten; until `held` nothing is sent at all."""

    def __init__(self) -> None:
        self.held: Limited | None = None
        self.limited: Limited | None = None
        self.sends_max: int | None = None  # on their way at once; None: as many as the window has

    def slow_down(self, because: Limited, under_way: int, is_oldest: bool) -> None:
        """The broker refuses one Send after the other; when the oldest may come again is what counts."""
        if self.held is None:
            self.sends_max = max(1, under_way // 2)
        if self.held is None or is_oldest:
            self.held = self.limited = because

    def speed_up(self) -> None:
        """A Send was stored."""
        if self.sends_max is None:
            return
        self.sends_max += 1
        if self.sends_max > _SENDS_MAX:
            self.sends_max = self.limited = None

    def go_on(self) -> None:
        """What is sent now may be refused again, or not."""
        self.held = None
