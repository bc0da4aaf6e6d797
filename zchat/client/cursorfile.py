"""Named cursors: how far a script has got, in a file that one `tail` at a time moves."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from zchat.client.core.cursors import Cursors, Snapshot
from zchat.client.identity import Identity
from zchat.client.printed import Printed, private
from zchat.client.statefile import StateFile, lock, unlock
from zchat.common import names
from zchat.common.errors import ConfigurationError, No, StateInUse, ZchatError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_SUFFIX = ".cursor"
_PEEKS, _MOVES = "peeks", "moves"  # what a tail that holds it does


class NotPrinted(ZchatError):
    """A position was acknowledged that was not printed."""

    exit_code = 5


class Listed(NamedTuple):
    """A cursor as it is listed. `to`: its addresses, none for all; `pos`: everything up to it is done."""

    name: str
    to: Sequence[str]
    pos: int


class CursorFile:
    """A cursor of a nick at the broker with the key `broker`, in the directory of that nick's cursors.

    A client holds it as its State: it is for exactly the addresses `to`, begins behind the position `after`
    (None: now), and moves with what is taken. With `peek` it moves by `set` alone. Raises ConfigurationError
    for a name that no cursor can have.
    """

    begins_now = True

    def __init__(
        self,
        directory: Path,
        name: str,
        broker: str,
        *,
        to: Sequence[str] = (),
        after: int | None = None,
        peek: bool = False,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"no cursor can be called {name!r}: 1 to 64 letters, digits, dots, dashes and underlines"
            )
        self.name = name
        self._to = sorted(set(to))
        self._after = after
        self._peek = peek
        self._is_anew = False  # what the file says is of a log that is no more
        self._path = directory / f"{name}{_SUFFIX}"
        self._file = StateFile(self._path, broker, self._to)
        self._printed = Printed(directory / f"{name}.printed")

    def __str__(self) -> str:
        return f"the cursor {self.name}"

    @property
    def nick(self) -> str | None:
        """Whose it is."""
        return self._file.nick

    @nick.setter
    def nick(self, nick: str | None) -> None:
        self._file.nick = nick

    @property
    def exists(self) -> bool:
        """It was used before."""
        return self._path.exists()

    # ---- for the client that holds it ----

    def open(self) -> Snapshot | None:
        """Hold and read it. Raises StateInUse, and ConfigurationError when it is for other addresses."""
        with self._changing():  # nobody sets it in between
            try:
                snapshot = self._file.open()
            except StateInUse:
                raise StateInUse(f"another zchat tail is using {self}") from None
            try:
                self._check_same(snapshot)
                self._file.note(_PEEKS if self._peek else _MOVES)
            except BaseException:
                self.close()
                raise
        if snapshot is None and self._after is not None:
            rooms = frozenset(one for one in self._to if one.startswith("#"))
            return Snapshot(self._after, {}, frozenset(), rooms)
        return snapshot

    def write(self, snapshot: Snapshot) -> None:
        """Replace it, durably. Raises OSError."""
        if not self._peek:
            self._file.write(snapshot)
            self._printed.discard()
            return
        printed, first = dict(self._printed.last), dict(self._printed.first)  # the tail goes on meanwhile
        with self._changing():
            acknowledged = self._file.read()
            if acknowledged is None or acknowledged.floor is None:
                self._file.write(snapshot)  # where it begins
                return
            if self._is_anew:
                acknowledged = _before(first, snapshot)
            self._file.write(_kept(acknowledged, snapshot, printed))
            self._is_anew = False

    def close(self) -> None:
        """Let others have it."""
        self._printed.close()
        self._file.close()

    def prints(self, pos: int, conversation: str) -> None:
        """This message is about to be printed. Raises OSError."""
        if self._peek:
            self._printed.add(pos, conversation)

    def begin_anew(self) -> None:
        """The log was replaced: what was printed of it cannot be acknowledged any more, and the next write
        says where reading begins. Raises OSError."""
        if self._peek:
            self._printed.discard()
            self._is_anew = True

    # ---- for people and scripts ----

    def set(self, pos: int, in_log: bool = False) -> None:
        """Everything is done that the last tail printed up to the line of `pos`. If it did not peek, or with
        `in_log`: everything is done up to `pos`, in all conversations, and nothing after it.

        Raises No when there is no such cursor, StateInUse while a tail holds it and moves it by itself, and
        NotPrinted when a tail that peeked has not printed such a line.
        """
        self._existing()
        with self._changing():
            snapshot = self._existing()
            is_held = not self._take()
            try:
                if is_held and (in_log or self._file.noted() == _MOVES):
                    raise StateInUse(
                        f"a tail is using {self}. While it runs, only what a tail --peek has printed is set"
                    )
                reached = None if in_log else self._printed.up_to(pos)
                if reached is None and not in_log and (is_held or self._printed.exists):
                    raise NotPrinted(
                        f"the last tail --peek has not printed a message {pos}, or long ago. To move {self} "
                        "there all the same, over what was not printed: --in-log"
                    )
                self._file.write(_moved(snapshot, pos, reached))
                if in_log:
                    self._printed.discard()
            finally:
                if not is_held:
                    self._file.close()

    def delete(self) -> None:
        """Also a damaged one. Raises No when there is none, and StateInUse while a tail holds it."""
        if not self.exists:
            raise self._none()
        with self._changing():
            if not self._take_damaged():
                raise StateInUse(f"a tail is using {self}")
            self._path.unlink(missing_ok=True)
            self._printed.discard()
            self._file.close()

    def listed(self) -> Listed:
        """Raises No when there is no such cursor, and ConfigurationError when it is damaged."""
        snapshot = self._existing()
        to = self._file.to or ()
        cursors = Cursors(snapshot)
        found = [cursors.position(one) for one in self._conversations(to, snapshot.positions)]
        return Listed(self.name, to, min(found, default=cursors.floor))

    def _conversations(self, to: Sequence[str], known: Mapping[str, int]) -> list[str]:
        """The conversations of the addresses, as far as they can be told from their partners' names."""
        people = {names.folded(one[1:]) for one in to if one.startswith("@")}
        direct = [c for c in known if c.startswith("@") and people & set(map(names.folded, c[1:].split(",")))]
        return [one for one in to if one.startswith("#")] + direct

    def _existing(self) -> Snapshot:
        snapshot = self._file.read()
        if snapshot is None:
            raise self._none()
        return snapshot

    def _none(self) -> No:
        return No(f"there is no cursor {self.name}; zchat tail --cursor {self.name} makes it")

    def _take(self) -> bool:
        try:
            self._file.open()
        except StateInUse:
            return False
        return True

    def _take_damaged(self) -> bool:
        """Whatever is in it: what is damaged is held by nobody, for nobody could read it."""
        try:
            return self._take()
        except ConfigurationError:
            return True

    def _check_same(self, snapshot: Snapshot | None) -> None:
        if snapshot is not None and sorted(self._file.to or ()) != self._to:
            there, here = (" ".join(one) or "everything" for one in (self._file.to or (), self._to))
            raise ConfigurationError(
                f"{self} is for {there}, not for {here}. Use another name, or delete it: "
                f"zchat cursor delete {self.name}"
            )
        self._file.to = self._to

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One process at a time reads it to change it. What fails with an OSError is a ConfigurationError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self._path.with_name(f"{self.name}.changing"), "a", opener=private) as file:
                lock(file, wait=True)
                try:
                    yield
                finally:
                    unlock(file)
        except OSError as error:
            raise ConfigurationError(f"cannot use {self}: {error.strerror or error}") from None


