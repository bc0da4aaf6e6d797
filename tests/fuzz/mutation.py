"""Bytes that are almost right, numbers at the edges, and MessagePack of any kind; all from a given Random."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from msgspec import Struct, inspect

from zchat.common import wire

EDGES = (
    0,
    1,
    127,
    128,
    255,
    256,
    2**16,
    2**31 - 1,
    2**31,
    2**32,
    2**53 - 1,
    2**53,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
BYTES_MAX = 2**20  # four times what the broker takes
REQUESTS: tuple[type[Struct], ...] = tuple(wire.Request.__args__)
_TEXTS = (
    "#general",
    "@ann",
    "$",
    "general",
    "ann",
    "!here",
    "#",
    "@",
    "\0",
    "\x1b[2J",
    "ß",
    "‮",
    "\U0010ffff",
    "",
)
_KEY_CHARACTERS = "".join(map(chr, range(ord("!"), ord("~"))))
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def mutated(rng: Random, data: bytes) -> bytes:
    """One to eight changes; at most BYTES_MAX of it, since what grows can do so again and again."""
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        data = rng.choice(_CHANGES)(rng, data)[:BYTES_MAX]
    return data


def _flip(rng: Random, data: bytes) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _replace(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at + rng.randrange(9) :]


def _cut(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _grow(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return (
        data[:at]
        + rng.choice((b"\0", b"\xff", b"\x91", b"\xdd", data)) * rng.choice((1, 2, 16, 300))
        + data[at:]
    )


def _repeat(rng: Random, data: bytes) -> bytes:
    begin, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return data[:end] + data[begin:end] + data[end:]


def _put_number(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    size: int = rng.choice((1, 2, 4, 8))
    number: int = rng.choice(EDGES) % 2 ** (8 * size)
    return data[:at] + number.to_bytes(size, "big") + data[at + size :]


_CHANGES: tuple[Callable[[Random, bytes], bytes], ...] = (_flip, _replace, _cut, _grow, _repeat, _put_number)


# ---- requests ----


def request(rng: Random, session: int) -> bytes:
    """One that is within all bounds, of any kind, mostly of this session."""
    return msgspec.msgpack.encode(_made(rng, session))


def _made(rng: Random, session: int) -> Struct:
    kind = rng.choice(REQUESTS)
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    made = {field.name: _value(rng, field.type) for field in info.fields}
    if "session" in made and rng.random() < 0.9:
        made["session"] = session
    return kind(**made)


def beyond(rng: Random, session: int) -> bytes:
    """A request with one field of another type, or beyond its bounds, or with fields too few or too many."""
    fields = msgspec.to_builtins(_made(rng, session))
    at = rng.randrange(len(fields))
    match rng.randrange(4):
        case 0:
            fields[at] = value(rng, 3)
        case 1:
            fields[at] = rng.choice(EDGES) * rng.choice((1, 1, -1)) % 2**64
        case 2:
            del fields[at:]
        case _:
            fields += [value(rng, 2) for _ in range(rng.choice((1, 3, 1000)))]
    return msgspec.msgpack.encode(fields)


def _value(rng: Random, info: inspect.Type) -> Any:
    match info:
        case inspect.IntType(ge=int(least), le=most, lt=above):
            most = most if most is not None else (above or 0) - 1
            return rng.choice((least, most, rng.randint(least, most), min(most, least + rng.randrange(9))))
        case inspect.StrType(pattern=None, min_length=shortest, max_length=int(longest)):
            return _text(rng, shortest or 0, longest)
        case inspect.StrType(pattern=str(pattern), min_length=shortest, max_length=int(longest)):
            characters = _BASE32 if "a-z2-7" in pattern else _KEY_CHARACTERS[:-1]
            return "".join(rng.choices(characters, k=rng.choice((shortest or 0, longest))))
        case inspect.BytesType(min_length=shortest, max_length=int(longest)):
            return rng.randbytes(rng.randint(shortest or 0, longest))
        case inspect.ListType(item_type=item, min_length=shortest, max_length=int(longest)):
            few = rng.randint(shortest or 0, max(shortest or 0, min(longest, 4)))
            return [_value(rng, item) for _ in range(rng.choice((few, few, few, longest)))]
        case inspect.UnionType(types=types):
            return _value(rng, rng.choice(types))
        case inspect.BoolType():
            return rng.random() < 0.5
        case inspect.NoneType():
            return None
    raise AssertionError(f"a field of a new type: {info}")


def _text(rng: Random, shortest: int, longest: int) -> str:
    text = rng.choice((*_TEXTS, f"f{rng.randrange(30)}", f"#f{rng.randrange(30)}", f"@f{rng.randrange(30)}"))
    if rng.random() < 0.05:
        text = rng.choice(("x", "\U0010ffff")) * longest
    return (text + "x" * shortest)[: max(shortest, min(longest, len(text)))]


# ---- MessagePack of any kind ----


def value(rng: Random, depth: int) -> Any:
    """Something that MessagePack can hold."""
    if depth > 0 and rng.random() < 0.4:
        size = rng.choice((0, 1, 3, 20))
        if rng.random() < 0.7:
            return [value(rng, depth - 1) for _ in range(size)]
        return {rng.choice(_TEXTS): value(rng, depth - 1) for _ in range(size)}
    return rng.choice(
        (
            None,
            True,
            rng.choice(EDGES),
            -(2**63),
            rng.random(),
            float("nan"),
            rng.choice(_TEXTS),
            rng.randbytes(rng.randrange(40)),
            msgspec.msgpack.Ext(rng.randrange(-128, 128), rng.randbytes(4)),
        )
    )


def packed(rng: Random) -> bytes:
    """MessagePack that is no request: any value, deep nesting, lengths that are not there."""
    match rng.randrange(5):
        case 0:
            return rng.choice((b"\x91", b"\x81\x01", b"\xdc\0\1", b"\x9f")) * rng.choice((10, 1_000, 100_000))
        case 1:
            return rng.choice((b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9")) + rng.randbytes(rng.randrange(9))
        case 2:
            tag = rng.choice((*range(64), *EDGES))
            return msgspec.msgpack.encode([tag, *(value(rng, 2) for _ in range(rng.randrange(12)))])
        case 3:
            return rng.randbytes(rng.choice((0, 1, 10, 1_000, 200_000)))
        case _:
            return msgspec.msgpack.encode(value(rng, 6))
