"""Whatever bytes anyone sends, the broker stays up for others, in bounded memory: the short form of a long
run."""

import sys
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import mutation
from tests.fuzz.run import run
from zchat.common import wire

linux = pytest.mark.skipif(sys.platform != "linux", reason="what a process needs is read from /proc")


@linux
@pytest.mark.parametrize("seed", [1, 2])
def test_others_do_not_notice(tmp_path: Path, seed: int, long: bool) -> None:
    report = run(tmp_path, seed, seconds=1_800 if long else 4)
    print(report)
    assert sum(report.cases.values()) > (10_000 if long else 20)


def test_a_request_is_within_all_bounds() -> None:
    rng = Random(0)
    made = [wire.decode_request(mutation.request(rng, 7)) for _ in range(300)]
    assert {type(request) for request in made} == set(mutation.REQUESTS)


def test_a_seed_gives_the_same_bytes() -> None:
    def drawn() -> list[bytes]:
        rng = Random("7/1")
        makers = (mutation.request, mutation.beyond)
        return [mutation.mutated(rng, maker(rng, 7)) for maker in makers] + [mutation.packed(rng)]

    assert drawn() == drawn()
