"""Connections to any server over plain TCP: what comes is counted by a mark, and not looked at."""

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

_PIECE: Final = 1 << 18  # bytes read at once
_DEADLINE_S: Final = 120.0


class Connection:
    """One connection. `received` counts how often `mark` has come; nothing else is looked at."""

    def __init__(self, port: int, mark: bytes) -> None:
        self.socket = _connected(port)
        self.mark = mark
        self.received = 0
        self._unsent = b""

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

    def write(self, data: bytes) -> bool:
        """Write what the kernel takes, the rest with the next call. False: it takes nothing more now."""
        self._unsent += data
        with suppress(BlockingIOError):
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        return not self._unsent

    def read(self) -> None:
        """Count what has come."""
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self.received += piece.count(self.mark)

    def close(self) -> None:
        """End it."""
        self.socket.close()


def pump(
    senders: Sequence[tuple[Connection, bytes]],
    receivers: Sequence[Connection],
    messages: int,
    window: int,
    batch: int,
) -> None:
    """Have each sender write its message `messages` times, `batch` at once, at most `window` ahead of the
    receivers, which get them all: that of the same place when there are as many, else everybody gets those of
    the one sender. Returns when all has come."""
    each = len(senders) == len(receivers) and len(senders) > 1
    written = [0] * len(senders)
    begun = [receiver.received for receiver in receivers]
    with selectors.DefaultSelector() as selector:
        for receiver in receivers:
            selector.register(receiver.socket, selectors.EVENT_READ, receiver.read)
        ends_at = time.monotonic() + _DEADLINE_S
        while True:
            came = [receiver.received - before for receiver, before in zip(receivers, begun, strict=True)]
            least = min(came)
            if least >= messages:
                return
            for place, (sender, message) in enumerate(senders):
                ahead = written[place] - (came[place] if each else least)
                count = min(batch, messages - written[place], window - ahead)
                if sender.write(b"") and count > 0:
                    written[place] += count
                    sender.write(message * count)
            if time.monotonic() > ends_at:
                raise TimeoutError(f"{least} of {messages} came")
            for key, _ in selector.select(0.001):
                read: Callable[[], None] = key.data
                read()


def one_by_one(
    sender: Connection, message: bytes, receivers: Sequence[Connection], messages: int
) -> list[float]:
    """Seconds from writing a message until everybody has it, for one after the other."""
    seconds = []
    with selectors.DefaultSelector() as selector:
        for receiver in receivers:
            selector.register(receiver.socket, selectors.EVENT_READ, receiver.read)
        for _ in range(messages):
            wanted = sum(receiver.received for receiver in receivers) + len(receivers)
            begin = time.perf_counter()
            sender.write(message)
            while sum(receiver.received for receiver in receivers) < wanted:
                for key, _ in selector.select(5.0):
                    key.data()
            seconds.append(time.perf_counter() - begin)
    return seconds


def _connected(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setblocking(False)
    return made
