"""Bot tokens: exactly what was given, and until when. protocol.md, Bot Tokens."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.broker.crowd import FOR_EVER, Crowd, acts, texts
from tests.unit.broker.play import ACCOUNT, ANN, BOB, CAT, TIME_MS, Peer, hello, somebody
from zchat.broker.core.effects import CutSubscribers, Transmit, TransmitSegments
from zchat.broker.core.limits import Limits
from zchat.common import wire
from zchat.common.codes import Refusal

ROBO = somebody("robo")


def token(
    *rooms: str,
    send: bool = True,
    read: bool = True,
    lifetime_ms: int = FOR_EVER,
    key: str = ROBO.key,
    nick: str = "robo",
) -> wire.MakeToken:
    return wire.MakeToken(0, 0, nick, key, list(rooms), send, read, lifetime_ms, "because")


@pytest.fixture
def dev(crowd: Crowd) -> Crowd:
    """Ann made #dev and #ops."""
    crowd.act(ANN, wire.Join(0, 0, "dev"))
    crowd.act(ANN, wire.Join(0, 0, "ops"))
    for room in ("dev", "ops", "general"):
        crowd.send(ANN, f"#{room}", f"in {room}")
    return crowd


def frames_to(crowd: Crowd, peer: Peer) -> list[bytes]:
    return [
        frame
        for effect in crowd.play.effects
        if isinstance(effect, TransmitSegments) and effect.peer == peer.peer
        for frame in effect.segments
    ]


# ---- making ----


def test_what_it_leaves_in_the_log(dev: Crowd) -> None:
    stored = len(dev.play.entries)
    assert dev.act(ANN, token("DEV", "dev", "ops", lifetime_ms=1_000)) > 0
    until_ms = TIME_MS + 1_000
    assert dev.play.entries[stored:] == [
        wire.Registered("robo", "robo", ROBO.key),
        wire.Joined("robo", False),
        wire.Joined("robo", False),
        wire.Acted("ann", "token_made", "", "robo", until_ms, "may=send+read rooms=dev,ops", "because"),
    ]
    assert dev.ask(ANN, wire.ListTokens(0, 0, "")).tokens == [
        wire.TokenRow("robo", "ann", ["dev", "ops"], True, True, until_ms)
    ]
    profile = dev.ask(BOB, wire.Whois(0, 0, "robo"))
    assert (profile.maker, profile.keys) == ("ann", [ROBO.key])


@pytest.mark.parametrize(("send", "read", "may"), [(True, False, "send"), (False, True, "read")])
def test_it_is_said_what_a_bot_may_do(dev: Crowd, send: bool, read: bool, may: str) -> None:
    dev.act(ANN, token(send=send, read=read))
    assert dev.play.entries[-1].details == f"may={may} rooms="  # type: ignore[union-attr]


def test_a_repeated_request_makes_one(dev: Crowd) -> None:
    request = dev.asks(ANN, token("dev"))
    first, again = dev.answers(request, request)
    (later,) = dev.answers(request)
    assert first.pos > 0 and (again.pos, later.pos) == (0, 0)


def test_names_that_are_not_free(dev: Crowd) -> None:
    for nick in ("bob", "BOB", "dev", "general", "ops+7", "a,b", "all"):
        assert dev.refusal(ANN, token(nick=nick)) is Refusal.NAME_INVALID, nick
    assert dev.refusal(ANN, token(key=BOB.key)) is Refusal.KEY_BOUND
    dev.act(ANN, token())
    for nick, key in (("robo", "x" * 40), ("ROBO", "x" * 40)):
        assert dev.refusal(ANN, token(nick=nick, key=key)) is Refusal.NAME_INVALID
    assert dev.refusal(BOB, token(key="x" * 40)) is Refusal.NAME_INVALID
    assert dev.refusal(ANN, token(nick="other")) is Refusal.KEY_BOUND
    assert dev.refusal_of_hello(somebody("eve"), "robo") is Refusal.NICK_TAKEN


