"""Whatever a broker says, the core does not raise, keeps its deadlines, and holds bounded state."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.client.play import Play, drafts, welcome
from zchat.client.core.events import (
    ActQueued,
    AnswerReceived,
    Consumed,
    Disconnected,
    Event,
    FollowChanged,
    GivenUp,
    HandshakeFailed,
    HandshakeSucceeded,
    HeadsPublished,
    MalformedReceived,
    PageReceived,
    PresencePublished,
    RoomPublished,
    SegmentDelivered,
    Started,
)
from zchat.common import wire

small = st.integers(0, 12)
position = small | st.just(2**53 - 1)
conversations = st.sampled_from(
    ["#general", "#tea", "@ann,bob", "@ann,ann", "@bob,cat", "$", "@", "#", "@ann", ""]
)
nicks = st.sampled_from(["ann", "bob", "ann,bob"])
entries = st.one_of(
    st.builds(wire.Messages, nicks, small, small, st.lists(st.just("x"), min_size=1, max_size=3)),
    st.builds(wire.KeyedMessage, nicks, st.just("k"), st.just("x")),
    st.builds(wire.Joined, nicks, st.booleans()),
    st.builds(wire.Left, nicks),
    st.builds(wire.TopicSet, nicks, st.just("t")),
    st.builds(wire.Registered, nicks, nicks, st.just("k" * 40)),
    st.builds(
        wire.Acted,
        nicks,
        st.sampled_from(["kicked", "banned", "muted", "x"]),
        st.sampled_from(["", "general", "tea"]),
        nicks,
        position,
        st.just(""),
        st.just("why"),
    ),
    st.builds(wire.Redacted, nicks, position, st.just("why")),
    st.builds(wire.Unknown),
)
segments = st.one_of(
    st.builds(
        wire.Segment,
        conversations,
        position,
        position,
        position,
        small,
        st.lists(entries, min_size=1, max_size=3),
    ),
    st.builds(
        lambda conversation, prev, first, entry: wire.Segment(conversation, prev, first, first, 0, [entry]),
        conversations,
        small,
        small,
        entries,
    ),
)
heads = st.lists(st.builds(wire.Head, conversations, position, position), max_size=4)
following = st.sampled_from(["", "", "#general", "a"])
nonces = st.sampled_from(["nonce1", "nonce2", "n"])
code = st.sampled_from([100, 101, 103, 104, 105, 300, 301, 305, 400, 401, 999])  # no final ones for Hello
answers = st.one_of(
    st.builds(
        wire.Welcome,
        small,
        small,
        st.just("ann"),
        st.booleans(),
        position,
        position,
        heads,
        following,
        st.sampled_from([0, 1, 9243]),
        nonces,
        position,
        position,
        position,
        position,
        position,
        st.just("b"),
    ),
    st.builds(wire.Refused, st.integers(1, 3), small, code, st.just(""), position),
    st.builds(wire.Refused, st.just(0), st.just(0), st.sampled_from([105, 400, 401]), st.just(""), position),
    st.builds(
        wire.Ack, small, st.lists(st.builds(wire.Stored, small, position, small, st.booleans()), max_size=3)
    ),
    st.builds(wire.Done, small, small, position),
    st.builds(wire.Deliver, small),
    st.builds(wire.Page, small, small, conversations, position, position),
    st.builds(wire.Heads, small, small, position, heads, following),
    st.builds(wire.Followed, small, small, position, heads, nonces),
    st.builds(wire.People, small, small, st.just([]), st.just("")),
    st.builds(wire.Rooms, small, small, st.just([]), st.just("")),
    st.builds(wire.Presence, small, st.lists(st.builds(wire.Person, nicks, st.booleans()), max_size=2)),
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(AnswerReceived, answers),
    st.builds(SegmentDelivered, small, segments),
    st.builds(
        PageReceived,
        st.builds(wire.Page, st.integers(1, 3), small, conversations, position, position),
        st.lists(segments, max_size=3),
    ),
    st.builds(RoomPublished, segments),
    st.builds(HeadsPublished, nonces, st.builds(wire.Heads, small, small, position, heads, following)),
    st.builds(PresencePublished, st.builds(wire.Presence, small, st.just([wire.Person("bob", True)]))),
    st.sampled_from([Disconnected(), HandshakeFailed(), HandshakeSucceeded(), MalformedReceived()]),
    st.builds(Consumed, small),
    st.builds(GivenUp, small),
    st.builds(lambda ticket: drafts(ticket, "#general", "x"), small),
    st.builds(lambda ticket: ActQueued(ticket, wire.Join(0, 0, "tea")), small),
    st.builds(lambda ticket: ActQueued(ticket, wire.Fetch(0, 0, "#tea", 0, 0)), small),
    st.builds(FollowChanged, small, st.sampled_from([[], ["tea"], ["Tea", "general"]])),
)


@settings(max_examples=100, deadline=None)
@given(
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from([0, 0, 1, 100, 3_000, 20_000]), events), max_size=25),
)
def test_nothing_makes_the_core_raise(quiet: bool, resume: bool, happenings: list[tuple[int, Event]]) -> None:
    play = Play(quiet=quiet, resume=resume)
    play.happen(Started(), HandshakeSucceeded(), AnswerReceived(welcome()))
    for after_ms, event in happenings:
        play.wait(after_ms)
        play.happen(event)
        assert len(play.wanted) < 2_000
        snapshot = play.core.snapshot()
        assert len(snapshot.positions) < 10
        play.forget()
