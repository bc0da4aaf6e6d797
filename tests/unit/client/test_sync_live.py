"""Client against a real broker: the behaviour of AsyncClient, without a loop of the caller's."""

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.processes import BrokerProcess
from tests.unit.client.live import DEADLINE_S, key_of
from zchat import Client
from zchat.client.messages import MemberJoined
from zchat.common import wire
from zchat.common.codes import Refusal
from zchat.common.errors import Closed, OutcomeUnknown, Refused, StateInUse, WrongIdentity
from zchat.common.keys import draw

CALLS: dict[str, Callable[[Client], Any]] = {
    "connect": lambda c: c.connect(),
    "send": lambda c: c.send("general", "x"),
    "post": lambda c: c.post("general", "x"),
    "messages": lambda c: next(c.messages()),
    "updates": lambda c: next(c.updates()),
    "iteration": lambda c: next(iter(c)),
    "history": lambda c: c.history("general"),
    "users": lambda c: c.users(),
    "members": lambda c: c.members("general"),
    "rooms": lambda c: c.rooms(),
    "join": lambda c: c.join("general"),
    "leave": lambda c: c.leave("general"),
    "set_topic": lambda c: c.set_topic("general", "x"),
    "follow": lambda c: c.follow([]),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One for all tests."""
    with BrokerProcess(tmp_path_factory.mktemp("sync") / "broker") as running:
        yield running


def client(broker: BrokerProcess, nick: str, **options: Any) -> Client:
    options = {"key": key_of(nick), "timeout": DEADLINE_S} | options
    return Client(broker.link, nick, **options)


def test_a_conversation(broker: BrokerProcess) -> None:
    with client(broker, "ann") as ann, client(broker, "bob") as bob:
        assert (ann.nick, ann.connected) == ("ann", True)
        assert ann.link == bob.link
        sent = ann.send("@bob", "hello")
        got = next(bob.messages())
        assert (got.pos, got.text, got.id, got.reply_to) == (sent.pos, "hello", sent.id, "@ann")
        posted = [bob.post(got.reply_to, str(n)) for n in range(20)]
        positions = [future.result(DEADLINE_S).pos for future in posted]
        assert positions == sorted(set(positions))
        assert [m.text for m in islice(ann, 21)] == ["hello", *map(str, range(20))]
        assert [m.text for m in ann.history("@bob", limit=2)] == ["18", "19"]
    assert not ann.connected


def test_rooms_and_people(broker: BrokerProcess) -> None:
    with client(broker, "ann") as ann, client(broker, "bob") as bob:
        assert bob.join("den") > 0
        assert bob.set_topic("den", "t") > 0
        ann.follow(["den"])
        assert ann.join("den") > 0
        joined = next(u for u in ann.updates() if isinstance(u, MemberJoined) and u.nick == "ann")
        assert joined.room == "den"
        assert ann.members("den") == [wire.Person("ann", True), wire.Person("bob", True, role=wire.OWNER)]
        assert wire.Room("den", "t", 2) in ann.rooms()
        assert wire.Person("bob", True) in ann.users()
        assert bob.leave("den") > 0


def test_errors_are_raised_where_they_belong(broker: BrokerProcess) -> None:
    with client(broker, "ann") as ann:
        with pytest.raises(Refused) as refused:
            ann.send("nowhere", "x")
        assert refused.value.refusal is Refusal.NO_SUCH_ROOM
        assert isinstance(ann.post("nowhere", "x").exception(DEADLINE_S), Refused)
    before = set(threading.enumerate())
    with pytest.raises(WrongIdentity):
        client(broker, "ann", key=draw()).connect()
    assert set(threading.enumerate()) <= before  # one of an earlier test may end


def test_no_answer_in_time(broker: BrokerProcess) -> None:
    with client(broker, "ann") as ann:
        broker.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(OutcomeUnknown):
                ann.send("general", "x", timeout=0.1)
        finally:
            broker.send_signal(signal.SIGCONT)
        assert ann.send("general", "y").pos > 0


def test_two_lives_of_an_installation(broker: BrokerProcess, tmp_path: Path) -> None:
    with client(broker, "bob") as bob:
        with client(broker, "carl", state=tmp_path / "state") as carl:
            bob.send("@carl", "a")
            messages = carl.messages()
            assert next(messages).text == "a"
            bob.send("@carl", "b")
            assert next(messages).text == "b"  # done with "a"
            with pytest.raises(StateInUse):
                client(broker, "carl", state=tmp_path / "state").connect()
        bob.send("@carl", "c")
        with client(broker, "carl", state=tmp_path / "state") as carl:
            assert [message.text for message in islice(carl.messages(), 2)] == ["b", "c"]


def test_many_threads_may_send(broker: BrokerProcess) -> None:
    sent: list[int] = []
    with client(broker, "ann") as ann:
        threads = [
            threading.Thread(target=lambda n=n: sent.append(ann.send("general", str(n)).pos))
            for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
    assert len(set(sent)) == 16


# ---- the end ----


def test_a_closed_client_is_of_no_use_and_leaves_no_thread(broker: BrokerProcess) -> None:
    before = set(threading.enumerate())
    failures: list[BaseException] = []
    with client(broker, "ann") as ann:
        reader = threading.Thread(target=_read_to_the_end, args=(ann, failures))
        reader.start()
    reader.join(DEADLINE_S)
    assert [type(failure) for failure in failures] == [Closed]
    for call in CALLS.values():
        with pytest.raises(Closed):
            call(ann)
    ann.close()
    assert set(threading.enumerate()) <= before


def test_a_client_that_is_not_connected_is_of_no_use_yet(broker: BrokerProcess) -> None:
    ann = client(broker, "ann")
    for name, call in CALLS.items():
        if name != "connect":
            with pytest.raises(Closed):
                call(ann)
    ann.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_cannot_use_the_client(broker: BrokerProcess) -> None:
    with client(broker, "ann") as ann:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads
            child = os.fork()
        if child == 0:
            try:
                os._exit(0 if _all_raise_closed(ann) else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        ann.send("general", "the parent goes on")


def _read_to_the_end(reader: Client, failures: list[BaseException]) -> None:
    try:
        for _ in reader.messages():
            pass
    except BaseException as error:
        failures.append(error)


def _all_raise_closed(forked: Client) -> bool:
    """Whether each call fails at once; and closing leaves the parent's sockets alone."""
    for call in CALLS.values():
        try:
            call(forked)
        except Closed:
            continue
        return False
    forked.close()
    return True
