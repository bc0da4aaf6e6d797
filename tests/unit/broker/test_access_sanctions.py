"""Kicks, mutes and bans: what they forbid, how they are told, and what is ordered around them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.broker.crowd import DAN, FOR_EVER, Crowd, acts, asked_by
from tests.unit.broker.play import (
    ACCOUNT,
    ANN,
    BOB,
    CAT,
    TIME_MS,
    Peer,
    acked,
    delivered,
    hello,
    published,
    refused,
    somebody,
)
from zchat.broker.core.effects import CutSubscribers, Dismiss, Publish, Transmit, TransmitSegments
from zchat.broker.core.limits import Limits
from zchat.common import wire
from zchat.common.codes import Refusal

MINUTE_MS = 60_000


def kick(room: str, nick: str = "bob", reason: str = "") -> wire.Kick:
    return wire.Kick(0, 0, room, nick, reason)


def ban(room: str, nick: str = "bob", lifetime_ms: int = FOR_EVER, reason: str = "") -> wire.Sanction:
    return wire.Sanction(0, 0, room, nick, wire.BAN, lifetime_ms, reason)


def mute(room: str, nick: str = "bob", lifetime_ms: int = FOR_EVER, reason: str = "") -> wire.Sanction:
    return wire.Sanction(0, 0, room, nick, wire.MUTE, lifetime_ms, reason)


def pardon(room: str, nick: str = "bob", kind: int = wire.BAN) -> wire.Pardon:
    return wire.Pardon(0, 0, room, nick, kind, "")


@pytest.fixture
def dev(crowd: Crowd) -> Crowd:
    """Ann made #dev, where Bob is and Cat is not."""
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(BOB, wire.Join(0, 0, "dev"))
    return crowd


READING: list[Any] = [
    wire.Fetch(0, 0, "#dev", 0, 0),
    wire.Fetch(0, 0, "#dev", 1, 2**53 - 1),
    wire.Fetch(0, 0, "#dev", 2, 0),
    wire.Follow(0, 0, ["dev"], False),
    wire.Follow(0, 0, ["general", "dev"], True),
    wire.ListPeople(0, 0, "dev", ""),
]
WRITING: list[Any] = [
    wire.Send(0, 0, 0, "#dev", 0, ["x"]),
    wire.KeyedSend(0, 0, "#dev", "k", "x"),
]


# ---- out of a room ----


@pytest.mark.parametrize("act", [kick, ban])
@pytest.mark.parametrize("nick", ["bob", "cat"])
def test_who_is_put_out_neither_reads_nor_writes(dev: Crowd, act: Callable[..., Any], nick: str) -> None:
    """A member, or somebody who just reads."""
    peer = BOB if nick == "bob" else CAT
    assert dev.act(ANN, act("DEV", nick.upper(), reason="spam")) > 0
    for request in READING + WRITING + [wire.SetTopic(0, 0, "dev", "x")]:
        assert dev.refusal(peer, request) is Refusal.NOT_ALLOWED, request
        reason = dev.reason(peer, request)
        word = "kicked out of" if act is kick else "banned from"
        assert reason.startswith(f"you were {word} #dev by ann: spam"), reason
    assert not dev.subscribes(peer, b"#dev\0")
    assert dev.subscribes(peer, b"#general\0") and dev.subscribes(peer, wire.HERE)
    assert nick not in [one.nick for one in dev.ask(ANN, wire.ListPeople(0, 0, "dev", "")).people]
    assert "#dev" not in [head.conversation for head in dev.ask(peer, wire.Ping(0, 0, 0, "")).heads]
    assert "dev" in [room.name for room in dev.ask(peer, wire.ListRooms(0, 0, "")).rooms]
    assert dev.act(peer, wire.Leave(0, 0, "dev")) == 0
    if act is kick:
        assert dev.act(peer, wire.Join(0, 0, "dev")) > 0
    else:
        assert dev.refusal(peer, wire.Join(0, 0, "dev")) is Refusal.NOT_ALLOWED
        assert dev.act(ANN, pardon("dev", nick)) > 0
    assert isinstance(dev.send(peer, "#dev", "x"), int)
    assert dev.subscribes(peer, b"#dev\0")
    assert dev.entries(peer, "#dev")