def test_for_what(dev: Crowd) -> None:
    assert dev.refusal(ANN, token(send=False, read=False)) is Refusal.NOT_ALLOWED
    assert dev.refusal(ANN, token("dev", "nowhere")) is Refusal.NO_SUCH_ROOM
    assert dev.refusal(ANN, token("#dev")) is Refusal.NAME_INVALID
    dev.act(ANN, wire.Sanction(0, 0, "dev", "bob", wire.BAN, FOR_EVER, ""))
    assert dev.refusal(BOB, token("dev")) is Refusal.NOT_ALLOWED  # where one may not read oneself
    assert dev.act(BOB, token("ops")) > 0


def test_who_makes_them_where_one_has_to_be_invited() -> None:
    crowd = Crowd(ACCOUNT, limits=Limits(invite_only=True))
    crowd.act(ACCOUNT, wire.MakeInvite(0, 0, "aaaaaaaa", b"x" * 32, "", "", 9, 0, ""))
    assert crowd.act(ACCOUNT, token()) > 0
    crowd.greet(ROBO)  # without an invite
    assert crowd.play.entries[-1].nick == "$"  # type: ignore[union-attr]
    assert crowd.ask(ACCOUNT, wire.ListTokens(0, 0, "")).tokens[0].maker == "$"


def test_administrators_and_others_at_a_strict_broker(dev: Crowd) -> None:
    dev.play.core._context.limits = dev.play.core._context.log._limits = Limits(invite_only=True)
    assert dev.refusal(ANN, token()) is Refusal.NOT_ALLOWED
    dev.act(ACCOUNT, wire.SetRole(0, 0, "", "ann", wire.OPERATOR, ""))
    assert dev.act(ANN, token()) > 0


def test_too_many() -> None:
    crowd = Crowd(ANN, BOB, limits=Limits(tokens_per_user_max=1, users_max=3))
    crowd.act(ANN, token())
    assert crowd.refusal(ANN, token(nick="two", key="2" * 40)) is Refusal.LIMIT_REACHED
    assert crowd.refusal(BOB, token(nick="two", key="2" * 40)) is Refusal.LIMIT_REACHED  # users
    crowd.act(ANN, wire.EndToken(0, 0, "robo", ""))
    assert crowd.act(ANN, token(key="3" * 40)) > 0


# ---- exactly what was given ----

SENDING: dict[str, Any] = {
    "send to a room of it": wire.KeyedSend(0, 0, "#dev", "a", "x"),
    "send to another room": wire.KeyedSend(0, 0, "#ops", "b", "x"),
    "send to a person": wire.KeyedSend(0, 0, "@bob", "c", "x"),
    "send by counters": wire.Send(0, 0, 0, "#dev", 0, ["x"]),
}
READING: dict[str, Any] = {
    "read a room of it": wire.Fetch(0, 0, "#dev", 0, 0),
    "follow a room of it": wire.Follow(0, 0, ["dev"], True),
    "people of a room of it": wire.ListPeople(0, 0, "dev", ""),
}
READING_MORE: dict[str, Any] = {
    "read another room": wire.Fetch(0, 0, "#ops", 0, 0),
    "read what people write": wire.Fetch(0, 0, "@bob", 0, 0),
    "follow another room": wire.Follow(0, 0, ["dev", "ops"], True),
    "people of another room": wire.ListPeople(0, 0, "ops", ""),
    "people": wire.ListPeople(0, 0, None, ""),
    "rooms": wire.ListRooms(0, 0, ""),
    "whois": wire.Whois(0, 0, "bob"),
    "whois oneself": wire.Whois(0, 0, ""),
}
NEVER: dict[str, Any] = {
    "read the log": wire.Fetch(0, 0, "$", 0, 0),
    "join": wire.Join(0, 0, "ops"),
    "join a room of it": wire.Join(0, 0, "dev"),
    "create": wire.Join(0, 0, "new"),
    "create a private room": wire.Join(0, 0, "new", True),
    "leave": wire.Leave(0, 0, "dev"),
    "topic": wire.SetTopic(0, 0, "dev", "x"),
    "invite": wire.MakeInvite(0, 0, "aaaaaaaa", b"x" * 32, "", "", 1, 0, ""),
    "end an invite": wire.EndInvite(0, 0, "aaaaaaaa", ""),
    "token": wire.MakeToken(0, 0, "other", "o" * 40, [], True, True, 0, ""),
    "end a token": wire.EndToken(0, 0, "robo", ""),
    "role": wire.SetRole(0, 0, "dev", "bob", wire.VOICE, ""),
    "role at the broker": wire.SetRole(0, 0, "", "robo", wire.OPERATOR, ""),
    "mode": wire.SetMode(0, 0, "dev", True),
    "invite to a room": wire.InviteToRoom(0, 0, "dev", "bob"),
    "kick": wire.Kick(0, 0, "dev", "bob", ""),
    "mute": wire.Sanction(0, 0, "dev", "bob", wire.MUTE, 0, ""),
    "pardon": wire.Pardon(0, 0, "dev", "bob", wire.MUTE, ""),
    "key": wire.ChangeKey(0, 0, "n" * 40),
    "away": wire.SetAway(0, 0, "x"),
    "ignore": wire.SetIgnored(0, 0, "bob", True),
    "invites": wire.ListInvites(0, 0, ""),
    "tokens": wire.ListTokens(0, 0, ""),
    "sanctions": wire.ListSanctions(0, 0, "dev", ""),
    "sanctions of the broker": wire.ListSanctions(0, 0, "", ""),
    "limits": wire.ListLimits(0, 0),
}
ALL = SENDING | READING | READING_MORE | NEVER
IN_ITS_ROOM = {"send to a room of it", "send by counters"}


