"""Sending: batches, counters, keys, and what a text may be."""

import pytest

from tests.wire.conftest import Connect
from tests.wire.raw import Client, unused
from zchat.common import wire
from zchat.common.codes import Refusal

MULTI_LINE = "Zeile eins\nзвонок\r\n\t👍🏽 e\u0301\0 \u202e\n"


def entries(client: Client, to: str, after: int) -> list[wire.Entries]:
    _, segments = client.fetch(to, 0, after)
    return [entry for segment in segments for entry in segment.entries]


def test_a_batch_has_consecutive_positions(ann: Client) -> None:
    row = ann.send("#general", 0, "a", "b", "c")
    after = ann.send("#general", 3, "d")
    assert after.pos == row.pos + 3
    _, [segment, _] = ann.fetch("#general", 0, row.pos - 1)
    assert (segment.first, segment.last, segment.time_ms) == (row.pos, row.pos + 2, row.time_ms)
    assert segment.entries == [wire.Messages(ann.nick, 1, 0, ["a", "b", "c"])]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 65_536,
        "ü" * 32_768,
        (MULTI_LINE * 2_000)[:30_000].ljust(40_000, "x"),
        "\n" * 65_536,
        "\0",
        "\u2028\ufffe\U0010ffff",
    ],
)
def test_a_text_arrives_as_it_was_sent(ann: Client, text: str) -> None:
    assert len(text.encode()) <= 65_536
    row = ann.send("#general", 0, text)
    ann.say(wire.KeyedSend(ann.session, 1, "#general", "k", text))
    assert not ann.answer(wire.Ack).results[0].duplicate
    assert entries(ann, "#general", row.pos - 1) == [
        wire.Messages(ann.nick, 1, 0, [text]),
        wire.KeyedMessage(ann.nick, "k", text),
    ]


