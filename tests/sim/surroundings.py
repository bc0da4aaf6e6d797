"""What everything in the simulation shares: the clock, chance, the faults of the moment, and the model."""

from random import Random
from typing import Any

from tests.sim.disk import DiskFaults
from tests.sim.model import Model
from tests.sim.schedule import Schedule


class NetworkFaults:
    """What is lost for all. `broadcasts_lost` and `answers_lost`: the share dropped by full queues."""

    def __init__(self) -> None:
        self.broadcasts_lost = 0.0
        self.answers_lost = 0.0


class Surroundings:
    """One simulated world, without those who live in it."""

    def __init__(self, rng: Random, trace: list[str] | None) -> None:
        self.rng = rng
        self.schedule = Schedule()
        self.faults = NetworkFaults()
        self.disk_faults = DiskFaults()
        self.model = Model(self.schedule)
        self.wall_offset_ms = 1_700_000_000_000
        self.trace = trace

    @property
    def wall_ms(self) -> int:
        """The wall clock, which jumps."""
        return self.schedule.now_ms + self.wall_offset_ms

    def note(self, who: str, event: Any, effects: Any = ()) -> None:
        """Write down what happened, when that is wanted."""
        if self.trace is not None:
            self.trace.append(f"{self.schedule.now_ms:>8} {who}: {_short(event)}")
            self.trace.extend(f"{'':>8}   -> {_short(effect)}" for effect in effects)


def _short(thing: Any) -> str:
    text = repr(thing)
    return text if len(text) <= 400 else f"{text[:400]}..."
