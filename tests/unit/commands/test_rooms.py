"""How rooms, topics and round trips look (zchat/client/commands/formats.py)."""

import json

from zchat.client.commands import formats
from zchat.client.messages import Message
from zchat.common.wire import Room


def test_rooms_stand_below_each_other() -> None:
    rooms = [
        Room("general", "", 12),
        Room("k", "a\nb\x1b[2J", 3),
        Room("厨房", "lunch", 100),
        Room("büro", "x", 0, False, True),
        Room("ops+7", "", 2, True),
        Room("all", "y", 2, True, True),
    ]
    assert formats.rooms_text(rooms) == (
        "#general   12\n"
        "#k          3  a\\x0ab\\x1b[2J\n"
        "#厨房     100  lunch\n"
        "#büro       0  (announce) x\n"
        "#ops+7      2  (private)\n"
        "#all        2  (private, announce) y\n"
    )  # fmt: skip


def test_no_rooms() -> None:
    assert formats.rooms_text([]) == ""


def test_json() -> None:
    assert json.loads(formats.room_json(Room("k", "lunch", 3))) == {
        "name": "k",
        "topic": "lunch",
        "members": 3,
        "private": False,
        "announce": False,
    }
    assert json.loads(formats.change_json("k", 7)) == {"room": "k", "pos": 7}
    assert json.loads(formats.topic_json("k", "a\x1b\u202e")) == {"room": "k", "topic": "a\x1b\u202e"}
    assert formats.topic_json("k", "a\x1b\u202e").strip().isascii()
    assert json.loads(formats.ping_json(1.23456, "zchat/1", "[::1]:9242")) == {
        "time_ms": 1.235,
        "broker": "zchat/1",
        "address": "[::1]:9242",
    }


def test_a_round_trip() -> None:
    assert formats.ping_text(1.849, "z\x1b/1", "h:1") == "broker z\\x1b/1 at h:1: 1.8 ms\n"


def test_a_message_with_its_day() -> None:
    message = Message(7, 5, 1_795_500_000_042, "ann", "#general", "message", "~1.2", "one\ntwo", "#general")
    first, second = formats.dated(message.time_ms, formats.message_text(message)).splitlines()
    assert first[10:] == " " + formats.message_text(message).splitlines()[0]
    assert first.startswith("2026-11-2")
    assert second == "      two"