@pytest.mark.parametrize(
    ("made", "may"),
    [
        (token("dev"), IN_ITS_ROOM | READING.keys()),
        (token("dev", read=False), IN_ITS_ROOM),
        (token("dev", send=False), READING.keys()),
        (token(), SENDING.keys() | READING.keys() | READING_MORE.keys()),
        (token(read=False), SENDING.keys()),
        (token(send=False), READING.keys() | READING_MORE.keys()),
    ],
    ids=["rooms", "send to rooms", "read rooms", "all", "send to all", "read all"],
)
def test_it_may_do_what_its_token_says(dev: Crowd, made: wire.MakeToken, may: set[str]) -> None:
    dev.act(ANN, made)
    dev.greet(ROBO)
    done = set()
    for what, request in ALL.items():
        answer = dev.ask(ROBO, request)
        if isinstance(answer, wire.Refused):
            assert Refusal(answer.code) is Refusal.NOT_ALLOWED, what
        else:
            done.add(what)
    assert done == may
    assert isinstance(dev.ask(ROBO, wire.Ping(0, 0, 0, "")), wire.Heads)
    dev.answers(dev.asks(ROBO, wire.Bye(0)))


@pytest.mark.parametrize(
    ("made", "topics"),
    [
        (token("dev"), {b"#dev\0"}),
        (token("dev", read=False), set()),
        (token(), {b"#dev\0", b"#ops\0", b"#general\0", wire.HERE}),
        (token(read=False), set()),
    ],
)
def test_its_subscriptions(dev: Crowd, made: wire.MakeToken, topics: set[bytes]) -> None:
    dev.act(ANN, made)
    dev.greet(ROBO)
    tried = (b"#dev\0", b"#ops\0", b"#general\0", wire.HERE)
    assert {topic for topic in tried if dev.subscribes(ROBO, topic)} == topics
    assert dev.subscribes(ROBO, wire.nonce_topic(f"n.{dev.sessions[ROBO]}.1"))


