"""Admission by invite only, and limits that are told: a broker with settings of its own."""

import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import zmq

from tests.processes import BrokerProcess
from tests.wire.conftest import Connect
from tests.wire.raw import Client, until, unused
from zchat.common import keys, wire
from zchat.common.codes import Refusal

SECRET = "abcdefghijklmnopqrstuvwxyz234567"
DIGEST = sha256(SECRET.encode()).digest()
SETTINGS = """
[broker]
registration = "invite"

[broker.limits]
messages_per_second = 20
messages_burst = 10
requests_per_second = 20
requests_burst = 100
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker that is strict."""
    with BrokerProcess(tmp_path_factory.mktemp("strict") / "data", settings=SETTINGS) as running:
        yield running
        assert running.stop() == 0
        assert not [line for line in running.log_lines() if "Traceback" in line]


@pytest.fixture(scope="module")
def witness(broker: BrokerProcess, context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[Client]:
    """The account: nobody else is let in yet."""
    client = Client(broker, context, endpoint=f"ipc://{broker.control}", curve=False)
    client.greet(wire.ACCOUNT, quiet=True)
    yield client
    client.close()


def hello(nick: str, invite: str = "") -> wire.Hello:
    return wire.Hello(1, 1, nick, 1, 0, None, False, "raw/1", True, invite)


def invited(account: Client, name: str, *, nick: str = "", uses: int = 1, lifetime_ms: int = 60_000) -> str:
    """The secret of a new invite."""
    account.act(wire.MakeInvite(account.session, 0, name, DIGEST, nick, "", uses, lifetime_ms, ""))
    return name + SECRET


def test_without_an_invite_nobody_comes_in(connect: Connect, account: Client) -> None:
    secret = invited(account, "aaaaaaaa", nick="carla")
    stranger = connect()
    for attempt, refusal in (
        (hello(unused("eve")), Refusal.NOT_INVITED),
        (hello(unused("eve"), "x"), Refusal.INVITE_INVALID),
        (hello(unused("eve"), "bbbbbbbb" + SECRET), Refusal.INVITE_INVALID),
        (hello("carla", "aaaaaaaa" + SECRET[:-1] + "8"), Refusal.INVITE_INVALID),
        (hello(unused("eve"), secret), Refusal.INVITE_INVALID),
    ):
        stranger.say(attempt)
        assert stranger.refusal() is refusal, attempt
    stranger.say(hello("carla", secret))
    welcome = stranger.answer(wire.Welcome)
    assert welcome.registered and welcome.nick == "carla"
    stranger.say(hello("carla", secret))  # as after a lost connection
    assert not stranger.answer(wire.Welcome).registered
    account.ask(wire.ListInvites(account.session, 0, ""))
    assert account.refused(wire.EndInvite(account.session, 0, "aaaaaaaa", "")) is Refusal.NO_SUCH_ENTRY


def test_an_invite_ends_by_itself(connect: Connect, account: Client) -> None:
    """By the time of the log, which goes on though nobody writes anything."""
    secret = invited(account, "cccccccc", lifetime_ms=300)
    told = []
    while not told or told[-1]:
        answer = account.ask(wire.ListInvites(account.session, 0, "")).answer
        assert isinstance(answer, wire.Invites)
        told.append([row.invite for row in answer.invites])
    stranger = connect()
    stranger.say(hello(unused("late"), secret))
    assert stranger.refusal() is Refusal.INVITE_INVALID
    (entry,) = [
        entry
        for segment in account.ask(wire.Fetch(account.session, 0, "$", 1, 2**53 - 1)).segments
        for entry in segment.entries
        if isinstance(entry, wire.Acted) and entry.act == "expired"
    ]
    assert entry == wire.Acted(wire.ACCOUNT, "expired", "", "cccccccc", 0, "invite", "")


def test_an_end_that_is_far_away(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    """Farther than poll(2) can wait, when there is nothing else to wait for: a second after the last session
    has ended, which only time can show."""
    with BrokerProcess(tmp_path / "data") as broker:
        account = Client(broker, context, endpoint=f"ipc://{broker.control}", curve=False)
        account.greet(wire.ACCOUNT, quiet=True)
        invited(account, "aaaaaaaa", lifetime_ms=40 * 365 * 86_400_000)
        account.say(wire.Bye(account.session))
        until(lambda: "why='bye'" in broker.log_lines()[-1])
        account.close()
        idle_at = time.monotonic() + 1.2
        until(lambda: time.monotonic() > idle_at or not broker.is_running)
        assert broker.stop() == 0, broker.log_lines()


def test_more_than_is_allowed_is_told_when_to_come_again(connect: Connect, account: Client) -> None:
    fast = connect()
    fast.say(hello(unused("fast"), invited(account, "dddddddd")))
    fast.session = fast.answer(wire.Welcome).session
    fast.ask(wire.Follow(fast.session, 0, [], False))
    limited: list[wire.Refused] = []
    counter = 0
    while not limited:
        fast.say(wire.Send(fast.session, fast.token, counter, "#general", counter, ["x"] * 4))
        counter += 4
        while True:
            answer = fast.hear().answer
            if isinstance(answer, wire.Refused):
                limited.append(answer)
            if isinstance(answer, wire.Refused | wire.Ack):
                break
    assert counter in (16, 20)  # more than ten at once, and then not before they would have been allowed
    (refused,) = limited
    assert Refusal(refused.code) is Refusal.RATE_LIMITED and 0 < refused.retry_after_ms <= 1_000
    again_at = time.monotonic() + refused.retry_after_ms / 1000
    while time.monotonic() < again_at:
        time.sleep(again_at - time.monotonic())
    assert fast.send("#general", counter - 4, *["x"] * 4).pos
    asked = 0
    while isinstance(fast.ask(wire.ListRooms(fast.session, 0, "")).answer, wire.Rooms):
        asked += 1
    assert 90 <= asked <= 200
    assert fast.is_silent()  # a sign of life is never too much


def test_a_token_is_for_what_it_was_given(connect: Connect, account: Client) -> None:
    """And only who administers makes tokens where one has to be invited."""
    member, member_nick = connect(), unused("member")
    member.say(hello(member_nick, invited(account, "eeeeeeee")))
    member.session = member.answer(wire.Welcome).session
    make = wire.MakeToken(member.session, 0, "bot", keys.draw().public, [], True, True, 0, "")
    assert member.refused(make) is Refusal.NOT_ALLOWED
    member.join("builds")
    key = keys.draw()
    account.act(wire.MakeToken(account.session, 0, "ci", key.public, ["builds"], True, False, 0, ""))
    bot = connect(key=key)
    bot.say(hello("ci"))
    welcome = bot.answer(wire.Welcome)
    bot.session, bot.nonce = welcome.session, welcome.nonce
    assert welcome.heads == []
    assert bot.send("#builds", 0, "passed").pos
    for request in (
        wire.Send(bot.session, 0, 1, "#general", 1, ["x"]),
        wire.KeyedSend(bot.session, 0, f"@{member_nick}", "k", "x"),
        wire.Send(bot.session, 0, 1, "@nobody-is-called-that", 1, ["x"]),
        wire.Fetch(bot.session, 0, f"@{member_nick}", 0, 0),
        wire.Fetch(bot.session, 0, "#builds", 0, 0),
        wire.Follow(bot.session, 0, ["builds"], True),
        wire.ListPeople(bot.session, 0, None, ""),
        wire.ListRooms(bot.session, 0, ""),
        wire.Whois(bot.session, 0, member_nick),
        wire.Join(bot.session, 0, "general"),
        wire.Join(bot.session, 0, "ops", True),
        wire.SetTopic(bot.session, 0, "builds", "x"),
        wire.SetAway(bot.session, 0, "x"),
        wire.ChangeKey(bot.session, 0, keys.draw().public),
        wire.MakeToken(bot.session, 0, "other", keys.draw().public, [], True, True, 0, ""),
    ):
        assert bot.refused(request) is Refusal.NOT_ALLOWED, request
    bot.subscribe(wire.room_topic("builds"), wire.room_topic("general"), wire.HERE)
    _, earlier = bot.confirm()
    member.say(wire.Send(member.session, member.token, 0, "#builds", 0, ["for members"]))
    while not isinstance(member.hear().answer, wire.Ack):
        pass
    bot.sub.unsubscribe(wire.nonce_topic(bot.nonce))
    _, later = bot.confirm()
    assert earlier == later == [] and bot.is_silent()
    assert member.refused(wire.Send(member.session, 0, 1, "@ci", 1, ["x"])) is Refusal.NOT_ALLOWED
