"""Who loses a right gets nothing that was ordered after it, on any socket; who is revoked is out at once."""

from collections.abc import Callable, Iterable
from hashlib import sha256

import pytest
from msgspec.structs import replace

from tests.wire.conftest import Connect
from tests.wire.raw import Client, unused
from zchat.common import keys, wire
from zchat.common.codes import Refusal

AFTERWARDS = 40  # messages behind an act, so that some are in the same commit and some are not
SECRET = "s" * 32
Act = Callable[[Client, str, str], wire.Act]


def kick(ann: Client, room: str, nick: str) -> wire.Act:
    return wire.Kick(ann.session, 0, room, nick, "spam")


def ban(ann: Client, room: str, nick: str) -> wire.Act:
    return wire.Sanction(ann.session, 0, room, nick, wire.BAN, 0, "spam")


def texts(segments: Iterable[wire.Segment]) -> list[str]:
    """What was said in segments, in order."""
    entries = [entry for segment in segments for entry in segment.entries]
    return [text for entry in entries if isinstance(entry, wire.Messages) for text in entry.texts]


def around(ann: Client, room: str, act: wire.Act) -> None:
    """A message, an act, and messages behind it, all sent at once and stored when this returns."""
    sends = [
        wire.Send(ann.session, ann.token, 0, f"#{room}", counter, ["before" if counter == 0 else "after"])
        for counter in range(1 + AFTERWARDS)
    ]
    ann.say(sends[0], replace(act, token=ann.token), *sends[1:])
    stored = 0
    while stored < len(sends):
        answer = ann.hear().answer
        assert isinstance(answer, wire.Ack | wire.Done), answer
        stored += len(answer.results) if isinstance(answer, wire.Ack) else 0


def delivered(client: Client, conversation: str) -> list[wire.Segment]:
    """What came over ROUTER of a conversation until now."""
    token = client.token
    client.say(wire.Ping(client.session, token, 2**53 - 1, ""))
    found: list[wire.Segment] = []
    while getattr((told := client.hear()).answer, "token", None) != token:
        found += [segment for segment in told.segments if segment.conversation == conversation]
    return found


@pytest.fixture
def owner(connect: Connect) -> Client:
    """Somebody who acts and does not listen."""
    client = connect()
    client.greet(quiet=True)
    return client


@pytest.mark.parametrize("act", [kick, ban])
def test_over_xpub(owner: Client, bob: Client, act: Act) -> None:
    """The subscription was approved, and libzmq subscribes again by itself: nothing comes all the same."""
    room = unused("dev")
    topic = wire.room_topic(room)
    owner.join(room)
    bob.join(room)
    bob.subscribe(topic)
    bob.confirm()
    around(owner, room, act(owner, room, bob.nick))
    _, earlier = bob.round()
    segments = [wire.decode_segment(p.payload) for p in earlier if p.topic == topic]
    assert "after" not in texts(segments)
    bob.sub.unsubscribe(topic)
    bob.subscribe(topic)
    _, earlier = bob.round()
    owner.send(f"#{room}", 1 + AFTERWARDS, "later")
    assert topic not in {p.topic for p in earlier + bob.round()[1]}
    address = f"#{room}"
    for request in (
        wire.Send(bob.session, 0, 0, address, 0, ["x"]),
        wire.KeyedSend(bob.session, 0, address, "k", "x"),
        wire.Fetch(bob.session, 0, address, 0, 0),
        wire.Follow(bob.session, 0, [room], True),
        wire.ListPeople(bob.session, 0, room, ""),
        wire.SetTopic(bob.session, 0, room, "x"),
    ):
        assert bob.refused(request) is Refusal.NOT_ALLOWED, request
    if act is ban:
        assert bob.refused(wire.Join(bob.session, 0, room)) is Refusal.NOT_ALLOWED
        owner.act(wire.Pardon(owner.session, 0, room, bob.nick, wire.BAN, ""))
    bob.act(wire.Join(bob.session, 0, room))
    bob.subscribe(topic)
    bob.round()
    owner.send(address, 2 + AFTERWARDS, "welcome back")
    assert texts([wire.decode_segment(bob.hear_published().payload)]) == ["welcome back"]


@pytest.mark.parametrize("act", [kick, ban])
@pytest.mark.parametrize("private", [False, True])
def test_over_router(owner: Client, bob: Client, act: Act, private: bool) -> None:
    """Who goes gets what was said before, and the act itself."""
    base = unused("dev")
    room = owner.act(wire.Join(owner.session, 0, base, private)).name or base
    if private:
        owner.act(wire.InviteToRoom(owner.session, 0, room, bob.nick))
    bob.act(wire.Join(bob.session, 0, room))
    bob.ask(wire.Follow(bob.session, 0, [], True))
    around(owner, room, act(owner, room, bob.nick))
    segments = delivered(bob, f"#{room}")
    assert texts(segments) == ["before"]
    acts = [entry for segment in segments for entry in segment.entries if isinstance(entry, wire.Acted)]
    assert [entry.act for entry in acts] == ["kicked" if act is kick else "banned"]
    wanted = Refusal.NO_SUCH_ROOM if private else Refusal.NOT_ALLOWED
    assert bob.refused(wire.Fetch(bob.session, 0, f"#{room}", 0, 0)) is wanted


