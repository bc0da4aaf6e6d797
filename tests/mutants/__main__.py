"""`python -m tests.mutants`: plant each bug in a copy of the package, and run the tests for it."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.planted import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 300
_FIRST_FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Copy:
    """A copy of package and tests, in which a bug can be planted."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in ("zchat", "tests"):
            shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", root)
        where = self._python("-c", "import zchat; print(zchat.__file__)").stdout.strip()
        assert Path(where).is_relative_to(root), f"the tests would run against {where}"

    def plant(self, mutant: Mutant) -> None:
        """Change the one place that the mutant names."""
        path = self._root / mutant.file
        path.write_text(mutant.planted_in(path.read_text()))

    def failure(self, targets: tuple[str, ...]) -> str | None:
        """The first test that fails, or None when all pass."""
        arguments = ("-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *targets)
        done = self._python(*arguments)
        if done.returncode == 0:
            return None
        found = _FIRST_FAILURE.search(done.stdout)
        if done.returncode != 1 or found is None:
            raise RuntimeError(
                f"pytest ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}"
            )
        return found[1]

    def _python(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self._root,
            env={**os.environ, "PYTHONPATH": str(self._root), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )


def result(mutant: Mutant | None, targets: tuple[str, ...]) -> str | None:
    """The test that catches the mutant; without one, the test that fails although nothing was planted."""
    with tempfile.TemporaryDirectory(prefix="zchat-mutant-") as folder:
        copy = Copy(Path(folder))
        if mutant is not None:
            copy.plant(mutant)
        return copy.failure(targets)


def main() -> int:
    """Exit code 1 when a mutant survives, or the tests fail without one."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="these alone")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="print the names and end")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not arguments.names or mutant.name in arguments.names]
    if arguments.list or not chosen:
        print("\n".join(mutant.name for mutant in MUTANTS))
        return 0 if arguments.list else 2
    began = time.monotonic()
    targets = tuple(sorted({target for mutant in chosen for target in mutant.caught_by}))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        sound = pool.submit(result, None, targets)
        caught = list(pool.map(lambda mutant: result(mutant, mutant.caught_by), chosen))
    if sound.result() is not None:
        print(f"without any mutant {sound.result()} fails")
        return 1
    width = max(len(mutant.name) for mutant in chosen)
    for mutant, test in zip(chosen, caught, strict=True):
        print(f"{mutant.name:{width}}  {test or 'SURVIVED'}")
    survivors = caught.count(None)
    print(f"{len(chosen)} mutants, {survivors} survived, {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
