"""What a user is handed of a segment."""

from tests.unit.client.play import message, said, segment
from zchat.client.messages import (
    Act,
    MemberJoined,
    Message,
    Redaction,
    Registration,
    entries_of,
    positions_in,
    recipient,
)
from zchat.common import wire

MIXED = segment(
    "@ann,bob", 3, 10, said("bob", "a", "b", counter=7), wire.KeyedMessage("ann", "k", "c"), wire.Unknown()
)


def test_positions_and_what_was_before_are_told() -> None:
    found = entries_of(MIXED, 0)
    assert [(m.pos, m.prev, m.to, m.id) for m in found] == [  # type: ignore[union-attr]
        (10, 3, "@ann", "~5.7"),
        (11, 10, "@ann", "~5.8"),
        (12, 11, "@bob", "k"),
    ]
    assert positions_in(MIXED) == 4


def test_only_what_is_above_is_told() -> None:
    assert [e.pos for e in entries_of(MIXED, 10)] == [11, 12]
    assert [e.pos for e in entries_of(MIXED, 11)] == [12]
    assert entries_of(MIXED, 12) == []


def test_acts_are_told_with_their_room() -> None:
    joined = segment("#tea", 0, 4, wire.Joined("ann", True))
    assert entries_of(joined, 0) == [MemberJoined(4, 0, 1000, "tea", "ann", True)]
    registered = segment("$", 0, 1, wire.Registered("ann", "ann", "k" * 40, "aaaabbbb"))
    assert entries_of(registered, 0) == [Registration(1, 0, 1000, "$", "ann", "k" * 40, "aaaabbbb")]


def test_what_was_done_by_whom_to_whom_is_told_wherever_it_stands() -> None:
    acted = wire.Acted("ann", "muted", "tea", "bob", 5_000, "", "spam")
    for conversation in ("#tea", "$", "@ann,bob"):
        told = Act(4, 3, 1000, conversation, "ann", "muted", "tea", "bob", 5_000, "", "spam")
        assert entries_of(segment(conversation, 3, 4, acted), 0) == [told]
    redacted = segment("#tea", 4, 5, wire.Redacted("ann", 2, "spam"))
    assert entries_of(redacted, 0) == [Redaction(5, 4, 1000, "#tea", "ann", 2, "spam")]


def test_a_message_without_a_text_was_removed() -> None:
    found = entries_of(segment("#tea", 0, 1, said("bob", "", "b"), wire.KeyedMessage("ann", "k", "")), 0)
    assert [(m.pos, m.redacted) for m in found if isinstance(m, Message)] == [
        (1, True),
        (2, False),
        (3, True),
    ]


def test_where_an_answer_belongs() -> None:
    assert message("#tea", 0, 1, "bob", "x").reply_to == "#tea"
    assert message("@ann,bob", 0, 1, "bob", "x").reply_to == "@bob"


def test_the_recipient_of_a_direct_message_is_the_other_half() -> None:
    assert recipient("@ann,bob", "ann") == "@bob"
    assert recipient("@ann,bob", "bob") == "@ann"
    assert recipient("@ann,ann", "ann") == "@ann"
