"""Whether one who sends as fast as it goes slows others: that is `python -m bench.smoothness LINK CPUS`."""

import os
import subprocess
import sys
from pathlib import Path

from bench.broker import Broker
from bench.drive import Line, one_by_one, pump
from bench.figures import Round, percentiles_us
from bench.process import other_cpus, running
from bench.sizes import Sizes
from bench.speaker import Speakers
from bench.workloads import BATCH, WINDOW
from zchat.common.links import parse


def smoothness(directory: Path, sizes: Sizes) -> Round:
    """Somebody's messages, one at a time: while nothing else is said, and while another one sends with a
    thousand messages outstanding, from another CPU if there is one."""
    with running(Broker(directory)) as broker:
        line = broker.storing()
        one_by_one(broker, line, [], 20)
        quiet = percentiles_us(one_by_one(broker, line, [], sizes.durable_one))
        cpus = ",".join(map(str, other_cpus()))
        command = [sys.executable, "-m", "bench.smoothness", broker.link, cpus]
        flood = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert flood.stdout is not None
            flood.stdout.readline()
            during = percentiles_us(one_by_one(broker, line, [], max(100, sizes.durable_one // 4)))
            assert flood.poll() is None, "who sends much has ended"
        finally:
            flood.terminate()
            flood.communicate()
    figures = {f"quiet_{name}": value for name, value in quiet.items()}
    figures |= {f"during_{name}": value for name, value in during.items()}
    return figures | {"p99_ratio": during["p99_us"] / quiet["p99_us"]}


def _flood(link: str, cpus: set[int]) -> None:
    os.sched_setaffinity(0, cpus)
    speakers = Speakers(parse(link), "flood")
    (sender,) = speakers.make(1, reads=False)
    pump(speakers, [Line(sender, "#general")], [], 10 * WINDOW, WINDOW, BATCH)
    print("ready", flush=True)
    while True:
        pump(speakers, [Line(sender, "#general")], [], 1000 * WINDOW, WINDOW, BATCH)


if __name__ == "__main__":
    _flood(sys.argv[1], set(map(int, sys.argv[2].split(","))))
