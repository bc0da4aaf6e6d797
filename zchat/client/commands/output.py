"""stdout of a command that goes on while its reader is slow, and ends when its reader has gone."""

import asyncio
import os
import select
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from zchat.common.errors import ConfigurationError

_PIECE_BYTES = getattr(select, "PIPE_BUF", 512)  # POSIX: what a pipe that is writable takes without blocking


class Output:
    """Writes whole lines, each flushed. A pipe or terminal that is full suspends the task and not the loop,
    so that heartbeats and repairs go on. Raises BrokenPipeError when the reader has gone."""

    def __init__(self) -> None:
        self._descriptor = None if sys.stdout is None else sys.stdout.fileno()
        self._encoding = "utf-8" if sys.stdout is None else sys.stdout.encoding

    async def text(self, text: str) -> None:
        """Lines for people, in the encoding of the locale; what it lacks is seen as an escape."""
        await self._write(text.encode(self._encoding, "backslashreplace"))

    async def json(self, text: str) -> None:
        """Lines for programs, in UTF-8 whatever the locale (RFC 8259 section 8.1)."""
        await self._write(text.encode())

    async def reader_gone(self) -> None:
        """Raises BrokenPipeError when the reader of a pipe has gone, also while nothing is written."""
        if self._descriptor is not None and stat.S_ISFIFO(os.fstat(self._descriptor).st_mode):
            loop = asyncio.get_running_loop()
            with suppress(NotImplementedError):  # Windows: there the next write tells
                # As asyncio's own pipes do: the end for writing is never readable until the other is closed.
                await _ready(loop.add_reader, loop.remove_reader, self._descriptor)
                raise BrokenPipeError
        await asyncio.Event().wait()

    async def _write(self, data: bytes) -> None:
        if self._descriptor is None:
            return
        while data:
            if not _writable(self._descriptor):
                loop = asyncio.get_running_loop()
                await _ready(loop.add_writer, loop.remove_writer, self._descriptor)
            try:
                data = data[os.write(self._descriptor, data[:_PIECE_BYTES]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise
            except OSError as error:
                raise ConfigurationError(f"cannot write to stdout: {error.strerror}") from None


def _writable(descriptor: int) -> bool:
    try:
        return bool(select.select([], [descriptor], [], 0)[1])
    except (OSError, ValueError):
        return True  # nothing that could be waited for


async def _ready(watch: Callable[..., Any], unwatch: Callable[[Any], Any], descriptor: int) -> None:
    """Until the descriptor is ready for what `watch` watches."""
    ready = asyncio.Event()
    watch(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        unwatch(descriptor)