def test_who_is_told(owner: Client, bob: Client) -> None:
    """The one concerned finds it in the conversation with who did it, whenever they come."""
    room = unused("dev")
    owner.join(room)
    owner.act(kick(owner, room, bob.nick))
    page = bob.ask(wire.Fetch(bob.session, 0, f"@{owner.nick}", 0, 0))
    (entry,) = [entry for segment in page.segments for entry in segment.entries]
    assert entry == wire.Acted(owner.nick, "kicked", room, bob.nick, 0, "", "spam")


def test_who_leaves_a_private_room(owner: Client, bob: Client) -> None:
    room = owner.act(wire.Join(owner.session, 0, "ops", True)).name
    owner.act(wire.InviteToRoom(owner.session, 0, room, bob.nick))
    bob.act(wire.Join(bob.session, 0, room))
    bob.act(wire.Leave(bob.session, 0, room))
    owner.send(f"#{room}", 0, "after")
    assert texts(delivered(bob, f"#{room}")) == []
    for request in (
        wire.Fetch(bob.session, 0, f"#{room}", 0, 0),
        wire.Join(bob.session, 0, room),
        wire.ListPeople(bob.session, 0, room, ""),
    ):
        assert bob.refused(request) is Refusal.NO_SUCH_ROOM


def out(client: Client, instance: int = 9) -> wire.Refused:
    """The session has ended, which is said at once; and what the next Hello is told."""
    while not isinstance(answer := client.hear().answer, wire.Refused):
        pass
    assert (answer.session, answer.code) == (client.session, Refusal.NOT_GREETED.value)
    client.say(wire.Hello(1, 1, client.nick, instance, 0, None, False, "raw/1", True))
    return client.answer(wire.Refused)


def test_whoever_is_banned_at_the_broker_is_out(account: Client, owner: Client, bob: Client) -> None:
    bob.subscribe(wire.room_topic("general"))
    bob.confirm()
    account.act(wire.Sanction(account.session, 0, "", bob.nick, wire.BAN, 0, "enough"))
    owner.send("#general", 0, "after")
    refused = out(bob)
    assert Refusal(refused.code) is Refusal.BANNED and refused.reason.endswith(": enough")
    bob.subscribe(wire.HERE, wire.room_topic("general"), wire.nonce_topic(bob.nonce))
    account.act(wire.Pardon(account.session, 0, "", bob.nick, wire.BAN, ""))
    bob.greet(instance=10)
    _, earlier = bob.confirm()
    assert "after" not in texts(wire.decode_segment(p.payload) for p in earlier if p.topic[:1] == b"#")


def test_a_token_that_is_revoked_is_out(account: Client, connect: Connect) -> None:
    key, nick = keys.draw(), unused("bot")
    account.act(wire.MakeToken(account.session, 0, nick, key.public, [], True, True, 0, ""))
    bot = connect(key=key)
    bot.greet(nick)
    assert bot.send("#general", 0, "hello").pos
    account.act(wire.EndToken(account.session, 0, nick, ""))
    assert Refusal(out(bot).code) is Refusal.NICK_TAKEN


def test_a_lost_key_is_replaced_by_an_invite(account: Client, ann: Client, connect: Connect) -> None:
    """Who has the old one, be it a thief, is out."""
    digest = sha256(SECRET.encode()).digest()
    account.act(wire.MakeInvite(account.session, 0, "aaaaaaaa", digest, ann.nick, "", 1, 60_000, ""))
    again = connect()
    hello = wire.Hello(1, 1, ann.nick, 3, 0, None, False, "raw/1", True, f"aaaaaaaa{SECRET}")
    again.say(hello)
    assert again.answer(wire.Welcome).nick == ann.nick
    assert Refusal(out(ann).code) is Refusal.NICK_TAKEN
    thief = connect()
    thief.say(hello)
    assert thief.refusal() is Refusal.NICK_TAKEN  # it was for one use


def test_a_key_is_changed_by_the_old_one(ann: Client, connect: Connect) -> None:
    new = keys.draw()
    other = connect(key=ann.key)
    other.greet(ann.nick, instance=2)
    ann.act(wire.ChangeKey(ann.session, 0, new.public))
    assert Refusal(out(other).code) is Refusal.NICK_TAKEN
    assert connect(key=new).greet(ann.nick, instance=3).nick == ann.nick


def test_two_redeem_one_invite_at_the_same_moment(account: Client, connect: Connect) -> None:
    digest = sha256(SECRET.encode()).digest()
    account.act(wire.MakeInvite(account.session, 0, "bbbbbbbb", digest, "", "", 3, 60_000, ""))
    clients = [connect() for _ in range(12)]
    for client in clients:
        client.say(wire.Hello(1, 1, unused("new"), 1, 0, None, False, "raw/1", True, f"bbbbbbbb{SECRET}"))
    answers = [client.hear().answer for client in clients]
    assert sum(isinstance(answer, wire.Welcome) for answer in answers) == 3
    refused = {answer.code for answer in answers if isinstance(answer, wire.Refused)}
    assert refused == {Refusal.INVITE_INVALID.value}
