"""What nothing that stores messages, or sends them over encrypted ZeroMQ in Python, can be faster than."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Literal

import zmq

from bench.bare import PUBLIC, ROOM
from bench.drive import Line, one_by_one
from bench.figures import Round, percentiles_us
from bench.process import cpu_seconds, free_pair, memory_bytes, running
from bench.sizes import Sizes
from bench.subject import Subject

TEXT: Final = b"x" * 128
_READY_MS: Final = 20_000


class BareClient:
    """A DEALER that sends or a SUB or DEALER that receives, encrypted."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", kind: int, port: int, name: str) -> None:
        self.received = 0
        self.unanswered = 0
        self.may_send = True
        self.socket = context.socket(kind)
        self.socket.linger = 0
        self.socket.set_hwm(0)
        self.socket.curve_serverkey = PUBLIC.encode()
        public, secret = zmq.curve_keypair()
        self.socket.curve_publickey, self.socket.curve_secretkey = public, secret
        if kind == zmq.SUB:
            self.socket.subscribe(ROOM)
        else:
            self.socket.setsockopt(zmq.IDENTITY, name.encode())
        self.socket.connect(f"tcp://127.0.0.1:{port}")

    def send(self, to: str, messages: int) -> None:
        """A message at a time; to a room when `to` is empty."""
        for _ in range(messages):
            if to:
                self.socket.send(to.encode(), zmq.SNDMORE)
            self.socket.send(TEXT)

    def read(self) -> None:
        """Count all that has come."""
        try:
            while True:
                self.socket.recv(zmq.DONTWAIT)
                self.received += not self.socket.getsockopt(zmq.RCVMORE)
        except zmq.Again:
            pass


class BareProcess:
    """`python -m bench.bare` of one kind, and its clients."""

    def __init__(self, kind: Literal["xpub", "router"]) -> None:
        self._port = free_pair()
        command = [sys.executable, "-m", "bench.bare", kind, str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._of: dict[object, BareClient] = {}

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far."""
        return cpu_seconds(self._process.pid)

    def memory_bytes(self) -> int:
        """Its resident memory."""
        return memory_bytes(self._process.pid)

    def wait(self, seconds: float) -> None:
        """Have the clients read what has come, or what comes first within that time."""
        for socket, _ in self._poller.poll(max(1, int(seconds * 1000))):
            self._of[socket].read()

    def room(self, readers: int) -> tuple[Line, Sequence[BareClient]]:
        """Somebody who writes in a room, and so many more who read it."""
        line, receivers = Line(self._client(zmq.DEALER, "sender"), ""), self.listeners(readers)
        while not all(receiver.received for receiver in receivers):  # some do not read yet
            line.sender.send("", 1)
            self.wait(0.05)
        self._drain()
        return line, receivers

    def listeners(self, count: int) -> Sequence[BareClient]:
        """So many more who read the room."""
        return [self._client(zmq.SUB) for _ in range(count)]

    def pairs(self, count: int) -> tuple[Sequence[Line], Sequence[BareClient]]:
        """So many who write to one other each, and those others."""
        receivers = [self._client(zmq.DEALER, f"r{number}") for number in range(count)]
        for number, receiver in enumerate(receivers):  # known to the server once its own message comes back
            receiver.send(f"r{number}", 1)
        while not all(receiver.received for receiver in receivers):
            self.wait(1)
        lines = [Line(self._client(zmq.DEALER, f"s{number}"), f"r{number}") for number in range(count)]
        return lines, receivers

    def storing(self) -> Line:
        """Not to be asked: what it is measured in (BARE) is nothing that is stored."""
        raise AssertionError("bare sockets store nothing")

    def close(self) -> None:
        """End it and its clients."""
        self._context.destroy(0)
        self._process.terminate()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _client(self, kind: int, name: str = "") -> BareClient:
        made = BareClient(self._context, kind, self._port + (kind == zmq.SUB), name)
        self._poller.register(made.socket, zmq.POLLIN)
        self._of[made.socket] = made
        return made

    def _drain(self) -> None:
        """Until nothing comes any more."""
        while self._poller.poll(200):
            self.wait(0.001)


def bare_commit(directory: Path, sizes: Sizes) -> Round:
    """One small row a commit, synced, by SQLite alone on the same disk."""
    seconds = []
    with closing(sqlite3.connect(directory / "bare.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE IF NOT EXISTS row (number INTEGER PRIMARY KEY, text BLOB)")
        for _ in range(sizes.bare):
            begin = time.perf_counter()
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO row (text) VALUES (?)", (TEXT,))
            db.execute("COMMIT")
            seconds.append(time.perf_counter() - begin)
    return percentiles_us(seconds)


def bare_round_trip(directory: Path, sizes: Sizes) -> Round:
    """From a DEALER to itself by way of a ROUTER, encrypted."""
    with running(BareProcess("router")) as server:
        (line,), (receiver,) = server.pairs(1)
        to_itself = Line(receiver, line.to)
        one_by_one(server, to_itself, [receiver], 20)
        return percentiles_us(one_by_one(server, to_itself, [receiver], sizes.bare))


_VERSION = f"pyzmq {zmq.__version__}, libzmq {zmq.zmq_version()}"
_PROMISE = "nothing is stored, nothing acknowledged; encrypted on the way"
BARE = [
    Subject(
        "bare XPUB", _VERSION, _PROMISE, frozenset(("fan-out, one in flight",)), lambda _: BareProcess("xpub")
    ),
    Subject(
        "bare ROUTER",
        _VERSION,
        _PROMISE,
        frozenset(("pairs, one in flight",)),
        lambda _: BareProcess("router"),
    ),
]
