"""stdin as lines: of any length and number in bounded memory, and without stopping the event loop."""

import asyncio
import errno
import os
import select
import stat
import sys
import threading
from collections.abc import AsyncIterator
from typing import NamedTuple

from zchat.common import limits
from zchat.common.codes import Refusal
from zchat.common.errors import ConfigurationError, Refused
from zchat.common.text import say

_CHUNK_BYTES = 64 * 1024
_CHUNKS_AHEAD = 2  # read from stdin before anybody asks for them


class Line(NamedTuple):
    """A line without its newline (LF or CR LF). `number` counts from 1, `offset` is of its first byte in the
    input. Of a line longer than a message may be, `data` is only a beginning that is too long as well."""

    number: int
    offset: int
    data: bytes

    def text(self) -> str:
        """Raises ConfigurationError with the offset of the first byte that is no UTF-8."""
        return decode(self.data, self.offset)

    def too_long(self) -> bool:
        """Longer than a message may be."""
        return len(self.data) > limits.TEXT_BYTES_MAX

    def blank(self) -> bool:
        """Nothing in it but white space."""
        return not self.data.strip()


class Splitter:
    """Cuts an input into lines, at LF only: what else separates lines for Unicode is part of a message."""

    def __init__(self) -> None:
        self._number = 1
        self._offset = 0  # of the line that is not complete yet
        self._size = 0  # bytes of it so far, also those not kept
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that are complete with this chunk."""
        *ends, rest = chunk.split(b"\n")
        lines = [self._finish(end) for end in ends]
        self._keep(rest)
        return lines

    def end(self) -> list[Line]:
        """The last line, when no newline ended it."""
        return [self._finish(b"")] if self._size else []

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        room = limits.TEXT_BYTES_MAX + 2 - len(self._kept)  # one byte too many, and a CR
        self._kept += piece[: max(room, 0)]

    def _finish(self, piece: bytes) -> Line:
        self._keep(piece)
        line = Line(self._number, self._offset, bytes(self._kept.removesuffix(b"\r")))
        self._number += 1
        self._offset += self._size + 1
        self._size = 0
        self._kept.clear()
        return line


def decode(data: bytes, offset: int = 0) -> str:
    """UTF-8, whatever the locale; raises ConfigurationError with the offset of the first bad byte."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the input is not UTF-8: byte {data[error.start]:#04x} at offset {offset + error.start}"
        ) from None


def read_text() -> str:
    """All of stdin, without one final newline. Blocks until its end.

    Raises ConfigurationError for what is no UTF-8, and Refused, without reading on, for more than a message
    may hold.
    """
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        say("type the message; Ctrl-D on a line of its own ends it")
    try:
        data = sys.stdin.buffer.read(limits.TEXT_BYTES_MAX + 3)
    except OSError as error:
        raise _unreadable(error) from None
    if len(data) > limits.TEXT_BYTES_MAX + 2:
        raise too_large()
    return decode(_without_newline(data))


def too_large() -> Refused:
    """What a broker would answer to such a text; nothing is gained by sending it there."""
    return Refused(Refusal.TOO_LARGE, f"the text is larger than {limits.TEXT_BYTES_MAX} bytes")


async def read_lines() -> AsyncIterator[Line]:
    """The lines of stdin as they come. Raises ConfigurationError when it cannot be read any further."""
    splitter = Splitter()
    async for chunk in _chunks():
        for line in splitter.feed(chunk):
            yield line
    for line in splitter.end():
        yield line


def _without_newline(data: bytes) -> bytes:
    return data[:-1].removesuffix(b"\r") if data.endswith(b"\n") else data


async def _chunks() -> AsyncIterator[bytes]:
    """What a thread reads from stdin. A thread works for terminals, pipes and files alike; as a daemon, and
    past Python's own buffer and its lock, it keeps no process from ending while it waits."""
    if sys.stdin is None:
        return  # it was closed when the process began: whatever has descriptor 0 now is something else
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    wanted = threading.Semaphore(_CHUNKS_AHEAD)

    def read() -> None:
        while wanted.acquire():
            chunk: bytes | OSError
            try:
                chunk = _read()
            except OSError as error:
                chunk = error
            try:
                loop.call_soon_threadsafe(arrived.put_nowait, chunk)
            except RuntimeError:
                return  # the loop has ended
            if not chunk or isinstance(chunk, OSError):
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while chunk := await arrived.get():
        if isinstance(chunk, OSError):
            raise _unreadable(chunk)
        wanted.release()
        yield chunk


def _read() -> bytes:
    while True:
        try:
            return os.read(0, _CHUNK_BYTES)
        except BlockingIOError:  # somebody who shares it has set O_NONBLOCK
            select.select([0], [], [])
        except OSError as error:
            if error.errno == errno.EIO and stat.S_ISCHR(os.fstat(0).st_mode):
                return b""  # the terminal is gone
            raise


def _unreadable(error: OSError) -> ConfigurationError:
    return ConfigurationError(f"cannot read stdin: {error.strerror or error}")
