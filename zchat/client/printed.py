"""The order in which a `tail --peek` printed: what a position that is acknowledged stands for."""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

_BYTES_MAX = 4 * 1024 * 1024  # then the older half is forgotten


class Printed:
    """A file with a line, position and conversation, for each message that was printed. Several conversations
    are not printed in the order of their positions, so a position alone does not say what is done."""

    def __init__(self, path: Path) -> None:
        self.last: dict[str, int] = {}  # conversation: the position printed last
        self._path = path
        self._file: IO[str] | None = None

    def begin(self) -> None:
        """Forget what an earlier tail printed: it will be printed again. Raises OSError."""
        self._file = open(self._path, "w", encoding="utf-8")  # noqa: SIM115

    def add(self, pos: int, conversation: str) -> None:
        """Call this before the message is printed. Raises OSError."""
        assert self._file is not None
        self.last[conversation] = max(pos, self.last.get(conversation, 0))
        self._file.write(f"{pos} {conversation}\n")
        self._file.flush()
        if self._file.tell() > _BYTES_MAX:
            self._shorten()

    def close(self) -> None:
        """It stays, so that what was printed can still be acknowledged."""
        if self._file is not None:
            self._file.close()

    def discard(self) -> None:
        """Nothing printed is left to be acknowledged."""
        with suppress(FileNotFoundError):
            self._path.unlink()

    def up_to(self, pos: int) -> dict[str, int] | None:
        """How far each conversation had been printed when the line with `pos` was; None: there is no such
        line. Raises FileNotFoundError when no `tail --peek` has used the cursor last."""
        reached: dict[str, int] = {}
        for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True):
            number, _, conversation = line.rstrip("\n").partition(" ")
            if not line.endswith("\n"):
                break  # being written
            reached[conversation] = int(number)
            if reached[conversation] == pos:
                return reached
        return None

    def _shorten(self) -> None:
        assert self._file is not None
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        self._file.close()
        shorter = self._path.with_name(self._path.name + ".new")
        shorter.write_text("".join(lines[len(lines) // 2 :]), encoding="utf-8")
        os.replace(shorter, self._path)
        self._file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115
