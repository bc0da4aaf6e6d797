"""Requests of users: acts, lists, pages of the past."""

from tests.unit.client.play import Play, said, segment, welcome
from zchat.client.core.effects import Abandon, Refuse, Resolve, Transmit, Unsubscribe
from zchat.client.core.events import Disconnected, GivenUp, HandshakeSucceeded, Stopped
from zchat.common import wire
from zchat.common.codes import Refusal

JOIN = wire.Join(0, 0, "tea")
HISTORY = wire.Fetch(0, 0, "#general", 1, 99)


def test_an_act_is_sent_and_its_answer_given(open_play: Play) -> None:
    play = open_play
    play.ask(1, wire.SetTopic(0, 0, "general", "tea"))
    play.expect(Transmit(wire.SetTopic(1, 1, "general", "tea")))
    play.answer(wire.Done(1, 1, 6), wire.Done(1, 1, 6))
    play.expect(Resolve(1, wire.Done(1, 1, 6), []))


def test_a_joined_room_is_looked_for_in_the_heads(open_play: Play) -> None:
    play = open_play
    play.ask(1, JOIN)
    play.forget()
    play.answer(wire.Done(1, 1, 6))
    play.expect(Resolve(1, wire.Done(1, 1, 6), []), Transmit(wire.Ping(1, 2, 5, "")))
    play.answer(wire.Heads(1, 2, 6, [wire.Head("#tea", 6, 6)], ""))
    assert play.core.joined == {"#general", "#tea"}


def test_a_room_that_was_left_is_not_read_any_more(open_play: Play) -> None:
    play = open_play
    play.ask(1, wire.Leave(0, 0, "General"))
    play.forget()
    play.answer(wire.Done(1, 1, 6))
    play.expect(Resolve(1, wire.Done(1, 1, 6), []), Unsubscribe(b"#general\0"))
    assert play.core.joined == frozenset()


def test_a_request_waits_for_a_session_and_is_repeated_in_the_next(play: Play) -> None:
    play.ask(1, JOIN)
    play.expect()
    play.greet()
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.answer(welcome(2, (), floor=5))
    assert Transmit(wire.Join(2, 1, "tea")) in play.wanted


def test_a_request_without_an_answer_is_repeated(open_play: Play) -> None:
    play = open_play
    play.ask(1, wire.ListRooms(0, 0, ""))
    play.wait(5_000)
    requests = [e.request for e in play.wanted if isinstance(e, Transmit)]
    assert requests.count(wire.ListRooms(1, 1, "")) == 2


def test_a_refusal_is_final_unless_it_is_for_the_moment(open_play: Play) -> None:
    play = open_play
    play.ask(1, JOIN)
    play.forget()
    play.refuse(1, 1, Refusal.BUSY)
    play.expect()
    play.wait(250)
    play.expect(Transmit(wire.Join(1, 1, "tea")))
    play.refuse(1, 1, Refusal.LIMIT_REACHED, "too many")
    play.expect(Refuse([1], Refusal.LIMIT_REACHED, "too many"))


def test_too_many_requests_are_refused_here(open_play: Play) -> None:
    play = open_play
    for ticket in range(1_001):
        play.ask(ticket, JOIN)
    assert play.wanted[-1] == Refuse([1_000], Refusal.BUSY, "1000 requests are open")


def test_a_page_of_the_past_moves_no_cursor(open_play: Play) -> None:
    play = open_play
    play.ask(1, HISTORY)
    play.expect(Transmit(wire.Fetch(1, 1, "#general", 1, 99)))
    past = segment("#general", 0, 1, said("bob", "old"))
    play.page(1, 1, "#general", 5, past)
    play.expect(Resolve(1, wire.Page(1, 1, "#general", 0, 5), [past]))


def test_pages_of_the_past_and_repairs_share_the_gate(open_play: Play) -> None:
    play = open_play
    for ticket in (1, 2, 3):
        play.ask(ticket, HISTORY)
    play.publish(segment("#general", 6, 7, said("bob", "x")))
    assert len(play.wanted) == 2
    play.forget()
    play.page(1, 1, "#general", 5)
    play.page(1, 2, "#general", 5)
    assert [e.request for e in play.wanted if isinstance(e, Transmit)] == [
        wire.Fetch(1, 3, "#general", 1, 99),
        wire.Fetch(1, 4, "#general", 0, 5),
    ]


def test_a_refused_page_of_the_past_is_told_or_asked_for_later(open_play: Play) -> None:
    play = open_play
    play.ask(1, HISTORY)
    play.refuse(1, 1, Refusal.UNREADABLE)
    play.forget()
    play.wait(100)
    play.expect(Transmit(wire.Fetch(1, 2, "#general", 1, 99)))
    play.refuse(1, 2, Refusal.NO_SUCH_ROOM, "none")
    play.expect(Refuse([1], Refusal.NO_SUCH_ROOM, "none"))


def test_who_gives_up_is_told_what_is_known(open_play: Play) -> None:
    play = open_play
    play.ask(1, JOIN)
    play.ask(2, HISTORY)
    play.forget()
    play.happen(GivenUp(1), GivenUp(2), GivenUp(3))
    play.expect(Abandon([1], handed_over=True), Abandon([2], handed_over=False))
    play.page(1, 2, "#general", 5)
    play.expect()


def test_at_the_end_all_are_abandoned(open_play: Play) -> None:
    play = open_play
    play.ask(1, JOIN)
    play.ask(2, HISTORY)
    play.forget()
    play.happen(Stopped())
    play.expect(Transmit(wire.Bye(1)), Abandon([1], handed_over=True), Abandon([2], handed_over=False))
    play.ask(3, JOIN)
    play.expect(Abandon([3], handed_over=False))
