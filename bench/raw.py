"""Clients of any server over plain TCP: what comes is counted by a mark, and not looked at."""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_PIECE: Final = 1 << 18  # bytes read at once


class Connection:
    """One client. `received` counts how often `mark` has come; nothing else is looked at. `message` is what
    it sends to an address; with `stores` each of them is answered by a mark."""

    def __init__(self, port: int, mark: bytes, message: Callable[[str], bytes], stores: bool = False) -> None:
        self.socket = _connected(port)
        self.received = 0
        self._mark = mark
        self._message = message
        self._stores = stores
        self._sent = 0
        self._unsent = b""
        self._rest = b""
        self._encoded: dict[str, bytes] = {}

    @property
    def unanswered(self) -> int:
        """Messages whose mark has not come."""
        return self._sent - self.received if self._stores else 0

    @property
    def may_send(self) -> bool:
        """The kernel has taken what was sent."""
        if self._unsent:
            self._write()
        return not self._unsent

    def ask(self, request: bytes, answer: bytes) -> None:
        """Write something and wait until `answer` has come; what came with it is not counted."""
        self.socket.setblocking(True)
        self.socket.sendall(request)
        said = b""
        while answer not in said:
            piece = self.socket.recv(_PIECE)
            if not piece:
                raise ConnectionError(f"the server closed the connection; it said {said[-200:]!r}")
            said += piece
        self.socket.setblocking(False)

    def send(self, to: str, messages: int) -> None:
        """So many in one piece; what the kernel does not take goes with the next call of `may_send`."""
        message = self._encoded.get(to)
        if message is None:
            message = self._encoded[to] = self._message(to)
        self._sent += messages
        self._unsent += message * messages
        self._write()

    def read(self) -> None:
        """Count what has come."""
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise ConnectionError("the server closed the connection")
        came = self._rest + piece
        self.received += came.count(self._mark)
        if len(self._mark) > 1:  # it may come in two pieces
            self._rest = came[1 - len(self._mark) :]

    def close(self) -> None:
        """End it."""
        self.socket.close()

    def _write(self) -> None:
        with suppress(BlockingIOError):
            self._unsent = self._unsent[self.socket.send(self._unsent) :]


class Connections:
    """The clients of one server in this process."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._all: list[Connection] = []

    def add(self, connection: Connection) -> Connection:
        """One more."""
        self._all.append(connection)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection.read)
        return connection

    def wait(self, seconds: float) -> None:
        """Read what has come, or what comes first within that time."""
        for key, _ in self._selector.select(seconds):
            key.data()

    def close(self) -> None:
        """End them all."""
        self._selector.close()
        for connection in self._all:
            connection.close()


def _connected(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setblocking(False)
    return made
