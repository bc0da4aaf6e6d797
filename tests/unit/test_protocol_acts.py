"""docs/protocol.md, chapter Acts, and what is decided: which acts there are, where their entries stand."""

import re
from collections import defaultdict
from hashlib import sha256

import pytest

from tests.unit.test_protocol_document import chapter, table
from zchat.broker.core.decision import Deciding
from zchat.broker.core.limits import Limits
from zchat.broker.core.state import Denied, State
from zchat.broker.core.submissions import ActSubmitted, Origin, RedactSubmitted, RegisterSubmitted, Submission
from zchat.common import wire

PLACES = {"#": "room", "@": "person", "$": "log"}
SECRET = "b" * 32
WHY = "why"


def by(user: str, act: wire.Act, key: str = "") -> ActSubmitted:
    return ActSubmitted(Origin(1, 1), user, act, key, mark="1.1")


def registers(nick: str, key: str, invite: str = "") -> RegisterSubmitted:
    return RegisterSubmitted(Origin(1, 0), nick, nick, key * 40, invite)


def invites(invite: str, nick: str = "", lifetime_ms: int = 0) -> ActSubmitted:
    digest = sha256(SECRET.encode()).digest()
    return by("$", wire.MakeInvite(1, 1, invite, digest, nick, "", 1, lifetime_ms, WHY))


def makes_bot(nick: str, key: str, lifetime_ms: int) -> ActSubmitted:
    return by("ann", wire.MakeToken(1, 1, nick, key * 40, [], True, True, lifetime_ms, WHY))


# Each changes something, and so each brings about its entries.
CHANGES: list[Submission] = [
    invites("aaaaaaaa"),
    registers("ann", "1", "aaaaaaaa" + SECRET),  # with the entries 2 to 4
    by("ann", wire.Join(1, 1, "den", True)),
    registers("bob", "2"),
    by("ann", wire.InviteToRoom(1, 1, "den+5", "bob")),
    invites("cccccccc", "bob"),
    registers("bob", "3", "cccccccc" + SECRET),
    invites("dddddddd", lifetime_ms=1_000),
    invites("eeeeeeee"),
    by("$", wire.EndInvite(1, 1, "eeeeeeee", WHY)),
    by("ann", wire.Join(1, 1, "ops")),
    by("ann", wire.SetRole(1, 1, "ops", "bob", wire.VOICE, WHY)),
    by("ann", wire.SetMode(1, 1, "ops", True)),
    by("ann", wire.Kick(1, 1, "ops", "bob", WHY)),
    by("ann", wire.Sanction(1, 1, "ops", "bob", wire.MUTE, 0, WHY)),
    by("ann", wire.Pardon(1, 1, "ops", "bob", wire.MUTE, WHY)),
    by("ann", wire.Sanction(1, 1, "ops", "bob", wire.BAN, 0, WHY)),
    by("ann", wire.Pardon(1, 1, "ops", "bob", wire.BAN, WHY)),
    by("ann", wire.Sanction(1, 1, "ops", "bob", wire.MUTE, 1_000, WHY)),
    makes_bot("builds", "4", 0),
    by("ann", wire.EndToken(1, 1, "builds", WHY)),
    makes_bot("nightly", "5", 1_000),
    by("ann", wire.SetAway(1, 1, "lunch")),
    by("ann", wire.SetIgnored(1, 1, "bob", True)),
    by("ann", wire.SetIgnored(1, 1, "bob", False)),
    by("ann", wire.ChangeKey(1, 1, "6" * 40), "1" * 40),
    RedactSubmitted(Origin(1, 1), "ann", "#general", 1, "ann", False, WHY),
]


@pytest.fixture(scope="module")
def segments() -> list[wire.Segment]:
    """What all acts write, and the end of what ends, over the time of two commits."""
    state = State()
    written: list[wire.Segment] = []
    for time_ms, submissions in ((1_000, CHANGES), (10_000, [])):
        deciding = Deciding(state, {}, {}, Limits(), time_ms, time_ms)
        deciding.expire(time_ms)
        for submission in submissions:
            deciding.decide(submission)
        decision = deciding.close()
        assert not [answer for _, answer in decision.answers if isinstance(answer, Denied)]
        written += [wire.decode_segment(segment.frame) for segment in decision.segments]
    return written


@pytest.fixture(scope="module")
def acted(segments: list[wire.Segment]) -> dict[str, list[tuple[str, wire.Acted]]]:
    """By the name of the act: where an entry stands, and the entry."""
    found: dict[str, list[tuple[str, wire.Acted]]] = defaultdict(list)
    for segment in segments:
        for entry in segment.entries:
            if isinstance(entry, wire.Acted):
                found[entry.act].append((PLACES[segment.conversation[0]], entry))
    return found


def test_the_acts_of_the_table_are_those_that_there_are(
    acted: dict[str, list[tuple[str, wire.Acted]]],
) -> None:
    assert sorted(row[0] for row in table(chapter("Acts"))) == sorted(acted)


@pytest.mark.parametrize("row", table(chapter("Acts")), ids=lambda row: row[0])
def test_an_act_stands_where_the_table_says(
    row: list[str], acted: dict[str, list[tuple[str, wire.Acted]]]
) -> None:
    act, _, _, subject, details, stands_in = row
    entries = acted[act]
    assert {place for place, _ in entries} == set(re.findall("room|person|log", stands_in))
    assert all(bool(entry.subject) == bool(subject) for _, entry in entries)
    assert all(bool(entry.details) == bool(details) for _, entry in entries)
    ends = {entry.act for _, entry in entries if entry.until_ms}
    assert ends == {act} & set(re.findall(r"`(\w+)`", chapter("Acts").split("`until_ms` is given by")[1]))


def test_the_entries_of_an_act_are_the_same_and_in_order(segments: list[wire.Segment]) -> None:
    kick: list[wire.Entries] = [wire.Acted("ann", "kicked", "ops", "bob", 0, "", WHY)]
    told = [segment.conversation for segment in segments if segment.entries == kick]
    assert told == ["#ops", "@ann,bob", "$"]