@pytest.mark.parametrize(
    ("made", "reads"),
    [
        (token("dev"), {"#dev"}),
        (token("dev", read=False), set()),
        (token(), {"@bob,robo"}),
        (token(read=False), set()),
    ],
)
def test_what_is_delivered_to_it_and_its_heads(dev: Crowd, made: wire.MakeToken, reads: set[str]) -> None:
    """In rooms that it is in, and does not follow."""
    dev.act(ANN, token(send=False))  # so that there is something that it may not read later
    dev.send(BOB, "@robo", "hello")
    dev.act(ANN, wire.EndToken(0, 0, "robo", ""))
    dev.act(ANN, made)
    number = dev.greet(ROBO)
    if made.may_read:
        dev.ask(ROBO, wire.Follow(0, 0, [], True))
    heads = dev.ask(ROBO, wire.Ping(0, 0, 0, "")).heads
    assert {head.conversation for head in heads} == reads
    dev.play.receive(ROBO.elsewhere("r").asks(hello("robo", instance=2)))
    (welcome,) = [e.answer for e in dev.play.effects if isinstance(e, Transmit)]
    assert isinstance(welcome, wire.Welcome)
    assert {head.conversation for head in welcome.heads} == reads
    dev.play.elapse(100)
    dev.play.skip()
    dev.play.receive(
        *(dev.says(ANN, f"#{room}", "x") for room in ("dev", "ops", "general")), dev.says(BOB, "@robo", "x")
    )
    got = {wire.decode_segment(frame).conversation for frame in frames_to(dev, ROBO)}
    assert got == reads
    dev.play.skip()
    dev.play.receive(dev.asks(CAT, wire.Bye(0)))
    dev.play.elapse(200)
    told = [e for e in dev.play.effects if isinstance(e, Transmit) and e.peer == ROBO.peer]
    assert bool(told) == (made.may_read and not made.rooms)  # presence
    assert number == dev.sessions[ROBO]


def test_a_bot_that_reads_all_follows_what_it_wants(dev: Crowd) -> None:
    dev.act(ANN, token())
    dev.greet(ROBO)
    dev.ask(ROBO, wire.Follow(0, 0, ["ops"], True))
    dev.play.receive(dev.says(ANN, "#ops", "x"), dev.says(ANN, "#dev", "y"))
    assert frames_to(dev, ROBO) == dev.play.segments[-2:-1]
    assert [h.conversation for h in dev.ask(ROBO, wire.Ping(0, 0, 0, "")).heads] == ["#ops"]


def test_nobody_writes_to_a_bot_that_does_not_read_it(dev: Crowd) -> None:
    for made in (token("dev"), token(read=False)):
        dev.act(ANN, made)
        assert dev.send(BOB, "@robo", "x") is Refusal.NOT_ALLOWED
        assert dev.refusal(BOB, wire.KeyedSend(0, 0, "@robo", "k", "x")) is Refusal.NOT_ALLOWED
        dev.act(ANN, wire.EndToken(0, 0, "robo", ""))
        assert dev.send(BOB, "@robo", "x") is Refusal.NOT_ALLOWED
    dev.act(ANN, token(send=False))
    assert isinstance(dev.send(BOB, "@robo", "x"), int)


def test_a_bot_is_muted_kicked_and_banned_like_others(dev: Crowd) -> None:
    dev.act(ANN, token("dev"))
    dev.greet(ROBO)
    dev.act(ANN, wire.Sanction(0, 0, "dev", "robo", wire.MUTE, FOR_EVER, ""))
    assert dev.send(ROBO, "#dev", "x") is Refusal.NOT_ALLOWED
    dev.act(ANN, wire.Pardon(0, 0, "dev", "robo", wire.MUTE, ""))
    assert isinstance(dev.send(ROBO, "#dev", "x"), int)
    dev.act(ANN, wire.Kick(0, 0, "dev", "robo", ""))
    for request in (READING["read a room of it"], SENDING["send to a room of it"]):
        assert dev.refusal(ROBO, request) is Refusal.NOT_ALLOWED
    assert not dev.subscribes(ROBO, b"#dev\0")
    dev.act(ACCOUNT, wire.Sanction(0, 0, "", "robo", wire.BAN, FOR_EVER, ""))
    assert dev.refusal_of_hello(ROBO) is Refusal.BANNED
    assert acts(dev.entries(ANN, "@robo")) == []  # it is not told: nobody there reads


