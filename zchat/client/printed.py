"""The order in which a `tail --peek` printed: what a position that is acknowledged stands for."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import IO

_BYTES_MAX = 4 * 1024 * 1024  # then the older half is forgotten
_LINE = re.compile(r"([0-9]{1,16}) (\S+)")


class Printed:
    """A file with a line, position and conversation, for each message that was printed. Several conversations
    are not printed in the order of their positions, so a position alone does not say what is done.

    It begins anew with the first line: as long as a tail has printed nothing, what the one before printed can
    still be acknowledged.
    """

    def __init__(self, path: Path) -> None:
        self.first: dict[str, int] = {}  # conversation: the position printed first
        self.last: dict[str, int] = {}  # conversation: the position printed last
        self._path = path
        self._file: IO[str] | None = None

    def add(self, pos: int, conversation: str) -> None:
        """Call this before the message is printed. Raises OSError."""
        if self._file is None:
            self._file = self._open("w")
        self.first.setdefault(conversation, pos)
        self.last[conversation] = max(pos, self.last.get(conversation, 0))
        self._file.write(f"{pos} {conversation}\n")
        self._file.flush()
        if self._file.tell() > _BYTES_MAX:
            self._shorten(self._file)

    def close(self) -> None:
        """It stays, so that what was printed can still be acknowledged."""
        if self._file is not None:
            self._file.close()

    def discard(self) -> None:
        """Nothing printed is left to be acknowledged. Raises OSError."""
        self.close()
        self._file = None
        self.first.clear()
        self.last.clear()
        with suppress(FileNotFoundError):
            self._path.unlink()

    @property
    def exists(self) -> bool:
        """The last tail that printed something has peeked."""
        return self._path.exists()

    def up_to(self, pos: int) -> dict[str, int] | None:
        """How far each conversation had been printed when the line with `pos` was; None: there is no such
        line, or not any more. A line that is damaged, or being written, was not printed. Raises OSError."""
        reached: dict[str, int] = {}
        with suppress(FileNotFoundError):
            text = self._path.read_text(encoding="utf-8", errors="replace")
            for line in text.split("\n")[:-1]:
                if (match := _LINE.fullmatch(line)) is None:
                    continue
                reached[match[2]] = int(match[1])
                if reached[match[2]] == pos:
                    return reached
        return None

    def _open(self, mode: str) -> IO[str]:
        return open(self._path, mode, encoding="utf-8", opener=private)

    def _shorten(self, file: IO[str]) -> None:
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        file.close()
        shorter = self._path.with_name(self._path.name + ".new")
        with open(shorter, "w", encoding="utf-8", opener=private) as new:
            new.writelines(lines[len(lines) // 2 :])
        os.replace(shorter, self._path)
        self._file = self._open("a")


def private(path: str, flags: int) -> int:
    """For `open`: a file that is made is readable by its owner alone."""
    return os.open(path, flags, 0o600)
