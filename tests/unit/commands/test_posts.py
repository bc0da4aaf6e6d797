"""What was written and is on its way (zchat/client/commands/posts.py)."""

import asyncio
from typing import Any, cast

from zchat.client.commands.posts import Posts
from zchat.client.messages import Sent
from zchat.common.codes import Refusal
from zchat.common.errors import Refused


class Client:
    """Waits until the test lets it send."""

    held_s = 0.0

    def __init__(self) -> None:
        self.sent: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()

    async def post(self, to: str, text: str) -> "asyncio.Future[Sent]":
        return self.sent


class Front:
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def posted(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        assert not sent.done()

    def remark(self, text: str) -> None:
        self.remarks.append(text)


def test_what_the_broker_holds_up_is_waited_for() -> None:
    async def run() -> None:
        client, front = Client(), Front()
        posts = Posts(cast(Any, client), cast(Any, front))
        await posts.send("#general", "hi")
        await posts.settle(0.01)
        assert posts.unsettled == 1  # it was not held up, and the time is over
        client.held_s = 0.01
        settling = asyncio.create_task(posts.settle(0.01))
        done, _ = await asyncio.wait([settling], timeout=0.1)
        assert not done
        client.held_s = 0.0
        client.sent.set_result(Sent(1, 0, "~1.1", False))
        await settling
        assert (posts.unsettled, front.remarks) == (0, [])

    asyncio.run(run())


def test_what_was_refused_is_said() -> None:
    async def run() -> None:
        client, front = Client(), Front()
        posts = Posts(cast(Any, client), cast(Any, front))
        await posts.send("#general", "x" * 100)
        client.sent.set_exception(Refused(Refusal.RATE_LIMITED, "too much"))
        await posts.settle(None)
        assert await posts.lost() is None
        assert front.remarks == [f"not sent to #general: too much [{'x' * 40}…]"]
        assert posts.failed is not None and posts.failed.exit_code == 6

    asyncio.run(run())
