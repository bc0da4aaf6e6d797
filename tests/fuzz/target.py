"""The broker that is attacked, and the connections that attackers have left open to it."""

import socket
import struct
from random import Random
from typing import Final

from zmq.utils import z85

from tests.processes import BrokerProcess

LEFT_OPEN_MAX: Final = 200


class Target:
    """`ports` are those of ROUTER and XPUB."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.broker = broker
        self.ports = (broker.port, broker.port + 1)
        self.server_key: bytes = z85.decode(broker.key.encode())
        self._left_open: list[socket.socket] = []

    def leave(self, rng: Random, tcp: socket.socket) -> None:
        """An attacker is done with a connection: closed, reset, half closed, or simply left."""
        end = rng.choice(("close", "close", "reset", "half", "left"))
        try:
            if end == "reset":
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if end == "half":
                tcp.shutdown(socket.SHUT_WR)
        except OSError:  # it has ended already
            end = "close"
        if end in ("close", "reset"):
            tcp.close()
            return
        self._left_open.append(tcp)
        if len(self._left_open) > LEFT_OPEN_MAX:
            self._left_open.pop(rng.randrange(len(self._left_open))).close()

    def close(self) -> None:
        """All that was left open."""
        for tcp in self._left_open:
            tcp.close()
        self._left_open.clear()
