"""How what happened looks (zchat/client/commands/notices.py)."""

import json
import time
from collections.abc import Iterator

import pytest

from zchat.client.commands.notices import Notice, Told, notice_json, notice_text
from zchat.client.messages import (
    Act,
    Came,
    MemberJoined,
    MemberLeft,
    Redaction,
    Registration,
    TopicChanged,
    Went,
)
from zchat.common.wire import FOR_EVER

AT = 1_795_500_000_042  # 2026-11-24 06:00:00.042 UTC
LATER = AT + 3_600_000


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def act(
    name: str,
    subject: str = "bob",
    *,
    room: str = "dev",
    until_ms: int = 0,
    details: str = "",
    reason: str = "",
    actor: str = "ann",
) -> Act:
    conversation = f"#{room}" if room else "@ann,bob"
    return Act(9, 8, AT, conversation, actor, name, room, subject, until_ms, details, reason)


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (Came("bob"), "bob is here"),
        (Went("b\x1bob"), "b\\x1bob has gone"),
        (MemberJoined(1, 0, AT, "kitchen", "bob", False), "bob joined #kitchen"),
        (MemberJoined(1, 0, AT, "kitchen", "bob", True), "bob made #kitchen"),
        (MemberLeft(1, 0, AT, "kitchen", "bob"), "bob left #kitchen"),
        (
            TopicChanged(1, 0, AT, "kitchen", "bob", "a\nb\u2028"),
            r"bob set the topic of #kitchen: a\x0ab\u2028",
        ),
        (act("kicked", reason="spam\x1b"), r"ann kicked bob out of #dev: spam\x1b"),
        (act("kicked", "me1", reason="spam"), "you were kicked out of #dev by ann: spam"),
        (act("banned", until_ms=LATER), "ann banned bob from #dev until 2026-11-24 07:00"),
        (
            act("banned", "me1", until_ms=LATER, reason="spam"),
            "you were banned from #dev by ann until 2026-11-24 07:00: spam",
        ),
        (
            act("banned", room="", until_ms=FOR_EVER, reason="spam"),
            "ann banned bob from the broker: spam",
        ),
        (act("unbanned"), "ann ended the ban of bob from #dev"),
        (act("unbanned", "me1", room=""), "ann ended your ban from the broker"),
        (act("muted", until_ms=LATER), "ann muted bob in #dev until 2026-11-24 07:00"),
        (
            act("muted", "me1", room="", actor="$"),
            "you were muted everywhere by the account that runs the broker",
        ),
        (act("unmuted"), "ann ended the mute of bob in #dev"),
        (act("unmuted", "me1"), "ann ended your mute in #dev"),
        (act("expired", details="mute", actor="$"), "the mute of bob in #dev has come to its end"),
        (act("expired", "me1", details="ban", actor="$"), "your ban from #dev has come to its end"),
        (act("expired", room="", details="ban"), "the ban of bob from the broker has come to its end"),
        (act("invited", room="ops+4711"), "ann invited bob to #ops+4711"),
        (act("invited", "me1", room="ops+4711"), "ann invited you to #ops+4711: /join ops+4711"),
        (act("role", details="operator"), "ann made bob operator of #dev"),
        (act("role", "me1", details="owner"), "ann made you owner of #dev"),
        (act("role", details="voice"), "ann gave bob a voice in #dev"),
        (act("role", details="none"), "bob has no role in #dev any more (ann)"),
        (
            act("role", "me1", details="none", reason="thanks"),
            "you have no role in #dev any more (ann): thanks",
        ),
        (act("role", room="", details="operator"), "ann made bob administrator of the broker"),
        (act("role", room="", details="none"), "ann took the administration of the broker from bob"),
        (act("mode", "", details="announce"), "in #dev only those with a voice write now (ann)"),
        (act("mode", "", details="open"), "in #dev everybody writes now (ann)"),
        (act("pinned_down", details="x\x07"), r"ann: pinned down bob x\x07 in #dev"),
        (Redaction(9, 8, AT, "#dev", "ann", 42, ""), "message 42 of #dev was removed by ann"),
        (Redaction(9, 8, AT, "@bob,me1", "bob", 4, "typo"), "message 4 with @bob was removed by bob: typo"),
        (Registration(9, 8, AT, "$", "bob", "key", ""), "bob was registered"),
        (Registration(9, 8, AT, "$", "bob", "key", "abc"), "bob was registered by the invite abc"),
    ],
)
def test_for_people(notice: Notice, line: str) -> None:
    assert notice_text(notice, "me1") == f"* {line}\n"


def test_how_to_follow_an_invitation_outside_of_the_chat() -> None:
    invited = act("invited", "me1", room="ops+1")
    assert notice_text(invited, "me1", "zchat join") == "* ann invited you to #ops+1: zchat join ops+1\n"


@pytest.mark.parametrize(
    ("notice", "to", "kind", "text"),
    [
        (TopicChanged(9, 8, AT, "dev", "ann", "x"), "#dev", "topic", "x"),
        (MemberJoined(9, 8, AT, "dev", "ann", False), "#dev", "joined", None),
        (act("kicked"), "#dev", "kicked", "bob"),
        (act("kicked", reason="spam"), "#dev", "kicked", "bob: spam"),
        (
            act("banned", room="", until_ms=LATER, reason="a: b"),
            "@bob",
            "banned",
            "bob until 2026-11-24T07:00:00.042Z: a: b",
        ),
        (act("muted", until_ms=FOR_EVER), "#dev", "muted", "bob"),
        (act("role", details="voice"), "#dev", "role", "bob voice"),
        (act("mode", "", details="open"), "#dev", "mode", "open"),
        (Redaction(9, 8, AT, "#dev", "ann", 42, "spam"), "#dev", "removed", "42: spam"),
        (Redaction(9, 8, AT, "@ann,bob", "ann", 42, ""), "@bob", "removed", "42"),
        (Registration(9, 8, AT, "$", "ann", "key", ""), "$", "registered", None),
    ],
)
def test_for_programs(notice: Notice, to: str, kind: str, text: str | None) -> None:
    assert json.loads(notice_json(notice)) == {
        "pos": 9,
        "prev": 8,
        "time": "2026-11-24T06:00:00.042Z",
        "from": "ann",
        "to": to,
        "kind": kind,
        "id": None,
        "text": text,
    }


def test_an_act_is_told_once() -> None:
    told = Told()
    room = act("kicked")
    both = Act(10, 0, AT, "@ann,bob", "ann", "kicked", "dev", "bob", 0, "", "")
    assert told.is_new(room)
    assert not told.is_new(both)
    assert told.is_new(act("kicked", "carl"))
    for number in range(1000):
        assert told.is_new(act("muted", f"n{number}"))
    assert len(told._acts) == 100
    for _ in range(2):
        assert told.is_new(MemberJoined(1, 0, AT, "dev", "bob", False))
