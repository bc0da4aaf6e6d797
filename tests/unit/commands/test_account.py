"""What is kept with the account (zchat/client/commands/account.py)."""

import asyncio

import pytest

from zchat.client.commands.account import Account
from zchat.client.messages import Came, Message
from zchat.common.codes import Refusal
from zchat.common.errors import Refused, Unreachable, ZchatError
from zchat.common.wire import Profile


class Client:
    """Says what it is told to say about oneself, or raises it."""

    nick = "ann"

    def __init__(self) -> None:
        self.answer: Profile | ZchatError = profile()

    async def whois(self, nick: str | None = None) -> Profile:
        assert nick is None
        if isinstance(self.answer, ZchatError):
            raise self.answer
        return self.answer


def profile(*ignored: str, away: str = "") -> Profile:
    return Profile(1, 1, "ann", [], 0, 0, 1, True, away, 0, 0, "", [], [*ignored])


def message(sender: str) -> Message:
    return Message(1, 0, 0, sender, "#general", "message", "k", "text", "#general")


def test_messages_of_those_who_are_ignored_are_passed_over() -> None:
    client = Client()
    account = Account(client)
    assert not account.passes_over(message("bob"))
    client.answer = profile("bob", "ann", away="at lunch")
    asyncio.run(account.ask())
    passed = [nick for nick in ("bob", "Bob", "ann", "carl") if account.passes_over(message(nick))]
    assert passed == ["bob"]  # as it is registered, and never oneself
    assert not account.passes_over(Came("bob"))
    assert account.away == "at lunch"


def test_a_token_that_is_not_for_asking_ignores_nobody() -> None:
    client = Client()
    account = Account(client)
    client.answer = profile("bob")
    asyncio.run(account.ask())
    client.answer = Refused(Refusal.NOT_ALLOWED, "your token is for its rooms only")
    asyncio.run(account.ask())
    assert account.ignored == {"bob"}
    client.answer = Unreachable("away")
    with pytest.raises(Unreachable):
        asyncio.run(account.ask())
