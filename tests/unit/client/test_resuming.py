"""What outlives a session and a process: counters, a cursor for each conversation, and what the user took."""

import random

import pytest

from tests.unit.client.play import CAUGHT_UP, Play, drafts, heads, hello, message, said, segment, welcome
from zchat.client.core import inbox
from zchat.client.core.cursors import Snapshot
from zchat.client.core.effects import Abandon, Connect, Deliver, Transmit
from zchat.client.core.events import (
    Disconnected,
    HandshakeSucceeded,
    HeadsPublished,
    PresencePublished,
    SegmentDelivered,
    Started,
)
from zchat.client.messages import Message, Update
from zchat.common import wire
from zchat.common.codes import Refusal

GENERAL, TEA, BOB, CAT = "#general", "#tea", "@ann,bob", "@ann,cat"
ADDRESSES = {GENERAL: GENERAL, TEA: TEA, BOB: "@bob", CAT: "@cat"}
HAPPENINGS = ["new", "new", "lost", "old", "answer", "answer", "no answer", "take", "time"]
BEGUN = Snapshot(1, {}, frozenset({GENERAL, TEA}), frozenset())


def fetch(token: int, to: str, bound: int, session: int = 1) -> Transmit:
    return Transmit(wire.Fetch(session, token, to, 0, bound))


def asked(play: Play) -> list[wire.Fetch]:
    """The pages that were asked for since the last look."""
    found = [e.request for e in play.wanted if isinstance(e, Transmit) and isinstance(e.request, wire.Fetch)]
    play.forget()
    return found


def resumed(snapshot: Snapshot, *rows: tuple[str, int, int], as_of: int) -> Play:
    """The next process, welcomed with these heads."""
    play = Play(resume=True, snapshot=snapshot)
    play.happen(Started(), HandshakeSucceeded())
    assert play.wanted == [Connect(), hello(floor=snapshot.floor)]
    play.forget()
    play.answer(welcome(rows=rows, floor=snapshot.floor or 0, as_of=as_of))
    return play


# ---- counters ----


def test_hello_names_the_lowest_counter_that_is_open(open_play: Play) -> None:
    play = open_play
    play.happen(
        drafts(1, GENERAL, "a", "b"), drafts(3, "#none", "c"), drafts(4, GENERAL, "d"), drafts(5, "@bob", "e")
    )
    play.answer(wire.Ack(1, [wire.Stored(1, 6, 1000, False)]))
    play.refuse(1, 2, Refusal.NO_SUCH_ROOM)
    play.happen(Disconnected())
    play.wait(100)
    play.forget()
    play.happen(HandshakeSucceeded())
    play.expect(hello(floor=5, lowest=3))


