"""CURVE keys: in Z85 for ZeroMQ, in base32 for links, and in a file that is safe before it is used."""

import base64
import binascii
import codecs
import os
import re
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from zchat.common import files
from zchat.common.errors import ConfigurationError

BASE32_CHARACTERS = 52
_FILE_BYTES_MAX = 4096  # far more than a key has; a file can be endless
_KEY = re.compile(r"[A-Za-z2-7]{52}|[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")
_LINE = re.compile(r"zchat-key:|zchat-token:|zchat://[^/\s]*/[^/\s]*/[^/\s…]", re.IGNORECASE)


class KeyPair(NamedTuple):
    """A CURVE key pair, both halves in Z85 (40 characters, RFC 32)."""

    public: str
    secret: str


def draw() -> KeyPair:
    """A new key pair, from libzmq."""
    import zmq

    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def from_secret(secret: str) -> KeyPair:
    """The pair of a secret key in Z85 or, as in an exported key, in base32; raises ConfigurationError for
    anything else."""
    import zmq

    try:
        if len(secret) == BASE32_CHARACTERS:
            secret = from_base32(secret)
        return KeyPair(zmq.curve_public(secret.encode("ascii")).decode(), secret)
    except (zmq.ZMQError, UnicodeEncodeError, ValueError):
        raise ConfigurationError(
            "not a secret key: 40 characters of Z85 or 52 of base32 are wanted"
        ) from None


def to_base32(z85: str) -> str:
    """A key as it stands in a link: 52 characters of lower-case base32 without padding (RFC 4648)."""
    from zmq.utils import z85 as codec

    return base64.b32encode(codec.decode(z85.encode())).decode().rstrip("=").lower()


def from_base32(text: str) -> str:
    """A key of a link in Z85; raises ValueError for anything else."""
    from zmq.utils import z85 as codec

    try:
        raw = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if len(raw) != 32:
        raise ValueError(f"{len(raw)} bytes instead of 32")
    key = str(codec.encode(raw).decode())
    if to_base32(key) != text.lower():
        raise ValueError("its last character does not fit")
    return key


def may_be_secret(text: str) -> bool:
    """Whether the text looks like a secret key or that of an invite, or has an exported key, a token or an
    inviting link in it: then it must not be quoted, and is no name of anything, unless there is something of
    that name."""
    return _LINE.search(text) is not None or _KEY.fullmatch(text.strip(" \t\r\n'\"")) is not None


def load_or_draw(path: Path) -> KeyPair:
    """The pair whose secret half is in the file; a new one where there is no file.

    A new key is on disk, whole and synced, before this returns, readable by its owner alone. Of several
    processes at once the first one wins and all get its key. Raises ConfigurationError when the file
    is unreadable, readable by others, or holds no key.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        pass
    try:
        files.publish(path, draw().secret + "\n")
        return _load(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write the key {path}: {error.strerror}") from None


def load(path: Path) -> KeyPair:
    """The pair whose secret half is in a file that somebody chose; its mode is not looked at. It may be a
    pipe, and then this waits for who writes into it. Raises ConfigurationError."""
    try:
        return _read(path, lambda _: None)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the key {path}: {files.why(error)}") from None


def fingerprint(public: str) -> str:
    """The first 80 bits of the SHA-256 of a public key, in groups that can be read aloud."""
    import hashlib

    from zmq.utils import z85 as codec

    digest = hashlib.sha256(codec.decode(public.encode())).digest()[:10]
    text = base64.b32encode(digest).decode().lower()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def _load(path: Path) -> KeyPair:
    try:
        return _read(path, partial(_check_kept, path), getattr(os, "O_NONBLOCK", 0))  # a pipe would block
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the key {path}: {files.why(error)}") from None


def _check_kept(path: Path, mode: int) -> None:
    """Raises ConfigurationError for a file that is not fit to keep a key, by its mode."""
    if not stat.S_ISREG(mode):
        raise ConfigurationError(f"cannot read the key {path}: it is no regular file")
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(f"others can read the key {path}. Mend it: chmod 600 {path}")


def _read(path: Path, check: Callable[[int], None], flags: int = 0) -> KeyPair:
    """The pair in a file of whose mode `check` approves. Raises ConfigurationError, OSError and
    UnicodeDecodeError."""
    data = b""
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        check(os.fstat(descriptor).st_mode)
        while len(data) < _FILE_BYTES_MAX and (piece := os.read(descriptor, _FILE_BYTES_MAX - len(data))):
            data += piece
    finally:
        os.close(descriptor)
    text = data.removeprefix(codecs.BOM_UTF8).decode("ascii").strip()
    try:
        return from_secret(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
