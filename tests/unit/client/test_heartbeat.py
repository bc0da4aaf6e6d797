"""Signs of life: how often, what they ask for, and the pages of a list of heads."""

import pytest
from msgspec.structs import replace

from tests.unit.client.play import Play, heads, said, segment, welcome
from zchat.client.core import heartbeat
from zchat.client.core.cursors import Snapshot
from zchat.client.core.effects import Deliver, TouchSubscriber, Transmit
from zchat.client.core.events import (
    ActQueued,
    Disconnected,
    HandshakeSucceeded,
    HeadsPublished,
    Started,
    Stopped,
)
from zchat.common import wire

GENERAL, TEA = "#general", "#tea"


def ping(token: int, floor: int = 5, after: str = "", session: int = 1) -> Transmit:
    return Transmit(wire.Ping(session, token, floor, after))


def fetch(token: int, to: str, bound: int, session: int = 1) -> Transmit:
    return Transmit(wire.Fetch(session, token, to, 0, bound))


def hear(play: Play, token: int, *rows: tuple[str, int, int], as_of: int = 5, following: str = "") -> None:
    play.answer(wire.Heads(1, token, as_of, heads(rows), following))


def pings(play: Play) -> list[wire.Ping]:
    found = [e.request for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Ping)]
    play.forget()
    return found


def test_a_ping_goes_out_every_heartbeat_whatever_else_is_said(open_play: Play) -> None:
    play = open_play
    for token in (1, 3, 5):
        play.wait(4_999)
        assert pings(play) == []
        play.wait(1)
        assert pings(play) == [ping(token).request]
        hear(play, token)
        play.happen(ActQueued(token, wire.SetTopic(0, 0, "general", "x")))
        play.answer(wire.Done(1, token + 1, 0))
        play.forget()


def test_a_ping_carries_the_floor_as_it_is_by_then(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    hear(play, 1, as_of=9)
    play.forget()
    play.wait(5_000)
    assert pings(play) == [ping(2, floor=9).request]


def test_the_interval_is_the_brokers_within_bounds() -> None:
    for told_ms, interval_ms in ((0, 50), (200, 200), (2**50, 60_000)):
        play = Play()
        play.happen(Started(), HandshakeSucceeded())
        answer = welcome()
        play.answer(replace(answer, heartbeat_ms=told_ms))
        play.confirm(answer)
        play.forget()
        play.wait(interval_ms - 1)
        assert pings(play) == []
        play.wait(1)
        assert pings(play) == [ping(1).request]


def test_a_list_is_read_page_by_page_above_one_floor(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    play.forget()
    hear(play, 1, ("@ann,bob", 9, 0), as_of=9, following="@ann,bob")
    play.expect(ping(2, after="@ann,bob"), fetch(3, "@bob", 5))
    hear(play, 2, ("@ann,cat", 9, 0), as_of=10, following="@ann,cat")
    play.expect(ping(4, after="@ann,cat"), fetch(5, "@cat", 5))
    hear(play, 4, as_of=11)
    play.expect()


def test_a_page_of_a_list_that_did_not_come_is_asked_for_again(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    hear(play, 1, as_of=9, following=TEA)
    play.forget()
    play.wait(5_000)
    assert pings(play) == [ping(3, after=TEA).request]  # 2 was lost
    hear(play, 2, (GENERAL, 8, 2), as_of=9)  # late
    play.expect()
    hear(play, 3, as_of=12)
    assert play.core.snapshot().floor == 9


def test_a_page_that_repeats_the_one_before_ends_the_list(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    hear(play, 1, as_of=9, following=TEA)
    play.forget()
    hear(play, 2, as_of=9, following=TEA)
    play.expect()
    assert play.core.snapshot().floor == 5
    play.wait(5_000)
    assert pings(play) == [ping(3).request]  # from the beginning


def test_a_list_that_never_ends_is_left(open_play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_PAGES_MAX", 3)
    play = open_play
    play.wait(5_000)
    play.forget()
    for token in (1, 2, 3):
        hear(play, token, as_of=9, following=f"#{token}")
    play.expect(ping(2, after="#1"), ping(3, after="#2"), ping(4, after="#3"))
    hear(play, 4, as_of=9, following="#4")
    play.expect()
    assert play.core.snapshot().floor == 5


def test_the_rest_of_the_welcomes_list_is_asked_for_at_once() -> None:
    play = Play(resume=True, snapshot=Snapshot(5, {}, frozenset({GENERAL}), frozenset()))
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    play.answer(welcome(rows=((GENERAL, 8, 2),), floor=5, as_of=9, following=GENERAL))
    assert pings(play) == [ping(1, after=GENERAL).request]
    play.page(1, 2, GENERAL, 8, segment(GENERAL, 5, 8, said("bob", "missed")))
    assert isinstance(play.wanted[0], Deliver)
    play.take(1)
    assert play.core.snapshot().floor == 5  # the list is not complete
    hear(play, 1, as_of=12)
    assert play.core.snapshot().floor == 9


def test_heads_on_the_nonce_that_are_not_all_have_the_others_asked_for(open_play: Play) -> None:
    play = open_play
    play.happen(HeadsPublished("nonce1", wire.Heads(1, 0, 9, heads([(GENERAL, 8, 2)]), GENERAL)))
    play.expect(ping(1), fetch(2, GENERAL, 5))


def test_a_lost_session_pings_no_more_and_the_next_begins_anew(open_play: Play) -> None:
    play = open_play
    play.wait(5_000)
    hear(play, 1, as_of=9, following=TEA)
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.forget()
    play.wait(1_900)
    assert pings(play) == []
    play.answer(welcome(2, (), floor=5))
    play.forget()
    play.answer(wire.Heads(2, 2, 9, heads([(GENERAL, 8, 2)]), ""))  # an answer of the session before
    play.expect()


def test_after_the_end_there_is_no_sign_of_life(open_play: Play) -> None:
    open_play.happen(Stopped())
    open_play.forget()
    open_play.wait(60_000)
    open_play.expect()


def test_the_subscriber_is_touched_every_second(open_play: Play) -> None:
    open_play.wait(4_999)
    open_play.expect(*[TouchSubscriber()] * 4)
