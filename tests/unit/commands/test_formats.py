"""How messages look (zchat/client/commands/formats.py)."""

import json
import time
from collections.abc import Iterator

import pytest

from zchat.client.commands import formats
from zchat.client.messages import Message, Sent
from zchat.common.keys import draw, fingerprint
from zchat.common.wire import OPERATOR, Person, Profile

AT = 1_795_500_000_042  # 2026-11-24 06:00:00.042 UTC


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def message(text: str, to: str = "#general", sender: str = "ann") -> Message:
    conversation = to if to.startswith("#") else "@" + ",".join(sorted([sender, to[1:]]))
    return Message(7, 5, AT, sender, to, "message", "~1.2", text, conversation)


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (message("hello"), "06:00 #general <ann> hello\n"),
        (message("hello", "@bob"), "06:00 @ann -> @bob hello\n"),
        (
            message("one\n06:01 #general <bob> two"),
            "06:00 #general <ann> one\n      06:01 #general <bob> two\n",
        ),
        (message("\x1b]0;x\x07"), "06:00 #general <ann> \\x1b]0;x\\x07\n"),
        (message("hello", sender="a\x1b"), "06:00 #general <a\\x1b> hello\n"),
        (message(""), "06:00 #general <ann> [removed]\n"),
    ],
)
def test_message_text(shown: Message, line: str) -> None:
    assert formats.message_text(shown) == line


def test_message_json() -> None:
    line = formats.message_json(message("ä\u202e\x1b\n", "@bob"))
    assert line.endswith('"text":"ä\\u202e\\u001b\\n"}\n')
    assert json.loads(line) == {
        "pos": 7,
        "prev": 5,
        "time": "2026-11-24T06:00:00.042Z",
        "from": "ann",
        "to": "@bob",
        "kind": "message",
        "id": "~1.2",
        "text": "ä\u202e\x1b\n",
    }


def test_sent_json() -> None:
    assert json.loads(formats.sent_json(Sent(3, AT, "k", True))) == {
        "id": "k",
        "pos": 3,
        "time": "2026-11-24T06:00:00.042Z",
        "duplicate": True,
    }


def test_people() -> None:
    people = [Person("ann", True, True, OPERATOR), Person("b\x07b", False), Person("cid", True, True)]
    assert "".join(map(formats.person_text, people)) == (
        "* ann (away, administrator)\n  b\\x07b\n* cid (away)\n"
    )
    assert [json.loads(formats.person_json(person)) for person in people[:2]] == [
        {"nick": "ann", "present": True, "away": True, "role": "operator"},
        {"nick": "b\x07b", "present": False, "away": False, "role": "none"},
    ]


def test_profile() -> None:
    key = draw().public
    profile = Profile(1, 1, "bob", [key], AT, 0, 2, True, "", 12, 0, "ann", ["general"], [])
    assert json.loads(formats.profile_json(profile)) == {
        "nick": "bob",
        "fingerprints": [fingerprint(key)],
        "since": "2026-11-24T06:00:00.042Z",
        "seen": None,
        "present": True,
        "sessions": 2,
        "idle_ms": 12,
        "away": None,
        "role": "none",
        "maker": "ann",
        "rooms": ["general"],
        "ignored": [],
    }


def test_what_became_of_an_act() -> None:
    assert json.loads(formats.away_json("lunch", 7)) == {"away": "lunch", "pos": 7}
    assert json.loads(formats.away_json("", 0)) == {"away": None, "pos": 0}
    assert json.loads(formats.ignored_json("bob", True)) == {"nick": "bob", "ignored": True}
    assert json.loads(formats.removed_json("#general", 3, 7)) == {"to": "#general", "of": 3, "pos": 7}
