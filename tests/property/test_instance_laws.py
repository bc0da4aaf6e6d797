"""Instances: any sequence of Sends gets the verdicts of a model that keeps all and looks at all."""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from zchat.broker.core.instances import Accepted, Instance
from zchat.broker.core.port import CounterRow
from zchat.broker.core.state import Denied
from zchat.common.codes import Refusal


class Send(NamedTuple):
    """A Send that comes in. `refused`: when it is its turn, the broker says no for another reason."""

    lowest: int
    counter: int
    messages: int
    digest: bytes
    refused: bool = False


class Restart(NamedTuple):
    """The client says Hello again, and the instance is made anew from its rows."""

    lowest: int


class Model:
    """protocol.md, Sending, in the fewest words: nothing is forgotten, and everything is looked through."""

    def __init__(self, lowest: int) -> None:
        self.lowest = lowest
        self.expected = lowest
        self.stored: list[CounterRow] = []

    def raise_lowest(self, lowest: int) -> None:
        self.lowest = max(self.lowest, lowest)
        self.expected = max(self.expected, lowest)

    @property
    def remembered(self) -> list[CounterRow]:
        return [row for row in self.stored if row.counter + row.messages > self.lowest]

    def verdict(self, send: Send) -> Refusal | int | None:
        """A refusal, the position of the first result, or None: it is accepted unless it is refused."""
        self.raise_lowest(send.lowest)
        if send.counter == self.expected:
            return None
        for row in self.remembered:
            if row.counter == send.counter:
                same = (row.messages, row.digest) == (send.messages, send.digest)
                return row.pos if same else Refusal.ID_REUSED
        return Refusal.OUT_OF_ORDER

    def accept(self, send: Send) -> CounterRow:
        pos = 1_000 + len(self.stored)
        row = CounterRow(9, "ann", send.counter, send.messages, pos, pos * 2, send.digest)
        self.stored.append(row)
        self.expected = send.counter + send.messages
        return row


def verdict(instance: Instance, send: Send) -> Refusal | int | None:
    """What the broker does with a Send, up to its turn."""
    instance.raise_lowest(send.lowest)
    try:
        known = instance.known(send.counter, send.messages, send.digest)
    except Denied as denied:
        return denied.refusal
    if known is None:
        return None
    assert known.time_ms == known.pos * 2
    return known.pos


DIGESTS = st.sampled_from([b"1" * 16, b"2" * 16])
_small = st.integers(0, 12)
_numbers = st.integers(1, 3)


@st.composite
def _steps(draw: st.DrawFn) -> tuple[int, list[Send | Restart]]:
    """Mostly what a client does: the next one, an earlier one again, all from the lowest; sometimes not."""
    lowest = expected = start = draw(st.sampled_from([0, 5, 2**53 - 100]))
    steps: list[Send | Restart] = []
    for _ in range(draw(st.integers(1, 25))):
        sends = [step for step in steps if isinstance(step, Send)]
        match draw(st.sampled_from(["next", "next", "next", "again", "again", "any", "raise", "restart"])):
            case "again" if sends:
                again = draw(st.sampled_from(sends))
                steps.append(again._replace(lowest=draw(st.sampled_from([again.lowest, lowest]))))
                continue
            case "any":
                counter, lowest_told = start + draw(_small), start + draw(_small)
                lowest = max(lowest, lowest_told)
                steps.append(Send(lowest_told, counter, draw(_numbers), draw(DIGESTS)))
                continue
            case "raise":
                lowest = draw(st.integers(lowest, max(lowest, expected + 2)))
            case "restart":
                lowest = draw(st.integers(lowest, max(lowest, expected + 1)))
                steps.append(Restart(lowest))
                continue
        expected = max(expected, lowest)
        send = Send(lowest, expected, draw(_numbers), draw(DIGESTS), draw(st.integers(0, 3)) == 0)
        steps.append(send)
        expected += 0 if send.refused else send.messages
    return start, steps


@settings(max_examples=200)
@given(plan=_steps())
def test_every_send_gets_the_verdict_of_the_model(plan: tuple[int, Sequence[Send | Restart]]) -> None:
    start, steps = plan
    instance, model = Instance(start), Model(start)
    for step in steps:
        if isinstance(step, Restart):
            model.raise_lowest(step.lowest)
            instance = Instance(step.lowest, model.remembered)
        else:
            wanted = model.verdict(step)
            assert verdict(instance, step) == wanted
            if wanted is None and not step.refused:
                row = model.accept(step)
                instance.accept(row.counter, Accepted(row.messages, row.digest, row.pos, row.time_ms))
        assert instance.lowest == model.lowest
        assert instance.remembered == len(model.remembered)


@settings(max_examples=100)
@given(plan=_steps(), probe=st.builds(Send, st.just(0), _small, _numbers, DIGESTS))
def test_a_restart_changes_no_verdict(plan: tuple[int, Sequence[Send | Restart]], probe: Send) -> None:
    start, steps = plan
    instance, rows = Instance(start), []
    for step in steps:
        if isinstance(step, Send) and verdict(instance, step) is None and not step.refused:
            pos = len(rows) + 1
            rows.append(CounterRow(9, "ann", step.counter, step.messages, pos, pos * 2, step.digest))
            instance.accept(step.counter, Accepted(step.messages, step.digest, pos, pos * 2))
    lowest = instance.lowest
    again = Instance(lowest, [row for row in rows if row.counter + row.messages > lowest])
    send = probe._replace(counter=start + probe.counter)
    assert verdict(again, send) == verdict(instance, send)
