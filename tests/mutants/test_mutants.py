"""The planted bugs still fit the code. Whether they are caught: `python -m tests.mutants`."""

from pathlib import Path

import pytest

from tests.mutants.planted import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_its_place_is_there(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text()
    compile(mutant.planted_in(source), mutant.file, "exec")
    assert all((ROOT / target.split("::")[0]).exists() for target in mutant.caught_by)


def test_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
