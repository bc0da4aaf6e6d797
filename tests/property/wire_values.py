"""Makes messages of the wire, from the bounds that their annotations give."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Struct, inspect

_WIDEST = "\U0010ffff"  # four bytes
_KEY = st.characters(min_codepoint=ord("!"), max_codepoint=ord("~"))
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """What is within the bounds of a type, its limits among them."""
    return _within(inspect.type_info(annotation), _at_limits)


def small_values(annotation: Any) -> st.SearchStrategy[Any]:
    """What is within the bounds of a type, of a few hundred bytes."""
    return _within(inspect.type_info(annotation), _small)


_Sized = Callable[[st.SearchStrategy[Any], int, int], st.SearchStrategy[Any]]
"""Strings or lists, by what makes one of a length, the shortest and the longest."""


def _within(info: inspect.Type, sized: _Sized) -> st.SearchStrategy[Any]:
    match info:
        case inspect.IntType(gt=None, ge=int(least), le=most, lt=above):
            return integers(least, most if most is not None else above - 1)
        case inspect.StrType(pattern=None, min_length=shortest, max_length=int(longest)):
            free = st.text(min_size=shortest or 0, max_size=min(longest, max(shortest or 0, 20)))
            return free | free | sized(st.sampled_from(["x", _WIDEST]), shortest or 0, longest)
        case inspect.StrType(pattern=r"^[a-z2-7]*\Z", min_length=shortest, max_length=longest):
            return st.text(_BASE32, min_size=shortest or 0, max_size=longest)
        case inspect.BytesType(min_length=shortest, max_length=int(longest)):
            return st.binary(min_size=shortest or 0, max_size=longest)
        case inspect.StrType(min_length=1, max_length=int(longest)):
            return st.builds(
                str.__add__, _KEY.filter(lambda one: one != "~"), st.text(_KEY, max_size=longest - 1)
            )
        case inspect.ListType(item_type=item, min_length=shortest, max_length=int(longest)):
            free = st.lists(_within(item, _small), min_size=shortest or 0, max_size=4)
            return free | free | sized(_within(item, _small).map(lambda one: [one]), shortest or 0, longest)
        case inspect.UnionType(types=types):
            return st.one_of(*[_within(one, sized) for one in types])
        case inspect.StructType(cls=struct, fields=fields):
            return st.builds(struct, *[_of_field(field, sized) for field in fields])
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
    raise AssertionError(f"a field without bounds, or of a new type: {info}")


def _of_field(field: inspect.Field, sized: _Sized) -> st.SearchStrategy[Any]:
    value = _within(field.type, sized)
    return value if field.required else st.just(field.default) | value


def integers(least: int, most: int) -> st.SearchStrategy[int]:
    return st.sampled_from([least, most]) | st.integers(least, most)


def _at_limits(unit: st.SearchStrategy[Any], shortest: int, longest: int) -> st.SearchStrategy[Any]:
    return st.builds(lambda one, times: one * times, unit, st.sampled_from([shortest, longest]))


def _small(unit: st.SearchStrategy[Any], shortest: int, longest: int) -> st.SearchStrategy[Any]:
    return unit.map(lambda one: one * shortest)


# ---- what is no message, or one of a newer peer -----------------------------------------------------------


_SCALARS = (
    st.none()
    | st.booleans()
    | integers(-(2**63), 2**64 - 1)
    | st.integers(-1, 50)
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=40)
    | st.builds(msgspec.msgpack.Ext, st.integers(0, 127), st.binary(max_size=20))
)
_KEYS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.binary(max_size=5)

objects = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=2),
    max_leaves=6,
)
"""Whatever MessagePack can say."""


def shortened(value: Any) -> Any:
    """A message as the array of its fields, with those that have a default and are the last ones left out
    while they have it: as a peer sends it that does not know them."""
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if not isinstance(value, Struct):
        return value
    fields = [(field, getattr(value, field.name)) for field in inspect.type_info(type(value)).fields]
    while fields and not fields[-1][0].required and fields[-1][1] == fields[-1][0].default:
        fields.pop()
    tag = value.__struct_config__.tag
    return [*([] if tag is None else [tag]), *(shortened(one) for _, one in fields)]


def widened(value: Any, more: list[Any]) -> Any:
    """A message as the array that a newer peer sends: behind the fields of every struct in it are `more`."""
    if isinstance(value, list):
        return [widened(item, more) for item in value]
    if not isinstance(value, Struct):
        return value
    tag = value.__struct_config__.tag
    fields = [widened(getattr(value, name), more) for name in value.__struct_fields__]
    return [*([] if tag is None else [tag]), *fields, *more]


def damaged(frame: bytes, other: bytes, chance: Random) -> bytes:
    """The frame with bits flipped, pieces cut out, or going on as the other one does."""
    broken = bytearray(frame)
    for _ in range(chance.randint(1, 3)):
        start, end = sorted((_place(broken, chance), _place(broken, chance)))
        match chance.choice(["flip", "replace", "cut", "end", "splice"]):
            case "flip" if start < len(broken):
                broken[start] ^= 1 << chance.randrange(8)
            case "replace" if start < len(broken):
                broken[start] = chance.randrange(256)
            case "cut":
                del broken[start:end]
            case "end":
                del broken[end:]
            case "splice":
                broken[start:] = other[_place(other, chance) :]
    return bytes(broken)


def _place(frame: bytes | bytearray, chance: Random) -> int:
    """Most of a message's marks are in its first bytes."""
    return chance.randint(0, min(len(frame), chance.choice([24, len(frame)])))
