"""The broker's data is replaced by an older copy: readers are told, and go on with what comes then."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.programs import Broker, Zchat

REPLACED = "zchat: the broker's log is older than what was read here: it was replaced, perhaps by a backup"


@pytest.fixture
def back_up(broker: Broker, tmp_path: Path) -> Callable[[], None]:
    """Copies the broker's data while it is stopped."""

    def work() -> None:
        assert broker.stop() == 0
        shutil.copytree(broker.data_dir, tmp_path / "copy")
        broker.start()

    return work


@pytest.fixture
def restore(broker: Broker, tmp_path: Path) -> Callable[[], None]:
    """Starts the broker with that copy."""

    def work() -> None:
        assert broker.stop() == 0
        shutil.rmtree(broker.data_dir)
        shutil.copytree(tmp_path / "copy", broker.data_dir)
        broker.start()

    return work


def send(run: Zchat, to: str, *texts: str) -> None:
    done = run(["send", "--lines", "--timeout", "20", to], input="".join(f"{text}\n" for text in texts))
    assert done.returncode == 0, done.stderr


def tail(run: Zchat, *arguments: str) -> tuple[list[str], str]:
    """The texts that it prints, and what it says."""
    done: subprocess.CompletedProcess[str] = run(
        ["tail", "--json", "--cursor", "c", "--no-follow", *arguments], nick="bob"
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["text"] for line in done.stdout.splitlines()], done.stderr


@pytest.mark.parametrize("to", [(), ("general",), ("logs", "@ann")])
def test_a_cursor_goes_on(
    run: Zchat, back_up: Callable[[], None], restore: Callable[[], None], to: tuple[str, ...]
) -> None:
    addresses = [one for one in to or ("general", "@bob") if one != "@ann"]
    assert run(["join", "logs"]).returncode == run(["users"], nick="bob").returncode == 0
    assert tail(run, *to) == ([], "")
    send(run, "@bob", "long ago")
    send(run, addresses[0], "one")
    assert "one" in tail(run, *to)[0]
    back_up()
    send(run, addresses[0], "two", "three")
    assert tail(run, *to) == (["two", "three"], "")
    restore()
    printed, said = tail(run, *to)
    assert printed == []
    assert said.startswith(REPLACED)
    for address in addresses:
        send(run, address, f"four to {address}")
    printed, said = tail(run, *to)  # in order within each conversation only
    assert (sorted(printed), said) == (sorted(f"four to {address}" for address in addresses), "")
    assert tail(run, *to) == ([], "")


def test_a_cursor_that_is_moved_by_hand_goes_on(
    run: Zchat, back_up: Callable[[], None], restore: Callable[[], None]
) -> None:
    assert run(["users"], nick="bob").returncode == 0
    assert tail(run, "--peek") == ([], "")
    back_up()
    send(run, "general", "one", "two")
    assert tail(run, "--peek") == (["one", "two"], "")
    shown = run(["tail", "--json", "--no-follow", "general"], nick="bob").stdout.splitlines()
    assert run(["cursor", "set", "c", str(json.loads(shown[0])["pos"])], nick="bob").returncode == 0
    restore()
    printed, said = tail(run, "--peek")
    assert printed == []
    assert said.startswith(REPLACED)
    send(run, "general", "three")
    for _ in range(2):
        assert tail(run, "--peek") == (["three"], "")


def test_a_tail_that_runs_goes_on(
    run: Zchat, broker: Broker, back_up: Callable[[], None], restore: Callable[[], None]
) -> None:
    assert run(["users"], nick="bob").returncode == 0
    assert tail(run, "--peek") == ([], "")
    back_up()
    plain = run.start(["tail"], nick="bob")
    peeking = run.start(["tail", "--cursor", "c", "--peek"], nick="bob")
    send(run, "general", "one", "two", "three")
    for one in (plain, peeking):
        one.out.until("three")
    assert broker.stop() == 0
    broker.start()
    for one in (plain, peeking):
        one.err.until("the broker is back")  # now the floor is behind what was sent
    restore()
    for one in (plain, peeking):
        one.err.until(REPLACED)
        one.err.until("the broker is back")
    send(run, "general", "four")
    for one in (plain, peeking):
        one.out.until("four")
        one.signalled()
    assert tail(run, "--peek") == (["four"], "")


def test_a_chat_tells_and_goes_on(
    run: Zchat, back_up: Callable[[], None], restore: Callable[[], None]
) -> None:
    assert run(["connect"], nick="bob").returncode == 0
    back_up()
    send(run, "general", "one", "two")
    assert "two" in run(["connect"], nick="bob").stdout
    restore()
    chat = run.start(["connect"], nick="bob")
    chat.err.until("the broker's log is older than what was read here")
    chat.type("here again")
    chat.out.until("<bob> here again")
    send(run, "general", "three")
    chat.out.until("<ann> three")
    assert chat.ended() == 0
