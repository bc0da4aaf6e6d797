"""The short form of the simulation. The long one: `python -m tests.sim --seeds 10000 --steps 2000`."""

import os
import subprocess
import sys

import pytest

from tests.sim.run import run

SEEDS = 120
STEPS = 150
TOGETHER = 10


@pytest.mark.parametrize("first", range(0, SEEDS, TOGETHER))
def test_nothing_forbidden_happens_and_everything_arrives(first: int) -> None:
    for seed in range(first, first + TOGETHER):
        run(seed, STEPS)


def digests(hash_seed: str) -> str:
    """What `python -m tests.sim` says about a few runs, in a process of its own."""
    command = [sys.executable, "-m", "tests.sim", "--seeds", "3", "--steps", "100", "--digest"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return "\n".join(done.stdout.splitlines()[:3])


def test_a_seed_says_all() -> None:
    assert digests("1") == digests("2")
