"""Frames and encoding: bytes that are no message, and messages that no client sends."""

import struct

import msgspec
import pytest
import zmq

from tests.wire.conftest import Connect
from tests.wire.raw import Client
from zchat.common import wire
from zchat.common.codes import Refusal

pack = msgspec.msgpack.encode


def bye(number: bytes) -> bytes:
    """Bye with the bytes of a session number."""
    return b"\x92\x0c" + number


def invite(place: int, value: object) -> bytes:
    """MakeInvite with another value at one place."""
    fields = [13, 1, 1, "abcdefgh", b"x" * 32, "", "", 1, 0, ""]
    return pack([*fields[:place], value, *fields[place + 1 :]])


def bot(place: int, value: object) -> bytes:
    """MakeToken with another value at one place."""
    fields = [15, 1, 1, "bot", "x" * 40, ["general"], True, True, 0, ""]
    return pack([*fields[:place], value, *fields[place + 1 :]])


HOSTILE = {
    "empty": b"",
    "not MessagePack": b"\xc1",
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "zeros": bytes(1000),
    "not an array": pack({"type": 9}),
    "a number": pack(9),
    "no tag": pack([]),
    "an unknown tag": pack([99, 1, 2, 3]),
    "the tag of an answer": pack([32, 1, 1, "a", True, 1, 1, [], "", 1, "", 1, 1, 1, 1, 1, ""]),
    "the tag of an entry": pack([0, "ann", 1, 0, ["x"]]),
    "a negative tag": pack([-1]),
    "a huge tag": pack([2**64 - 1]),
    "a tag that is text": pack(["9", 1, 1, 0, ""]),
    "a tag that is a list": pack([[9], 1, 1, 0, ""]),
    "a field too few": pack([9, 1, 1, 0]),
    "all fields missing": pack([9]),
    "more behind it": pack([12, 1]) + b"\0",
    "two messages": pack([12, 1]) * 2,
    "an array cut short": b"\x95\x09\x01\x01",
    "a text cut short": b"\x93\x0b\x01\xdb\xff\xff\xff\xff",
    "an array of 2^32": b"\xdd\xff\xff\xff\xff",
    "a map of 2^32": b"\xdf\xff\xff\xff\xff",
    "a number below zero": pack([12, -1]),
    "a number of 2^53": pack([12, 2**53]),
    "a number of 2^63": pack([12, 2**63]),
    "a number of 2^64 - 1": pack([12, 2**64 - 1]),
    "the lowest number": pack([12, -(2**63)]),
    "a float": pack([12, 1.5]),
    "a whole float": bye(b"\xcb" + struct.pack(">d", 1.0)),
    "not a number": bye(b"\xcb" + struct.pack(">d", float("nan"))),
    "infinity": bye(b"\xca" + struct.pack(">f", float("inf"))),
    "a boolean number": pack([12, True]),
    "nil for a number": pack([12, None]),
    "text for a number": pack([12, "1"]),
    "an extension": bye(b"\xc7\x01\x05\x00"),
    "a time": bye(b"\xd6\xff\x00\x00\x00\x00"),
    "nested 10,000 deep": b"\x91" * 10_000 + b"\x01",
    "nested in a field": b"\x92\x0c" + b"\x91" * 10_000 + b"\x01",
    "nested without an end": b"\x91" * 200_000,
    "maps nested": b"\x81\x01" * 50_000,
    "invalid UTF-8": b"\x94\x0b\x01\x01\xa1\xff",
    "a surrogate": b"\x94\x0b\x01\x01\xa3\xed\xa0\x80",
    "overlong UTF-8": b"\x94\x0b\x01\x01\xa2\xc0\x80",
    "binary for text": b"\x94\x0b\x01\x01\xc4\x01a",
    "no texts": pack([2, 1, 1, 0, "#general", 0, []]),
    "an empty text": pack([2, 1, 1, 0, "#general", 0, [""]]),
    "257 texts": pack([2, 1, 1, 0, "#general", 0, ["x"] * 257]),
    "a text for texts": pack([2, 1, 1, 0, "#general", 0, "x"]),
    "nil among texts": pack([2, 1, 1, 0, "#general", 0, ["x", None]]),
    "a text of 65,537 characters": pack([2, 1, 1, 0, "#general", 0, ["x" * 65_537]]),
    "no address": pack([2, 1, 1, 0, "", 0, ["x"]]),
    "an address of 34 characters": pack([2, 1, 1, 0, "#" + "x" * 33, 0, ["x"]]),
    "an empty key": pack([3, 1, 1, "#general", "", "x"]),
    "a key of 129 characters": pack([3, 1, 1, "#general", "k" * 129, "x"]),
    "a key with a space": pack([3, 1, 1, "#general", "a b", "x"]),
    "a key with a mark of counters": pack([3, 1, 1, "#general", "~1.2", "x"]),
    "a key with a newline": pack([3, 1, 1, "#general", "k\n", "x"]),
    "a key that is not ASCII": pack([3, 1, 1, "#general", "ü", "x"]),
    "an empty room": pack([4, 1, 1, ""]),
    "a room of 33 characters": pack([4, 1, 1, "x" * 33]),
    "a number for private": pack([4, 1, 1, "x", 1]),
    "a topic of 1,025 characters": pack([6, 1, 1, "general", "x" * 1025]),
    "an unknown direction": pack([7, 1, 1, "#general", 3, 0]),
    "a bound of 2^53": pack([7, 1, 1, "#general", 0, 2**53]),
    "a bound of 2^63": pack([7, 1, 1, "#general", 2, 2**63]),
    "1,001 rooms": pack([8, 1, 1, ["x"] * 1001, True]),
    "a number for a boolean": pack([8, 1, 1, [], 1]),
    "a floor below zero": pack([9, 1, 1, -1, ""]),
    "an after of 131 characters": pack([9, 1, 1, 0, "x" * 131]),
    "Hello without a nick": pack([1, 1, 1, "", 1, 0, None, False, ""]),
    "Hello with a long nick": pack([1, 1, 1, "x" * 33, 1, 0, None, False, ""]),
    "Hello with an instance of 2^63": pack([1, 1, 1, "ann", 2**63, 0, None, False, ""]),
    "Hello with a version below zero": pack([1, -1, 1, "ann", 1, 0, None, False, ""]),
    "Hello with a long client": pack([1, 1, 1, "ann", 1, 0, None, False, "x" * 65]),
    "Hello with a long invite": pack([1, 1, 1, "ann", 1, 0, None, False, "x", True, "x" * 65]),
    "Hello with nil for an invite": pack([1, 1, 1, "ann", 1, 0, None, False, "x", True, None]),
    "an invite of 7 characters": invite(3, "abcdefg"),
    "an invite of 9 characters": invite(3, "abcdefgh2"),
    "an invite in capitals": invite(3, "ABCDEFGH"),
    "an invite with a newline": invite(3, "abcdefg\n"),
    "a digest of 31 bytes": invite(4, b"x" * 31),
    "a digest that is text": invite(4, "x" * 32),
    "an invite for a nick of 33 characters": invite(5, "x" * 33),
    "an invite to a room of 33 characters": invite(6, "x" * 33),
    "an invite for nobody": invite(7, 0),
    "an invite for 1,001": invite(7, 1001),
    "an invite that has ended": invite(8, -1),
    "a reason of 257 characters": invite(9, "x" * 257),
    "a bot without a nick": bot(3, ""),
    "a key of 39 characters": bot(4, "x" * 39),
    "a key of bytes": bot(4, b"x" * 40),
    "a bot for 101 rooms": bot(5, ["x"] * 101),
    "a bot for a room without a name": bot(5, [""]),
    "a number for a right": bot(6, 1),
    "a role of 4": pack([17, 1, 1, "", "ann", 4, ""]),
    "a role below zero": pack([17, 1, 1, "", "ann", -1, ""]),
    "no kind of sanction": pack([21, 1, 1, "", "ann", 0, 0, ""]),
    "a third kind of sanction": pack([21, 1, 1, "", "ann", 3, 0, ""]),
    "a pardon of a third kind": pack([22, 1, 1, "", "ann", 3, ""]),
    "a kick out of nowhere": pack([20, 1, 1, "", "ann", ""]),
    "a new key of 41 characters": pack([23, 1, 1, "x" * 41]),
    "a redaction before the log": pack([24, 1, 1, "#general", -1, ""]),
    "away for 257 characters": pack([25, 1, 1, "x" * 257]),
    "ignored by a number": pack([26, 1, 1, "bob", 1]),
    "a question about 33 characters": pack([27, 1, 1, "x" * 33]),
    "nil for a room of sanctions": pack([30, 1, 1, None, ""]),
}  # fmt: skip


