"""The wire: what is within its bounds comes back as it was, and what is no message is Malformed."""

from collections.abc import Callable
from random import Random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.property.wire_values import damaged, objects, shortened, small_values, values, widened
from zchat.common import wire

Decode = Callable[[bytes], Any]

TYPES: list[tuple[Decode, Any]] = [
    *((wire.decode_request, one) for one in get_args(wire.Request)),
    *((wire.decode_answer, one) for one in get_args(wire.Answer)),
    (wire.decode_segment, wire.Segment),
]
every_message = pytest.mark.parametrize(("decode", "message"), TYPES, ids=lambda one: one.__name__)

DECODERS = {
    wire.decode_request: wire.Request,
    wire.decode_answer: wire.Answer,
    wire.decode_segment: wire.Segment,
}
every_decoder = pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: decode.__name__)

# Of each kind of entry one at least, so that none depends on the luck of the segments above.
ENTRIES = [one for one in get_args(wire.Entries) if one is not wire.Unknown]

more = st.lists(objects, max_size=3)
newer_entries = st.builds(
    lambda tag, fields: [tag, *fields], st.integers(wire.LAST_ENTRY_TAG + 1, 2**64 - 1), more
)


def decoded_or_malformed(decode: Decode, frame: bytes) -> None:
    """Malformed, or a value that is a message: encoded and decoded it is the same."""
    try:
        value = decode(frame)
    except wire.Malformed:
        return
    assert decode(wire.encode(value)) == value


@every_message
@settings(max_examples=25)
@given(data=st.data())
def test_a_message_comes_back(decode: Decode, message: Any, data: st.DataObject) -> None:
    value = data.draw(values(message))
    found = decode(wire.encode(value))
    assert type(found) is message
    assert found == value


@every_message
@settings(max_examples=12)
@given(data=st.data())
def test_fields_of_a_newer_peer_change_nothing(decode: Decode, message: Any, data: st.DataObject) -> None:
    value = data.draw(small_values(message))
    assert decode(wire.encode(widened(value, data.draw(more)))) == value


@every_message
@settings(max_examples=12)
@given(data=st.data())
def test_fields_that_an_older_peer_lacks_have_their_defaults(
    decode: Decode, message: Any, data: st.DataObject
) -> None:
    value = data.draw(small_values(message))
    assert decode(wire.encode(shortened(value))) == value


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_an_entry_comes_back_among_unknown_ones(entry: Any, data: st.DataObject) -> None:
    known = data.draw(small_values(entry))
    header = ("#room", 0, 1, 3, 1_000)
    entries = [data.draw(newer_entries), widened(known, data.draw(more)), data.draw(newer_entries)]
    found = wire.decode_segment(wire.encode((*header, entries)))
    assert found == wire.Segment(*header, [wire.Unknown(), known, wire.Unknown()])


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(wire.encode(("#a", 0, 1, 1, 9, [[127]], "a newer field")), id="and a field behind"),
        pytest.param(b"\x96\xa2#a\0\1\1\t\x91\x92\x7f\x81\x81\0\0\0", id="a map as a key"),
        pytest.param(b"\x96\xa2#a\0\1\1\t\x91\x92\x7f\xd4\xff\0", id="a timestamp of another form"),
    ],
)
def test_an_unknown_entry_is_skipped_whatever_it_holds(frame: bytes) -> None:
    assert wire.decode_segment(frame) == wire.Segment("#a", 0, 1, 1, 9, [wire.Unknown()])


@every_message
@settings(max_examples=3)
@given(data=st.data())
def test_a_value_beyond_a_bound_is_malformed(decode: Decode, message: Any, data: st.DataObject) -> None:
    value = data.draw(small_values(message))
    for field in msgspec.inspect.type_info(message).fields:
        for wrong in _beyond(field.type):
            with pytest.raises(wire.Malformed):
                decode(wire.encode(msgspec.structs.replace(value, **{field.name: wrong})))


def _beyond(info: msgspec.inspect.Type) -> list[Any]:
    """What a field must not hold: just outside of its bounds, and of another type."""
    match info:
        case msgspec.inspect.IntType(ge=int(least), le=most, lt=above):
            return [least - 1, above if most is None else most + 1, None, "1", 1.5]
        case msgspec.inspect.StrType(min_length=shortest, max_length=int(longest)):
            unlike = [" " * longest] if info.pattern else []
            return ["x" * (longest + 1), *([""] if shortest else []), *unlike, None, b"xx"]
        case msgspec.inspect.BytesType(min_length=int(shortest), max_length=int(longest)):
            return [b"x" * (longest + 1), b"x" * (shortest - 1), None, "x" * longest]
        case msgspec.inspect.ListType(min_length=shortest, max_length=int(longest)):
            return [[None], "xx", None, *([[]] if shortest else [])]
        case msgspec.inspect.BoolType():
            return [0, 1, None, "true"]
    return []


@every_decoder
@settings(max_examples=100)
@given(frame=st.binary(max_size=200))
@example(frame=b"")
@example(frame=b"\x91" * 100_000)
@example(frame=b"\x98\x01" + b"\x91" * 100_000)
@example(frame=b"\x96\xa2#a\0\1\1\0\x91\x92\x7f" + b"\x91" * 100_000)
@example(frame=b"\xdd\xff\xff\xff\xff")
@example(frame=b"\x96\xa2#a\0\1\1\0\x91\x92\x7f\xdd\xff\xff\xff\xff")
@example(frame=b"\xdb\xff\xff\xff\xff")
@example(frame=b"\x96\xa2#\xff\0\1\1\0\x91\x93\x03\xa1a\xc3")
@example(frame=b"\x96\xa2#a\0\1\1\0\x91\x92\x7f\x81\x90\0")  # a list as the key of a map
@example(frame=b"\x96\xa2#a\0\1\1\0\x91\x92\x7f\x81\x81\0\0\0")  # a map as the key of a map
def test_bytes_are_a_message_or_malformed(decode: Decode, frame: bytes) -> None:
    decoded_or_malformed(decode, frame)


@every_decoder
@settings(max_examples=20)
@given(data=st.data())
def test_a_damaged_frame_is_a_message_or_malformed(decode: Decode, data: st.DataObject) -> None:
    frames = small_values(DECODERS[decode]).map(wire.encode)
    frame, other, seed = data.draw(frames), data.draw(frames), data.draw(st.integers(0, 2**32))
    chance = Random(seed)
    for _ in range(100):
        decoded_or_malformed(decode, damaged(frame, other, chance))


@every_decoder
@settings(max_examples=80)
@given(data=st.data())
def test_an_object_is_a_message_or_malformed(decode: Decode, data: st.DataObject) -> None:
    tagged = st.tuples(st.integers(0, 50), st.lists(objects, max_size=9)).map(lambda o: [o[0], *o[1]])
    segment = st.tuples(*[st.just("#a")], *[st.just(0)] * 4, st.lists(tagged | objects, max_size=4))
    decoded_or_malformed(decode, wire.encode(data.draw(objects | tagged | segment)))
