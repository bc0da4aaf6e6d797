"""Pages that are wanted: repairs and what users ask for, through the one gate of two open at a time."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from zchat.client.core.effects import Effect, Transmit
from zchat.client.core.limited import Limited
from zchat.common import limits, wire

ANSWER_MS: Final = 5_000  # then it is asked again, doubled each time
ANSWER_MS_MAX: Final = 30_000
AGAIN_MS: Final = 100  # after a refusal or a page that brought nothing, doubled each time
AGAIN_MS_MAX: Final = 5_000

AFTER: Final = 0  # the direction of a repair


class Wanted:
    """A page that is wanted: of a conversation, for a repair, or for a user's ticket. `attempts` counts those
    in a row that brought nothing."""

    __slots__ = ("attempts", "bound", "direction", "due_ms", "entries_max", "key", "to", "unanswered")

    def __init__(self, key: str | int, to: str, direction: int, bound: int, entries_max: int = 0) -> None:
        self.key = key
        self.to = to
        self.direction = direction
        self.bound = bound
        self.entries_max = entries_max
        self.attempts = 0
        self.unanswered = 0
        self.due_ms = 0


class Fetches:
    """Asks for pages, two at a time, one for a conversation, in the order in which they were wanted; again
    when no answer comes. protocol.md, Pages."""

    def __init__(self, tokens: Iterator[int], bound: Callable[[str], int]) -> None:
        self._tokens = tokens
        self._bound = bound  # after which position a conversation is wanted now
        self._wanted: dict[str | int, Wanted] = {}
        self._queue: deque[Wanted] = deque()
        self._open: dict[int, Wanted] = {}  # by token; `due_ms` is when the answer is overdue
        self._later: list[Wanted] = []
        self._held: Limited | None = None  # too much was asked: nothing is until then

    def __contains__(self, token: int) -> bool:
        return token in self._open

    def __len__(self) -> int:
        return len(self._wanted)

    def deadline_ms(self) -> int | None:
        """When an answer is overdue, or a page is to be asked for again."""
        times = [w.due_ms for w in (*self._open.values(), *self._later)]
        if self._held is not None and self._queue:
            times.append(self._held.due_ms)
        return min(times, default=None)

    # ---- what is wanted ----

    def repair(self, conversation: str, to: str) -> None:
        """The conversation is wanted from its cursor on. Once is enough."""
        if conversation not in self._wanted:
            self._add(Wanted(conversation, to, AFTER, 0))

    def ask(self, ticket: int, request: wire.Fetch) -> None:
        """A user wants a page."""
        self._add(Wanted(ticket, request.to, request.direction, request.bound, request.entries_max))

    def drop(self, key: str | int) -> bool:
        """It is not wanted any more. True if it was."""
        wanted = self._wanted.pop(key, None)
        if wanted is None:
            return False
        if wanted in self._queue:
            self._queue.remove(wanted)
        if wanted in self._later:
            self._later.remove(wanted)
        return True  # an open one stays open until its answer comes: it holds its place at the broker

    def drop_repairs(self) -> None:
        """No repair is wanted any more."""
        for key in [key for key in self._wanted if isinstance(key, str)]:
            self.drop(key)

    def key(self, token: int) -> str | int:
        """What an open fetch is for."""
        return self._open[token].key

    def tickets(self) -> list[int]:
        """Those of the users who wait."""
        return [key for key in self._wanted if isinstance(key, int)]

    def _add(self, wanted: Wanted) -> None:
        self._wanted[wanted.key] = wanted
        self._queue.append(wanted)

    # ---- asking ----

    def start(self, session: int, now_ms: int) -> list[Effect]:
        """Ask for what is wanted, as far as the gate is open."""
        if self._held is not None and now_ms < self._held.due_ms:
            return []
        self._held = None
        effects: list[Effect] = []
        while self._queue and len(self._open) < limits.FETCHES_MAX:
            wanted = self._queue.popleft()
            token = next(self._tokens)
            self._open[token] = wanted
            wanted.due_ms = now_ms + min(ANSWER_MS << min(wanted.unanswered, 8), ANSWER_MS_MAX)
            bound = self._bound(wanted.key) if isinstance(wanted.key, str) else wanted.bound
            fetch = wire.Fetch(session, token, wanted.to, wanted.direction, bound, wanted.entries_max)
            effects.append(Transmit(fetch))
        return effects

    def close(self) -> None:
        """Nothing is wanted any more."""
        self._wanted.clear()
        self._queue.clear()
        self._open.clear()
        self._later.clear()

    def welcomed(self) -> None:
        """A new session: what was open was never answered."""
        for wanted in reversed(list(self._open.values())):
            if self._wanted.get(wanted.key) is wanted:
                self._queue.appendleft(wanted)
        self._open.clear()

    def answered(self, token: int) -> Wanted | None:
        """A page came. What it is for is not wanted any more; None if it was not, or no such page was asked
        for."""
        wanted = self._open.pop(token, None)
        if wanted is None or self._wanted.get(wanted.key) is not wanted:
            return None
        del self._wanted[wanted.key]
        return wanted

    def refused(self, token: int, now_ms: int) -> None:
        """It is tried again later."""
        wanted = self._open.pop(token, None)
        if wanted is not None and self._wanted.get(wanted.key) is wanted:
            self._put_off(wanted, now_ms)

    def limited(self, token: int, because: Limited) -> None:
        """Too much was asked: this one is the first to be asked for again, when it may."""
        wanted = self._open.pop(token, None)
        if wanted is not None and self._wanted.get(wanted.key) is wanted:
            self._queue.appendleft(wanted)
        self._held = because

    def again(self, wanted: Wanted, fruitless: bool, now_ms: int) -> None:
        """More of it is wanted: at once, or later when the page brought nothing."""
        if wanted.key in self._wanted:
            return
        wanted.unanswered = 0
        self._wanted[wanted.key] = wanted
        if fruitless:
            self._put_off(wanted, now_ms)
        else:
            wanted.attempts = 0
            self._queue.append(wanted)

    def elapsed(self, now_ms: int) -> None:
        """Queue again what is overdue, and what was put off until now."""
        for token in [token for token, wanted in self._open.items() if wanted.due_ms <= now_ms]:
            wanted = self._open.pop(token)
            if self._wanted.get(wanted.key) is wanted:
                wanted.unanswered += 1
                self._queue.append(wanted)
        due = [wanted for wanted in self._later if wanted.due_ms <= now_ms]
        if due:
            self._later = [wanted for wanted in self._later if wanted.due_ms > now_ms]
            self._queue.extend(due)

    def _put_off(self, wanted: Wanted, now_ms: int) -> None:
        wanted.due_ms = now_ms + min(AGAIN_MS << min(wanted.attempts, 8), AGAIN_MS_MAX)
        wanted.attempts += 1
        self._later.append(wanted)