@pytest.mark.parametrize("frame", HOSTILE.values(), ids=HOSTILE.keys())
def test_bytes_that_are_no_request(ann: Client, frame: bytes) -> None:
    ann.say_raw(frame)
    answer = ann.answer(wire.Refused)
    assert (answer.session, answer.token, answer.code) == (0, 0, Refusal.MALFORMED.value)
    assert answer.reason
    ann.send("#general", 0, "the session goes on")


def test_a_reason_does_not_quote_the_bytes(ann: Client) -> None:
    ann.say_raw(pack(["secret" * 100, "secret" * 100]))
    assert "secret" not in ann.answer(wire.Refused).reason


def test_what_stands_behind_a_malformed_request_is_answered_in_order(ann: Client) -> None:
    ann.say(wire.Ping(ann.session, 1, 0, ""))
    ann.say_raw(b"\xc1")
    ann.say(wire.Ping(ann.session, 2, 0, ""))
    assert ann.answer(wire.Heads).token == 1
    assert ann.refusal() is Refusal.MALFORMED
    assert ann.answer(wire.Heads).token == 2


@pytest.mark.parametrize("surplus", [[1], [None, {}, "x"], [[1] * 1000], [b"\0" * 100_000]])
def test_fields_behind_those_that_are_known_are_ignored(ann: Client, surplus: list[object]) -> None:
    ann.say_raw(pack([9, ann.session, 7, 0, "", *surplus]))
    assert ann.answer(wire.Heads).token == 7