def test_a_bot_with_a_voice_writes_announcements(dev: Crowd) -> None:
    dev.act(ANN, wire.SetMode(0, 0, "dev", True))
    dev.act(ANN, token("dev"))
    dev.greet(ROBO)
    assert dev.send(ROBO, "#dev", "x") is Refusal.NOT_ALLOWED
    dev.act(ANN, wire.SetRole(0, 0, "dev", "robo", wire.VOICE, ""))
    assert isinstance(dev.send(ROBO, "#dev", "x"), int)
    for role in (wire.OPERATOR, wire.OWNER):  # it moderates nothing
        assert dev.refusal(ANN, wire.SetRole(0, 0, "dev", "robo", role, "")) is Refusal.NOT_ALLOWED
    assert dev.refusal(ACCOUNT, wire.SetRole(0, 0, "", "robo", wire.OPERATOR, "")) is Refusal.NOT_ALLOWED


# ---- redaction by bots ----


def test_a_bot_removes_its_own_messages_alone(dev: Crowd) -> None:
    """And not where its token is not for any more."""
    dev.act(ANN, token())
    dev.greet(ROBO)
    mine, other = dev.send(ROBO, "#dev", "mine"), dev.send(ANN, "#dev", "yours")
    direct, far = dev.send(ROBO, "@bob", "direct"), dev.send(ROBO, "#ops", "far")
    dev.act(ANN, wire.SetRole(0, 0, "dev", "robo", wire.VOICE, ""))
    assert dev.refusal(ROBO, wire.Redact(0, 0, "#dev", other, "")) is Refusal.NOT_ALLOWED
    dev.act(ANN, wire.EndToken(0, 0, "robo", ""))
    dev.act(ANN, token("dev", read=False))
    dev.greet(ROBO)
    for address, pos in (("#ops", far), ("@bob", direct), ("#dev", other), ("#ops", other), ("#dev", 1)):
        assert dev.refusal(ROBO, wire.Redact(0, 0, address, pos, "")) is Refusal.NOT_ALLOWED, address
    assert dev.act(ROBO, wire.Redact(0, 0, "#dev", mine, "")) > 0


def test_a_bot_that_only_reads_removes_nothing(dev: Crowd) -> None:
    dev.act(ANN, token(send=False))
    dev.greet(ROBO)
    assert dev.refusal(ROBO, wire.Redact(0, 0, "#dev", 1, "")) is Refusal.NOT_ALLOWED


# ---- private rooms ----


def test_a_token_with_a_private_room_needs_an_operator_of_it(dev: Crowd) -> None:
    room = dev.private_room(BOB, CAT)
    assert dev.refusal(ANN, token(room)) is Refusal.NO_SUCH_ROOM
    assert dev.refusal(CAT, token(room)) is Refusal.NOT_ALLOWED
    dev.act(BOB, wire.SetRole(0, 0, room, "cat", wire.OPERATOR, ""))
    assert dev.act(CAT, token(room.upper())) > 0
    dev.greet(ROBO)
    assert dev.entries(ROBO, f"#{room}")[0] == wire.Joined("bob", True)
    assert dev.entries(BOB, f"#{room}")[-1] == wire.Joined("robo", False)
    dev.play.receive(dev.says(BOB, f"#{room}", "x"))
    assert frames_to(dev, ROBO) == dev.play.segments[-1:]
    assert isinstance(dev.send(ROBO, f"#{room}", "y"), int)
    assert dev.ask(ROBO, wire.ListPeople(0, 0, room, "")).people
    assert not dev.subscribes(ROBO, wire.room_topic(room))
    assert dev.refusal(ROBO, wire.Fetch(0, 0, "#dev", 0, 0)) is Refusal.NOT_ALLOWED
    assert [h.conversation for h in dev.ask(ROBO, wire.Ping(0, 0, 0, "")).heads] == [f"#{room}"]


def test_the_account_makes_one_for_any(dev: Crowd) -> None:
    room = dev.private_room(BOB)
    assert dev.act(ACCOUNT, token(room)) > 0


