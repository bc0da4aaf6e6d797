"""Connecting, greeting, signs of life, and trying again for ever."""

import pytest

from tests.unit.client.play import AWAY, BACK, CAUGHT_UP, PORT, Play, drafts, hello, told, welcome
from zchat.client.core.effects import (
    Abandon,
    Connect,
    Diagnose,
    Fail,
    Greet,
    OpenSubscriber,
    Save,
    Subscribe,
    TouchSubscriber,
    Transmit,
    Unsubscribe,
)
from zchat.client.core.events import (
    AnswerReceived,
    Diagnosed,
    Disconnected,
    HandshakeFailed,
    HandshakeSucceeded,
    Started,
    Stopped,
)
from zchat.client.messages import Status
from zchat.common import wire
from zchat.common.codes import Refusal


def test_the_way_to_a_session(play: Play) -> None:
    play.happen(Started())
    play.expect(Connect())
    play.happen(HandshakeSucceeded())
    play.expect(hello())
    play.answer(welcome())
    play.expect(
        Greet(welcome()),
        Save(),
        OpenSubscriber(PORT),
        Subscribe(b"!here\0"),
        Subscribe(b"#general\0"),
        Subscribe(b"~nonce1\0"),
        CAUGHT_UP,
    )
    assert play.core.is_open
    assert play.core.joined == {"#general"}


def test_a_refused_connection_is_diagnosed_and_tried_again_after_a_growing_pause(play: Play) -> None:
    play.happen(Started(), HandshakeFailed())
    play.expect(Connect(), Diagnose())
    assert play.core.deadline_ms() == 100
    play.wait(100)
    play.expect(Connect())
    play.happen(HandshakeFailed())
    play.expect()  # it was diagnosed a moment ago
    assert play.core.deadline_ms() == 300
    for pause_ms in (200, 400, 800, 1_000, 1_000):
        play.wait(pause_ms)
        play.happen(HandshakeFailed())
    assert play.core.deadline_ms() == play.now_ms + 1_000


def test_after_many_failures_the_pauses_are_long(play: Play) -> None:
    play.happen(Started(), HandshakeFailed())
    for _ in range(25):
        play.wait((play.core.deadline_ms() or 0) - play.now_ms)
        play.happen(HandshakeFailed())
    assert play.core.deadline_ms() == play.now_ms + 5_000


def test_a_handshake_that_does_not_come_is_a_failed_one(play: Play) -> None:
    play.happen(Started())
    play.wait(5_000)
    play.expect(Connect(), Diagnose())


def test_hello_is_said_again_after_a_growing_time(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    play.wait(2_000)
    play.expect(hello())
    play.wait(3_999)
    play.expect()
    play.wait(1)
    play.expect(hello())


def test_a_connection_on_which_no_hello_is_answered_is_left(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    play.wait(15_000)
    play.forget()
    play.wait(15_000)
    assert Connect() in play.wanted


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal.NICK_TAKEN,
        Refusal.KEY_BOUND,
        Refusal.NAME_INVALID,
        Refusal.VERSION_UNSUPPORTED,
        Refusal.NOT_INVITED,
        Refusal.INVITE_INVALID,
        Refusal.BANNED,
    ],
)
def test_identity_refusals_are_final(refusal: Refusal) -> None:
    play = Play()
    play.ask(1, wire.Join(0, 0, "tea"))
    play.happen(drafts(2, "#tea", "hi"), Started(), HandshakeSucceeded())
    play.forget()
    play.refuse(0, 0, refusal, "why")
    play.expect(Fail(refusal, "why"), Abandon([2], handed_over=False), Abandon([1], handed_over=False))
    assert play.core.deadline_ms() is None
    play.happen(Started(), HandshakeSucceeded(), AnswerReceived(welcome()))
    play.expect()


def test_an_invite_is_shown_until_the_first_welcome() -> None:
    play = Play(invite="a" * 40)
    play.happen(Started(), HandshakeSucceeded())
    play.wait(2_000)
    play.answer(welcome())
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    hellos = [e for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Hello)]
    assert hellos == [hello(invite="a" * 40)] * 2 + [hello(floor=5)]


