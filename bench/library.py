"""What zchat's own client costs a script, which is `python -m bench.library send|read LINK MESSAGES`."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from bench.broker import Broker
from bench.drive import pump
from bench.figures import Round
from bench.process import running
from bench.sizes import Sizes
from bench.speaker import TEXT
from bench.workloads import BATCH, WINDOW
from zchat import AsyncClient
from zchat.common import keys

_WARM: Final = 1_000  # messages before anything is measured
_ANSWER_S: Final = 120


def library(directory: Path, sizes: Sizes) -> Round:
    """A script that sends, and one that reads, so many messages: their own CPU time for each."""
    with running(Broker(directory)) as broker:
        sent = _script("send", broker.link, sizes.library)
        said, _ = sent.communicate(timeout=_ANSWER_S)
        figures = {f"send_{name}": value for name, value in json.loads(said).items()}
        reader = _script("read", broker.link, sizes.library)
        assert reader.stdout is not None
        reader.stdout.readline()  # it is there
        line = broker.storing()
        pump(broker, [line], [], sizes.library + _WARM, WINDOW, BATCH)
        said, _ = reader.communicate(timeout=_ANSWER_S)
        return figures | {f"read_{name}": value for name, value in json.loads(said).items()}


def _script(verb: str, link: str, messages: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench.library", verb, link, str(messages)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def _send(link: str, messages: int) -> Round:
    async with AsyncClient(link, "sender", key=keys.draw(), quiet=True, timeout=60) as client:
        await client.send("general", TEXT)
        cpu, begin = time.process_time(), time.perf_counter()
        sent = [await client.post("general", TEXT) for _ in range(messages)]
        for future in sent:
            await future
        return _figures(messages, cpu, begin)


async def _read(link: str, messages: int) -> Round:
    received = 0
    cpu = begin = 0.0
    async with AsyncClient(link, "reader", key=keys.draw(), timeout=60) as client:
        print("ready", flush=True)
        async for _ in client.messages():
            received += 1
            if received == _WARM:
                cpu, begin = time.process_time(), time.perf_counter()
            if received == _WARM + messages:
                break
        return _figures(messages, cpu, begin)


def _figures(messages: int, cpu: float, begin: float) -> Round:
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - begin
    return {"cpu_us": cpu / messages * 1e6, "per_s": messages / seconds}


if __name__ == "__main__":
    _verb, _link, _messages = sys.argv[1:]
    print(json.dumps(asyncio.run((_send if _verb == "send" else _read)(_link, int(_messages)))))