def test_one_that_only_sends_there(dev: Crowd) -> None:
    """It is no member, and sends all the same."""
    room = dev.private_room(BOB)
    dev.act(BOB, token(room, read=False))
    dev.greet(ROBO)
    pos = dev.send(ROBO, f"#{room}", "an alarm")
    assert texts(dev.entries(BOB, f"#{room}")) == ["an alarm"]
    assert [one.nick for one in dev.ask(BOB, wire.ListPeople(0, 0, room, "")).people] == ["bob"]
    assert dev.refusal(ROBO, wire.Fetch(0, 0, f"#{room}", 0, 0)) is Refusal.NOT_ALLOWED
    dev.play.receive(dev.says(BOB, f"#{room}", "x"))
    assert frames_to(dev, ROBO) == []
    assert dev.ask(ROBO, wire.Ping(0, 0, 0, "")).heads == []
    assert dev.act(ROBO, wire.Redact(0, 0, f"#{room}", pos, "")) > 0
    assert dev.act(BOB, wire.Kick(0, 0, room, "robo", "noise")) > 0
    assert dev.send(ROBO, f"#{room}", "x") is Refusal.NO_SUCH_ROOM
    dev.act(BOB, wire.EndToken(0, 0, "robo", ""))
    dev.act(BOB, token(room, read=False))
    dev.greet(ROBO)
    assert isinstance(dev.send(ROBO, f"#{room}", "x"), int)
    dev.act(BOB, wire.Sanction(0, 0, room, "robo", wire.BAN, FOR_EVER, ""))
    assert dev.send(ROBO, f"#{room}", "x") is Refusal.NO_SUCH_ROOM


def test_a_bot_is_not_invited(dev: Crowd) -> None:
    room = dev.private_room(ANN)
    dev.act(ANN, token())
    assert dev.refusal(ANN, wire.InviteToRoom(0, 0, room, "robo")) is Refusal.NOT_ALLOWED


def test_a_bot_that_was_put_out_of_a_private_room(dev: Crowd) -> None:
    room = dev.private_room(BOB)
    dev.act(BOB, token(room))
    dev.greet(ROBO)
    dev.act(BOB, wire.Kick(0, 0, room, "robo", ""))
    for request in (wire.Fetch(0, 0, f"#{room}", 0, 0), wire.KeyedSend(0, 0, f"#{room}", "k", "x")):
        assert dev.refusal(ROBO, request) is Refusal.NO_SUCH_ROOM
    dev.play.receive(dev.says(BOB, f"#{room}", "x"))
    assert frames_to(dev, ROBO) == []


# ---- the end ----


def end(crowd: Crowd) -> None:
    crowd.act(ANN, wire.EndToken(0, 0, "ROBO", "leaked"))


def expire(crowd: Crowd) -> None:
    crowd.play.time_ms += 60_000
    crowd.send(BOB, "#general", "time goes on")


@pytest.mark.parametrize("how", [end, expire])
def test_when_it_ends_the_bot_is_out(dev: Crowd, how: Callable[[Crowd], None]) -> None:
    private = dev.private_room(ANN)
    dev.act(ANN, token("dev", private, lifetime_ms=60_000))
    second = ROBO.elsewhere("second")
    number = dev.greet(ROBO)
    two = dev.play.greet(second, "robo", instance=2, quiet=True)
    stored = len(dev.play.entries)
    effects: list[Any] = []
    keep = dev.play._run

    def run(more: Any) -> None:
        more = list(more)
        effects.extend(more)
        keep(more)

    dev.play._run = run  # type: ignore[method-assign]
    how(dev)
    gone = {e.peer: e.answer for e in effects if isinstance(e, Transmit) and e.peer != ANN.peer}
    assert gone[ROBO.peer] == wire.Refused(
        number, 0, Refusal.NOT_GREETED.value, "the session has ended: its token has ended"
    )
    assert gone[second.peer].session == two  # type: ignore[union-attr]
    assert CutSubscribers((ROBO.key,), "its token has ended") in effects
    entry = (
        wire.Acted("ann", "token_ended", "", "robo", 0, "", "leaked")
        if how is end
        else wire.Acted("$", "expired", "", "robo", 0, "token", "")
    )
    left = wire.Left("robo")
    assert dev.play.entries[stored : stored + 3] == [entry, left, left]
    assert dev.refusal_of_hello(ROBO) is Refusal.NICK_TAKEN
    assert not dev.subscribes(ROBO, b"#dev\0")
    assert "robo" not in [one.nick for one in dev.ask(ANN, wire.ListPeople(0, 0, "dev", "")).people]
    assert dev.ask(ANN, wire.ListTokens(0, 0, "")).tokens == []
    assert dev.refusal_of_hello(ROBO, "free") is None  # the key is like any other


