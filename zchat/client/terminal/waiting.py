"""What moves on the terminal while the client connects."""

import asyncio
import io
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr
from itertools import cycle
from typing import TextIO

_FRAMES, _FRAMES_ASCII = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "-\\|/"
_FRAME_S = 0.1
_PATIENCE_S = 1.0  # after that it is said how long it takes, and what can be done
_ERASE = "\r\x1b[K"


@asynccontextmanager
async def waiting(what: str) -> AsyncIterator[None]:
    """A line that moves and says `what`, until the block ends, however it does; then nothing of it is left.
    What is written to stderr meanwhile takes its place."""
    animation = _Animation(sys.stdout, sys.stderr)
    task = asyncio.create_task(animation.run(what))
    try:
        with redirect_stderr(animation):
            yield
    finally:
        task.cancel()
        animation.erase()


class _Animation(io.TextIOBase):
    """Moves on `out`. As a stream it is in front of `behind`: it is erased before something is written."""

    def __init__(self, out: TextIO, behind: TextIO) -> None:
        self._out, self._behind = out, behind
        self._is_drawn = False

    async def run(self, what: str) -> None:
        began_at = time.monotonic()
        for frame in cycle(_FRAMES if _is_utf8(self._out) else _FRAMES_ASCII):
            passed_s = time.monotonic() - began_at
            patience = f" ({passed_s:.0f} s, Ctrl-C leaves)" if passed_s >= _PATIENCE_S else ""
            self._draw(f"{frame} {what}{patience}")
            await asyncio.sleep(_FRAME_S)

    def erase(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            self._out.write(_ERASE)
            self._out.flush()

    def write(self, text: str) -> int:
        self.erase()
        return self._behind.write(text)

    def flush(self) -> None:
        self._behind.flush()

    def _draw(self, line: str) -> None:
        columns = shutil.get_terminal_size().columns
        self._out.write(_ERASE + line[: columns - 1])
        self._out.flush()
        self._is_drawn = True


def _is_utf8(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"