def test_a_kick_outlives_a_ban_that_ends(dev: Crowd) -> None:
    dev.act(ANN, kick("dev", reason="first"))
    dev.act(ANN, ban("dev", reason="second"))
    assert dev.reason(BOB, READING[0]) == "you were banned from #dev by ann: second"
    dev.act(ANN, pardon("dev"))
    assert "kicked out of #dev by ann: first" in dev.reason(BOB, READING[0])
    assert not dev.subscribes(BOB, b"#dev\0")
    assert dev.act(BOB, wire.Join(0, 0, "dev")) > 0
    assert dev.subscribes(BOB, b"#dev\0")


def test_a_kick_while_banned_holds_as_well(dev: Crowd) -> None:
    dev.act(ANN, ban("dev"))
    assert dev.act(ANN, kick("dev")) > 0
    dev.act(ANN, pardon("dev"))
    assert not dev.subscribes(BOB, b"#dev\0")
    assert dev.refusal(BOB, READING[0]) is Refusal.NOT_ALLOWED


def test_who_was_kicked_is_not_kicked_again(dev: Crowd) -> None:
    assert dev.act(ANN, kick("dev")) > 0
    assert dev.act(ANN, kick("dev")) == 0
    assert len(acts(dev.entries(ANN, "#dev"))) == 1


def test_nobody_puts_himself_out(dev: Crowd) -> None:
    """Who wants to go, leaves."""
    assert dev.refusal(ANN, kick("dev", "ann")) is Refusal.NOT_ALLOWED


# ---- mutes ----


def test_who_is_muted_in_a_room_reads_and_does_not_write_there(dev: Crowd) -> None:
    assert dev.act(ANN, mute("dev", lifetime_ms=MINUTE_MS, reason="calm down")) > 0
    for request in WRITING:
        assert dev.refusal(BOB, request) is Refusal.NOT_ALLOWED
        assert dev.reason(BOB, request) == "you were muted by ann until 2026-11-18 11:07:40 UTC: calm down"
    for request in READING:
        assert not isinstance(dev.ask(BOB, request), wire.Refused), request
    assert dev.subscribes(BOB, b"#dev\0")
    for to in ("#general", "@ann", "@bob"):
        assert isinstance(dev.send(BOB, to, "x"), int)
    dev.act(BOB, wire.Leave(0, 0, "dev"))
    dev.act(BOB, wire.Join(0, 0, "dev"))
    assert dev.send(BOB, "#dev", "x") is Refusal.NOT_ALLOWED
    assert dev.act(ANN, pardon("dev", kind=wire.BAN)) == 0  # another thing
    assert dev.act(ANN, pardon("dev", kind=wire.MUTE)) > 0
    assert dev.act(ANN, pardon("dev", kind=wire.MUTE)) == 0
    assert isinstance(dev.send(BOB, "#dev", "x"), int)


def test_who_is_muted_at_the_broker_writes_nowhere(dev: Crowd) -> None:
    room = dev.private_room(ANN, BOB)
    dev.act(ACCOUNT, mute("", reason="quiet"))
    for to in ("#dev", "#general", "@ann", "@bob", f"#{room}"):
        assert dev.send(BOB, to, "x") is Refusal.NOT_ALLOWED
        assert dev.refusal(BOB, wire.KeyedSend(0, 0, to, "k", "x")) is Refusal.NOT_ALLOWED
    assert dev.reason(BOB, WRITING[0]) == "you were muted by the account that runs the broker: quiet"
    for act in (
        wire.SetTopic(0, 0, "dev", "x"),
        wire.SetTopic(0, 0, room, "x"),
        wire.SetAway(0, 0, "x"),
        wire.Join(0, 0, "a-name-that-says-something"),
        wire.Join(0, 0, "another", True),
    ):
        assert dev.refusal(BOB, act) is Refusal.NOT_ALLOWED, act
    assert dev.entries(BOB, f"#{room}") and dev.subscribes(BOB, wire.HERE)
    dev.act(ANN, mute("dev"))
    dev.act(ACCOUNT, pardon("", kind=wire.MUTE))
    assert dev.send(BOB, "#dev", "x") is Refusal.NOT_ALLOWED  # there as well
    assert dev.refusal(BOB, wire.SetTopic(0, 0, "dev", "x")) is Refusal.NOT_ALLOWED
    assert dev.act(BOB, wire.SetAway(0, 0, "x")) > 0
    assert isinstance(dev.send(BOB, "#general", "x"), int)


