"""The servers that zchat is measured beside: how each is started, spoken to, and what it promises."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.process import cpu_seconds, free_pair, memory_bytes
from bench.raw import Connection

TEXT = "x" * 127
MARK = b"~"  # ends each text; no header of these protocols has it


class Dialect(NamedTuple):
    """How a server is spoken to. `enter` makes a connection ready, under a name of its own; `subscribe` has
    it get a topic; `publish` is one message for a topic; `store` one that is answered when it is stored, by
    an answer with `stored` in it."""

    enter: Callable[[Connection, str], None]
    subscribe: Callable[[Connection, str], None]
    publish: Callable[[str], bytes]
    store: Callable[[], bytes] | None = None
    stored: bytes = b""
    prepare: Callable[[Connection], None] | None = None


class Peer(NamedTuple):
    """A server in one of its modes. `command` gets a port and a directory; `promise` is what an
    acknowledgement of it means."""

    name: str
    program: str
    version: Sequence[str]
    command: Callable[[int, Path], list[str]]
    dialect: Dialect
    promise: str
    chats: bool = True  # fan-out and pairs are measured
    room: str = "#room"  # as it is called there


class Running:
    """A peer as a process, with files in `directory`."""

    def __init__(self, peer: Peer, directory: Path) -> None:
        self.peer = peer
        self.port = free_pair()
        directory.mkdir(parents=True, exist_ok=True)
        with open(os.devnull, "w") as nowhere:
            self._process = subprocess.Popen(
                peer.command(self.port, directory), stdout=nowhere, stderr=nowhere, cwd=directory
            )
        self._names = 0
        self._wait()

    @property
    def pid(self) -> int:
        """Of the server."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far."""
        return cpu_seconds(self._process.pid)

    def memory_bytes(self) -> int:
        """Its resident memory."""
        return memory_bytes(self._process.pid)

    def connection(self, mark: bytes = MARK) -> Connection:
        """A connection that may send."""
        made = Connection(self.port, mark)
        self._names += 1
        self.peer.dialect.enter(made, f"n{self._names}")
        return made

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)

    def _wait(self) -> None:
        ends_at = time.monotonic() + 20
        while True:
            try:
                Connection(self.port, MARK).close()
                return
            except OSError:
                if time.monotonic() > ends_at or self._process.poll() is not None:
                    raise
                time.sleep(0.02)


def installed() -> list[Peer]:
    """Those whose program is on this machine."""
    return [peer for peer in PEERS if _path(peer.program) is not None]


def version_of(peer: Peer) -> str:
    """The first line of what it says about itself."""
    program = _path(peer.program)
    assert program is not None
    said = subprocess.run([program, *peer.version], capture_output=True, text=True, check=False)
    return next(iter((said.stdout or said.stderr).splitlines()), "")


def _path(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


# ---- NATS ----


def _nats_enter(connection: Connection, name: str) -> None:
    options = json.dumps({"verbose": False, "pedantic": False, "name": name, "lang": "raw", "version": "1"})
    connection.ask(f"CONNECT {options}\r\nPING\r\n".encode(), b"PONG\r\n")


def _nats_subscribe(connection: Connection, topic: str) -> None:
    connection.ask(f"SUB {topic} 1\r\nPING\r\n".encode(), b"PONG\r\n")


def _nats_publish(topic: str) -> bytes:
    return f"PUB {topic} {len(TEXT) + 1}\r\n{TEXT}~\r\n".encode()


def _jetstream_prepare(connection: Connection) -> None:
    stream = json.dumps({"name": "S", "subjects": ["s.>"], "storage": "file", "retention": "limits"})
    connection.ask(
        f"SUB _I 9\r\nPUB $JS.API.STREAM.CREATE.S _I {len(stream)}\r\n{stream}\r\n".encode(), b'"config"'
    )
    connection.ask(b"UNSUB 9\r\nSUB _A 2\r\nPING\r\n", b"PONG\r\n")


def _jetstream_store() -> bytes:
    return f"PUB s.a _A {len(TEXT) + 1}\r\n{TEXT}~\r\n".encode()


def _nats(port: int, directory: Path) -> list[str]:
    return [str(_path("nats-server")), "-a", "127.0.0.1", "-p", str(port)]


def _jetstream(port: int, directory: Path) -> list[str]:
    return [*_nats(port, directory), "-js", "-sd", str(directory / "js")]


def _jetstream_synced(port: int, directory: Path) -> list[str]:
    file = directory / "nats.conf"
    file.write_text(f'jetstream {{ store_dir: "{directory}/js", sync_interval: always }}\n')
    return [*_nats(port, directory), "-c", str(file)]


NATS = Dialect(_nats_enter, _nats_subscribe, _nats_publish)
JETSTREAM = Dialect(
    _nats_enter, _nats_subscribe, _nats_publish, _jetstream_store, b'"seq"', _jetstream_prepare
)


# ---- Redis ----


def _redis_words(*words: str) -> bytes:
    parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    return f"*{len(words)}\r\n{parts}".encode()


def _redis_enter(connection: Connection, name: str) -> None:
    connection.ask(_redis_words("PING"), b"+PONG\r\n")


def _redis_subscribe(connection: Connection, topic: str) -> None:
    connection.ask(_redis_words("SUBSCRIBE", topic), b":1\r\n")


def _redis_publish(topic: str) -> bytes:
    return _redis_words("PUBLISH", topic, f"{TEXT}~")


def _redis_store() -> bytes:
    return _redis_words("XADD", "s", "*", "t", f"{TEXT}~")


def _redis(port: int, directory: Path) -> list[str]:
    own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""]
    limits = ["--client-output-buffer-limit", "pubsub 0 0 0"]
    return [str(_path("redis-server")), *own, *limits]