def test_who_ends_it(dev: Crowd) -> None:
    dev.act(ANN, token())
    for who, nick, refusal in (
        (BOB, "robo", Refusal.NO_SUCH_ENTRY),
        (ANN, "bob", Refusal.NO_SUCH_ENTRY),
        (ANN, "nobody", Refusal.NO_SUCH_USER),
    ):
        assert dev.refusal(who, wire.EndToken(0, 0, nick, "")) is refusal
    dev.act(ACCOUNT, wire.SetRole(0, 0, "", "bob", wire.OPERATOR, ""))
    assert dev.act(BOB, wire.EndToken(0, 0, "robo", "")) > 0
    assert dev.refusal(ANN, wire.EndToken(0, 0, "robo", "")) is Refusal.NO_SUCH_ENTRY


def test_who_sees_which(dev: Crowd) -> None:
    dev.act(ANN, token())
    dev.act(BOB, token(nick="other", key="o" * 40))

    def listed(who: Peer, after: str = "") -> list[str]:
        return [row.nick for row in dev.ask(who, wire.ListTokens(0, 0, after)).tokens]

    assert (listed(ANN), listed(BOB), listed(CAT)) == (["robo"], ["other"], [])
    assert (listed(ACCOUNT), listed(ACCOUNT, "other")) == (["other", "robo"], ["robo"])


def test_what_a_bot_sends_in_the_commit_that_ends_its_token(dev: Crowd) -> None:
    """A bot without a token is not somebody who may write everywhere."""
    dev.act(ANN, token("dev"))
    dev.greet(ROBO)
    dev.ask(ROBO, wire.Follow(0, 0, [], True))
    stored = len(dev.play.entries)
    dev.play.receive(
        dev.says(ROBO, "#dev", "before"),
        dev.asks(ANN, wire.EndToken(0, 0, "robo", "")),
        dev.says(ROBO, "#dev", "after"),
        dev.says(ROBO, "#ops", "elsewhere"),
        dev.asks(ROBO, wire.KeyedSend(0, 0, "#dev", "k", "after")),
        dev.says(ANN, "#dev", "good night"),
    )
    assert texts(dev.play.entries[stored:]) == ["before", "good night"]
    got = [wire.decode_segment(frame).entries for frame in frames_to(dev, ROBO)]
    assert got == [[wire.Messages("robo", 1, 0, ["before"])]]


def test_another_token_for_the_same_bot(dev: Crowd) -> None:
    """With another key and other rights; what was against it in its rooms but a ban has ended."""
    dev.act(ANN, token("dev"))
    dev.greet(ROBO)
    dev.act(ANN, wire.Kick(0, 0, "dev", "robo", ""))
    end(dev)
    new = somebody("robot")
    assert dev.refusal(BOB, token("ops", key=new.key)) is Refusal.NAME_INVALID  # it is Ann's
    assert dev.act(ANN, token("ops", "dev", key=new.key)) > 0
    assert dev.refusal_of_hello(ROBO) is Refusal.NICK_TAKEN
    dev.greet(new, "robo")
    for room in ("dev", "ops"):
        assert dev.entries(new, f"#{room}") and dev.subscribes(new, wire.room_topic(room))
    assert len(dev.ask(ANN, wire.ListTokens(0, 0, "")).tokens) == 1
    end(dev)
    dev.act(ANN, token())
    dev.greet(ROBO)
    assert dev.subscribes(ROBO, b"#dev\0") and dev.subscribes(ROBO, b"#general\0")


