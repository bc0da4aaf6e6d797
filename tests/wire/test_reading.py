"""Reading: pages and their edges, heads, and a new installation."""

import itertools

import pytest

from tests.wire.conftest import Connect
from tests.wire.raw import Client, unused
from zchat.common import limits, wire
from zchat.common.codes import Refusal

Spans = list[tuple[int, int]]


@pytest.fixture
def room(ann: Client) -> str:
    """A room with a join, two batches of two, and one message, in segments of their own."""
    name = unused("room")
    ann.join(name)
    for counter, texts in ((0, "ab"), (2, "cd"), (4, "e")):
        ann.send(f"#{name}", counter, *texts)
    return f"#{name}"


def spans(client: Client, to: str, direction: int, bound: int) -> Spans:
    """The first and last positions of the segments, relative to the room's first."""
    page, segments = client.fetch(to, direction, bound)
    _, everything = client.fetch(to, 0, 0)
    first = everything[0].first
    assert (page.conversation, page.floor, page.head) == (to, 0, everything[-1].last)
    assert all(one.last == two.prev for one, two in itertools.pairwise(segments))
    return [(s.first - first, s.last - first) for s in segments]


def test_the_edges_of_pages(ann: Client, room: str) -> None:
    whole = [(0, 0), (1, 2), (3, 4), (5, 5)]
    _, segments = ann.fetch(room, 0, 0)
    begin = segments[0].first
    assert segments[0].prev == 0 and [s.last - s.first for s in segments] == [0, 1, 1, 0]
    for bound, wanted in (
        (0, whole),
        (begin - 1, whole),
        (begin, whole[1:]),
        (begin + 1, whole[1:]),
        (begin + 2, whole[2:]),
        (begin + 4, whole[3:]),
        (begin + 5, []),
        (2**53 - 1, []),
    ):
        assert spans(ann, room, 0, bound) == wanted, bound
    for bound, wanted in (
        (0, []),
        (begin, []),
        (begin + 1, whole[:1]),
        (begin + 2, whole[:2]),
        (begin + 3, whole[:2]),
        (begin + 4, whole[:3]),
        (2**53 - 1, whole),
    ):
        assert spans(ann, room, 1, bound) == wanted, bound
    for bound, wanted in ((0, whole), (segments[0].time_ms, whole), (2**53 - 1, [])):
        assert spans(ann, room, 2, bound) == wanted, bound
    last = segments[-1].time_ms
    assert spans(ann, room, 2, last)[-1:] == whole[-1:]
    assert spans(ann, room, 2, last + 1) == []


def test_the_past_is_walked_in_both_directions(ann: Client) -> None:
    name = unused("room")
    ann.join(name)
    for counter in range(12):
        ann.send(f"#{name}", counter, str(counter).ljust(60_000))
    forth, after = list[wire.Segment](), 0
    pages = 0
    while True:
        page, segments = ann.fetch(f"#{name}", 0, after)
        assert len(segments) == 1 or sum(len(wire.encode(s)) for s in segments) <= limits.PAGE_BYTES_MAX
        forth += segments
        after, pages = segments[-1].last, pages + 1
        if after >= page.head:
            break
    back, before = list[wire.Segment](), page.head + 1
    while before:
        _, segments = ann.fetch(f"#{name}", 1, before)
        back = segments + back
        before = segments[0].first if segments[0].prev else 0
    assert forth == back and len(forth) == 13 and pages >= 3
    assert [one.last for one in forth[:-1]] == [two.prev for two in forth[1:]]


def test_a_segment_larger_than_others_comes_alone(ann: Client) -> None:
    name = unused("room")
    ann.join(name)
    for counter in (0, 2):
        row = ann.send(f"#{name}", counter, "x" * 65_536, "y" * 65_536)
    _, segments = ann.fetch(f"#{name}", 1, row.pos + 2)
    assert [len(s.entries) for s in segments] == [1] and segments[0].first == row.pos


def test_nothing_is_in_a_conversation_without_entries(ann: Client, bob: Client) -> None:
    page, segments = ann.fetch(f"@{bob.nick.upper()}", 0, 0)
    one, other = sorted((ann.nick, bob.nick))
    assert (page.conversation, page.head, segments) == (f"@{one},{other}", 0, [])


