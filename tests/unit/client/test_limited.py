"""What is sent or asked too often: when it is tried again, how fast, and what is told to who gives up."""

from tests.unit.client.play import Play, drafts, hello, said, segment, told, welcome
from zchat.client.core.effects import Abandon, Acknowledge, Refuse, Transmit
from zchat.client.core.events import (
    Disconnected,
    Draft,
    FollowChanged,
    GivenUp,
    HandshakeSucceeded,
    MessagesQueued,
    Started,
    Stopped,
)
from zchat.client.core.limited import limited
from zchat.client.messages import Status
from zchat.common import wire
from zchat.common.codes import Refusal

LIMITED = Refusal.RATE_LIMITED
HISTORY = wire.Fetch(0, 0, "#general", 1, 99)


def not_stored(ticket: int, seconds: int) -> Refuse:
    reason = f"too much; nothing of it was stored; try again in {seconds} s"
    return Refuse([ticket], LIMITED, reason)


def send(token: int, counter: int, text: str, lowest: int = 0, to: str = "#general") -> Transmit:
    return Transmit(wire.Send(1, token, lowest, to, counter, [text]))


def stored(token: int) -> wire.Ack:
    return wire.Ack(1, [wire.Stored(token, 5 + token, 1000, False)])


def keyed(count: int) -> MessagesQueued:
    return MessagesQueued([Draft(n, "#general", "text", 4, f"k{n}") for n in range(1, count + 1)])


def sent(play: Play) -> list[int]:
    """The tokens of what was sent since the last look."""
    requests = [effect.request for effect in play.wanted if isinstance(effect, Transmit)]
    play.forget()
    return [one.token for one in requests if isinstance(one, wire.Send | wire.KeyedSend)]


# ---- Sends ----


def test_all_of_the_window_is_sent_again_from_the_lowest_when_it_may_be(open_play: Play) -> None:
    play = open_play
    for number, to in enumerate(("#general", "@bob", "#general", "@bob")):
        play.happen(drafts(number + 1, to, f"{number}"))
    play.forget()
    play.answer(stored(1))
    play.expect(Acknowledge([1], None, 0, 6, 1000, False))
    play.limit(1, 2, 3_000)
    play.refuse(1, 3, Refusal.OUT_OF_ORDER)
    play.refuse(1, 4, Refusal.OUT_OF_ORDER)
    play.expect()
    assert play.core.outbox.deadline_ms() == 3_000
    play.wait(2_999)
    play.expect_sent()
    play.wait(1)
    play.expect_sent(send(2, 1, "1", lowest=1, to="@bob").request)  # half as many at once, at first
    play.answer(stored(2))
    assert sent(play) == [3, 4]


