"""Named cursors: how far a script has got, in a file that one `tail` at a time moves."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from zchat.client.core.cursors import Cursors, Snapshot
from zchat.client.identity import Identity
from zchat.client.printed import Printed
from zchat.client.statefile import StateFile, lock, unlock
from zchat.common import names
from zchat.common.errors import ConfigurationError, No, StateInUse

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_SUFFIX = ".cursor"


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
        try:
            snapshot = self._file.open()
        except StateInUse:
            raise StateInUse(f"another zchat tail is using {self}") from None
        try:
            self._check_same(snapshot)
            if self._peek:
                self._printed.begin()
            else:
                self._printed.discard()
        except OSError as error:
            self.close()
            raise ConfigurationError(f"cannot use {self}: {error.strerror or error}") from None
        except ConfigurationError:
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
            return
        with self._changing():
            acknowledged = self._file.read()
            if acknowledged is None or acknowledged.floor is None:
                self._file.write(snapshot)  # where it begins
            else:
                self._file.write(_kept(acknowledged, snapshot, self._printed.last))

    def close(self) -> None:
        """Let others have it."""
        self._printed.close()
        self._file.close()

    def prints(self, pos: int, conversation: str) -> None:
        """This message is about to be printed."""
        if self._peek:
            self._printed.add(pos, conversation)

    # ---- for people and scripts ----

    def set(self, pos: int) -> None:
        """Everything is done that was printed up to the line of `pos`. If the last tail did not peek, or
        printed no such line: everything is done up to `pos`, in all conversations, and nothing after it.

        Raises No when there is no such cursor, and StateInUse while a tail holds it that moves it by itself,
        or has not printed such a line.
        """
        self._existing()
        with self._changing():
            snapshot = self._existing()
            try:
                reached = self._printed.up_to(pos)
                was_peeked = True
            except FileNotFoundError:
                reached, was_peeked = None, False
            is_held = not self._take()
            try:
                if is_held and not was_peeked:
                    raise StateInUse(f"a tail is using {self} and moves it by itself; see tail --peek")
                if is_held and reached is None:
                    raise StateInUse(f"the tail that is using {self} has not printed a message {pos}")
                self._file.write(_moved(snapshot, pos, reached))
            finally:
                if not is_held:
                    self._file.close()

    def delete(self) -> None:
        """Raises No when there is no such cursor, and StateInUse while a tail holds it."""
        self._existing()
        with self._changing():
            if not self._take():
                raise StateInUse(f"a tail is using {self}")
            self._path.unlink()
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
            raise No(f"there is no cursor {self.name}; zchat tail --cursor {self.name} makes it")
        return snapshot

    def _take(self) -> bool:
        try:
            self._file.open()
        except StateInUse:
            return False
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
        """One process at a time reads it to change it."""
        with open(self._path.with_name(f"{self.name}.changing"), "a") as file:
            lock(file, wait=True)
            try:
                yield
            finally:
                unlock(file)


def cursor_of(
    who: Identity, name: str, *, to: Sequence[str] = (), after: int | None = None, peek: bool = False
) -> CursorFile:
    """The cursor of a nick at a broker, whether it exists or not."""
    return CursorFile(_directory(who), name, who.link.key, to=to, after=after, peek=peek)


def all_of(who: Identity) -> list[CursorFile]:
    """The cursors of a nick at a broker, by name."""
    return [
        cursor_of(who, path.name.removesuffix(_SUFFIX))
        for path in sorted(_directory(who).glob(f"*{_SUFFIX}"))
    ]


def _directory(who: Identity) -> Path:
    return who.state().with_suffix(".cursors")


def _moved(snapshot: Snapshot, pos: int, reached: Mapping[str, int] | None) -> Snapshot:
    if reached is None:
        return snapshot._replace(floor=pos, positions={})
    cursors = Cursors(snapshot)
    for conversation, position in reached.items():
        cursors.move(conversation, position)
    return snapshot._replace(positions=cursors.positions)


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
    for conversation in behind:
        before.positions[conversation] = before.position(conversation)
    return reached._replace(floor=acknowledged.floor, positions=before.positions)
