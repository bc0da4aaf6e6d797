"""How the sockets of both sides notice that a connection is gone which says nothing: docs/adr/0013."""

from typing import Final

import zmq

OPTIONS: Final = {
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 15,  # seconds of silence, before the kernel asks
    zmq.TCP_KEEPALIVE_INTVL: 5,  # seconds between questions
    zmq.TCP_KEEPALIVE_CNT: 3,  # of them without an answer: the connection is gone
}
"""Not libzmq's heartbeats: with those it aborts (libzmq issue 4841)."""
