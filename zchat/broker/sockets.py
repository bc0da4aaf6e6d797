"""The broker's sockets: how they are made and bound, and who is admitted to them."""

import ctypes
import errno
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

from zchat.common import keepalive, limits, places
from zchat.common.errors import CannotStart
from zchat.common.keys import KeyPair
from zchat.common.links import authority

ROUTER_RECEIVE_MARK: Final = 16  # frames a connection; more would only wait in memory for a loop that is busy
XPUB_RECEIVE_MARK: Final = (
    16  # subscriptions a connection; libzmq moves so many at once to where nothing bounds them
)
SEND_MARK: Final = 64  # frames a connection; what does not fit is repaired later
BACKLOG: Final = 1_024  # connections that the kernel holds until they are accepted
HANDSHAKE_MS_MAX: Final = 10_000
LINGER_MS: Final = 500  # for the last answers, when the broker stops
MONITORED: Final = zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED
_MONITORED: Final = struct.Struct("=Hi")  # event and descriptor, in the first frame: zmq_socket_monitor(3)
_ZAP_ADDRESS: Final = "inproc://zeromq.zap.01"


class Sockets:
    """ROUTER on `port`, XPUB on the next one, the ZAP handler, and a monitor for each of the two; and where
    `control` is a path, a ROUTER without encryption on a Unix socket there, for this account alone.

    Raises CannotStart when a port is in use or the address is not of this machine, and OSError when there can
    be no socket at that path.
    """

    def __init__(self, key: KeyPair, host: str, port: int, control: Path | None = None) -> None:
        self.xpub_port = port + 1
        _seed()
        self._context = zmq.Context()
        self.zap = self._context.socket(zmq.REP)
        self.zap.bind(_ZAP_ADDRESS)  # before the others: with no handler everybody would be admitted
        self.router = self._served(zmq.ROUTER, key, ROUTER_RECEIVE_MARK, limits.ROUTER_FRAME_BYTES_MAX)
        self.router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.xpub = self._served(zmq.XPUB, key, XPUB_RECEIVE_MARK, limits.XPUB_FRAME_BYTES_MAX)
        self.xpub.setsockopt(zmq.XPUB_MANUAL, 1)
        self._monitors = {
            port + offset: served.get_monitor_socket(MONITORED)
            for offset, served in enumerate((self.router, self.xpub))
        }
        self.control = self._context.socket(zmq.ROUTER)
        self._control_path = control
        try:
            _bind(self.router, host, port)
            _bind(self.xpub, host, port + 1)
            if control is not None:
                self._bind_control(control)
        except (CannotStart, OSError):
            self.close()
            raise

    def admit(self, is_shut_out: Callable[[str], bool]) -> None:
        """Answer the ZAP requests that wait (RFC 27): every key is admitted that is not shut out for a while,
        and libzmq marks its frames with it. What a key may do is decided later, where a reason can be
        given."""
        while int(self.zap.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            request = self.zap.recv_multipart()
            key = z85.encode(request[6]) if len(request) == 7 and request[5] == b"CURVE" else b""
            admitted = bool(key) and not is_shut_out(key.decode())
            answer = (b"200", b"OK", key) if admitted else (b"400", b"not now", b"")
            self.zap.send_multipart([b"1.0", request[1], *answer, b""])

    @property
    def rare(self) -> "list[zmq.Socket[bytes]]":
        """Those that tell of connections: the ZAP handler, and the monitors."""
        return [self.zap, *self._monitors.values()]

    def changes(self, most: int | None = None) -> Iterator[tuple[int, bool, int]]:
        """What became of connections since this was asked before: on which port, whether it began or ended,
        and its descriptor. In order for each port, and at most so many of each.

        A monitor is not signalled before it has been asked once. One that nobody reads stops all input and
        output, and closing, after 2,000 changes.
        """
        for port, monitor in self._monitors.items():
            with suppress(zmq.Again):
                for _ in count() if most is None else range(most):
                    event, descriptor = _MONITORED.unpack(monitor.recv(zmq.DONTWAIT))
                    monitor.recv(zmq.DONTWAIT)  # its end of the connection
                    yield port, event == zmq.Event.ACCEPTED, descriptor

    def close(self) -> None:
        """Close all, after the last answers have left."""
        for served in (self.router, self.xpub):
            for _ in self.changes():
                pass
            served.disable_monitor()
            served.close()
        for monitor in self._monitors.values():
            monitor.close(0)
        self.control.close(LINGER_MS)
        if self._control_path is not None:
            self._control_path.unlink(missing_ok=True)
        self.zap.close(0)
        self._context.term()

    def _bind_control(self, path: Path) -> None:
        """Only this account may open it: the file has no moment in which others could."""
        _set(self.control, ROUTER_RECEIVE_MARK, limits.ROUTER_FRAME_BYTES_MAX)
        self.control.setsockopt(zmq.ROUTER_MANDATORY, 1)
        _make_private(path.parent)
        mask = os.umask(0o177)
        try:
            self.control.bind(f"ipc://{path.absolute()}")  # of "@..." it makes one without a file
        except zmq.ZMQError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0)) from None
        finally:
            os.umask(mask)

    def _served(
        self, kind: int, key: KeyPair, receive_mark: int, frame_bytes_max: int
    ) -> "zmq.Socket[bytes]":
        made = self._context.socket(kind)
        made.setsockopt(zmq.CURVE_SECRETKEY, key.secret.encode())
        made.setsockopt(zmq.ZAP_DOMAIN, b"zchat")
        made.setsockopt(zmq.CURVE_SERVER, 1)
        made.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        _set(made, receive_mark, frame_bytes_max)
        return made


def _set(made: "zmq.Socket[bytes]", receive_mark: int, frame_bytes_max: int) -> None:
    options = {
        zmq.LINGER: LINGER_MS,
        zmq.MAXMSGSIZE: frame_bytes_max,
        zmq.RCVHWM: receive_mark,
        zmq.SNDHWM: SEND_MARK,
        zmq.BACKLOG: BACKLOG,
        zmq.IPV6: 1,
        zmq.HANDSHAKE_IVL: HANDSHAKE_MS_MAX,
        **keepalive.OPTIONS,  # and no ZMQ_HEARTBEAT_IVL: docs/adr/0013
    }
    for option, value in options.items():
        made.setsockopt(option, value)


def _seed() -> None:
    """Have ROUTER number its connections from where nobody expects: it takes the first number from the C
    library's rand(), which nobody else seeds. Who holds the next one as a routing id of its own ends the
    process (protocol.md, Known Weaknesses)."""
    with suppress(OSError, AttributeError, TypeError):  # Windows has no library of the process
        ctypes.CDLL(None).srand(ctypes.c_uint(secrets.randbits(32)))


def _make_private(directory: Path) -> None:
    """Make the directory, and see that nobody else can put anything into it. Raises OSError."""
    directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # or XDG_RUNTIME_DIR is passed over
    directory.mkdir(exist_ok=True, mode=0o700)
    if not places.is_ours(directory):
        raise PermissionError(errno.EPERM, f"others can write to {directory}, or to one that it is in")


def _bind(served: "zmq.Socket[bytes]", host: str, port: int) -> None:
    try:
        served.bind(f"tcp://{authority(host, port)}")
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            why = f"port {port} on {host} is in use. Choose two other ports, P and P+1: zchat broker -p P"
        else:
            why = f"cannot listen at {authority(host, port)}: {os.strerror(error.errno or 0)}"
        raise CannotStart(why) from None
