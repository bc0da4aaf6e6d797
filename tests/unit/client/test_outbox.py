"""Sending: forming, the window, repeating, refusals, giving up."""

from tests.unit.client.play import Play, drafts, hello, welcome
from zchat.client.core.effects import Abandon, Acknowledge, Connect, Refuse, Transmit
from zchat.client.core.events import Disconnected, Draft, GivenUp, HandshakeSucceeded, MessagesQueued, Stopped
from zchat.common import wire
from zchat.common.codes import Refusal


def send(
    token: int, counter: int, *texts: str, to: str = "#general", lowest: int = 0, session: int = 1
) -> Transmit:
    return Transmit(wire.Send(session, token, lowest, to, counter, [*texts]))


def stored(token: int, pos: int, duplicate: bool = False) -> wire.Ack:
    return wire.Ack(1, [wire.Stored(token, pos, 1000, duplicate)])


def keyed(first_ticket: int, to: str, *keys: str) -> MessagesQueued:
    return MessagesQueued([Draft(first_ticket + i, to, "text", 4, key) for i, key in enumerate(keys)])


def test_a_lone_message_goes_at_once_and_is_acknowledged(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "hi"))
    play.expect(send(1, 0, "hi"))
    play.answer(stored(1, 6))
    play.expect(Acknowledge([1], None, 0, 6, 1000, False))
    play.answer(stored(1, 6, duplicate=True))
    play.expect()
    assert play.core.outbox.is_empty


def test_consecutive_messages_for_one_addressee_are_one_send(open_play: Play) -> None:
    play = open_play
    together = [*drafts(1, "#general", "a", "b").drafts, *drafts(3, "@bob", "c").drafts]
    play.happen(MessagesQueued([*together, *drafts(4, "#general", "d").drafts]))
    play.expect(send(1, 0, "a", "b"), send(2, 2, "c", to="@bob"), send(3, 3, "d"))
    play.answer(wire.Ack(1, [wire.Stored(1, 6, 1000, False), wire.Stored(2, 8, 1000, False)]))
    play.expect(Acknowledge([1, 2], None, 0, 6, 1000, False), Acknowledge([3], None, 2, 8, 1000, False))


def test_what_could_still_grow_waits_for_a_small_window(open_play: Play) -> None:
    play = open_play
    for ticket in range(1, 10):
        play.happen(drafts(ticket, "#general", f"m{ticket}"))
    play.expect(*(send(n, n - 1, f"m{n}") for n in range(1, 5)))
    play.answer(stored(1, 6))
    play.expect(Acknowledge([1], None, 0, 6, 1000, False), send(5, 4, "m5", "m6", "m7", "m8", "m9", lowest=1))


def test_what_cannot_grow_waits_for_a_larger_window(open_play: Play) -> None:
    play = open_play
    for ticket in range(1, 40):
        play.happen(drafts(ticket, f"@user{ticket}", "hi"))
    assert len(play.wanted) == 32
    play.forget()
    play.answer(wire.Ack(1, [wire.Stored(n, n + 5, 1000, False) for n in range(1, 33)]))
    assert [effect for effect in play.wanted if isinstance(effect, Transmit)] == [
        send(n, n - 1, "hi", to=f"@user{n}", lowest=n - 32)
        for n in range(33, 39)  # the last one could grow
    ]