def test_a_refusal_of_another_transmission_cannot_come_in_the_next_session(open_play: Play) -> None:
    """Tokens outlive sessions, so the session tells which transmission was answered."""
    play = open_play
    play.happen(drafts(1, GENERAL, "a"), Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.answer(welcome(2, (), floor=5))
    play.forget()
    play.refuse(1, 1, Refusal.NO_SUCH_ROOM)
    play.answer(wire.Ack(1, [wire.Stored(1, 6, 1000, False)]))
    play.expect()


def test_what_is_in_doubt_stays_unknown_when_the_session_is_over(open_play: Play) -> None:
    """One transmission was refused; the answer to the other one was lost with the session."""
    play = open_play
    play.happen(drafts(1, "#none", "a"))
    play.wait(2_000)
    play.refuse(1, 1, Refusal.NO_SUCH_ROOM)
    play.happen(Disconnected())
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.forget()
    play.answer(welcome(2, (), floor=5))
    assert Abandon([1], handed_over=True) in play.wanted
    assert play.core.outbox.is_empty


# ---- a slower conversation ----


def test_a_slower_conversation_is_not_skipped() -> None:
    """Entries of the room come from 9 on and are taken; the direct one before them is still missing when the
    process ends."""
    first = resumed(BEGUN._replace(floor=5), (BOB, 6, 0), (GENERAL, 8, 2), as_of=8)
    assert asked(first) == [
        fetch(1, "@bob", 5).request,
        fetch(2, GENERAL, 5).request,
    ]
    first.page(1, 2, GENERAL, 8, segment(GENERAL, 5, 8, said("bob", "x")))
    first.publish(segment(GENERAL, 8, 9, said("bob", "y")))
    first.take(2)
    kept = first.core.snapshot()
    assert (kept.floor, kept.positions[GENERAL], kept.positions.get(BOB, 0)) == (5, 9, 0)
    second = resumed(kept, (BOB, 6, 0), (GENERAL, 9, 2), as_of=9)
    assert asked(second)[0] == fetch(1, "@bob", 5).request
    second.page(1, 1, BOB, 6, segment(BOB, 0, 6, said("bob", "late")))
    assert second.wanted[0] == Deliver([message(BOB, 0, 6, "bob", "late")])


def test_the_floor_waits_for_each_head_and_for_the_user() -> None:
    play = resumed(BEGUN._replace(joined=frozenset({GENERAL})), (BOB, 6, 0), (GENERAL, 8, 2), as_of=9)
    play.page(1, 1, BOB, 6, segment(BOB, 0, 6, said("bob", "a")))
    assert play.core.snapshot().floor == 1
    play.page(1, 2, GENERAL, 8, segment(GENERAL, 1, 7, said("bob", "b")))
    play.take(2)
    assert play.core.snapshot().floor == 1  # all but the last of the room
    play.page(1, 3, GENERAL, 8, segment(GENERAL, 7, 8, said("bob", "c")))
    assert play.core.snapshot().floor == 1  # which the user has not taken
    play.take(1)
    assert play.core.snapshot().floor == 9


def test_a_gap_moves_neither_cursor_nor_floor() -> None:
    play = resumed(BEGUN._replace(joined=frozenset({GENERAL})), (GENERAL, 8, 2), as_of=8)
    play.publish(segment(GENERAL, 7, 8, said("bob", "c")))
    assert asked(play) == [fetch(1, GENERAL, 1).request]
    kept = play.core.snapshot()
    assert (kept.floor, kept.positions.get(GENERAL, 1)) == (1, 1)
    play.page(1, 1, GENERAL, 8, segment(GENERAL, 1, 7, said("bob", "b")))
    assert play.wanted == [Deliver([message(GENERAL, 1, 7, "bob", "b")]), fetch(2, GENERAL, 7)]


def test_of_a_batch_that_was_taken_in_part_the_rest_comes_again() -> None:
    first = resumed(BEGUN, (GENERAL, 4, 2), as_of=4)
    batch = segment(GENERAL, 1, 2, said("bob", "a", "b", "c"))
    first.page(1, 1, GENERAL, 4, batch)
    first.take(2)
    second = resumed(first.core.snapshot(), (GENERAL, 4, 2), as_of=4)
    assert fetch(1, GENERAL, 3).request in asked(second)
    second.page(1, 1, GENERAL, 4, batch)
    assert second.wanted[0] == Deliver([message(GENERAL, 3, 4, "bob", "c", 2)])


# ---- what is not for this session, or not at this time ----


def test_a_page_of_a_session_that_is_over_is_ignored(open_play: Play) -> None:
    play = open_play
    play.publish(segment(GENERAL, 6, 7, said("bob", "b")))
    play.happen(Disconnected())
    play.forget()
    missing = segment(GENERAL, 5, 6, said("bob", "a")), segment(GENERAL, 6, 7, said("bob", "b"))
    play.page(1, 1, GENERAL, 7, *missing)
    play.expect()
    play.wait(100)
    play.happen(HandshakeSucceeded())
    play.answer(welcome(2, ((GENERAL, 7, 2),), floor=5))
    play.forget()
    play.page(1, 1, GENERAL, 7, *missing)
    play.expect()
    play.page(2, 2, GENERAL, 7, *missing)
    play.expect(
        Deliver([message(GENERAL, 5, 6, "bob", "a")]),
        Deliver([message(GENERAL, 6, 7, "bob", "b")]),
        CAUGHT_UP,
    )


def test_while_a_hello_is_unanswered_no_other_one_is_said() -> None:
    """It was said twice. The second one ends the session of the first, and its Welcome is on its way."""
    play = Play()
    play.happen(Started(), HandshakeSucceeded())
    play.wait(2_000)
    play.answer(welcome())
    play.wait(1_500)
    play.forget()
    play.refuse(1, 1, Refusal.NOT_GREETED)
    assert not [effect for effect in play.wanted if isinstance(effect, Transmit)]
    play.answer(welcome(2, (), floor=5))
    assert play.core.is_open


def test_a_user_who_takes_nothing_stops_repairs_also_those_under_way(
    open_play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "UPDATES_MAX", 2)
    play = open_play
    play.happen(SegmentDelivered(1, segment(BOB, 6, 7, said("bob", "b"))))
    play.expect(fetch(1, "@bob", 5))
    play.publish(segment(GENERAL, 5, 8, said("cat", "x", "y")))
    play.forget()
    play.refuse(1, 1, Refusal.BUSY)
    play.wait(1_000)
    assert asked(play) == []
    play.take(2)
    play.expect(Transmit(wire.Ping(1, 2, 5, "")))
    play.answer(wire.Heads(1, 2, 9, heads([(GENERAL, 9, 2), (BOB, 7, 0)]), ""))
    play.expect(fetch(3, "@bob", 5))


def test_a_quiet_client_hears_of_nobody() -> None:
    play = Play(quiet=True)
    play.greet()
    play.happen(PresencePublished(wire.Presence(0, [wire.Person("bob", True)])))
    play.answer(wire.Presence(1, [wire.Person("bob", True)]))
    play.expect()


# ---- all of it at once ----


class Log:
    """A broker's log of four conversations, with batches of up to three, and what it tells of it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.last_pos = 1
        self.segments: dict[str, list[wire.Segment]] = {conversation: [] for conversation in ADDRESSES}

    def grow(self) -> wire.Segment:
        """One more segment."""
        conversation, count = self._chance.choice([*ADDRESSES]), self._chance.randint(1, 3)
        before = self.segments[conversation]
        prev = before[-1].last if before else 0
        texts = [f"{self.last_pos + 1 + n}" for n in range(count)]
        before.append(segment(conversation, prev, self.last_pos + 1, said("bob", *texts)))
        self.last_pos += count
        return before[-1]

    def any(self) -> wire.Segment:
        """An old one, or a new one."""
        every = [one for segments in self.segments.values() for one in segments]
        return self._chance.choice(every) if every else self.grow()

    def heads(self, floor: int) -> list[wire.Head]:
        last = {c: segments[-1].last for c, segments in self.segments.items() if segments}
        return heads([(c, last[c], 0) for c in sorted(last) if last[c] > floor])

    def answer(self, play: Play, request: wire.Request) -> None:
        """What the broker answers to a Ping or a Fetch: a page is short, and may be older than its answer."""
        match request:
            case wire.Ping(session=session, token=token, floor=floor):
                play.answer(wire.Heads(session, token, self.last_pos, self.heads(floor), ""))
            case wire.Fetch(session=session, token=token, to=to, bound=bound):
                conversation = next(c for c, address in ADDRESSES.items() if address == to)
                segments = self.segments[conversation]
                found = [s for s in segments if s.last > bound][: self._chance.randint(1, 3)]
                play.page(session, token, conversation, segments[-1].last if segments else 0, *found)
            case wire.Follow(session=session, token=token):
                play.answer(wire.Followed(session, token, self.last_pos, [], f"nonce-{token}"))
                told = wire.Heads(session, 0, self.last_pos, self.heads(0), "")
                play.happen(HeadsPublished(f"nonce-{token}", told))
            case _:
                raise AssertionError(request)


class Life:
    """One process of an installation, from a snapshot on. `taken`: what its user had, to which it adds."""

    def __init__(self, log: Log, snapshot: Snapshot, taken: list[Message]) -> None:
        floor = snapshot.floor or 0
        self.play = Play(resume=True, snapshot=snapshot)
        self.play.happen(Started(), HandshakeSucceeded())
        self._log = log
        self._taken = taken
        self._waiting: list[Update] = []
        self._open: list[wire.Request] = []
        self.play.forget()
        rows = [(head.conversation, head.pos, 0) for head in log.heads(floor)]
        self.play.answer(welcome(rows=rows, floor=floor, as_of=log.last_pos))
        self.look()

    def look(self) -> None:
        """Take in what the core wants."""
        for effect in self.play.wanted:
            if isinstance(effect, Deliver):
                self._waiting += effect.updates
            elif isinstance(effect, Transmit):
                self._open.append(effect.request)
        self.play.forget()

    def hear(self, one: wire.Segment) -> None:
        """A segment comes."""
        if one.conversation.startswith("#"):
            self.play.publish(one)
        else:
            self.play.happen(SegmentDelivered(1, one))
        self.look()

    def answer(self, lost: bool = False) -> None:
        """The oldest open request is answered, or its answer is lost."""
        if self._open:
            request = self._open.pop(0)
            if not lost:
                self._log.answer(self.play, request)
                self.look()

    def take(self, count: int) -> None:
        """The user takes some of what waits."""
        count = min(count, len(self._waiting))
        self._taken += [update for update in self._waiting[:count] if isinstance(update, Message)]
        del self._waiting[:count]
        if count:
            self.play.take(count)
            self.look()

    def wait(self, ms: int) -> None:
        self.play.wait(ms)
        self.look()

    def settle(self) -> None:
        """In silence: no more segments, nothing lost, and a user who takes everything."""
        for _ in range(12):
            self.wait(5_000)
            while self._open or self._waiting:
                self.answer()
                self.take(3)


@pytest.mark.parametrize("updates_max", [4, 10_000])
@pytest.mark.parametrize("seed", range(12))
def test_every_message_comes_once_and_in_order(
    seed: int, updates_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over three lives, with losses, repetitions, pages that overlap, and a user who stops reading."""
    monkeypatch.setattr(inbox, "UPDATES_MAX", updates_max)
    chance = random.Random(seed)
    log, taken, snapshot = Log(chance), list[Message](), BEGUN
    for _ in range(3):
        life = Life(log, snapshot, taken)
        for _ in range(60):
            match chance.choice(
                ["new", "new", "lost", "old", "answer", "answer", "no answer", "take", "time"]
            ):
                case "new":
                    life.hear(log.grow())
                case "lost":
                    log.grow()
                case "old":
                    life.hear(log.any())
                case "answer":
                    life.answer()
                case "no answer":
                    life.answer(lost=True)
                case "take":
                    life.take(chance.randint(1, 4))
                case "time":
                    life.wait(chance.choice([10, 100, 1_000]))
        snapshot = life.play.core.snapshot()
    life = Life(log, snapshot, taken)
    life.settle()
    for conversation, segments in log.segments.items():
        told = [m.text for m in taken if m.conversation == conversation]
        assert told == [text for one in segments for entry in one.entries for text in entry.texts]  # type: ignore[union-attr]
    assert life.play.core.snapshot().floor == log.last_pos