def cursor_of(
    who: Identity, name: str, *, to: Sequence[str] = (), after: int | None = None, peek: bool = False
) -> CursorFile:
    """The cursor of a nick at a broker, whether it exists or not."""
    return CursorFile(_directory(who), name, who.link.key, to=to, after=after, peek=peek)


def all_of(who: Identity) -> list[CursorFile]:
    """The cursors of a nick at a broker, by name."""
    names_found = (path.name.removesuffix(_SUFFIX) for path in _directory(who).glob(f"*{_SUFFIX}"))
    return [cursor_of(who, name) for name in sorted(names_found) if _NAME.fullmatch(name)]


def _directory(who: Identity) -> Path:
    return who.state().with_suffix(".cursors")


def _moved(snapshot: Snapshot, pos: int, reached: Mapping[str, int] | None) -> Snapshot:
    if reached is None:
        return snapshot._replace(floor=pos, positions={})
    cursors = Cursors(snapshot)
    for conversation, position in reached.items():
        cursors.move(conversation, position)
    return snapshot._replace(positions=cursors.positions)


def _before(printed: Mapping[str, int], reached: Snapshot) -> Snapshot:
    """Where a tail was that has `reached` this, before the first positions that it printed."""
    positions = {conversation: position - 1 for conversation, position in printed.items()}
    return Snapshot(min([reached.floor or 0, *positions.values()]), positions, frozenset(), frozenset())


def _kept(acknowledged: Snapshot, reached: Snapshot, printed: Mapping[str, int]) -> Snapshot:
    """What a tail that peeks may save: how far it has `reached`, but for the conversations of which something
    that was printed is not acknowledged. As long as there is one, the floor stays, too."""
    before, now = Cursors(acknowledged), Cursors(reached)
    behind = {c for c, position in printed.items() if position > before.position(c)}
    if not behind:
        for conversation, position in before.positions.items():
            now.move(conversation, position)
        return reached._replace(positions=now.positions)
    for conversation, position in now.positions.items():
        if conversation not in behind:
            before.move(conversation, position)
    for conversation in behind & acknowledged.joined:
        before.positions[conversation] = before.position(conversation)
    unnamed = behind - acknowledged.joined  # a room joined since: its next listing says where that was
    return reached._replace(
        floor=acknowledged.floor, positions=before.positions, joined=reached.joined - unnamed
    )
