"""Runs of the simulation: a world from a seed, a number of steps, and an end in silence."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

from tests.sim.actions import Actions
from tests.sim.world import World
from zchat.client.core import inbox, outbox
from zchat.common import limits


class Failed(AssertionError):
    """A run that went wrong, with what is needed to see it again."""

    def __init__(self, seed: int, steps: int, error: BaseException) -> None:
        super().__init__(
            f"seed {seed}: {type(error).__name__}: {error}\n"
            f"again: python -m tests.sim --first {seed} --seeds 1 --steps {steps} --trace"
        )


def run(seed: int, steps: int, trace: list[str] | None = None) -> Counter[str]:
    """One world. Returns how often what happened; raises Failed."""
    try:
        with narrow(seed):
            return _run(seed, steps, trace)
    except Exception as error:
        raise Failed(seed, steps, error) from error


def _run(seed: int, steps: int, trace: list[str] | None) -> Counter[str]:
    world = World(seed, trace)
    for machine in world.machines[: 2 + seed % 5]:
        world.start(machine)
    world.schedule.advance(200)
    actions = Actions(world)
    for _ in range(steps):
        actions.step()
    if world.rng.random() < 0.5:
        world.heal()
        world.schedule.advance(world.rng.choice((500, 20_000)))
    if world.rng.random() < 0.5:
        actions.last_words()
    world.heal()
    world.end_in_silence()
    stats = world.model.stats
    stats["entries"] = world.model.last_pos
    stats["lives of the broker"] = world.lives
    stats["simulated s"] = world.schedule.now_ms // 1_000
    stats["happenings"] = world.schedule.done
    return stats


@contextmanager
def narrow(seed: int) -> Iterator[None]:
    """In most worlds the limits are small, so that they are met: the rules are the same."""
    rng = Random(f"limits {seed}")
    if rng.random() < 0.3:
        yield
        return
    messages = rng.choice((1, 3, 8))
    small = {
        "SEND_MESSAGES_MAX": messages,
        "SEGMENT_ENTRIES_MAX": messages + rng.choice((0, 2)),
        "SEND_BYTES_MAX": 400,
        "SEGMENT_BYTES_MAX": 1_500,
        "PAGE_BYTES_MAX": rng.choice((100, 400, 1_600)),
        "HEADS_MAX": rng.choice((1, 2, 5)),
        "ACK_RESULTS_MAX": rng.choice((1, 3)),
    }
    with patch.multiple(limits, **small), patch.multiple(outbox, MESSAGES_MAX=rng.choice((4, 20))):
        with patch.multiple(inbox, UPDATES_MAX=rng.choice((5, 30))):
            yield
