"""Crowds: many connections of nobody at once, each at some step of the handshake, that then only hang
there."""

import select
import socket
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from zmq.utils import z85

from tests.fuzz.curve import COMMAND, Curve, Ended, frame, greeting
from tests.processes import BrokerProcess

_BEGINNINGS: Final = (
    b"",
    greeting()[:30],
    greeting(),
    greeting() + frame(COMMAND, b"\5HELLO" + bytes(194))[:100],
)


class Crowd:
    """Connections to both ports of a broker, from one address. `with` ends them."""

    def __init__(self, broker: BrokerProcess, address: str = "127.0.0.1") -> None:
        self._ports = (broker.port, broker.port + 1)
        self._server_key: bytes = z85.decode(broker.key.encode())
        self._address = address
        self._connections: list[socket.socket] = []

    def hang(self, count: int) -> None:
        """Connections whose handshake is never finished: nothing was said, or a part, or too little."""
        for number in range(count):
            with suppress(OSError):  # shut already
                tcp = socket.create_connection(
                    ("127.0.0.1", self._ports[number % 2]), 10, source_address=(self._address, 0)
                )
                self._connections.append(tcp)
                tcp.sendall(_BEGINNINGS[number % len(_BEGINNINGS)])

    def shake_hands(self, count: int) -> None:
        """Connections that are encrypted, each with a key of its own, and say nothing then."""
        for number in range(count):
            with suppress(OSError, Ended):
                one = Curve(self._ports[number % 2], self._server_key)
                self._connections.append(one.tcp)
                one.shake_hands(b"SUB" if number % 2 else b"DEALER")

    @property
    def left(self) -> int:
        """How many the broker has not shut."""
        poll = select.poll()
        for tcp in self._connections:
            poll.register(tcp, select.POLLRDHUP)
        return len(self._connections) - len(poll.poll(0))

    def close(self) -> None:
        """End all."""
        for tcp in self._connections:
            tcp.close()
        self._connections.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
