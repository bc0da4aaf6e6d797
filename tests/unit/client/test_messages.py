"""What a user is handed of a segment."""

from tests.unit.client.play import message, said, segment
from zchat.client.messages import MemberJoined, entries_of, positions_in, recipient
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
    assert entries_of(segment("$", 0, 1, wire.Registered("ann", "ann", "k" * 40)), 0) == []


def test_where_an_answer_belongs() -> None:
    assert message("#tea", 0, 1, "bob", "x").reply_to == "#tea"
    assert message("@ann,bob", 0, 1, "bob", "x").reply_to == "@bob"


def test_the_recipient_of_a_direct_message_is_the_other_half() -> None:
    assert recipient("@ann,bob", "ann") == "@bob"
    assert recipient("@ann,bob", "bob") == "@ann"
    assert recipient("@ann,ann", "ann") == "@ann"