def test_a_session_that_the_broker_ends_is_followed_by_a_hello_and_its_refusal(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    play.forget()
    play.refuse(1, 0, Refusal.NOT_GREETED)
    play.expect(*told(Status("away", "the broker has ended the session; greeting it")), hello(floor=5))
    play.refuse(0, 0, Refusal.BANNED, "bob banned you: spam")
    play.expect(Fail(Refusal.BANNED, "bob banned you: spam"))


def test_a_broker_that_cannot_let_us_in_now_is_asked_again_and_that_is_told(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    play.refuse(0, 0, Refusal.STORAGE_UNAVAILABLE, "disk full")
    play.expect(*told(Status("refused", "disk full"), Refusal.STORAGE_UNAVAILABLE))
    play.wait(100)
    play.expect(hello())


def test_a_lost_connection_is_told_once_and_made_anew(open_play: Play) -> None:
    play = open_play
    play.happen(Disconnected())
    play.expect(*told(AWAY))
    play.wait(100)
    play.expect(Connect())
    play.happen(HandshakeFailed())
    play.expect(Diagnose())
    play.wait(200)
    play.happen(HandshakeSucceeded())
    play.expect(Connect(), hello(floor=5))
    play.answer(welcome(2, (), floor=5))
    assert play.wanted[:3] == [Greet(welcome(2, (), floor=5)), *told(BACK)]


def test_what_is_found_is_told_once_while_the_broker_is_away(open_play: Play) -> None:
    play = open_play
    play.happen(Diagnosed("refused", "nobody there"))
    play.expect()
    play.happen(Disconnected())
    play.forget()
    play.happen(Diagnosed("refused", "nobody there"), Diagnosed("refused", "nobody there"))
    play.expect(*told(Status("refused", "nobody there")))


def test_after_a_restart_of_the_broker_it_is_greeted_on_the_same_sockets(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    play.forget()
    play.refuse(1, 1, Refusal.NOT_GREETED)
    play.expect(*told(Status("away", "the broker has started anew; greeting it")), hello(floor=5))
    play.answer(welcome(2, (), floor=5))
    play.expect(
        Greet(welcome(2, (), floor=5)),
        *told(BACK),
        Unsubscribe(b"~nonce1\0"),
        Subscribe(b"~nonce2\0"),
        Transmit(wire.Fetch(2, 2, "#general", 0, 5)),
    )


def test_not_greeted_of_another_session_is_ignored(open_play: Play) -> None:
    open_play.refuse(7, 1, Refusal.NOT_GREETED)
    open_play.expect()
    assert open_play.core.is_open


def test_soon_after_a_welcome_not_greeted_waits_for_another_welcome(open_play: Play) -> None:
    """Two Hellos were on their way: the session of the first was ended by the second."""
    play = open_play
    play.refuse(1, 1, Refusal.NOT_GREETED)
    assert hello(floor=5) not in play.wanted
    play.forget()
    play.answer(welcome(2, (), floor=5))
    assert play.core.is_open
    play.forget()
    play.wait(2_000)
    play.expect(TouchSubscriber(), TouchSubscriber())


def test_a_repeated_welcome_is_ignored(open_play: Play) -> None:
    play = open_play
    play.answer(welcome())
    play.expect()
    play.answer(welcome(2, (), floor=5))
    play.forget()
    play.answer(welcome())
    play.expect()


def test_a_ping_goes_out_every_so_often_and_silence_after_it_means_new_sockets(open_play: Play) -> None:
    play = open_play
    play.answer(wire.Heads(1, 0, 5, [], ""))
    play.wait(5_000)
    play.expect_sent(wire.Ping(1, 1, 5, ""))
    play.answer(wire.Heads(1, 1, 6, [], ""))
    play.wait(5_000)
    play.expect_sent(wire.Ping(1, 2, 6, ""))
    play.wait(14_999)
    play.expect_sent(wire.Ping(1, 3, 6, ""), wire.Ping(1, 4, 6, ""))
    play.wait(1)
    assert told(AWAY)[0] in play.wanted
    play.wait(100)
    assert play.wanted[-1] == Connect()


def test_answers_of_another_session_are_ignored(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    play.forget()
    play.answer(
        wire.Ack(2, [wire.Stored(1, 1, 1, False)]),
        wire.Heads(2, 1, 9, [wire.Head("#general", 9, 2)], ""),
        wire.Done(2, 1, 1),
        wire.Followed(2, 1, 9, [], "n"),
    )
    play.expect()


def test_nonsense_in_the_welcome_is_clamped(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    odd = wire.Welcome(1, 1, "ann", False, 1, 5, [], "", 0, "n", 0, 0, 0, 0, 0, "")
    play.answer(odd)
    assert play.core.is_open
    deadline_ms = play.core.deadline_ms()
    assert deadline_ms is not None
    assert deadline_ms >= 50


def test_stopping_says_bye_and_is_the_end(open_play: Play) -> None:
    play = open_play
    play.happen(Stopped())
    play.expect(Transmit(wire.Bye(1)))
    assert play.core.deadline_ms() is None
    play.happen(Disconnected(), HandshakeSucceeded(), AnswerReceived(welcome(2)))
    play.expect()