def test_a_sanction_can_be_changed(dev: Crowd) -> None:
    dev.act(ANN, mute("dev", lifetime_ms=MINUTE_MS, reason="a"))
    dev.act(ACCOUNT, mute("dev", reason="b"))
    listed = dev.ask(ANN, wire.ListSanctions(0, 0, "dev", "")).sanctions
    assert listed == [wire.SanctionRow("bob", wire.MUTE, wire.FOR_EVER, "$", "b")]


@pytest.mark.parametrize("act", [mute, ban])
def test_a_repeated_sanction_is_told_once(dev: Crowd, act: Callable[..., Any]) -> None:
    """As after an answer that was lost. Its end stays where it was."""
    request = dev.asks(ANN, act("dev", lifetime_ms=MINUTE_MS))
    (first,) = dev.answers(request)
    dev.play.time_ms += 5_000
    (again,) = dev.answers(request)
    assert (first.pos > 0, again.pos) == (True, 0)
    assert len(acts(dev.entries(ANN, "#dev"))) == 1
    (row,) = dev.ask(ANN, wire.ListSanctions(0, 0, "dev", "")).sanctions
    assert row.until_ms == TIME_MS + MINUTE_MS
    other = dev.asks(ANN, act("dev", lifetime_ms=MINUTE_MS))
    assert dev.answers(other)[0].pos > 0  # another one


@pytest.mark.parametrize(
    ("lifetime_ms", "until_ms"),
    [
        (0, wire.FOR_EVER),
        (1, TIME_MS + 1),
        (100 * 365 * 86_400_000, TIME_MS + 100 * 365 * 86_400_000),
        (2**53 - 1, wire.FOR_EVER),
    ],
)
def test_for_how_long(dev: Crowd, lifetime_ms: int, until_ms: int) -> None:
    dev.act(ANN, mute("dev", lifetime_ms=lifetime_ms))
    (row,) = dev.ask(ANN, wire.ListSanctions(0, 0, "dev", "")).sanctions
    assert row.until_ms == until_ms
    assert dev.entries(BOB, "@ann")[-1].until_ms == until_ms


def test_too_many_sanctions() -> None:
    """Whoever makes rooms and bans everybody there does not keep others from banning them."""
    crowd = Crowd(ANN, BOB, CAT, ACCOUNT, limits=Limits(sanctions_max=2))
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(ANN, mute("dev"))
    crowd.act(ANN, kick("dev"))
    for act in (ban("dev"), mute("dev", "cat"), kick("dev", "cat")):
        assert crowd.refusal(ANN, act) is Refusal.LIMIT_REACHED
    assert crowd.act(ANN, mute("dev", reason="another reason")) > 0
    for act in (ban("dev"), mute("", "cat"), kick("general", "cat"), ban("", "ann")):
        assert crowd.act(ACCOUNT, act) > 0


# ---- out of the broker ----


def test_who_is_banned_is_not_let_in(dev: Crowd) -> None:
    dev.act(ACCOUNT, ban("", lifetime_ms=MINUTE_MS, reason="spam"))
    dev.play.receive(BOB.asks(hello("bob")))
    dev.play.expect(
        Transmit(
            BOB.peer,
            wire.Refused(
                0,
                0,
                Refusal.BANNED.value,
                "bob was banned by the account that runs the broker until 2026-11-18 11:07:40 UTC: spam",
            ),
        )
    )
    for topic in (b"#dev\0", b"#general\0", wire.HERE):
        assert not dev.subscribes(BOB, topic)
    assert dev.refusal_of_hello(CAT.elsewhere("c"), "bob", instance=3) is Refusal.KEY_BOUND
    assert dev.refusal_of_hello(somebody("eve"), "bob") is Refusal.NICK_TAKEN  # who it is, is told to Bob
    assert dev.act(ACCOUNT, pardon("")) > 0
    assert dev.refusal_of_hello(BOB) is None
    assert dev.subscribes(BOB, b"#dev\0") and isinstance(dev.send(BOB, "#dev", "x"), int)