def test_an_answer_that_comes_meanwhile_starts_nothing(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a"), drafts(2, "@bob", "b"))
    play.forget()
    play.limit(1, 1, 3_000)
    play.happen(drafts(3, "#general", "c"), GivenUp(1))
    play.refuse(1, 2, Refusal.OUT_OF_ORDER)
    play.expect(not_stored(1, 3))
    play.wait(3_000)
    play.expect_sent(send(2, 1, "b", lowest=1, to="@bob").request)


def test_a_silly_time_is_bounded(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a"))
    play.limit(1, 1, 0)
    assert play.core.deadline_ms() == 5
    play.wait(5)
    play.forget()
    play.limit(1, 1, 2**53 - 1)
    for _ in range(12):
        play.wait(5_000)
        play.answer(wire.Presence(1, [wire.Person("bob", True)]))
    assert send(1, 0, "a") in play.wanted


def test_what_is_beyond_the_limit_is_sent_less_and_less_in_vain(open_play: Play) -> None:
    """The broker takes ten at once and then one every 10 ms; of 256 on their way it refuses most at first."""
    play = open_play
    play.happen(keyed(256))
    on_the_way, level, done, refused = sent(play), 10.0, 0, 0
    start_ms = play.now_ms
    while done < 256:
        before_ms = play.now_ms
        for token in on_the_way:
            if level >= 1:
                level -= 1
                done += 1
                play.answer(stored(token))
            else:
                refused += 1
                play.limit(1, token, 10)
        play.wait(10)
        level = min(10.0, level + (play.now_ms - before_ms) / 10)
        on_the_way = sent(play)
    assert play.core.outbox.is_empty
    assert play.now_ms - start_ms < 2 * 2_460  # it needs 2460 ms at least
    assert refused < 1_000  # it would be 31,000 if all were sent again each time


def test_the_limit_is_forgotten_when_many_were_stored(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a"))
    play.limit(1, 1, 10)
    play.wait(10)
    play.answer(stored(1))
    for number in range(2, 300):
        play.happen(drafts(number, "#general", "a"))
        play.answer(stored(number))
    play.forget()
    play.happen(keyed(256))
    assert len(sent(play)) == 256


def test_who_gives_up_is_told_that_nothing_was_stored_and_when_to_try_again(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a"), drafts(2, "@bob", "b"))
    play.limit(1, 1, 3_400)
    play.refuse(1, 2, Refusal.OUT_OF_ORDER)
    play.wait(1_000)
    play.forget()
    play.happen(drafts(3, "@bob", "c"), GivenUp(3), GivenUp(1), GivenUp(2))
    play.expect(not_stored(3, 3), not_stored(1, 3), not_stored(2, 3))
    assert play.core.outbox.is_empty


def test_what_may_have_been_stored_by_another_transmission_is_unknown(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a"), Disconnected())  # its answer is lost
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.answer(welcome(2, (), floor=5))
    play.limit(2, 1, 3_000)
    play.forget()
    play.happen(GivenUp(1))
    play.expect(Abandon([1], handed_over=True))
    play.wait(3_000)
    play.happen(drafts(2, "#general", "b"))
    play.limit(2, 2, 10)
    play.wait(10)  # it is on its way once more
    play.forget()
    play.happen(GivenUp(2))
    play.expect(Abandon([2], handed_over=True))


def test_at_the_end_what_was_refused_was_not_handed_over(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a"), drafts(2, "@bob", "b"))
    play.limit(1, 1, 3_000)
    play.forget()
    play.happen(Stopped())
    play.expect(Transmit(wire.Bye(1)), Abandon([2], handed_over=True), Abandon([1], handed_over=False))


def test_a_new_session_begins_as_slowly(open_play: Play) -> None:
    play = open_play
    play.happen(keyed(8))
    play.limit(1, 1, 30_000)
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.forget()
    play.answer(welcome(2, (), floor=5))
    assert sent(play) == [1, 2, 3, 4]


# ---- requests, pages, Follow ----


def test_a_request_is_asked_again_when_it_may_be(open_play: Play) -> None:
    play = open_play
    play.ask(1, wire.Join(0, 0, "tea"))
    play.forget()
    play.limit(1, 1, 700)
    play.wait(699)
    play.expect()
    play.wait(1)
    play.expect(Transmit(wire.Join(1, 1, "tea")))


def test_who_gives_a_request_up_is_told_why(open_play: Play) -> None:
    play = open_play
    play.ask(1, wire.Join(0, 0, "tea"))
    play.ask(2, wire.Whois(0, 0, "bob"))
    play.ask(3, wire.Leave(0, 0, "tea"))
    for token in (1, 2, 3):
        play.limit(1, token, 7_000)
    play.wait(4_000)
    play.refuse(1, 3, Refusal.UNREADABLE)  # it may be stored all the same
    play.limit(1, 3, 7_000)
    play.forget()
    play.happen(GivenUp(1), GivenUp(2), GivenUp(3))
    play.expect(
        not_stored(1, 3),
        Refuse([2], LIMITED, "too much; try again in 3 s"),
        Abandon([3], handed_over=True),
    )


def test_pages_wait_together(open_play: Play) -> None:
    play = open_play
    play.ask(1, HISTORY)
    play.ask(2, HISTORY)
    play.ask(3, HISTORY)
    play.forget()
    play.limit(1, 1, 900)
    play.limit(1, 2, 900)
    play.publish(segment("#general", 6, 7, said("bob", "x")))
    play.happen(GivenUp(3))
    play.expect(Refuse([3], LIMITED, "too much; try again in 1 s"))
    play.wait(899)
    play.expect()
    play.wait(1)
    play.expect(Transmit(wire.Fetch(1, 3, "#general", 1, 99)), Transmit(wire.Fetch(1, 4, "#general", 1, 99)))
    play.page(1, 3, "#general", 5)
    assert play.wanted[-1] == Transmit(wire.Fetch(1, 5, "#general", 0, 5))


def test_rooms_are_followed_when_it_may_be(open_play: Play) -> None:
    play = open_play
    play.happen(FollowChanged(1, ["tea"]), FollowChanged(2, ["coffee"]))
    play.forget()
    play.limit(1, 2, 900)
    play.happen(GivenUp(1))
    play.expect(Refuse([1], LIMITED, "too much; try again in 1 s"))
    play.wait(899)
    play.expect()
    play.wait(1)
    play.expect(Transmit(wire.Follow(1, 3, ["coffee"], False)))


# ---- Hello ----


def test_hello_is_said_again_when_it_may_be(play: Play) -> None:
    play.happen(Started(), HandshakeSucceeded())
    play.forget()
    play.limit(0, 0, 20_000, "too many from here")
    play.expect(*told(Status("refused", "too many from here"), LIMITED))
    play.wait(20_099)
    play.expect()
    play.wait(1)
    play.expect(hello())
    play.answer(welcome())
    assert play.core.is_open


def test_the_time_is_said_once() -> None:
    found = limited("more was sent than is allowed in the time; again in 0.7 s", 700, 1000)
    assert found.reason == "more was sent than is allowed in the time"
    assert found.refuse([1], 1000).reason == "more was sent than is allowed in the time; try again in 1 s"
