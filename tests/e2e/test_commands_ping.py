"""`zchat ping` with real processes."""

import json
import re
import signal

import pytest

import zchat
from tests.e2e.programs import Broker, Zchat, free_port
from tests.e2e.test_commands_send import wait_for_connecting


def test_one_line(run: Zchat, broker: Broker) -> None:
    done = run(["ping"])
    assert (done.returncode, done.stderr) == (0, "zchat: registered as ann\n")
    assert re.fullmatch(
        rf"broker zchat/{zchat.__version__} at 127\.0\.0\.1:{broker.port}: \d+\.\d ms\n", done.stdout
    )


def test_several_round_trips(lasting: Zchat, lasting_broker: Broker) -> None:
    done = lasting(["ping", "--json", "-n", "20"])
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 20
    for one in found:
        assert list(one) == ["time_ms", "broker", "address"]
        assert one["broker"] == f"zchat/{zchat.__version__}"
        assert one["address"] == f"127.0.0.1:{lasting_broker.port}"
        assert 0 < one["time_ms"] < 5000


def test_it_changes_nothing(run: Zchat) -> None:
    assert run(["ping"]).returncode == 0
    assert run(["send", "@ann", "to myself"]).returncode == 0
    before = run(["history", "--json", "@ann"]).stdout
    assert run(["ping", "-n", "3"]).returncode == 0
    assert run(["history", "--json", "@ann"]).stdout == before
    assert run(["users"]).stdout == "  ann\n"


def test_no_broker(lasting: Zchat, lasting_broker: Broker) -> None:
    link = f"zchat://127.0.0.1:{free_port()}/{lasting_broker.link.rpartition('/')[2]}"
    done = lasting(["ping", "--timeout", "0.5", "--link", link])
    assert (done.returncode, done.stdout) == (3, "")
    assert "Start one: zchat broker" in done.stderr


def test_a_broker_that_stopped_answering(run: Zchat, broker: Broker) -> None:
    assert run(["ping"]).returncode == 0
    broker.process.send_signal(signal.SIGSTOP)
    done = run(["ping", "--timeout", "0.5"])
    assert (done.returncode, done.stdout) == (3, "")
    ping = run.start(["ping", "--timeout", "0"])
    wait_for_connecting(ping)
    broker.process.send_signal(signal.SIGCONT)
    assert ping.ended() == 0


def test_the_wrong_broker(lasting: Zchat, lasting_broker: Broker) -> None:
    done = lasting(["ping", "--link", f"zchat://127.0.0.1:{lasting_broker.port}/{'a' * 51}q"])
    assert (done.returncode, done.stdout) == (4, "")


@pytest.mark.parametrize("arguments", [["-n", "0"], ["-n", "x"], ["somewhere"]])
def test_usage(lasting: Zchat, arguments: list[str]) -> None:
    done = lasting.quick(["ping", *arguments])
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(lasting: Zchat, number: signal.Signals) -> None:
    ping = lasting.start(["ping", "-n", "1000000000"])
    ping.out.until("ms")
    assert ping.signalled(number) == 128 + number
