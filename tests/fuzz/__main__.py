"""Fuzzes a broker for as long as wanted: `python -m tests.fuzz --seed 1 --seconds 3600`.

A seed gives the same cases in the same order, so one that fails is tried again with `--seed N --cases M`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.oracle import Broken
from tests.fuzz.run import run


def main() -> int:
    """Runs one seed; 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long at most")
    parser.add_argument("--cases", type=int, help="how many at most")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        try:
            report = run(Path(directory), args.seed, seconds=args.seconds, cases=args.cases, verbose=True)
        except Broken as error:
            print(error)
            return 1
    for what, number in sorted(report.cases.items()):
        print(f"{number:>12,} {what}")
    print(f"{report.rss_mib:12.1f} MiB more at most, {report.descriptors} descriptors at most")
    print(f"worst batch: {report.worst}\nafterwards:  {report.after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