def test_all_sessions_of_the_banned_end_at_once(dev: Crowd) -> None:
    second, quiet = BOB.elsewhere("second"), BOB.elsewhere("quiet")
    two = dev.play.greet(second, "bob", instance=2)
    three = dev.play.greet(quiet, "bob", instance=3, quiet=True)
    request = dev.asks(ACCOUNT, ban("", reason="spam"))
    dev.play.elapse(100)
    dev.play.skip()
    dev.play.receive(request)
    told, logged = dev.play.segments[-2:]
    pos = wire.decode_segment(told).first
    entry = wire.Acted("$", "banned", "", "bob", wire.FOR_EVER, "", "spam")
    assert [wire.decode_segment(f).entries for f in (told, logged)] == [[entry], [entry]]
    gone = [
        Transmit(
            peer.peer, wire.Refused(number, 0, Refusal.NOT_GREETED.value, "the session has ended: banned")
        )
        for peer, number in ((BOB, dev.sessions[BOB]), (second, two), (quiet, three))
    ]
    dev.play.expect(
        Transmit(ACCOUNT.peer, wire.Done(*asked_by(request.request), pos)),
        delivered(BOB, dev.sessions[BOB], told),
        delivered(second, two, told),
        CutSubscribers((BOB.key,), "banned"),
        *gone,
    )
    assert dev.play.dismissed == [BOB.key]
    dev.play.elapse(100)
    dev.play.expect(Publish(wire.HERE, wire.encode(wire.Presence(0, [wire.Person("bob", False)]))))
    dev.play.receive(second.asks(wire.Ping(two, 1, 0, "")))
    dev.play.expect(refused(second, two, 1, Refusal.NOT_GREETED))


def test_what_somebody_who_is_banned_keeps(dev: Crowd) -> None:
    """Rooms and roles: they are there when the ban has ended."""
    room = dev.private_room(ANN, BOB)
    dev.act(ACCOUNT, ban(""))
    dev.send(ANN, f"#{room}", "meanwhile")
    dev.send(ANN, "@bob", "for later")
    dev.act(ACCOUNT, pardon(""))
    dev.greet(BOB)
    heads = [head.conversation for head in dev.ask(BOB, wire.Ping(0, 0, 0, "")).heads]
    assert heads == ["#dev", "#general", f"#{room}", "@$,bob", "@ann,bob"]


def test_administrators_are_banned_by_the_account_alone(dev: Crowd) -> None:
    dev.act(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.OPERATOR, ""))
    dev.act(ACCOUNT, wire.SetRole(0, 0, "", "cat", wire.OPERATOR, ""))
    assert dev.refusal(CAT, ban("")) is Refusal.NOT_ALLOWED
    assert dev.act(ACCOUNT, ban("")) > 0
    assert dev.refusal_of_hello(BOB) is Refusal.BANNED
    assert dev.refusal(CAT, pardon("")) is Refusal.NOT_ALLOWED
    assert dev.refusal(CAT, wire.SetRole(0, 0, "", "bob", wire.NONE, "")) is Refusal.NOT_ALLOWED
    dev.act(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.NONE, ""))
    assert dev.act(CAT, pardon("")) > 0


# ---- order ----


@pytest.mark.parametrize("act", [kick, ban])
def test_between_two_messages_over_xpub(dev: Crowd, act: Callable[..., Any]) -> None:
    """All in one commit: the cut stands behind the act in the room, and before what follows."""
    a = dev.sessions[ANN]
    dev.play.receive(
        one := dev.says(ANN, "#dev", "before"),
        done := dev.asks(ANN, act("dev")),
        two := dev.says(ANN, "#dev", "after"),
        general := dev.says(ANN, "#general", "still here"),
    )
    before, acted, told, _, after, last = dev.play.segments[-6:]
    first = wire.decode_segment(before).first
    dev.play.expect(
        Transmit(ANN.peer, wire.Done(*asked_by(done.request), first + 1)),
        acked(
            ANN,
            a,
            (one.request.token, first),
            (two.request.token, first + 4),
            (general.request.token, first + 5),
        ),
        published(before),
        published(acted),
        CutSubscribers((BOB.key,), "kicked" if act is kick else "banned"),
        delivered(ANN, a, told),
        delivered(BOB, dev.sessions[BOB], told),
        published(after),
        published(last),
    )


