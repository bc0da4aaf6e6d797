"""How messages look (zchat/client/commands/formats.py)."""

import json
import time
from collections.abc import Iterator

import pytest

from zchat.client.commands import formats
from zchat.client.messages import Came, MemberJoined, MemberLeft, Message, Sent, TopicChanged, Went
from zchat.common.wire import Person

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


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (Came("bob"), "* bob is here"),
        (Went("b\x1bob"), "* b\\x1bob has gone"),
        (MemberJoined(1, 0, AT, "kitchen", "bob", False), "* bob joined #kitchen"),
        (MemberJoined(1, 0, AT, "kitchen", "bob", True), "* bob made #kitchen"),
        (MemberLeft(1, 0, AT, "kitchen", "bob"), "* bob left #kitchen"),
        (
            TopicChanged(1, 0, AT, "kitchen", "bob", "a\nb\u2028"),
            r"* bob set the topic of #kitchen: a\x0ab\u2028",
        ),
    ],
)
def test_notice_text(notice: formats.Notice, line: str) -> None:
    assert formats.notice_text(notice) == line + "\n"


def test_sent_json() -> None:
    assert json.loads(formats.sent_json(Sent(3, AT, "k", True))) == {
        "id": "k",
        "pos": 3,
        "time": "2026-11-24T06:00:00.042Z",
        "duplicate": True,
    }


def test_people() -> None:
    assert formats.person_text(Person("ann", True)) + formats.person_text(Person("b\x07b", False)) == (
        "* ann\n  b\\x07b\n"
    )
    assert json.loads(formats.person_json(Person("ann", True))) == {"nick": "ann", "present": True}
