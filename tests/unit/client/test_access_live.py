"""AsyncClient and what it may: invites, tokens, private rooms, sanctions, limits, against a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.processes import BrokerProcess
from tests.unit.client.live import client, error_of, key_of, on_a_loop, until
from zchat import AsyncClient
from zchat.client import control, exports
from zchat.client.messages import Act, CaughtUp, MemberJoined, Message, Redaction, Registration, Status
from zchat.common import links, wire
from zchat.common.codes import Refusal
from zchat.common.errors import Refused, WrongIdentity
from zchat.common.keys import draw


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One that registers nobody without an invite."""
    path = tmp_path_factory.mktemp("access") / "broker"
    with BrokerProcess(path, "--registration", "invite") as running:
        yield running


def account(broker: BrokerProcess) -> AsyncClient:
    """Who runs the broker."""
    return AsyncClient(broker.link, control=broker.control)


@asynccontextmanager
async def people(broker: BrokerProcess, *nicks: str, quiet: bool = False) -> AsyncIterator[list[AsyncClient]]:
    """Clients with these nicks, let in by an invite, and connected."""
    async with AsyncExitStack() as stack:
        async with account(broker) as runs:
            invite = (await runs.admin.make_invite(uses=len(nicks))).secret
        yield [
            await stack.enter_async_context(client(broker, nick, invite=invite, quiet=quiet))
            for nick in nicks
        ]


def refusal(error: BaseException) -> Refusal | None:
    assert isinstance(error, Refused | WrongIdentity), repr(error)
    return error.refusal


def is_act(name: str) -> Callable[[object], bool]:
    return lambda update: isinstance(update, Act) and update.act == name


# ---- who is let in ----


