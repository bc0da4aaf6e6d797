"""What the core does first, when it wants time, and what it does with bytes that are no request."""

from pathlib import Path

import msgspec
import pytest

from tests.unit.broker.play import ANN, Play, acked, hello, published, refused, segment, welcome
from zchat.broker.core import port
from zchat.broker.core.core import Core
from zchat.broker.core.effects import Cut, Transmit
from zchat.broker.core.events import Elapsed, MalformedReceived, PeerLost, Received, Stopping
from zchat.broker.core.limits import Limits
from zchat.common import wire
from zchat.common.codes import Refusal


def test_the_first_thing_is_the_state() -> None:
    core = Core(Limits(), first_session=1, nonce_prefix="n", xpub_port=1, software="s")
    assert core.start() == [port.Load()]
    assert not core.accepting
    (append,) = [e for e in core.handle(port.Loaded([], 0, 0), 0) if isinstance(e, port.Append)]
    assert core.accepting
    core.handle(port.Ordered(append.seq, append.submissions, 1), 0)  # which tells the time
    assert core.is_idle and core.deadline_ms() is None


def test_numbers_begin_where_the_shell_says() -> None:
    """So that no session of an earlier process is met again."""
    play = Play()
    play.core = Core(Limits(), first_session=77, nonce_prefix="abc", xpub_port=1, software="s")
    play._run(play.core.start())
    assert play.greet(ANN, "ann") == 77
    play.receive(ANN.asks(wire.Follow(77, 1, [], False)))
    play.expect(Transmit(ANN.peer, wire.Followed(77, 1, 2, [], "abc.77.2")))


def test_the_limits_of_the_broker_are_told() -> None:
    play = Play(Limits(heartbeat_ms=7, timeout_ms=21))
    play.receive(ANN.asks(hello("ann")))
    told = welcome(1, "ann", registered=True, as_of=2, heads=[("#general", 2, 2)])
    play.expect(
        published(segment("#general", 0, 2, wire.Joined("ann", True))),
        Transmit(ANN.peer, msgspec.structs.replace(told, heartbeat_ms=7, timeout_ms=21)),
    )


def test_bytes_that_are_no_request(play: Play) -> None:
    play.handle(MalformedReceived(ANN.peer, ANN.key, "a reason", False))
    play.expect(Transmit(ANN.peer, wire.Refused(0, 0, Refusal.MALFORMED.value, "a reason")))
    play.handle(MalformedReceived(ANN.peer, ANN.key, "a reason", True))
    play.expect(refused(ANN, 0, 0, Refusal.MALFORMED), Cut(ANN.key, "frames that no client sends"))


def test_it_wants_time_while_there_are_sessions(play: Play) -> None:
    assert play.core.deadline_ms() is None
    play.now_ms = 5_000
    play.greet(ANN, "ann")
    assert play.core.deadline_ms() == 5_100  # presence
    play.elapse(100)
    play.skip()
    assert play.core.deadline_ms() == 6_000
    play.receive(ANN.asks(wire.Bye(1)))
    play.elapse(2_000)
    play.skip()
    assert play.core.deadline_ms() is None


def test_an_elapsed_that_came_too_early_does_nothing(play: Play) -> None:
    play.greet(ANN, "ann")
    play.handle(Elapsed())
    play.expect()
    play.handle(Received([]))
    play.expect()


def test_a_lost_connection_ends_its_session(play: Play) -> None:
    play.greet(ANN, "ann")
    play.handle(PeerLost(ANN.peer))
    play.handle(PeerLost(ANN.peer))
    play.handle(PeerLost(b"\0nobody"))
    play.receive(ANN.asks(wire.Ping(1, 1, 0, "")))
    play.expect(refused(ANN, 1, 1, Refusal.NOT_GREETED))


def test_a_connection_lost_before_the_welcome(play: Play) -> None:
    play.hold()
    play.receive(ANN.asks(hello("ann")))
    play.handle(PeerLost(ANN.peer))
    play.catch_up()
    play.expect(published(segment("#general", 0, 2, wire.Joined("ann", True))))  # registered all the same
    play.receive(ANN.asks(hello("ann", floor=2)))
    play.expect(Transmit(ANN.peer, welcome(2, "ann", floor=2, as_of=2, heads=[])))


def test_stopping(play: Play) -> None:
    play.greet(ANN, "ann")
    play.hold()
    play.receive(ANN.asks(wire.Send(1, 1, 0, "#general", 0, ["a"])))
    play.receive(ANN.asks(wire.Send(1, 2, 0, "#general", 1, ["b"])))
    play.handle(Stopping())
    assert not play.core.accepting
    play.carry_out(port.Write)
    play.expect(
        acked(ANN, 1, (1, 3)), published(segment("#general", 2, 3, wire.Messages("ann", 1, 0, ["a"])))
    )
    assert not play.core.is_idle
    play.carry_out(port.Write)
    assert play.core.is_idle
    play.skip()


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_occurs_in_some_test(refusal: Refusal) -> None:
    here = Path(__file__)
    tests = [path.read_text() for path in here.parent.glob("test_*.py") if path != here]
    assert any(f"Refusal.{refusal.name}" in text for text in tests), f"no test of {refusal.name}"