def test_a_direct_conversation_is_of_two(connect: Connect, ann: Client, bob: Client) -> None:
    ann.send(f"@{bob.nick}", 0, "psst")
    ann.hear()
    for client, other in ((ann, bob), (bob, ann)):
        if client is bob:
            assert bob.hear().segments[0].entries == [wire.Messages(ann.nick, 1, 0, ["psst"])]
        _, segments = client.fetch(f"@{other.nick}", 0, 0)
        assert [s.entries for s in segments] == [[wire.Messages(ann.nick, 1, 0, ["psst"])]]
    cat = connect()
    cat.greet()
    for to in (f"@{ann.nick}", f"@{bob.nick}"):
        assert cat.fetch(to, 0, 0)[1] == []
    cat.say(
        wire.Fetch(cat.session, 1, f"@{ann.nick},{bob.nick}"[:33], 0, 0),
        wire.Fetch(cat.session, 2, "$$", 0, 0),
    )
    assert [cat.refusal(), cat.refusal()] == [Refusal.NO_SUCH_USER, Refusal.MALFORMED]


def test_too_many_pages_at_once(ann: Client, room: str) -> None:
    ann.say(*(wire.Fetch(ann.session, token, room, 0, 0) for token in range(1, 21)))
    told = [ann.hear().answer for _ in range(20)]
    busy = [a for a in told if isinstance(a, wire.Refused)]
    assert busy and {a.code for a in busy} == {Refusal.BUSY.value}
    assert sorted(a.token for a in told if isinstance(a, wire.Page | wire.Refused)) == list(range(1, 21))
    ann.fetch(room, 0, 0)


def test_heads(ann: Client, bob: Client) -> None:
    name = unused("room")
    joined = bob.join(name)
    row = ann.send(f"#{name}", 0, "a")
    direct = ann.send(f"@{bob.nick}", 1, "b")
    bob.hear()
    one, other = sorted((ann.nick, bob.nick))
    room, pair = wire.Head(f"#{name}", row.pos, joined), wire.Head(f"@{one},{other}", direct.pos, 0)
    for floor, after, wanted in (
        (joined, "", [room, pair]),
        (row.pos, "", [pair]),
        (joined, f"#{name}", [pair]),
        (direct.pos, "", []),
        (2**53 - 1, "", []),
        (joined, "\U0010ffff" * 130, []),
    ):
        bob.say(wire.Ping(bob.session, 7, floor, after))
        assert bob.answer(wire.Heads) == wire.Heads(bob.session, 7, direct.pos, wanted, "")


def test_a_new_installation_and_one_that_comes_back(connect: Connect, ann: Client, bob: Client) -> None:
    row = ann.send(f"@{bob.nick}", 0, "while bob is away")
    bob.hear()
    new = connect(key=bob.key)
    welcome = new.greet(bob.nick, instance=2)
    assert [head.conversation[0] for head in welcome.heads] == ["#", "@"]
    assert welcome.floor < welcome.heads[0].start  # of the registration
    known = connect(key=bob.key)
    again = known.greet(bob.nick, instance=3, floor=row.pos)
    assert (again.heads, again.floor) == ([], row.pos)


def test_lists(ann: Client, bob: Client) -> None:
    name = unused("room")
    ann.join(name)
    ann.say(wire.SetTopic(ann.session, 1, name, "topic"))
    ann.answer(wire.Done)
    ann.say(wire.ListRooms(ann.session, 2, name[:-1]), wire.ListRooms(ann.session, 3, name))
    assert wire.Room(name, "topic", 1) in ann.answer(wire.Rooms).rooms
    assert wire.Room(name, "topic", 1) not in ann.answer(wire.Rooms).rooms
    bob.say(wire.ListPeople(bob.session, 4, name.upper(), ""))
    assert bob.answer(wire.People) == wire.People(
        bob.session, 4, [wire.Person(ann.nick, True, role=wire.OWNER)], ""
    )
    ann.say(wire.Bye(ann.session))
    bob.say(wire.ListPeople(bob.session, 5, None, ""))
    people = bob.answer(wire.People).people
    assert people == sorted(people, key=lambda person: person.nick)
    assert wire.Person(bob.nick, True) in people