def test_fields_that_have_a_default_may_be_missing(ann: Client, connect: Connect) -> None:
    ann.say_raw(pack([4, ann.session, 7, "older"]))
    done = ann.answer(wire.Done)
    assert (done.token, done.name) == (7, "")
    older = connect()
    older.say_raw(pack([1, 1, 1, "older-peer", 1, 0, None, False, "x", True]))
    assert older.answer(wire.Welcome).nick == "older-peer"


def test_integers_of_every_form(ann: Client) -> None:
    wider = [(first, width) for first, widths in ((0xCC, 4), (0xD0, 4)) for width in range(widths)]
    for token in (b"\x07", *(bytes([first + n]) + (7).to_bytes(2**n) for first, n in wider)):
        ann.say_raw(b"\xdc\x00\x05\xcc\x09" + pack(ann.session) + token + b"\x00\xd9\x00")
        assert ann.answer(wire.Heads).token == 7


def test_the_highest_numbers(connect: Connect) -> None:
    client = connect()
    top = 2**53 - 1
    client.say(wire.Hello(0, top, "highest", 2**63 - 1, top, top, True, "x" * 64, True))
    session = client.answer(wire.Welcome).session
    requests: list[wire.Request] = [
        wire.Send(session, top, top, "#general", top, ["x"]),
        wire.Send(session, top, top, "#general", top, ["x"]),
        wire.Send(session, top, 0, "#general", 0, ["x"] * 256),
        wire.Fetch(session, top, "#general", 0, top),
        wire.Fetch(session, top, "#general", 1, top),
        wire.Ping(session, top, top, "\U0010ffff" * 130),
        wire.ListPeople(session, top, None, "\U0010ffff" * 32),
        wire.ListRooms(session, top, "\U0010ffff" * 32),
        wire.Follow(session, top, ["general"] * 1000, False),
    ]
    client.say(*requests)
    kinds: list[str] = []
    rows = 0
    while rows < 2 or len(kinds) < 7:
        answer = client.hear().answer
        if isinstance(answer, wire.Ack):
            rows += len(answer.results)
        else:
            kinds.append(type(answer).__name__)
    assert sorted(kinds) == ["Followed", "Heads", "Page", "Page", "People", "Refused", "Rooms"]


@pytest.mark.parametrize("frames", [2, 3, 100, 1000])
def test_a_request_of_several_frames_is_cut(connect: Connect, ann: Client, frames: int) -> None:
    ann.say_raw(*[wire.encode(wire.Ping(ann.session, 1, 0, ""))] * frames)
    assert ann.is_cut()
    connect(key=ann.key).wait_for(zmq.Event.HANDSHAKE_FAILED_AUTH)


def test_an_empty_delimiter_is_a_second_frame(connect: Connect) -> None:
    client = connect()
    client.say_raw(b"", wire.encode(wire.Hello(1, 1, "req", 1, 0, None, False, "", True)))
    assert client.is_cut()


def test_a_cut_key_is_told_to_nobody_else(ann: Client, bob: Client) -> None:
    ann.say_raw(b"", b"")
    assert ann.is_cut()
    bob.send("#general", 0, "goes on")
    assert bob.is_silent()


def test_every_prefix_of_a_request_and_every_changed_byte(ann: Client, connect: Connect) -> None:
    """None of them stops the broker; each is answered, or is a request."""
    frame = wire.encode(wire.KeyedSend(ann.session, 7, "#general", "key", "text"))
    clients = [ann]
    mutants = [frame[:size] for size in range(len(frame))]
    mutants += [
        frame[:at] + bytes([byte]) + frame[at + 1 :]
        for at in range(len(frame))
        for byte in (0, 0x7F, 0xC1, 0xFF)
    ]
    for number, mutant in enumerate(mutants):
        if number % 90 == 89:  # of 100 that are malformed, one is cut
            clients.append(connect())
            clients[-1].greet()
        clients[-1].say_raw(mutant)
        answer = clients[-1].hear().answer
        assert isinstance(answer, wire.Refused | wire.Ack), answer