def test_a_send_has_at_most_256_messages_and_1024_are_on_their_way(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", *["x"] * 2_000))
    requests = [effect.request for effect in play.wanted if isinstance(effect, Transmit)]
    assert [len(r.texts) for r in requests if isinstance(r, wire.Send)] == [256] * 4
    assert play.core.outbox.waiting == 2_000 - 1024


def test_a_send_has_at_most_128_kib(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", *["x" * 50_000] * 4))
    requests = [effect.request for effect in play.wanted if isinstance(effect, Transmit)]
    assert [len(r.texts) for r in requests if isinstance(r, wire.Send)] == [2, 2]


def test_a_text_that_no_broker_takes_is_refused_at_once(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "x" * 65_537))
    reason = "the text has 65537 bytes; at most 65536 are allowed"
    play.expect(Refuse([1], Refusal.TOO_LARGE, reason))


def test_the_limits_of_the_broker_count_for_what_waits(play: Play) -> None:
    play.happen(drafts(1, "#general", "long text", "b", "c"))
    play.greet(welcome(text_bytes_max=5, send_messages_max=1))
    assert play.core.outbox.is_empty is False
    play.answer(stored(1, 6), stored(2, 7))
    play.expect(Acknowledge([2], None, 0, 6, 1000, False), Acknowledge([3], None, 1, 7, 1000, False))
    assert play.core.outbox.is_empty


# ---- repeating ----


def test_all_unanswered_is_sent_again_after_a_timeout_that_doubles(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a"), drafts(2, "@bob", "b"))
    play.forget()
    play.wait(1_999)
    play.expect_sent()
    play.wait(1)
    play.expect_sent(send(1, 0, "a").request, send(2, 1, "b", to="@bob").request)
    play.wait(3_999)
    assert send(1, 0, "a") not in play.wanted
    play.wait(1)
    assert play.wanted[-2:] == [send(1, 0, "a"), send(2, 1, "b", to="@bob")]


def test_after_a_welcome_all_unanswered_is_sent_again_unchanged_then_what_waited(open_play: Play) -> None:
    play = open_play
    play.happen(
        drafts(1, "#general", "a", "b"), drafts(3, "@bob", "c"), Disconnected(), drafts(4, "@bob", "d")
    )
    play.answer(stored(1, 6))  # of the old session, too late
    play.wait(100)
    play.happen(HandshakeSucceeded())
    assert play.wanted[-2:] == [Connect(), hello(floor=5, lowest=0)]
    play.answer(welcome(2, (), floor=5))
    sends = [e for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Send)]
    assert sends[-3:] == [
        send(1, 0, "a", "b", session=2),
        send(2, 2, "c", to="@bob", session=2),
        send(3, 3, "d", to="@bob", session=2),
    ]


def test_a_final_refusal_is_for_one_send_only_and_those_behind_it_are_sent_again(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#none", "a"), drafts(2, "#general", "b"), drafts(3, "@bob", "c"))
    play.forget()
    play.refuse(1, 2, Refusal.OUT_OF_ORDER)
    play.expect()  # the first one has no answer yet
    play.refuse(1, 3, Refusal.OUT_OF_ORDER)
    play.expect()
    play.refuse(1, 1, Refusal.NO_SUCH_ROOM, "no #none")
    play.expect(
        Refuse([1], Refusal.NO_SUCH_ROOM, "no #none"),
        send(2, 1, "b", lowest=1),
        send(3, 2, "c", to="@bob", lowest=1),
    )


def test_out_of_order_counts_only_for_the_last_transmission(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#none", "a"), drafts(2, "#general", "b"), drafts(3, "@bob", "c"))
    play.refuse(1, 1, Refusal.NO_SUCH_ROOM)
    play.forget()
    play.refuse(1, 2, Refusal.OUT_OF_ORDER)
    play.expect(send(2, 1, "b", lowest=1), send(3, 2, "c", to="@bob", lowest=1))
    play.refuse(1, 3, Refusal.OUT_OF_ORDER)  # of its first transmission
    play.expect()
    play.answer(stored(2, 6), stored(3, 7))
    play.expect(Acknowledge([2], None, 1, 6, 1000, False), Acknowledge([3], None, 2, 7, 1000, False))


def test_a_second_resend_in_a_row_waits(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a"))
    play.forget()
    play.refuse(1, 1, Refusal.OUT_OF_ORDER)
    play.expect(send(1, 0, "a"))
    play.refuse(1, 1, Refusal.OUT_OF_ORDER)
    play.expect()
    assert play.core.deadline_ms() == 100
    play.wait(100)
    play.expect(send(1, 0, "a"))
    play.refuse(1, 1, Refusal.OUT_OF_ORDER)
    assert play.core.deadline_ms() == 300


def test_busy_and_unreadable_are_tried_again(open_play: Play) -> None:
    for refusal in (Refusal.BUSY, Refusal.UNREADABLE):
        play = Play()
        play.greet()
        play.happen(drafts(1, "#general", "a"))
        play.forget()
        play.refuse(1, 1, refusal)
        play.expect()
        play.wait(50)
        play.expect(send(1, 0, "a"))


def test_a_refusal_is_told_when_every_transmission_was_answered(open_play: Play) -> None:
    """The first was refused, the second may be accepted: the room was created between them."""
    play = open_play
    play.happen(drafts(1, "#tea", "a"))
    play.wait(2_000)
    play.forget()
    play.refuse(1, 1, Refusal.NO_SUCH_ROOM)
    play.expect()
    play.answer(stored(1, 6))
    play.expect(Acknowledge([1], None, 0, 6, 1000, False))


def test_a_refusal_of_every_transmission_is_told_once(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#tea", "a"))
    play.wait(2_000)
    play.refuse(1, 1, Refusal.NO_SUCH_ROOM, "first")
    play.forget()
    play.refuse(1, 1, Refusal.NO_SUCH_ROOM, "second")
    play.expect(Refuse([1], Refusal.NO_SUCH_ROOM, "first"))


def test_a_refusal_whose_other_answers_are_lost_is_an_unknown_outcome(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#tea", "a"))
    play.wait(2_000)
    play.refuse(1, 1, Refusal.NO_SUCH_ROOM)
    play.happen(drafts(2, "#general", "b"))
    play.forget()
    play.answer(stored(2, 6))
    play.expect(Acknowledge([2], None, 1, 6, 1000, False))  # nothing waits for the first one
    play.answer(wire.Heads(1, 1, 5, [], ""))
    for _ in range(3):
        play.wait(5_000)
        play.happen()
        play.answer(wire.Presence(1, [wire.Person("bob", True)]))
    assert Abandon([1], handed_over=True) in play.wanted
    assert play.core.outbox.is_empty


# ---- keys ----


def test_a_message_with_a_key_is_a_send_of_its_own(open_play: Play) -> None:
    play = open_play
    play.happen(keyed(1, "#general", "k1", "k2"))
    play.expect(
        Transmit(wire.KeyedSend(1, 1, "#general", "k1", "text")),
        Transmit(wire.KeyedSend(1, 2, "#general", "k2", "text")),
    )
    play.answer(stored(1, 6, duplicate=True))
    play.expect(Acknowledge([1], "k1", 0, 6, 1000, True))
    play.refuse(1, 2, Refusal.ID_REUSED, "used")
    play.expect(Refuse([2], Refusal.ID_REUSED, "used"))


def test_many_keys_are_on_their_way_together(open_play: Play) -> None:
    play = open_play
    play.happen(keyed(1, "#general", *(f"k{number}" for number in range(300))))
    assert len([effect for effect in play.wanted if isinstance(effect, Transmit)]) == 256
    play.forget()
    play.answer(wire.Ack(1, [wire.Stored(n, n + 5, 1000, True) for n in range(1, 11)]))
    assert len([effect for effect in play.wanted if isinstance(effect, Transmit)]) == 10


def test_keys_and_counters_are_not_on_their_way_together(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a"), keyed(2, "#general", "k"), drafts(3, "#general", "b"))
    play.expect(send(1, 0, "a"))
    play.answer(stored(1, 6))
    play.expect(
        Acknowledge([1], None, 0, 6, 1000, False), Transmit(wire.KeyedSend(1, 2, "#general", "k", "text"))
    )
    play.answer(stored(2, 7))
    play.expect(Acknowledge([2], "k", 1, 7, 1000, False), send(3, 1, "b", lowest=1))


# ---- giving up ----


def test_what_is_not_formed_is_never_sent_when_it_is_given_up(play: Play) -> None:
    play.happen(drafts(1, "#general", "a", "b", "c"), GivenUp(2))
    play.expect(Abandon([2], handed_over=False))
    play.greet()
    play.answer(stored(1, 6))
    play.expect(Acknowledge([1, 3], None, 0, 6, 1000, False))
    play.happen(GivenUp(1))
    play.expect()


def test_a_part_of_a_formed_send_stays_in_it(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a", "b"))
    play.forget()
    play.happen(GivenUp(1))
    play.expect(Abandon([1], handed_over=True))
    play.wait(2_000)
    play.expect_sent(send(1, 0, "a", "b").request)


def test_a_send_that_is_given_up_whole_lets_lowest_pass(open_play: Play) -> None:
    play = open_play
    play.happen(drafts(1, "#general", "a", "b"), drafts(3, "@bob", "c"))
    play.refuse(1, 2, Refusal.OUT_OF_ORDER)
    play.forget()
    play.happen(GivenUp(1), GivenUp(2))
    play.expect(Abandon([1], True), Abandon([2], True), send(2, 2, "c", to="@bob", lowest=2))


def test_at_the_end_nobody_is_left_waiting(open_play: Play) -> None:
    play = open_play
    for ticket in range(1, 7):
        play.happen(drafts(ticket, "#general", "m"))
    play.forget()
    play.happen(Stopped())
    play.expect(
        Transmit(wire.Bye(1)), Abandon([1, 2, 3, 4], handed_over=True), Abandon([5, 6], handed_over=False)
    )
    play.happen(drafts(7, "#general", "m"))
    play.expect(Abandon([7], handed_over=False))


def test_answers_to_nothing_are_ignored(open_play: Play) -> None:
    play = open_play
    play.answer(stored(99, 1))
    play.refuse(1, 99, Refusal.OUT_OF_ORDER)
    play.refuse(1, 0, Refusal.MALFORMED)
    play.refuse(0, 0, Refusal.NICK_TAKEN)
    play.expect()
