"""The servers that zchat is measured beside, as far as they are installed, and what each promises."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import dialects
from bench.dialects import MARK, Dialect
from bench.drive import Line
from bench.process import cpu_seconds, free_pair, memory_bytes
from bench.raw import Connection, Connections
from bench.subject import CHATS, STORES, Kind, Subject

_START_S = 20.0


class Peer(NamedTuple):
    """A server in one of its modes. `command` gets a port and a directory; `room` is a room's name there;
    `since` is the first version that has the mode."""

    name: str
    program: str
    version: Sequence[str]
    command: Callable[[int, Path], list[str]]
    dialect: Dialect
    promise: str
    kinds: frozenset[Kind]
    room: str = "#room"
    since: tuple[int, ...] = (0,)


class PeerProcess:
    """A peer as a process with files in `directory`, and its clients."""

    def __init__(self, peer: Peer, directory: Path) -> None:
        self._peer = peer
        self._port = free_pair()
        with open(os.devnull, "w") as nowhere:
            self._process = subprocess.Popen(
                peer.command(self._port, directory), stdout=nowhere, stderr=nowhere, cwd=directory
            )
        self._names = 0
        self._clients = Connections()
        self._wait_until_it_listens()

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far."""
        return cpu_seconds(self._process.pid)

    def memory_bytes(self) -> int:
        """Its resident memory."""
        return memory_bytes(self._process.pid)

    def wait(self, seconds: float) -> None:
        """Have the clients read what has come, or what comes first within that time."""
        self._clients.wait(seconds)

    def room(self, readers: int) -> tuple[Line, list[Connection]]:
        """Somebody who writes in the room, and so many more who read it."""
        room = self._peer.room
        sender = self._reader(room) if self._peer.program == "ngircd" else self._client()  # has to be in it
        return Line(sender, room), self.listeners(readers)

    def listeners(self, count: int) -> list[Connection]:
        """So many more who read the room."""
        return [self._reader(self._peer.room) for _ in range(count)]

    def pairs(self, count: int) -> tuple[list[Line], list[Connection]]:
        """So many who write to one other each, and those others."""
        lines, receivers = [], []
        for number in range(count):
            topic = f"n{2 * number + 1}"  # which is the receiver's name, where that counts
            receivers.append(self._reader(topic))
            lines.append(Line(self._client(), topic))
        return lines, receivers

    def storing(self) -> Line:
        """Somebody whose messages are stored, and acknowledged then."""
        dialect = self._peer.dialect
        assert dialect.store is not None
        client = self._entered(Connection(self._port, dialect.stored, dialect.store, stores=True))
        if dialect.prepare is not None:
            dialect.prepare(client)
        return Line(client, "s")

    def close(self) -> None:
        """End it."""
        self._clients.close()
        self._process.terminate()
        self._process.wait(20)

    def _client(self) -> Connection:
        return self._entered(Connection(self._port, MARK, self._peer.dialect.publish))

    def _entered(self, made: Connection) -> Connection:
        self._names += 1
        self._peer.dialect.enter(made, f"n{self._names}")
        return self._clients.add(made)

    def _reader(self, topic: str) -> Connection:
        made = self._client()
        self._peer.dialect.subscribe(made, topic)
        return made

    def _wait_until_it_listens(self) -> None:
        ends_at = time.monotonic() + _START_S
        while True:
            try:
                Connection(self._port, MARK, self._peer.dialect.publish).close()
                return
            except OSError:
                if time.monotonic() > ends_at or self._process.poll() is not None:
                    raise
                time.sleep(0.02)


def installed() -> list[Subject]:
    """Those whose program is on this machine, in a version that has the mode."""
    return [
        Subject(peer.name, _version(peer), peer.promise, peer.kinds, _starter(peer))
        for peer in PEERS
        if dialects.path(peer.program) is not None and _numbers(_version(peer)) >= peer.since
    ]


def _starter(peer: Peer) -> Callable[[Path], PeerProcess]:
    return lambda directory: PeerProcess(peer, directory)


def _version(peer: Peer) -> str:
    """The first line of what it says about itself, as far as it is a version."""
    program = dialects.path(peer.program)
    assert program is not None
    said = subprocess.run([program, *peer.version], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", said.stdout or said.stderr)
    return f"{peer.program} {found.group() if found else '?'}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


_TOLD = "nothing is stored, nothing acknowledged"
PEERS = [
    Peer("NATS", "nats-server", ["--version"], dialects.nats, dialects.NATS, _TOLD, CHATS),
    Peer(
        "JetStream", "nats-server", ["--version"], dialects.jetstream, dialects.JETSTREAM,
        "written to a file, which is synced every two minutes", STORES,
    ),
    Peer(
        "JetStream, sync always", "nats-server", ["--version"], dialects.jetstream_synced, dialects.JETSTREAM,
        "written to a file and synced", STORES, since=(2, 10),
    ),
    Peer(
        "Redis", "redis-server", ["--version"], dialects.redis, dialects.REDIS,
        "nothing is stored; how many subscribers there are", CHATS,
    ),
    Peer(
        "Redis stream, fsync always", "redis-server", ["--version"], dialects.redis_synced,
        dialects.REDIS_STREAM, "written to a file and synced", STORES,
    ),
    Peer("ngIRCd", "ngircd", ["--version"], dialects.ngircd, dialects.IRC, _TOLD, CHATS),
    Peer(
        "mosquitto", "mosquitto", ["-h"], dialects.mosquitto, dialects.MQTT, f"{_TOLD} (QoS 0)", CHATS,
        room="room",
    ),
]  # fmt: skip
