"""How acts, invites, tokens, sanctions and limits look (zchat/client/commands/records.py)."""

import json
import time
from collections.abc import Iterator

import pytest

from zchat.client.commands.records import (
    audit_json,
    audit_text,
    invites_text,
    limits_text,
    members_text,
    sanctions_text,
    tokens_text,
)
from zchat.client.messages import Act, Registration
from zchat.common.wire import BAN, FOR_EVER, MUTE, Bound, InviteRow, Person, SanctionRow, TokenRow

TIME_MS = 1_795_500_000_042  # 2026-11-24 06:00:00.042 UTC
UNTIL_MS = TIME_MS + 86_400_000


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def act(name: str, subject: str = "", *, actor: str = "ann", **more: object) -> Act:
    """An act of the log."""
    fields: dict[str, object] = {"room": "", "until_ms": 0, "details": "", "reason": ""}
    return Act(2, 1, TIME_MS, "$", actor, name, subject=subject, **{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (act("invite_made", "abcdefgh", details="uses=1"), "ann made the invite abcdefgh (uses=1)"),
        (
            act("invite_made", "abcdefgh", actor="$", details="uses=1", until_ms=UNTIL_MS, reason="new"),
            "the account made the invite abcdefgh (uses=1), until 2026-11-25 06:00: new",
        ),
        (act("invite_made", "abcdefgh", until_ms=FOR_EVER), "ann made the invite abcdefgh"),
        (act("invite_used", "abcdefgh", details="left=0"), "ann used the invite abcdefgh (left=0)"),
        (act("invite_ended", "abcdefgh", reason="lost"), "ann ended the invite abcdefgh: lost"),
        (act("token_made", "ci", details="may=send rooms="), "ann made a token for ci (may=send)"),
        (act("token_ended", "ci"), "ann ended the token of ci"),
        (act("key_changed", "ann"), "ann has another key, by the one before"),
        (act("key_replaced", "ann"), "ann has another key, by an invite"),
        (act("redacted", "4711", room="tea", reason="x"), "ann removed the text of message 4711 in #tea: x"),
        (act("redacted", "4711"), "ann removed the text of message 4711"),
        (act("away", "ann", details="lunch"), "ann is away: lunch"),
        (act("away", "ann"), "ann is back"),
        (act("ignored", "bob"), "ann ignores bob"),
        (act("unignored", "bob"), "ann ignores bob no longer"),
        (act("expired", "abcdefgh", actor="$", details="invite"), "the invite abcdefgh has come to its end"),
        (act("expired", "ci", actor="$", details="token"), "the token of ci has come to its end"),
        (
            act("expired", "bob", actor="$", details="ban", room="tea"),
            "the ban of bob from #tea has come to its end",
        ),
        (act("kicked", "bob", room="tea", reason="flood"), "ann kicked bob out of #tea: flood"),
        (act("muted", "bob", actor="$", until_ms=FOR_EVER), "the account muted bob everywhere"),
        (act("role", "bob", details="voice", room="tea"), "ann gave bob a voice in #tea"),
        (act("sung_to", "bob", details="a song", room="tea"), "ann: sung to bob a song in #tea"),
        (Registration(2, 1, TIME_MS, "$", "bob", "k", ""), "bob was registered"),
        (
            Registration(2, 1, TIME_MS, "$", "bob", "k", "abcdefgh"),
            "bob was registered by the invite abcdefgh",
        ),
        (act("away", "ann", details="a\x1bb\nc"), "ann is away: a\\x1bb\\x0ac"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_done(entry: Act | Registration, sentence: str) -> None:
    assert audit_text(entry) == f"2026-11-24 06:00:00  {sentence}\n"


def test_what_was_done_for_programs() -> None:
    muted = act("muted", "bob", room="tea", until_ms=UNTIL_MS, reason="calm down")
    assert json.loads(audit_json(muted)) == {
        "pos": 2,
        "time": "2026-11-24T06:00:00.042Z",
        "actor": "ann",
        "act": "muted",
        "room": "tea",
        "subject": "bob",
        "until": "2026-11-25T06:00:00.042Z",
        "details": None,
        "reason": "calm down",
    }
    assert json.loads(audit_json(act("muted", "bob", until_ms=FOR_EVER)))["until"] is None
    registered = json.loads(audit_json(Registration(2, 1, TIME_MS, "$", "bob", "k", "abcdefgh")))
    assert (registered["actor"], registered["act"], registered["subject"], registered["details"]) == (
        *("bob", "registered", "bob"),
        "abcdefgh",
    )


def test_lists_have_columns() -> None:
    assert invites_text([]) == tokens_text([]) == sanctions_text([]) == limits_text([]) == ""
    assert invites_text(
        [
            InviteRow("aaaaaaaa", "$", "", "", 20, FOR_EVER),
            InviteRow("bbbbbbbb", "ann", "bob", "tea", 1, UNTIL_MS),
        ]
    ) == (
        "aaaaaaaa  uses 20  for ever                by the account\n"
        "bbbbbbbb  uses 1   until 2026-11-25 06:00  by ann          for bob  #tea\n"
    )
    assert tokens_text(
        [
            TokenRow("ci", "ann", ["tea", "milk"], True, False, UNTIL_MS),
            TokenRow("echo", "ann", [], True, True, FOR_EVER),
        ]
    ) == (
        "ci    send       until 2026-11-25 06:00  by ann  #tea #milk\n"
        "echo  send+read  for ever                by ann\n"
    )
    assert sanctions_text(
        [SanctionRow("bob", MUTE, UNTIL_MS, "ann", "a\nb"), SanctionRow("bob", BAN, FOR_EVER, "$", "")]
    ) == (
        "mute  bob  until 2026-11-25 06:00  by ann          a\\x0ab\n"
        "ban   bob  for ever                by the account\n"
    )
    assert limits_text([Bound("a_max", 7, "these"), Bound("bytes", 4096, "those")]) == (
        "a_max     7  these\nbytes  4096  those\n"
    )


def test_members() -> None:
    people = [Person("ann", True, False, 3), Person("bob", False, True, 0), Person("cid", False, True, 1)]
    assert members_text(people) == "* ann (owner)\n  bob (away)\n  cid (voice, away)\n"
