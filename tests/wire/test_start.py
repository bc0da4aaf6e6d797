"""How a broker starts and ends, with a broker for each test."""

import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import zmq

from tests.e2e.programs import free_port
from tests.processes import ROOT, BrokerProcess, broker_command, broker_environment
from tests.wire.raw import Client
from zchat.common import wire
from zchat.common.codes import Refusal

Context = zmq.Context[zmq.Socket[bytes]]


def start(port: int, data_dir: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """A broker that is expected to end by itself."""
    return subprocess.run(
        broker_command(port, data_dir, *options),
        cwd=ROOT,
        env=broker_environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_a_second_broker_on_the_same_data(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data") as broker:
        second = start(broker.port + 100, broker.data_dir)
        assert second.returncode == 9 and second.stdout == ""
        assert f"pid {broker.pid}, {broker.link}" in second.stderr
        assert len(second.stderr.splitlines()) == 1
        assert broker.is_running
        broker.kill()
        broker.start()  # what a killed one leaves behind is in nobody's way


@pytest.mark.parametrize("taken", [0, 1])
def test_a_port_in_use(tmp_path: Path, taken: int) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port + taken)):
        failed = start(port, tmp_path / "data")
    assert failed.returncode == 9 and failed.stdout == ""
    assert f"port {port + taken}" in failed.stderr and len(failed.stderr.splitlines()) == 1


def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data") as broker:
        assert broker.stop() == 0
        with closing(sqlite3.connect(broker.data_dir / "zchat.db")) as database:
            database.execute("PRAGMA user_version = 99")
        failed = start(broker.port, broker.data_dir)
        assert failed.returncode == 9 and failed.stdout == ""
        assert "newer" in failed.stderr and len(failed.stderr.splitlines()) == 1


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "zchat.db").write_bytes(b"something else" * 1000)
    failed = start(23_456, tmp_path / "data")
    assert failed.returncode == 9 and len(failed.stderr.splitlines()) == 1


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    failed = start(23_456, tmp_path / "data", "-i", "192.0.2.1")
    assert failed.returncode == 9 and len(failed.stderr.splitlines()) == 1


def test_the_link_is_printed_and_kept(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data") as broker:
        link = broker.link
        assert link.startswith(f"zchat://127.0.0.1:{broker.port}/")
        assert (broker.data_dir / "link").read_text() == link + "\n"
        broker.stop()
        broker.start()
        assert broker.link == link


def sends(client: Client, first: int, number: int) -> list[wire.Send]:
    """One Send for each counter, from `first` on."""
    counters = range(first, first + number)
    return [wire.Send(client.session, n, first, "#general", n, [f"{n}"]) for n in counters]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_read_is_acknowledged_before_the_end(tmp_path: Path, number: int, context: Context) -> None:
    """Stored is exactly what was acknowledged, and nothing is stored twice when all is sent again."""
    with BrokerProcess(tmp_path / "data") as broker:
        client = Client(broker, context)
        client.greet("ann")
        client.say(*sends(client, 0, 600))
        rows = list(client.answer(wire.Ack).results)
        assert broker.stop(number) == 0
        while client.dealer.poll(200):
            rows += client.answer(wire.Ack).results
        assert [row.token for row in rows] == list(range(len(rows)))
        broker.start()
        again = Client(broker, context, key=client.key)
        client.close()
        again.greet("ann")
        again.say(*sends(again, 0, 600))
        repeated: list[wire.Stored] = []
        while len(repeated) < 600:
            repeated += again.answer(wire.Ack).results
        assert [row.duplicate for row in repeated] == [n < len(rows) for n in range(600)]
        assert [row.pos for row in repeated[: len(rows)]] == [row.pos for row in rows]
        again.close()


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path, context: Context) -> None:
    with BrokerProcess(tmp_path / "data") as broker:
        client = Client(broker, context)
        client.greet("ann")
        for life in range(3):
            first = life * 300
            client.say(
                *(
                    wire.Send(client.session, n, first, "#general", n, [f"{n}"])
                    for n in range(first, first + 300)
                )
            )
            rows = list(client.answer(wire.Ack).results)
            broker.kill()
            while client.dealer.poll(100):
                rows += client.answer(wire.Ack).results
            broker.start()
            client.say(wire.Ping(client.session, 1, 0, ""))
            assert client.refusal() is Refusal.NOT_GREETED
            client.greet(lowest=first)
            client.say(
                *(
                    wire.Send(client.session, n, first, "#general", n, [f"{n}"])
                    for n in range(first, first + 300)
                )
            )
            repeated: list[wire.Stored] = []
            while len(repeated) < 300:
                repeated += client.answer(wire.Ack).results
            acknowledged = {row.token: row.pos for row in rows}
            assert all(
                row.duplicate and row.pos == acknowledged[row.token]
                for row in repeated
                if row.token in acknowledged
            )
        texts: list[str] = []
        after = 0
        while True:
            page, segments = client.fetch("#general", 0, after)
            texts += [t for s in segments for e in s.entries if isinstance(e, wire.Messages) for t in e.texts]
            after = segments[-1].last
            if after >= page.head:
                break
        assert texts == [f"{n}" for n in range(900)]
        client.close()


def test_the_log_has_neither_texts_nor_keys(tmp_path: Path, context: Context) -> None:
    with BrokerProcess(tmp_path / "data", "--log-level", "debug") as broker:
        client = Client(broker, context)
        client.greet("ann")
        client.send("#general", 0, "topsecret")
        for request in (
            wire.Send(client.session, 1, 0, "#nowhere", 1, ["topsecret"]),
            wire.KeyedSend(client.session, 2, "#nowhere", "secretkey", "topsecret"),
            wire.SetTopic(client.session, 3, "nowhere", "topsecret"),
            wire.Send(client.session, 4, 0, "@nobody", 1, ["ü" * 60_000]),
        ):
            client.say(request)
            client.answer(wire.Refused)
        client.say_raw(b"\xa9topsecret")
        client.answer(wire.Refused)
        client.say(wire.Bye(client.session))
        client.say_raw(b"topsecret", b"topsecret")
        assert client.is_cut()
        assert broker.stop() == 0
        log = "\n".join(broker.log_lines())
        for event in (
            "started at=",
            "registered nick=ann",
            "session_opened nick=ann",
            "refused",
            "cut",
            "stopped",
        ):
            assert event in log
        secret = (broker.data_dir / "broker.key").read_text().strip()
        for private in (
            "topsecret",
            "secretkey",
            client.key.public,
            client.key.secret,
            broker.key,
            secret,
            broker.link,
        ):
            assert private not in log
        client.close()
