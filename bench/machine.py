"""What the figures hold for: the machine, the versions, the date, and how it was measured."""

import os
import platform
import shlex
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import zmq

from bench.subject import Subject


def facts(subjects: Sequence[Subject], cpu: int | None, rounds: int, quick: bool) -> dict[str, str]:
    """In the order in which they are told. `cpu` is the one that everything was kept on."""
    pinned = "not pinned" if cpu is None else f"server and clients on CPU {cpu}"
    versions = dict.fromkeys(subject.version for subject in subjects)
    return {
        "date": time.strftime("%d %B %Y"),
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}, libzmq {zmq.zmq_version()}",
        "versions": "; ".join(versions),
        "rounds": f"{rounds}, {pinned}" + ", quick: no figure means anything" * quick,
        "command": shlex.join(["python", "-m", "bench", *map(_without_place, sys.argv[1:])]),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _without_place(argument: str) -> str:
    """An absolute path is nobody's business, and of no use elsewhere."""
    return Path(argument).name if argument.startswith("/") else argument
