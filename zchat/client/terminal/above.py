"""What stands above the line, and where, as far as that is sure: it can be printed anew there."""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple
from unicodedata import category, east_asian_width

from prompt_toolkit.formatted_text import StyleAndTextTuples as Fragments

_LINE_ROWS: Final = 3  # that are left for the line
_PRINTS_MAX: Final = 1_000
_RECENT_MAX: Final = 500  # prints; a screen has not as many rows


class Print(NamedTuple):
    """`draw` gives what is to be seen, for the columns of the terminal. `pos` is that of the message."""

    draw: Callable[[int], Fragments]
    pos: int | None = None


class Above:
    """Counts the rows between what was printed and the line.

    Where the line is on the screen nobody tells. But so much is sure: so many rows as were printed lie above
    it, and where it is drawn with a height, so many lie below. What is counted is never too much.
    """

    def __init__(self) -> None:
        self._columns = self._rows = 0  # of the terminal
        self._rows_above = 0  # at least so many
        self._printed: deque[tuple[Print, int]] = deque()  # with the rows that each takes
        self._recent: deque[Print] = deque(maxlen=_RECENT_MAX)

    def moved(self) -> None:
        """What was printed is somewhere else on the screen, or not there any more."""
        self._rows_above = 0
        self._printed.clear()

    def cleared(self) -> None:
        """Nothing is on the screen any more."""
        self.moved()
        self._recent.clear()

    def has_size(self, columns: int, rows: int) -> None:
        """How large the terminal is. When that changes, it breaks rows anew in a way of its own."""
        if (columns, rows) != (self._columns, self._rows):
            self._columns, self._rows = columns, rows
            self.moved()

    def add(self, print: Print, text: str) -> None:
        """This was printed, and looks so. Behind a text about whose width terminals differ nothing is found
        again."""
        self._recent.append(print)
        least, most = rows_of(text, self._columns)
        self._rows_above += least
        if least != most:
            self._printed.clear()
        else:
            self._printed.append((print, least))
            if len(self._printed) > _PRINTS_MAX:
                self._printed.popleft()

    def drawn(self, height: int) -> None:
        """The line is drawn, with so many rows."""
        self._rows_above = max(0, min(self._rows_above, self._rows - height))

    def take_from(self, pos: int) -> tuple[int, list[Print]]:
        """How many rows above the line a message begins that is still on the screen, and all that was printed
        from there on. It is forgotten, since it is to be printed again. Nothing, and 0 rows, else."""
        rows, count = 0, 0
        found = (0, 0)  # rows, and prints, up to the first of this message
        for print, its_rows in reversed(self._printed):
            rows, count = rows + its_rows, count + 1
            if rows > self._rows_above:
                break
            if print.pos == pos:
                found = (rows, count)
        self._rows_above -= found[0]
        taken = [self._printed.pop()[0] for _ in range(found[1])]
        for _ in taken:
            self._recent.pop()
        return found[0], taken[::-1]

    def take_screen(self, pos: int) -> list[Print]:
        """All that may be on the screen, if the message may be: to be printed anew on one that is cleared."""
        candidates = list(self._recent)[-self._rows :] if self._rows else []
        if not any(print.pos == pos for print in candidates):
            return []
        self.cleared()
        rows, fitting = 0, 0
        for print in reversed(candidates):
            text = "".join(fragment[1] for fragment in print.draw(self._columns))
            rows += rows_of(text, self._columns)[1]
            if rows > self._rows - _LINE_ROWS:
                break
            fitting += 1
        return candidates[len(candidates) - fitting :]


def rows_of(text: str, columns: int) -> tuple[int, int]:
    """How many rows a terminal takes for lines, each with its newline: at least, and at most."""
    least = most = 0
    for line in text.removesuffix("\n").split("\n"):
        if line.isascii():
            shortest = longest = len(line)
            usable = columns
        else:
            widths = [_cells(character) for character in line]
            shortest, longest = sum(width[0] for width in widths), sum(width[1] for width in widths)
            usable = columns if longest <= columns else columns - 1  # a wide character may not fit at the end
        least += max(1, -(-shortest // max(1, columns)))
        most += max(1, -(-longest // max(1, usable)))
    return least, most


def _cells(character: str) -> tuple[int, int]:
    """How wide terminals show it: at least, and at most."""
    kind, width = category(character), east_asian_width(character)
    if kind in ("Mn", "Me"):
        return 0, 0
    if kind.startswith("L") or character.isascii():
        if width in "WF":
            return 2, 2
        if width in ("N", "Na", "H"):
            return 1, 1
    return 0, 2