def test_an_administrator_takes_a_bot_over(dev: Crowd) -> None:
    dev.act(ANN, token())
    dev.act(ACCOUNT, wire.EndToken(0, 0, "robo", ""))
    assert dev.act(ACCOUNT, token("dev")) > 0
    assert dev.refusal(ANN, wire.EndToken(0, 0, "robo", "")) is Refusal.NO_SUCH_ENTRY
    dev.act(ACCOUNT, wire.Sanction(0, 0, "", "ann", wire.BAN, FOR_EVER, ""))
    assert dev.refusal_of_hello(ROBO) is None


def test_a_ban_in_a_room_outlives_a_token(dev: Crowd) -> None:
    dev.act(ANN, token("dev"))
    dev.act(ANN, wire.Sanction(0, 0, "dev", "robo", wire.BAN, FOR_EVER, ""))
    dev.act(ANN, wire.Sanction(0, 0, "ops", "robo", wire.BAN, FOR_EVER, ""))
    end(dev)
    assert dev.refusal(ANN, token("ops", "general")) is Refusal.NOT_ALLOWED
    dev.act(ANN, token("general"))
    dev.greet(ROBO)
    assert not dev.subscribes(ROBO, b"#dev\0") and dev.subscribes(ROBO, b"#general\0")


# ---- bans of makers ----


def ban(nick: str) -> wire.Sanction:
    return wire.Sanction(0, 0, "", nick, wire.BAN, FOR_EVER, "spam")


def pardon(nick: str) -> wire.Pardon:
    return wire.Pardon(0, 0, "", nick, wire.BAN, "")


def test_the_bots_of_the_banned_are_out_as_well(dev: Crowd) -> None:
    dev.act(ANN, token("dev"))
    number = dev.greet(ROBO)
    dev.play.receive(dev.asks(ACCOUNT, ban("ann")))
    cuts = [e for e in dev.play.effects if isinstance(e, CutSubscribers)]
    assert cuts == [CutSubscribers((ANN.key,), "banned"), CutSubscribers((ROBO.key,), "banned")]
    gone = [e.answer for e in dev.play.effects if isinstance(e, Transmit) and e.peer == ROBO.peer]
    assert [(a.session, a.code) for a in gone if isinstance(a, wire.Refused)] == [
        (number, Refusal.NOT_GREETED.value)
    ]
    assert dev.refusal_of_hello(ROBO) is Refusal.BANNED
    assert not dev.subscribes(ROBO, b"#dev\0")
    after = Crowd(ACCOUNT, play=dev.play.restarted())
    assert after.refusal_of_hello(ROBO) is Refusal.BANNED
    assert not after.subscribes(ROBO, b"#dev\0")
    for one in (dev, after):
        one.act(ACCOUNT, pardon("ann"))
        assert one.refusal_of_hello(ROBO) is None and one.subscribes(ROBO, b"#dev\0")
        one.play.check_kept()


@pytest.mark.parametrize("first", ["ann", "robo"])
def test_a_bot_that_is_banned_twice_over(dev: Crowd, first: str) -> None:
    """By its own ban and by its maker's: both have to end."""
    dev.act(ANN, token())
    for nick in ("ann", "robo"):
        dev.act(ACCOUNT, ban(nick))
    dev.act(ACCOUNT, pardon(first))
    assert dev.refusal_of_hello(ROBO) is Refusal.BANNED and not dev.subscribes(ROBO, wire.HERE)
    dev.play.check_kept()
    dev.act(ACCOUNT, pardon("robo" if first == "ann" else "ann"))
    assert dev.refusal_of_hello(ROBO) is None and dev.subscribes(ROBO, wire.HERE)


def test_a_bot_whose_token_ends_while_its_maker_is_banned(dev: Crowd) -> None:
    dev.act(ANN, token())
    dev.act(ACCOUNT, ban("ann"))
    dev.act(ACCOUNT, wire.EndToken(0, 0, "robo", ""))
    dev.act(ACCOUNT, token())
    dev.play.check_kept()
    assert dev.refusal_of_hello(ROBO) is None and dev.subscribes(ROBO, wire.HERE)