@pytest.mark.parametrize("act", [kick, ban])
@pytest.mark.parametrize("joined", [True, False])
def test_between_two_messages_over_router(dev: Crowd, act: Callable[..., Any], joined: bool) -> None:
    """A member, and somebody who followed before."""
    peer, nick = (BOB, "bob") if joined else (CAT, "cat")
    dev.ask(peer, wire.Follow(0, 0, ["general"] if joined else ["dev"], True))
    dev.play.receive(
        dev.says(ANN, "#dev", "before"), dev.asks(ANN, act("dev", nick)), dev.says(ANN, "#dev", "after")
    )
    before, acted, told, _, _ = dev.play.segments[-5:]
    assert frames_to(dev, peer) == [before, acted, told]
    dev.play.skip()
    dev.play.receive(dev.says(ANN, "#dev", "later"), dev.says(ANN, "#general", "here"))
    later, here = dev.play.segments[-2:]
    assert frames_to(dev, peer) == [here] and later != here
    follow = wire.Follow(0, 0, ["dev"], True)
    if act is ban:
        assert dev.refusal(peer, follow) is Refusal.NOT_ALLOWED
        dev.act(ANN, pardon("dev", nick))
        dev.ask(peer, follow)
    else:
        dev.act(peer, wire.Join(0, 0, "dev"))
    dev.play.receive(dev.says(ANN, "#dev", "again"))
    assert frames_to(dev, peer) == dev.play.segments[-1:]


def frames_to(crowd: Crowd, peer: Peer) -> list[bytes]:
    """What was delivered to somebody, in order."""
    return [
        frame
        for effect in crowd.play.effects
        if isinstance(effect, TransmitSegments) and effect.peer == peer.peer
        for frame in effect.segments
    ]


def test_messages_around_a_ban_at_the_broker(dev: Crowd) -> None:
    """Of the banned one as well: what was ordered before it is stored, what was ordered after is not."""
    a, b = dev.sessions[ANN], dev.sessions[BOB]
    dev.ask(BOB, wire.Follow(0, 0, [], True))
    dev.play.receive(
        one := dev.says(BOB, "#dev", "before"),
        done := dev.asks(ACCOUNT, ban("")),
        two := dev.says(BOB, "#dev", "after"),
        keyed := dev.asks(BOB, wire.KeyedSend(0, 0, "#dev", "k", "after")),
        join := dev.asks(BOB, wire.Join(0, 0, "ops")),
        three := dev.says(ANN, "#dev", "good riddance"),
    )
    before, told, _, after = dev.play.segments[-4:]
    first = wire.decode_segment(before).first
    assert frames_to(dev, BOB) == [before, told]
    assert dev.answer(one).pos == first and dev.answer(three).pos == first + 3
    for request in (two, keyed, join):
        answer = dev.answer(request)
        assert answer is None or isinstance(answer, wire.Refused)
    order = [e for e in dev.play.effects if isinstance(e, Publish | CutSubscribers | Dismiss)]
    assert order == [published(before), CutSubscribers((BOB.key,), "banned"), published(after)]
    assert (a, b) == (dev.sessions[ANN], dev.sessions[BOB]) and dev.answer(done).pos == first + 1


def test_a_kick_and_a_join_in_one_commit(dev: Crowd) -> None:
    dev.ask(BOB, wire.Follow(0, 0, [], True))
    dev.play.receive(
        dev.asks(ANN, kick("dev")),
        dev.says(ANN, "#dev", "between"),
        dev.asks(BOB, wire.Join(0, 0, "dev")),
        dev.says(ANN, "#dev", "after"),
    )
    kicked, told, _, _, joined, after = dev.play.segments[-6:]
    assert frames_to(dev, BOB) == [kicked, told, joined, after]
    assert dev.subscribes(BOB, b"#dev\0")


def test_a_ban_that_ends_in_the_same_commit(dev: Crowd) -> None:
    dev.play.receive(dev.asks(ANN, ban("dev")), dev.asks(ANN, pardon("dev")), dev.says(BOB, "#dev", "x"))
    assert CutSubscribers((BOB.key,), "banned") in dev.play.effects
    assert dev.subscribes(BOB, b"#dev\0")
    assert "#dev" not in [h.conversation for h in dev.ask(BOB, wire.Ping(0, 0, 0, "")).heads]  # not joined


@pytest.mark.parametrize("act", [kick, ban])
def test_who_may_read_again_subscribes_again(dev: Crowd, act: Callable[..., Any]) -> None:
    """What a socket has subscribed to it does not ask for once more by itself, and meanwhile it was not
    approved. So its connection is cut, and all is decided on anew."""
    dev.act(ANN, act("dev"))
    dev.play.receive(dev.asks(BOB, wire.Join(0, 0, "dev")) if act is kick else dev.asks(ANN, pardon("dev")))
    in_room = next(f for f in dev.play.segments[::-1] if wire.decode_segment(f).conversation == "#dev")
    order = [e for e in dev.play.effects if isinstance(e, Publish | CutSubscribers)]
    assert order == [published(in_room), CutSubscribers((BOB.key,), "may read again")]
    assert dev.subscribes(BOB, b"#dev\0")


