"""An abort of the library beneath: the broker begins again, in the same process, and nothing is missing."""

import signal
import time
from pathlib import Path

import zmq

from tests.processes import BrokerProcess
from tests.wire.raw import Client, until
from zchat.broker.revival import LIVED_S
from zchat.common import wire


def texts(page: list[wire.Segment]) -> list[str]:
    return [t for s in page for e in s.entries if isinstance(e, wire.Messages) for t in e.texts]


def test_it_begins_again(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    with BrokerProcess(tmp_path / "data") as broker:
        started, pid = time.monotonic(), broker.pid
        ann = Client(broker, context)
        ann.greet("ann")
        ann.send("#general", 0, "before")
        until(lambda: time.monotonic() - started > LIVED_S)
        broker.send_signal(signal.SIGABRT)
        until(lambda: any("began_again" in line for line in broker.log_lines()))
        again = Client(broker, context, key=ann.key)
        again.greet("ann", instance=2, quiet=True)
        again.send("#general", 0, "after")
        assert texts(again.fetch("#general", 0, 0)[1]) == ["before", "after"]
        assert broker.pid == pid and broker.is_running
        assert broker.stop() == 0
        ann.close()
        again.close()


def test_one_that_aborts_at_once_ends(tmp_path: Path) -> None:
    """Else it would go on and on."""
    with BrokerProcess(tmp_path / "data") as broker:
        assert broker.stop(signal.SIGABRT) == -signal.SIGABRT
