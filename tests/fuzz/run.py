"""A run: cases from one seed against a broker, and after each batch of them what must hold is checked."""

import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from tests.fuzz.oracle import MIB, Broken, Latency, Witness, check_alive, connections, descriptors, wait_until
from tests.fuzz.strangers import ATTACKS
from tests.fuzz.target import Target
from tests.fuzz.users import Users
from tests.processes import BrokerProcess

BATCH_S: Final = 2.0
RSS_MIB_MAX: Final = 160  # above that of a broker that has just started
P99_MS_MAX: Final = 2_000.0  # of the witness, on a machine that does other things, too
RETURN_S_MAX: Final = 20.0  # until the descriptors are given back


class Report(NamedTuple):
    """What a run was like; `worst` is of the batches, `after` of the time when the attackers had gone."""

    cases: Counter[str]
    batches: int
    rss_mib: float
    descriptors: int
    worst: Latency
    after: Latency


def run(
    directory: Path, seed: int, *, seconds: float, cases: int | None = None, verbose: bool = False
) -> Report:
    """Until the time is over or so many cases were tried. Raises Broken with the seed and the last case."""
    with BrokerProcess(directory / "broker") as broker, Witness(broker.link) as witness:
        one = _Run(broker, witness, seed, verbose)
        try:
            report = one.run(seconds, cases)
        except Broken as error:
            raise Broken(f"seed {seed}, at most {one.number} cases: {error}") from error
        if broker.stop() != 0:
            raise Broken(f"seed {seed}: the broker did not end well: {broker.log_lines()[-20:]}")
        return report


class _Run:
    def __init__(self, broker: BrokerProcess, witness: Witness, seed: int, verbose: bool) -> None:
        self.number = 0
        self._broker = broker
        self._witness = witness
        self._seed = seed
        self._verbose = verbose
        self._base_rss = broker.rss_bytes
        self._base_connections = connections(broker)
        self._tried: Counter[str] = Counter()
        self._worst = witness.latency()
        self._rss_mib = 0.0
        self._most_descriptors = 0

    def run(self, seconds: float, cases: int | None) -> Report:
        target, batches = Target(self._broker), 0
        users = Users(target)
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at and (cases is None or self.number < cases):
            batch_ends_at = min(ends_at, time.monotonic() + BATCH_S)
            while time.monotonic() < batch_ends_at and (cases is None or self.number < cases):
                self._case(target, users)
            batches += 1
            self._check()
        users.close()
        target.close()
        wait_until(
            lambda: connections(self._broker) <= self._base_connections, RETURN_S_MAX, "all connections ended"
        )
        self._witness.latency()
        after = self._witness.latency()
        self._check()
        return Report(self._tried, batches, self._rss_mib, self._most_descriptors, self._worst, after)

    def _case(self, target: Target, users: Users) -> None:
        rng = Random(f"{self._seed}/{self.number}")
        self.number += 1
        attack = rng.choice((None, None, None, None, *ATTACKS))
        name = attack.__name__ if attack else "users"
        try:
            if attack is None:
                users.attack(rng)
            else:
                attack(rng, target)
        except ConnectionRefusedError as error:
            code, lines = self._broker.stop(), self._broker.log_lines()[-40:]
            raise Broken(f"nobody listens after {name}; it ended with {code}: {lines}") from error
        self._tried[name] += 1

    def _check(self) -> None:
        check_alive(self._broker)
        latency = self._witness.latency()
        self._worst = max(self._worst, latency, key=lambda one: one.delivered_p99)
        self._rss_mib = max(self._rss_mib, (self._broker.rss_bytes - self._base_rss) / MIB)
        self._most_descriptors = max(self._most_descriptors, descriptors(self._broker))
        if self._verbose:
            print(f"{self.number:>9,} cases, {self._rss_mib:6.1f} MiB more, {latency}", flush=True)
        if latency.delivered_p99 > P99_MS_MAX:
            raise Broken(f"others waited: {latency}")
        if self._rss_mib > RSS_MIB_MAX:
            raise Broken(f"memory grew by {self._rss_mib:.0f} MiB")
