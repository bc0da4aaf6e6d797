"""Decisions as a function of the state and the submissions: the same ones from the same log."""

from tests.unit.broker.play import ANN, BOB, hello
from zchat.broker.core.acts import Change, Settled
from zchat.broker.core.decision import Deciding, Decision, Greeted, Instances, Result
from zchat.broker.core.instances import Accepted, Instance
from zchat.broker.core.limits import Limits
from zchat.broker.core.port import CounterRow, KeyRow
from zchat.broker.core.state import Denied, State
from zchat.broker.core.submissions import (
    ActSubmitted,
    KeyedSendSubmitted,
    Origin,
    RegisterSubmitted,
    SendSubmitted,
    Submission,
)
from zchat.common import wire
from zchat.common.codes import Refusal


class Fold:
    """A state, and what is decided on it."""

    def __init__(self) -> None:
        self.state = State()
        self.instances: Instances = {("ann", 1): Instance(0)}
        self.fresh: dict[tuple[str, str], tuple[int, Accepted]] = {}
        self.seq = 0

    def decide(self, *submissions: Submission, limits: Limits | None = None) -> Decision:
        self.seq += 1
        deciding = Deciding(
            self.state, self.instances, self.fresh, limits or Limits(), self.seq, 1_000 + self.seq
        )
        for submission in submissions:
            deciding.decide(submission)
        return deciding.close()


def origin(token: int) -> Origin:
    return Origin(1, token)


ANN_REGISTERS = RegisterSubmitted(origin(0), "ann", "ann", ANN.key)
CONVERSATION: list[Submission] = [
    ANN_REGISTERS,
    RegisterSubmitted(origin(1), "bob", "bob", BOB.key),
    SendSubmitted(origin(2), "ann", 1, wire.Send(1, 2, 0, "#general", 0, ["a", "b"])),
    SendSubmitted(origin(3), "ann", 1, wire.Send(1, 3, 0, "@bob", 2, ["c"])),
    SendSubmitted(origin(4), "ann", 1, wire.Send(1, 4, 0, "#general", 0, ["a", "b"])),
    KeyedSendSubmitted(origin(5), "bob", wire.KeyedSend(1, 5, "#general", "k", "d"), 0),
    ActSubmitted(origin(6), "bob", wire.SetTopic(1, 6, "general", "t")),
    ActSubmitted(origin(7), "bob", wire.Join(1, 7, "general")),
    ActSubmitted(origin(8), "bob", wire.Leave(1, 8, "nowhere")),
    SendSubmitted(origin(9), "ann", 1, wire.Send(1, 9, 0, "#general", 9, ["e"])),
]


def test_everything_that_one_order_brings_about() -> None:
    fold = Fold()
    decision = fold.decide(*CONVERSATION)
    assert [tuple(s)[:5] for s in decision.segments] == [
        ("$", 0, 1, 1, 1_001),
        ("#general", 0, 2, 2, 1_001),
        ("$", 1, 3, 3, 1_001),
        ("#general", 2, 4, 4, 1_001),
        ("#general", 4, 5, 7, 1_001),
        ("@ann,bob", 0, 8, 8, 1_001),
        ("#general", 7, 9, 9, 1_001),
    ]
    accepted = fold.instances["ann", 1].known(0, 2, decision.counters[0].digest)
    assert accepted is not None
    assert [answer for _, answer in decision.answers[:2]] == [Greeted("ann", True), Greeted("bob", True)]
    results = [a for _, a in decision.answers if isinstance(a, Result)]
    assert [(r.accepted.pos, r.duplicate) for r in results] == [(5, False), (8, False), (5, True), (7, False)]
    assert [answer for _, answer in decision.answers[6:8]] == [Settled(9), Settled(0)]
    refusals = [a.refusal for _, a in decision.answers if isinstance(a, Denied)]
    assert refusals == [Refusal.NO_SUCH_ROOM, Refusal.OUT_OF_ORDER]
    digests = [row.digest for row in decision.counters]
    assert decision.counters == [
        CounterRow(1, "ann", 0, 2, 5, 1_001, digests[0]),
        CounterRow(1, "ann", 2, 1, 8, 1_001, digests[1]),
    ]
    assert decision.keys == [KeyRow("bob", "k", 7, 1_001, decision.keys[0].digest)]
    assert decision.changes == [
        Change(2, "ann", "#general", 2, False),
        Change(4, "bob", "#general", 4, False),
    ]
    assert decision.brought_about == [origin(n) for n in (0, 1, 2, 3, 5, 6)]
    assert not decision.is_empty


def test_the_same_log_gives_the_same_bytes() -> None:
    one, other = Fold().decide(*CONVERSATION), Fold().decide(*CONVERSATION)
    assert one[:5] == other[:5]


def test_a_log_decided_in_two_commits_has_the_same_entries() -> None:
    """Numbers and links go on from one commit to the next."""
    fold = Fold()
    first, second = fold.decide(*CONVERSATION[:4]), fold.decide(*CONVERSATION[4:])
    spans = [(s.conversation, s.prev, s.first, s.last) for s in first.segments + second.segments]
    assert spans[4:] == [
        ("#general", 4, 5, 6),
        ("@ann,bob", 0, 7, 7),
        ("#general", 6, 8, 8),
        ("#general", 8, 9, 9),
    ]
    assert {s.time_ms for s in second.segments} == {1_002}


def test_its_rows_are_the_state() -> None:
    fold = Fold()
    decision = fold.decide(*CONVERSATION)
    again = State(decision.state, 9, 1_001)
    assert (again.users, again.rooms, again.heads) == (fold.state.users, fold.state.rooms, fold.state.heads)


def test_what_changes_nothing_is_empty() -> None:
    fold = Fold()
    fold.decide(*CONVERSATION)
    decision = fold.decide(CONVERSATION[4], CONVERSATION[5], *CONVERSATION[7:])
    assert decision.is_empty and not decision.state and not decision.brought_about
    assert len(decision.answers) == 5


def test_a_send_of_an_instance_that_is_not_loaded_is_not_answered() -> None:
    fold = Fold()
    fold.decide(ANN_REGISTERS)
    fold.instances.clear()
    decision = fold.decide(CONVERSATION[2])
    assert decision.is_empty and decision.answers == []


def test_a_nick_registered_twice_by_its_key_is_registered_once() -> None:
    fold = Fold()
    again = RegisterSubmitted(origin(1), "ANN", "ann", ANN.key)
    decision = fold.decide(ANN_REGISTERS, again)
    assert [answer for _, answer in decision.answers] == [Greeted("ann", True), Greeted("ann", False)]
    assert decision.brought_about == [origin(0)]
    assert list(fold.state.users) == ["ann"] and len(decision.segments) == 2


def test_the_limits_of_users_and_rooms() -> None:
    fold = Fold()
    bob = RegisterSubmitted(origin(1), "bob", "bob", BOB.key)
    decision = fold.decide(
        ANN_REGISTERS,
        bob,
        ActSubmitted(origin(2), "ann", wire.Join(1, 2, "dev")),
        limits=Limits(users_max=1, rooms_max=1),
    )
    refusals = [(o.token, a.refusal) for o, a in decision.answers if isinstance(a, Denied)]
    assert refusals == [(1, Refusal.LIMIT_REACHED), (2, Refusal.LIMIT_REACHED)]
    assert hello("ann").nick in fold.state.users