def test_a_ban_that_ends_while_a_kick_holds_cuts_nothing(dev: Crowd) -> None:
    dev.act(ANN, kick("dev"))
    dev.act(ANN, ban("dev"))
    dev.play.receive(dev.asks(ANN, pardon("dev")))
    assert not [e for e in dev.play.effects if isinstance(e, CutSubscribers)]


# ---- repeats ----


def before_and(crowd: Crowd, act: Callable[[], object]) -> tuple[Any, Any, Any, Any]:
    """Two messages of Bob, stored; then something happens, and Bob sends them again."""
    counted = crowd.says(BOB, "#dev", "counted")
    keyed = crowd.asks(BOB, wire.KeyedSend(0, 0, "#dev", "key", "keyed"))
    first = crowd.answers(counted, keyed)
    act()
    return (*first, *crowd.answers(counted, keyed))


@pytest.mark.parametrize("act", [kick, mute, ban])
def test_what_was_stored_before_is_acknowledged_again(dev: Crowd, act: Callable[..., Any]) -> None:
    """Repeats are looked up before rights."""
    stored, keyed, again, keyed_again = before_and(dev, lambda: dev.act(ANN, act("dev")))
    assert (again.pos, again.duplicate) == (stored.pos, True)
    assert (keyed_again.pos, keyed_again.duplicate) == (keyed.pos, True)
    assert dev.send(BOB, "#dev", "new") is Refusal.NOT_ALLOWED
    reused = wire.KeyedSend(0, 0, "#dev", "key", "another text")
    assert dev.refusal(BOB, reused) is Refusal.ID_REUSED
    assert dev.refusal(BOB, wire.KeyedSend(0, 0, "#general", "key", "keyed")) is Refusal.ID_REUSED


def test_also_after_a_private_room_was_left(dev: Crowd) -> None:
    room = dev.private_room(ANN, BOB)
    keyed = dev.asks(BOB, wire.KeyedSend(0, 0, f"#{room}", "key", "keyed"))
    (first,) = dev.answers(keyed)
    dev.act(ANN, kick(room))
    (again,) = dev.answers(keyed)
    assert (again.pos, again.duplicate) == (first.pos, True)


def test_also_in_the_commit_that_forbids_it(dev: Crowd) -> None:
    counted = dev.says(BOB, "#dev", "counted")
    keyed = dev.asks(BOB, wire.KeyedSend(0, 0, "#dev", "key", "keyed"))
    first = dev.answers(counted, keyed)
    for act in (mute("dev"), kick("dev"), ban("dev"), mute("")):
        _, again, keyed_again = dev.answers(dev.asks(ACCOUNT if not act.room else ANN, act), counted, keyed)
        assert (again.pos, again.duplicate) == (first[0].pos, True)
        assert (keyed_again.pos, keyed_again.duplicate) == (first[1].pos, True)


def test_a_refused_message_does_not_move_what_is_expected(dev: Crowd) -> None:
    dev.act(ANN, mute("dev"))
    assert dev.send(BOB, "#dev", "x") is Refusal.NOT_ALLOWED
    assert isinstance(dev.send(BOB, "#general", "x"), int)


# ---- being told ----


def test_where_it_stands(dev: Crowd) -> None:
    """In the room, with the person, and in the log; at the broker not in a room."""
    dev.act(ACCOUNT, wire.SetRole(0, 0, "", "cat", wire.OPERATOR, ""))
    for act, name in ((kick("dev", reason="r"), "kicked"), (ban("dev", reason="r"), "banned")):
        dev.act(ANN, act)
        until_ms = 0 if name == "kicked" else wire.FOR_EVER
        entry = wire.Acted("ann", name, "dev", "bob", until_ms, "", "r")
        for where in ("#dev", "@bob", "$"):
            assert dev.entries(CAT if where != "@bob" else ANN, where)[-1] == entry
    dev.act(CAT, mute("", reason="r"))
    entry = wire.Acted("cat", "muted", "", "bob", wire.FOR_EVER, "", "r")
    assert dev.entries(BOB, "@cat")[-1] == dev.entries(CAT, "$")[-1] == entry
    dev.act(CAT, wire.Pardon(0, 0, "", "bob", wire.MUTE, "enough"))
    entry = wire.Acted("cat", "unmuted", "", "bob", 0, "", "enough")
    assert dev.entries(BOB, "@cat")[-1] == dev.entries(CAT, "$")[-1] == entry