def test_64_kib_of_lines_in_several_scripts(ann: Client) -> None:
    text = MULTI_LINE * (65_536 // len(MULTI_LINE.encode()))
    text += "x" * (65_536 - len(text.encode()))
    row = ann.send("#general", 0, text, text)
    assert entries(ann, "#general", row.pos - 1) == [wire.Messages(ann.nick, 1, 0, [text, text])]


@pytest.mark.parametrize(
    "texts",
    [["ü" * 32_768 + "x"], ["x" * 65_536, "x" * 65_536, "x"], ["x" * 513] * 256, ["字" * 21_846]],
)
def test_a_byte_more_is_too_large(ann: Client, texts: list[str]) -> None:
    ann.say(wire.Send(ann.session, 1, 0, "#general", 0, texts))
    assert ann.refusal() is Refusal.TOO_LARGE
    ann.send("#general", 0, *["x" * 512] * 256)  # 128 KiB together


def test_a_keyed_text_a_byte_too_large(ann: Client) -> None:
    ann.say(wire.KeyedSend(ann.session, 1, "#general", "k", "ü" * 32_768 + "x"))
    assert ann.refusal() is Refusal.TOO_LARGE


def test_a_repeat_is_answered_with_its_first_result_and_delivered_to_no_one(ann: Client, bob: Client) -> None:
    row = ann.send(f"@{bob.nick}", 0, "a", "b", lowest=0)
    assert ann.hear().answer == wire.Deliver(ann.session)
    assert bob.hear().segments[0].first == row.pos
    repeated = ann.send(f"@{bob.nick.upper()}", 0, "a", "b", lowest=0)
    assert (repeated.pos, repeated.time_ms) == (row.pos, row.time_ms)
    assert repeated.duplicate and not row.duplicate
    assert bob.is_silent() and ann.is_silent()


def test_counters(ann: Client) -> None:
    ann.send("#general", 0, "a", "b", lowest=0)
    for counter, texts, refusal in (
        (1, ["b"], Refusal.OUT_OF_ORDER),
        (3, ["d"], Refusal.OUT_OF_ORDER),
        (2**53 - 1, ["d"], Refusal.OUT_OF_ORDER),
        (0, ["a"], Refusal.ID_REUSED),
        (0, ["a", "c"], Refusal.ID_REUSED),
    ):
        ann.say(wire.Send(ann.session, 9, 0, "#general", counter, texts))
        assert ann.refusal() is refusal
    ann.send("#general", 2, "c", lowest=2)
    ann.say(wire.Send(ann.session, 9, 2, "#general", 0, ["a", "b"]))
    assert ann.refusal() is Refusal.OUT_OF_ORDER


def test_a_window_is_acknowledged_in_order(ann: Client) -> None:
    ann.say(*(wire.Send(ann.session, token, 0, "#general", token, [f"{token}"]) for token in range(500)))
    rows: list[wire.Stored] = []
    while len(rows) < 500:
        rows += ann.answer(wire.Ack).results
    assert [row.token for row in rows] == list(range(500))
    assert [row.pos for row in rows] == list(range(rows[0].pos, rows[0].pos + 500))


def test_one_refused_send_makes_the_window_out_of_order(ann: Client) -> None:
    ann.say(
        wire.Send(ann.session, 1, 0, "#general", 0, ["a"]),
        wire.Send(ann.session, 2, 0, "#nowhere", 1, ["b"]),
        wire.Send(ann.session, 3, 0, "#general", 2, ["c"]),
    )
    heard = [ann.hear().answer for _ in range(3)]
    refused = {a.token: a.code for a in heard if isinstance(a, wire.Refused)}
    assert refused == {2: Refusal.NO_SUCH_ROOM.value, 3: Refusal.OUT_OF_ORDER.value}
    assert not ann.send("#general", 2, "c", lowest=2).duplicate


def test_keys(connect: Connect, ann: Client) -> None:
    other = connect(key=ann.key)
    other.greet(ann.nick, instance=2)
    key = "!}" + "~" * 126
    ann.say(wire.KeyedSend(ann.session, 1, "#general", key, "a"))
    [row] = ann.answer(wire.Ack).results
    other.say(wire.KeyedSend(other.session, 1, "#GENERAL", key, "a"))
    assert other.answer(wire.Ack).results == [wire.Stored(1, row.pos, row.time_ms, True)]
    for to, text in (("#general", "b"), (f"@{ann.nick}", "a")):
        other.say(wire.KeyedSend(other.session, 2, to, key, text))
        assert other.refusal() is Refusal.ID_REUSED


def test_one_key_by_two_processes_at_once(connect: Connect, ann: Client) -> None:
    other = connect(key=ann.key)
    other.greet(ann.nick, instance=2)
    for number in range(50):
        for client in (ann, other):
            client.say(wire.KeyedSend(client.session, 1, "#general", f"k{number}", "a"))
        [one], [two] = (client.answer(wire.Ack).results for client in (ann, other))
        assert one.pos == two.pos and {one.duplicate, two.duplicate} == {True, False}


def test_both_kinds_of_a_session_keep_their_order(ann: Client) -> None:
    room = unused("room")
    ann.join(room)
    for number in range(40):
        ann.say(
            wire.Send(ann.session, 1, number, f"#{room}", number, [f"{2 * number}"]),
            wire.KeyedSend(ann.session, 2, f"#{room}", f"k{room}{number}", f"{2 * number + 1}"),
        )
    rows = 0
    while rows < 80:
        rows += len(ann.answer(wire.Ack).results)
    texts = [
        e.text if isinstance(e, wire.KeyedMessage) else e.texts[0] for e in entries(ann, f"#{room}", 0)[1:]
    ]
    assert texts == [f"{number}" for number in range(80)]


def test_too_many_sends_above_lowest(ann: Client) -> None:
    ann.say(*(wire.Send(ann.session, n, 0, "#general", n, ["x"]) for n in range(1025)))
    rows = 0
    while rows < 1024:
        answer = ann.hear().answer
        if isinstance(answer, wire.Refused):
            assert (answer.token, answer.code) == (1024, Refusal.BUSY.value)
            break
        assert isinstance(answer, wire.Ack)
        rows += len(answer.results)
    else:
        assert ann.refusal() is Refusal.BUSY


def test_acts(ann: Client, bob: Client) -> None:
    room = unused("Room")
    pos = ann.join(room)
    assert ann.join(room.lower()) == 0
    bob.say(wire.Leave(bob.session, 1, room), wire.SetTopic(bob.session, 2, room, "Grüße\n"))
    left, topic = bob.answer(wire.Done), bob.answer(wire.Done)
    assert (left.pos, topic.token) == (0, 2) and topic.pos > pos
    ann.say(wire.Leave(ann.session, 3, room))
    ann.answer(wire.Done)
    assert entries(ann, f"#{room}", 0) == [
        wire.Joined(ann.nick, True),
        wire.TopicSet(bob.nick, "Grüße\n"),
        wire.Left(ann.nick),
    ]
