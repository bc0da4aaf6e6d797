"""What is asked for by who administers, and the control socket (zchat/client/administration.py)."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.client.fake_broker import FakeBroker
from tests.unit.client.live import on_a_loop
from zchat.client import exports
from zchat.client.aio import AsyncClient
from zchat.common import keys, links, wire
from zchat.common.errors import ConfigurationError, Refused, Unreachable

KEY = keys.draw()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[FakeBroker]:
    with FakeBroker(tmp_path / "control") as fake:
        yield fake


def asked(broker: FakeBroker) -> list[wire.Request]:
    """What the broker was asked since the last look, without session and token."""
    found = []
    while not broker.received.empty():
        request = broker.received.get()
        if not isinstance(request, wire.Hello | wire.Bye | wire.Ping):
            found.append(type(request)(0, 0, *list(_fields(request))[2:]))
    return found


def _fields(request: wire.Request) -> Iterator[object]:
    return (getattr(request, name) for name in request.__struct_fields__)


@on_a_loop
async def test_an_invite_is_a_link_with_a_secret_that_the_broker_never_sees(broker: FakeBroker) -> None:
    async with AsyncClient(broker.link, "ann", key=KEY, quiet=True) as ann:
        link = await ann.admin.make_invite(nick="@bob", room="#tea", uses=3, lifetime_s=60, reason="new")
        again = await ann.admin.make_invite()
    assert links.parse(str(link)) == link and link.without_secret() == broker.link
    assert len(link.secret) == links.SECRET_CHARACTERS and link.secret[8:] != again.secret[8:]
    first, second = asked(broker)
    digest = hashlib.sha256(link.secret[8:].encode()).digest()
    assert first == wire.MakeInvite(0, 0, link.invite, digest, "bob", "tea", 3, 60_000, "new")
    digest = hashlib.sha256(again.secret[8:].encode()).digest()
    assert second == wire.MakeInvite(0, 0, again.invite, digest, "", "", 1, 86_400_000, "")


@on_a_loop
async def test_a_token_is_all_that_a_bot_needs(broker: FakeBroker) -> None:
    async with AsyncClient(broker.link, "ann", key=KEY, quiet=True) as ann:
        token = await ann.admin.make_token(
            "bot", rooms=["#tea"], may_read=False, lifetime_s=0.0001, reason="ci"
        )
    assert exports.parse_token(str(token)) == token
    assert (token.link, token.nick) == (broker.link, "bot")
    assert asked(broker) == [wire.MakeToken(0, 0, "bot", token.key().public, ["tea"], True, False, 1, "ci")]
    async with AsyncClient(token=str(token), quiet=True) as bot:
        assert (bot.nick, bot.link) == ("bot", broker.link)
    with pytest.raises(ConfigurationError, match="a token has a key of its own"):
        AsyncClient(token=str(token), key=KEY)


@on_a_loop
async def test_every_act_is_asked_for_as_it_was_said(broker: FakeBroker) -> None:
    async with AsyncClient(broker.link, "ann", key=KEY, quiet=True) as ann:
        admin = ann.admin
        acts = [
            await admin.end_invite("a" * 8, "old"),
            await admin.end_token("bot"),
            await admin.set_role("bob", wire.VOICE, "tea", "speaks"),
            await admin.set_role("bob", wire.OPERATOR),
            await admin.set_mode("tea", announce=True),
            await admin.invite_to_room("ops+4711", "bob"),
            await admin.kick("tea", "bob", "spam"),
            await admin.mute("bob", "tea", 1.5),
            await admin.unmute("bob", "tea"),
            await admin.ban("bob", reason="spam"),
            await admin.unban("bob"),
            await ann.set_away("lunch"),
            await ann.set_ignored("@bob", True),
            await ann.change_key("k" * 40),
            await ann.redact("@bob", 5, "oops"),
        ]
    assert acts == [6] * len(acts)
    assert asked(broker) == [
        wire.EndInvite(0, 0, "a" * 8, "old"),
        wire.EndToken(0, 0, "bot", ""),
        wire.SetRole(0, 0, "tea", "bob", wire.VOICE, "speaks"),
        wire.SetRole(0, 0, "", "bob", wire.OPERATOR, ""),
        wire.SetMode(0, 0, "tea", True),
        wire.InviteToRoom(0, 0, "ops+4711", "bob"),
        wire.Kick(0, 0, "tea", "bob", "spam"),
        wire.Sanction(0, 0, "tea", "bob", wire.MUTE, 1_500, ""),
        wire.Pardon(0, 0, "tea", "bob", wire.MUTE, ""),
        wire.Sanction(0, 0, "", "bob", wire.BAN, 0, "spam"),
        wire.Pardon(0, 0, "", "bob", wire.BAN, ""),
        wire.SetAway(0, 0, "lunch"),
        wire.SetIgnored(0, 0, "bob", True),
        wire.ChangeKey(0, 0, "k" * 40),
        wire.Redact(0, 0, "@bob", 5, "oops"),
    ]


@on_a_loop
async def test_lists_are_read_to_their_ends(broker: FakeBroker) -> None:
    async with AsyncClient(broker.link, "ann", key=KEY, quiet=True) as ann:
        assert [row.invite for row in await ann.admin.invites()] == ["a" * 8, "b" * 8]
        assert [row.nick for row in await ann.admin.tokens()] == ["bot", "robot"]
        assert [row.nick for row in await ann.admin.sanctions("tea")] == ["cat", "dan"]
        assert [bound.name for bound in await ann.admin.limits()] == ["sessions_max"]
        assert (await ann.whois()).nick == "ann"
        assert await ann.create_private("ops") == "ops+6"


@on_a_loop
async def test_what_the_broker_could_not_read_is_not_sent(broker: FakeBroker) -> None:
    async with AsyncClient(broker.link, "ann", key=KEY, quiet=True) as ann:
        for work in (
            ann.admin.kick("tea", "bob", "x" * 257),
            ann.admin.make_invite(uses=0),
            ann.admin.make_invite(lifetime_s=0),
            ann.admin.ban("bob", lifetime_s=float("inf")),
            ann.admin.end_invite("no id"),
            ann.admin.set_role("bob", 9),
            ann.set_away("\ud800"),
            ann.change_key("short"),
            ann.redact("tea", -1),
        ):
            with pytest.raises(ConfigurationError):
                await work
        for refused in (ann.admin.kick("x" * 33, "bob"), ann.admin.kick("tea", ""), ann.whois("\ud800")):
            with pytest.raises(Refused):
                await refused
    assert asked(broker) == []


# ---- the control socket ----


@on_a_loop
async def test_through_the_control_socket_one_is_the_account_without_a_key(
    broker: FakeBroker, tmp_path: Path
) -> None:
    async with AsyncClient(broker.link, control=tmp_path / "control") as account:
        assert account.nick == "$"
        assert (await account.admin.make_invite()).without_secret() == broker.link
    hello = broker.received.get()
    assert isinstance(hello, wire.Hello)
    assert (hello.nick, hello.quiet) == ("$", True)
    with pytest.raises(ConfigurationError, match=r"one is \$, and nobody else"):
        AsyncClient(broker.link, "ann", control=tmp_path / "control")
    with pytest.raises(ConfigurationError, match="no socket can have a path as long"):
        AsyncClient(broker.link, control=tmp_path / ("x" * 100))


@on_a_loop
async def test_where_nobody_listens_it_says_so(broker: FakeBroker, tmp_path: Path) -> None:
    path = tmp_path / "control"
    broker.stop()
    with pytest.raises(Unreachable, match=f"no broker listens at {path}. Does it run"):
        await AsyncClient(broker.link, control=path, timeout=1).connect()
    path.unlink(missing_ok=True)
    with pytest.raises(Unreachable, match=f"no broker listens at {path}. Does it run"):
        await AsyncClient(broker.link, control=path, timeout=1).connect()


@on_a_loop
async def test_where_nobody_answers_it_says_so(broker: FakeBroker, tmp_path: Path) -> None:
    broker.silent = True
    with pytest.raises(Unreachable, match=f"the broker at {tmp_path}/control does not answer in time"):
        await AsyncClient(broker.link, control=tmp_path / "control", timeout=0.5).connect()