def test_who_was_away_finds_it(dev: Crowd) -> None:
    dev.answers(dev.asks(BOB, wire.Bye(0)))
    pos = dev.act(ANN, kick("dev"))
    dev.play.receive(BOB.asks(hello("bob", floor=pos - 1)))
    (told,) = [e for e in dev.play.effects if isinstance(e, Transmit)]
    answer: Any = told.answer
    assert [tuple(wire_head(h)) for h in answer.heads] == [("@ann,bob", pos + 1, 0)]
    dev.sessions[BOB] = answer.session
    assert acts(dev.entries(BOB, "@ann")) == [("ann", "kicked", "bob")]
    dev.greet(DAN)


def wire_head(head: wire.Head) -> tuple[str, int, int]:
    return head.conversation, head.pos, head.start


def test_nobody_writes_to_the_account(dev: Crowd) -> None:
    """Also not with a nick that is sorted before it."""
    odd = somebody("!eve")
    dev.greet(odd)
    dev.act(ACCOUNT, mute("general", "!eve"))
    dev.act(ACCOUNT, pardon("general", "!eve", wire.MUTE))
    for peer in (BOB, odd):
        for to in ("@$", "$"):
            assert dev.send(peer, to, "x") is Refusal.NOT_ALLOWED
            assert dev.refusal(peer, wire.KeyedSend(0, 0, to, "k", "x")) is Refusal.NOT_ALLOWED
    assert acts(dev.entries(odd, "@$")) == [("$", "muted", "!eve"), ("$", "unmuted", "!eve")]
    assert dev.entries(BOB, "@$") == []
    assert isinstance(dev.send(odd, "@bob", "x"), int)


def test_lists_of_sanctions(dev: Crowd) -> None:
    dev.act(ANN, mute("dev", lifetime_ms=MINUTE_MS, reason="a"))
    dev.act(ANN, ban("dev", reason="b"))
    dev.act(ANN, mute("dev", "cat", reason="c"))
    dev.act(ACCOUNT, ban("", "cat", reason="d"))
    bob = [
        wire.SanctionRow("bob", wire.MUTE, TIME_MS + MINUTE_MS, "ann", "a"),
        wire.SanctionRow("bob", wire.BAN, wire.FOR_EVER, "ann", "b"),
    ]
    cat = wire.SanctionRow("cat", wire.MUTE, wire.FOR_EVER, "ann", "c")
    for who in (ANN, ACCOUNT):
        assert dev.ask(who, wire.ListSanctions(0, 0, "dev", "")).sanctions == [*bob, cat]
        assert dev.ask(who, wire.ListSanctions(0, 0, "dev", "bob")).sanctions == [cat]
    at_broker = [wire.SanctionRow("cat", wire.BAN, wire.FOR_EVER, "$", "d")]
    assert dev.ask(ACCOUNT, wire.ListSanctions(0, 0, "", "")).sanctions == at_broker
    assert dev.refusal(ANN, wire.ListSanctions(0, 0, "", "")) is Refusal.NOT_ALLOWED
    assert dev.refusal(BOB, wire.ListSanctions(0, 0, "dev", "")) is Refusal.NOT_ALLOWED


def test_a_long_list_with_long_reasons_fits_its_frames() -> None:
    """The play looks at the size of each."""
    crowd = Crowd(ACCOUNT)
    people = [somebody(f"user{n:04}") for n in range(600)]
    for peer in people:
        crowd.play.receive(peer.asks(hello(peer.peer[1:].decode())))
    crowd.play.skip()
    reason = "\U0001f642" * 256
    for act in (mute, ban):
        crowd.answers(*(crowd.asks(ACCOUNT, act("", p.peer[1:].decode(), reason=reason)) for p in people))
    rows: list[tuple[str, int]] = []
    after, pages = "", 0
    while not pages or after:
        answer = crowd.ask(ACCOUNT, wire.ListSanctions(0, 0, "", after))
        rows += [(row.nick, row.kind) for row in answer.sanctions]
        after, pages = answer.next, pages + 1
    assert rows == [(p.peer[1:].decode(), kind) for p in people for kind in (wire.MUTE, wire.BAN)]
    assert pages > 1