@on_a_loop
async def test_the_account_finds_the_control_socket(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZCHAT_RUNTIME_DIR", str(broker.runtime_dir))
    assert control.socket_of(links.parse(broker.link)) == broker.control
    async with account(broker) as runs:
        assert runs.nick == "$"
        assert refusal(await error_of(runs.send("general", "hi"))) is Refusal.NOT_ALLOWED
        bounds = {bound.name: bound.value for bound in await runs.admin.limits()}
        assert bounds["messages_per_second"] > 0


@on_a_loop
async def test_nobody_comes_in_without_an_invite(broker: BrokerProcess) -> None:
    error = await error_of(client(broker, "stranger").connect())
    assert isinstance(error, WrongIdentity) and error.refusal is Refusal.NOT_INVITED
    error = await error_of(client(broker, "stranger", invite="a" * 40).connect())
    assert isinstance(error, WrongIdentity) and error.refusal is Refusal.INVITE_INVALID


@on_a_loop
async def test_a_link_lets_as_many_in_as_it_says(broker: BrokerProcess) -> None:
    async with account(broker) as runs:
        link = await runs.admin.make_invite(uses=1, reason="new here")
        assert [row.uses for row in await runs.admin.invites() if row.invite == link.invite] == [1]
        async with AsyncClient(str(link), "first", key=draw()) as first:
            assert first.registered and first.link == link.without_secret()
        error = await error_of(AsyncClient(link, "second", key=draw()).connect())
        assert refusal(error) is Refusal.INVITE_INVALID
        past = await runs.entries("$", limit=1_000)
    used = [entry for entry in past if isinstance(entry, Act) and entry.subject == link.invite]
    assert [(entry.actor, entry.act, entry.reason) for entry in used] == [
        ("$", "invite_made", "new here"),
        ("first", "invite_used", ""),
    ]
    assert [e.invite for e in past if isinstance(e, Registration) and e.nick == "first"] == [link.invite]


@on_a_loop
async def test_a_lost_key_is_replaced_and_the_old_one_is_told(broker: BrokerProcess) -> None:
    async with people(broker, "forgetful") as [old]:
        async with account(broker) as runs:
            link = await runs.admin.make_invite(nick="forgetful")
        async with AsyncClient(link, "forgetful", key=draw()) as new:
            assert not new.registered
            error = await error_of(until(old.updates(), lambda _: False))
            assert refusal(error) is Refusal.NICK_TAKEN
            assert await error_of(old.send("general", "hi")) is error


@on_a_loop
async def test_another_key_of_ones_own(broker: BrokerProcess) -> None:
    key = draw()
    async with people(broker, "careful") as [careful]:
        assert await careful.change_key(key.public) > 0
        error = await error_of(until(careful.updates(), lambda _: False))
        assert refusal(error) is Refusal.NICK_TAKEN
    async with client(broker, "careful", key=key) as careful:
        assert (await careful.whois()).keys == [key.public]


@on_a_loop
async def test_who_is_banned_is_told_why_and_not_let_in(broker: BrokerProcess) -> None:
    async with people(broker, "spammer") as [spammer], account(broker) as runs:
        await runs.admin.ban("spammer", lifetime_s=3_600, reason="spam")
        assert [row.nick for row in await runs.admin.sanctions()] == ["spammer"]
        error = await error_of(until(spammer.updates(), lambda _: False))
        assert refusal(error) is Refusal.BANNED and "spam" in str(error)
        assert refusal(await error_of(client(broker, "spammer").connect())) is Refusal.BANNED
        await runs.admin.unban("spammer")
    async with client(broker, "spammer") as back:
        assert back.connected


# ---- bots ----


@on_a_loop
async def test_a_bot_has_all_it_needs_in_a_line_and_no_more(broker: BrokerProcess) -> None:
    async with people(broker, "maker", quiet=True) as [maker], account(broker) as runs:
        await runs.admin.set_role("maker", wire.OPERATOR)
        await maker.join("builds")
        token = await maker.admin.make_token("builder", rooms=["builds"], may_read=False)
        assert exports.parse_token(str(token)) == token
        assert [row.nick for row in await maker.admin.tokens()] == ["builder"]
        async with AsyncClient(token=str(token), quiet=True) as bot:
            assert bot.nick == "builder"
            assert (await bot.send("builds", "42 tests passed")).pos > 0
            assert refusal(await error_of(bot.send("general", "no"))) is Refusal.NOT_ALLOWED
            assert refusal(await error_of(bot.history("builds"))) is Refusal.NOT_ALLOWED
            assert refusal(await error_of(bot.join("other"))) is Refusal.NOT_ALLOWED
            await maker.admin.end_token("builder", "done")
            error = await error_of(bot.users())
            assert isinstance(error, Refused | WrongIdentity)
        assert isinstance(await error_of(AsyncClient(token=str(token)).connect()), WrongIdentity)


# ---- rooms ----


@on_a_loop
async def test_a_private_room_is_for_who_is_invited(broker: BrokerProcess) -> None:
    async with people(broker, "owner", "guest", "other") as [owner, guest, other]:
        name = await owner.create_private("ops")
        assert name.startswith("ops+")
        assert refusal(await error_of(guest.join(name))) is Refusal.NO_SUCH_ROOM
        await owner.admin.invite_to_room(name, "guest")
        invited = await until(guest.updates(), is_act("invited"))
        assert (invited.actor, invited.room, invited.conversation) == ("owner", name, "@guest,owner")
        await guest.join(name)
        updates = guest.updates()
        await until(updates, lambda update: isinstance(update, MemberJoined) and update.nick == "guest")
        await owner.send(name, "secret")
        assert (await until(updates, lambda update: isinstance(update, Message))).text == "secret"
        assert name in [room.name for room in await guest.rooms()]
        assert name not in [room.name for room in await other.rooms()]
        assert refusal(await error_of(other.follow([name]))) is Refusal.NO_SUCH_ROOM
        assert guest.joined == {"general", name}
        await owner.admin.kick(name, "guest", "enough")
        kicked = await until(updates, is_act("kicked"))
        assert (kicked.actor, kicked.room, kicked.reason) == ("owner", name, "enough")
        while guest.joined != {"general"}:
            await anext(updates)
        assert refusal(await error_of(guest.send(name, "hi"))) is Refusal.NO_SUCH_ROOM
        await other.send("general", "still here")
        assert (await until(updates, lambda update: isinstance(update, Message))).text == "still here"


@on_a_loop
async def test_who_was_kicked_while_away_hears_of_it_and_reads_all_else(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with people(broker, "host", "absent") as [host, absent]:
        await host.join("inn")
        await host.join("bar")
        await absent.close()
        async with client(broker, "absent", state=state) as absent:
            messages = absent.messages()
            for name in ["inn", "bar"]:
                await absent.join(name)
                await host.send(name, f"welcome to the {name}")
                await until(messages, lambda message, to=f"#{name}": message.to == to)
            absent.handled()
        await host.admin.kick("inn", "absent", "away too long")
        await host.send("inn", "without")
        await host.send("bar", "with")
        async with client(broker, "absent", state=state) as absent:
            missed = []
            async for update in absent.updates():
                missed += [update] if isinstance(update, Message | Act) else []
                if isinstance(update, CaughtUp):
                    break
            assert absent.joined == {"general", "bar"}
        assert [update.text for update in missed if isinstance(update, Message)] == ["with"]
        assert [(u.act, u.room, u.reason) for u in missed if isinstance(u, Act)] == [
            ("kicked", "inn", "away too long")
        ]
        error = await error_of(client(broker, "absent", rooms=["inn"]).connect())
        assert refusal(error) is Refusal.NOT_ALLOWED


@on_a_loop
async def test_one_room_that_may_be_followed_no_longer_leaves_the_others(broker: BrokerProcess) -> None:
    async with people(broker, "keeper", "reader") as [keeper, reader]:
        await keeper.join("cafe")
        await keeper.join("pub")
        await reader.follow(["CAFE", "pub"])
        updates = reader.updates()
        await keeper.admin.ban("reader", "cafe", reason="loud")
        status = await until(updates, lambda update: isinstance(update, Status))
        assert (status.kind, status.text) == ("expelled", "#cafe is read no longer: keeper banned you: loud")
        await keeper.send("cafe", "without reader")
        await keeper.send("pub", "with reader")
        assert (await until(updates, lambda update: isinstance(update, Message))).text == "with reader"


@on_a_loop
async def test_in_a_room_of_announcements_only_some_write(broker: BrokerProcess) -> None:
    async with people(broker, "chief", "voice", "ear", quiet=True) as [chief, voice, ear]:
        await chief.join("news")
        await chief.admin.set_mode("news", announce=True)
        await chief.admin.set_role("voice", wire.VOICE, "news")
        assert (await voice.send("news", "hear")).pos > 0
        assert refusal(await error_of(ear.send("news", "no"))) is Refusal.NOT_ALLOWED
        await chief.admin.mute("voice", "news", lifetime_s=60)
        error = await error_of(voice.send("news", "no"))
        assert refusal(error) is Refusal.NOT_ALLOWED and "chief" in str(error)
        await chief.admin.unmute("voice", "news")
        assert (await voice.send("news", "hear")).pos > 0


@on_a_loop
async def test_a_text_that_was_removed_is_gone_for_all(broker: BrokerProcess) -> None:
    async with people(broker, "teller", "hearer") as [teller, hearer]:
        updates = hearer.updates()
        sent = await teller.send("general", "my password")
        await until(updates, lambda update: isinstance(update, Message) and update.pos == sent.pos)
        assert refusal(await error_of(hearer.redact("general", sent.pos))) is Refusal.NOT_ALLOWED
        assert await teller.redact("general", sent.pos, "oops") > sent.pos
        gone = await until(updates, lambda update: isinstance(update, Redaction))
        assert (gone.nick, gone.of, gone.reason, gone.conversation) == (
            "teller",
            sent.pos,
            "oops",
            "#general",
        )
        [message] = await hearer.history("general", after=sent.pos - 1, limit=1)
        assert (message.pos, message.redacted, message.text) == (sent.pos, True, "")
        assert refusal(await error_of(teller.redact("general", 1))) is Refusal.NO_SUCH_ENTRY


@on_a_loop
async def test_what_is_known_about_people(broker: BrokerProcess) -> None:
    async with people(broker, "known", "asking") as [known, asking]:
        await known.set_away("lunch")
        await asking.set_ignored("known", True)
        profile = await asking.whois("known")
        assert (profile.nick, profile.away, profile.present) == ("known", "lunch", True)
        assert profile.keys == [key_of("known").public]
        assert (await asking.whois()).ignored == ["known"]
        assert refusal(await error_of(asking.whois("nobody-of-that-name"))) is Refusal.NO_SUCH_USER


# ---- limits ----


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker that lets few messages and requests through."""
    limits = "messages_per_second = 100\nmessages_burst = 20\nrequests_per_second = 50\nrequests_burst = 5\n"
    with BrokerProcess(tmp_path / "slow", settings=f"[broker.limits]\n{limits}") as running:
        yield running


@on_a_loop
async def test_many_messages_wait_and_are_all_stored_in_order(slow: BrokerProcess) -> None:
    async with client(slow, "ann", quiet=True) as ann:
        futures = [await ann.post("general" if n % 3 else "@ann", f"{n}") for n in range(150)]
        sent = await asyncio.gather(*futures)
        keyed = await asyncio.gather(*(ann.send("general", "x", id=f"k{n}") for n in range(40)))
        positions = [one.pos for one in (*sent, *keyed)]
        assert len(set(positions)) == 190 and not any(one.duplicate for one in (*sent, *keyed))
        rooms = [n for n in range(150) if n % 3]
        assert [sent[n].pos for n in rooms] == sorted(sent[n].pos for n in rooms)
        await asyncio.gather(*(ann.whois() for _ in range(30)))


@on_a_loop
async def test_who_does_not_wait_is_told_when_to_come_back(tmp_path: Path) -> None:
    settings = "[broker.limits]\nmessages_per_second = 1\nmessages_burst = 1\n"
    with BrokerProcess(tmp_path / "slower", settings=settings) as slower:
        async with client(slower, "ann", quiet=True) as ann:
            await ann.send("general", "one")
            error = await error_of(ann.send("general", "two", id="k", timeout=0.3))
            assert refusal(error) is Refusal.RATE_LIMITED and getattr(error, "exit_code", 0) == 6
            assert "nothing of it was stored; try again in 1 s" in str(error)
            assert [message.text for message in await ann.history("general")] == ["one"]
