"""How the servers that zchat is measured beside are started and spoken to."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

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
    store: Callable[[str], bytes] | None = None
    stored: bytes = b""
    prepare: Callable[[Connection], None] | None = None


def path(program: str) -> str | None:
    """Where a program is, also when only root has it in PATH."""
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


def _jetstream_store(topic: str) -> bytes:
    return f"PUB s.{topic} _A {len(TEXT) + 1}\r\n{TEXT}~\r\n".encode()


def nats(port: int, directory: Path) -> list[str]:
    """The command."""
    return [str(path("nats-server")), "-a", "127.0.0.1", "-p", str(port)]


def jetstream(port: int, directory: Path) -> list[str]:
    """The command."""
    return [*nats(port, directory), "-js", "-sd", str(directory / "js")]


def jetstream_synced(port: int, directory: Path) -> list[str]:
    """The command."""
    file = directory / "nats.conf"
    file.write_text(f'jetstream {{ store_dir: "{directory}/js", sync_interval: always }}\n')
    return [*nats(port, directory), "-c", str(file)]


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


def _redis_store(topic: str) -> bytes:
    return _redis_words("XADD", topic, "*", "t", f"{TEXT}~")


def redis(port: int, directory: Path) -> list[str]:
    """The command."""
    own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""]
    limits = ["--client-output-buffer-limit", "pubsub 0 0 0"]
    return [str(path("redis-server")), *own, *limits]


def redis_synced(port: int, directory: Path) -> list[str]:
    """The command."""
    whole = ["--auto-aof-rewrite-percentage", "0"]  # no second process rewrites the file meanwhile
    return [*redis(port, directory), "--appendonly", "yes", "--appendfsync", "always", *whole]


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


def ngircd(port: int, directory: Path) -> list[str]:
    """The command."""
    file = directory / "ngircd.conf"
    file.write_text(
        f"[Global]\nName = irc.bench\nInfo = bench\nMotdPhrase = x\nPorts = {port}\nListen = 127.0.0.1\n"
        "[Limits]\nMaxConnectionsIP = 0\nMaxConnections = 0\nMaxJoins = 0\nMaxNickLength = 20\n"
        "MaxPenaltyTime = 0\nPingTimeout = 600\n"
        "[Options]\nDNS = no\nIdent = no\nPAM = no\nMorePrivacy = no\n"
        "[Channel]\nName = #room\n"
    )
    return [str(path("ngircd")), "-n", "-f", str(file)]


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


def mosquitto(port: int, directory: Path) -> list[str]:
    """The command."""
    file = directory / "mosquitto.conf"
    file.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\n"
    )
    return [str(path("mosquitto")), "-c", str(file)]


MQTT = Dialect(_mqtt_enter, _mqtt_subscribe, _mqtt_publish)
