"""What was delivered to the user, how much of it was taken, and the cursors that follow from that."""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from zchat.client.core.cursors import Cursors, Snapshot
from zchat.client.messages import Entry

UPDATES_MAX: Final = 10_000  # delivered and not taken; above it nothing more is fetched or kept
_NONE: Final[Sequence[Entry]] = ()


class _Mark(NamedTuple):
    """What becomes true when the user has taken `sequence` updates in all."""

    sequence: int
    conversation: str
    position: int
    entries: Sequence[Entry]  # the last updates before `sequence`, each a step on the way to `position`


_FLOOR: Final = ""  # in place of a conversation
_JOINED, _LEFT = "+", "-"  # before a conversation
_ANEW: Final = "!"  # in place of a conversation


class Inbox:
    """Counts updates in and out. Its cursors trail those of the reader by what the user has not taken yet, so
    that what is saved never names a message that nobody has seen."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.taken = Cursors(snapshot)
        self.fresh = snapshot is None or snapshot.floor is None
        self.full = False
        self._delivered = 0
        self._consumed = 0
        self._marks: deque[_Mark] = deque()

    @property
    def waiting(self) -> int:
        """Updates that were delivered and not taken."""
        return self._delivered - self._consumed

    def delivered(self, count: int) -> None:
        """Updates without a position were delivered."""
        self._delivered += count
        self._full()

    def reached(self, conversation: str, position: int, entries: Sequence[Entry] = _NONE) -> None:
        """A conversation is complete up to `position`, with these entries delivered as the last ones."""
        self._delivered += len(entries)
        self._mark(conversation, position, entries)
        self._full()

    def floor_raised(self, floor: int) -> None:
        """All conversations are complete up to `floor`."""
        self._mark(_FLOOR, floor)

    def membership_changed(self, conversation: str, joined: bool) -> None:
        """The user became a member of a room, or is one no longer."""
        self._mark((_JOINED if joined else _LEFT) + conversation, 0)

    def began_anew(self, floor: int) -> None:
        """All conversations are read from `floor` on, whatever was reached before."""
        self._mark(_ANEW, floor)

    def took(self, count: int) -> bool:
        """The user took `count` updates. True when there is room again after there was none."""
        self._consumed = min(self._consumed + count, self._delivered)
        marks = self._marks
        while marks and marks[0].sequence <= self._consumed:
            self._apply(marks.popleft())
        if marks and marks[0].entries:
            mark = marks[0]
            done = len(mark.entries) - (mark.sequence - self._consumed)
            if done > 0:
                self.taken.move(mark.conversation, mark.entries[done - 1].pos)
        if self.full and self.waiting <= UPDATES_MAX // 2 and len(marks) <= UPDATES_MAX:
            self.full = False
            return True
        return False

    def snapshot(self) -> Snapshot:
        """What may be saved now."""
        taken = self.taken
        floor = None if self.fresh else taken.floor or None  # 0: the first floor is not taken yet
        return Snapshot(floor, dict(taken.positions), frozenset(taken.joined), frozenset(taken.followed))

    def _mark(self, conversation: str, position: int, entries: Sequence[Entry] = _NONE) -> None:
        mark = _Mark(self._delivered, conversation, position, entries)
        marks = self._marks
        if not marks and self._delivered == self._consumed:
            self._apply(mark)
        elif marks and not entries and marks[-1][:2] == mark[:2] and not marks[-1].entries:
            marks[-1] = mark
        else:
            marks.append(mark)

    def _apply(self, mark: _Mark) -> None:
        conversation, taken = mark.conversation, self.taken
        if conversation == _FLOOR:
            taken.raise_floor(mark.position)
        elif conversation == _ANEW:
            taken.begin_anew(mark.position)
        elif conversation[0] == _JOINED:
            taken.join(conversation[1:])
        elif conversation[0] == _LEFT:
            taken.joined.discard(conversation[1:])
        else:
            taken.move(conversation, mark.position)

    def _full(self) -> None:
        if self.waiting >= UPDATES_MAX or len(self._marks) >= 2 * UPDATES_MAX:
            self.full = True