def _redis_synced(port: int, directory: Path) -> list[str]:
    return [*_redis(port, directory), "--appendonly", "yes", "--appendfsync", "always"]


REDIS = Dialect(_redis_enter, _redis_subscribe, _redis_publish)
REDIS_STREAM = REDIS._replace(store=_redis_store, stored=b"$")


# ---- IRC ----


def _irc_enter(connection: Connection, name: str) -> None:
    connection.ask(f"NICK {name}\r\nUSER {name} 0 * :{name}\r\n".encode(), b" 376 ")


def _irc_subscribe(connection: Connection, topic: str) -> None:
    """A topic is a channel; the pair's is the nick itself, which needs nothing."""
    if topic.startswith("#"):
        connection.ask(f"JOIN {topic}\r\n".encode(), b" 366 ")


def _irc_publish(topic: str) -> bytes:
    return f"PRIVMSG {topic} :{TEXT}~\r\n".encode()


def _ngircd(port: int, directory: Path) -> list[str]:
    file = directory / "ngircd.conf"
    file.write_text(
        f"[Global]\nName = irc.bench\nInfo = bench\nMotdPhrase = x\nPorts = {port}\nListen = 127.0.0.1\n"
        "[Limits]\nMaxConnectionsIP = 0\nMaxConnections = 0\nMaxJoins = 0\nMaxNickLength = 20\n"
        "MaxPenaltyTime = 0\nPingTimeout = 600\n"
        "[Options]\nDNS = no\nIdent = no\nPAM = no\nMorePrivacy = no\n"
        "[Channel]\nName = #room\n"
    )
    return [str(_path("ngircd")), "-n", "-f", str(file)]


IRC = Dialect(_irc_enter, _irc_subscribe, _irc_publish)


# ---- MQTT ----


def _mqtt_packet(kind: int, body: bytes) -> bytes:
    length, encoded = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (128 if length else 0))
        if not length:
            return bytes([kind]) + bytes(encoded) + body


def _mqtt_text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _mqtt_enter(connection: Connection, name: str) -> None:
    body = _mqtt_text("MQTT") + bytes([4, 2, 0, 0]) + _mqtt_text(name)
    connection.ask(_mqtt_packet(0x10, body), b"\x20\x02\x00\x00")


def _mqtt_subscribe(connection: Connection, topic: str) -> None:
    connection.ask(_mqtt_packet(0x82, b"\x00\x01" + _mqtt_text(topic) + b"\x00"), b"\x90\x03\x00\x01\x00")


def _mqtt_publish(topic: str) -> bytes:
    return _mqtt_packet(0x30, _mqtt_text(topic) + f"{TEXT}~".encode())


def _mosquitto(port: int, directory: Path) -> list[str]:
    file = directory / "mosquitto.conf"
    file.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\n"
    )
    return [str(_path("mosquitto")), "-c", str(file)]


MQTT = Dialect(_mqtt_enter, _mqtt_subscribe, _mqtt_publish)

PEERS = [
    Peer("NATS", "nats-server", ["--version"], _nats, NATS, "nothing is stored; no acknowledgement"),
    Peer(
        "JetStream", "nats-server", ["--version"], _jetstream, JETSTREAM,
        "written to a file, which is synced every two minutes", chats=False,
    ),
    Peer(
        "JetStream, sync always", "nats-server", ["--version"], _jetstream_synced, JETSTREAM,
        "written and synced", chats=False,
    ),
    Peer("Redis", "redis-server", ["--version"], _redis, REDIS, "nothing is stored; how many got it"),
    Peer(
        "Redis stream, fsync always", "redis-server", ["--version"], _redis_synced, REDIS_STREAM,
        "written and synced", chats=False,
    ),
    Peer("ngIRCd", "ngircd", ["--version"], _ngircd, IRC, "nothing is stored; no acknowledgement"),
    Peer(
        "mosquitto", "mosquitto", ["-h"], _mosquitto, MQTT,
        "nothing is stored; no acknowledgement (QoS 0)", room="room",
    ),
]  # fmt: skip
