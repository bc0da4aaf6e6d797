"""Simulates for as long as wanted: `python -m tests.sim --seeds 10000 --steps 2000`."""

import argparse
import hashlib
import sys
import time
import traceback
from collections import Counter

from tests.sim.run import Failed, run


def main() -> int:
    """Runs the seeds that the command line names; 1 when one of them fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    parser.add_argument("--digest", action="store_true", help="print a digest of all that happens")
    parser.add_argument("--keep-going", action="store_true", help="beyond the first seed that fails")
    args = parser.parse_args()
    first, seeds = (args.seed, 1) if args.seed is not None else (args.first, args.seeds)
    stats: Counter[str] = Counter()
    failed = 0
    began = time.monotonic()
    for seed in range(first, first + seeds):
        trace: list[str] | None = [] if args.trace or args.digest else None
        try:
            stats += run(seed, args.steps, trace)
        except Failed as error:
            failed += 1
            if args.trace:
                print("\n".join(trace or ()))
                traceback.print_exception(error.__cause__)
            print(error, flush=True)
            if not args.keep_going:
                return 1
        else:
            if args.trace:
                print("\n".join(trace or ()))
        if args.digest:
            print(seed, hashlib.sha256("\n".join(trace or ()).encode()).hexdigest()[:16])
    print(f"{seeds} seeds of {args.steps} steps, {failed} failed, {time.monotonic() - began:.1f} s")
    for what, number in sorted(stats.items()):
        print(f"{number:>12,} {what}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
