"""What was sent and what became of it, compared with the history and with what was delivered."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from tests.fault.clients import DEADLINE_S, Reader
from zchat import AsyncClient, Message, OutcomeUnknown, Refused, Sent, Unreachable, ZchatError

_SHOWN = 5  # examples in a complaint


class Ledger:
    """Every text is sent once by its sender, and ends in one of three places."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, Sent] = {}
        self.unknown: dict[str, ZchatError] = {}  # stored or not
        self.refused: dict[str, Refused] = {}  # not stored, for ever
        self.strange: dict[str, BaseException] = {}
        self._changed = asyncio.Event()

    def answered(self, text: str, sent: Sent) -> None:
        """The text is durable."""
        self.unknown.pop(text, None)
        self.acknowledged[text] = sent
        self._changed.set()

    def failed(self, text: str, error: BaseException) -> None:
        """Refused, or in doubt. Anything else is a bug of the client, and found by `check`."""
        if isinstance(error, Refused):
            self.refused[text] = error
        elif isinstance(error, OutcomeUnknown | Unreachable):
            self.unknown[text] = error
        else:
            self.strange[text] = error

    def note(self, text: str) -> Callable[["asyncio.Future[Sent]"], None]:
        """To be called when the future of a posted text is done."""

        def done(future: "asyncio.Future[Sent]") -> None:
            error = future.exception()
            if error is None:
                self.answered(text, future.result())
            else:
                self.failed(text, error)

        return done

    async def post(
        self,
        client: AsyncClient,
        texts: Iterable[str],
        to: Callable[[str], str] = lambda text: "general",
        outstanding_max: int = 100,
    ) -> None:
        """Post the texts, and return when each has its answer."""
        window = asyncio.Semaphore(outstanding_max)
        await window.acquire()
        for text in texts:
            future = await client.post(to(text), text)
            future.add_done_callback(self.note(text))
            future.add_done_callback(lambda _: window.release())
            await window.acquire()  # before the next text is drawn, which may be numbered
        for _ in range(outstanding_max - 1):
            await window.acquire()

    async def until_acknowledged(self, more: int) -> None:
        """Returns when so many more texts are acknowledged."""
        wanted = len(self.acknowledged) + more
        async with asyncio.timeout(DEADLINE_S):
            while len(self.acknowledged) < wanted:
                self._changed.clear()
                await self._changed.wait()

    def check(self, *conversations: Sequence[Message]) -> None:
        """The whole history of each conversation agrees with what the senders were told."""
        _none(self.strange.items(), "ended otherwise than promised")
        for messages in conversations:
            _check_order(messages)
        everything = sorted((m for messages in conversations for m in messages), key=lambda m: m.pos)
        falling = [(a.pos, b.pos) for a, b in pairwise(everything) if b.time_ms < a.time_ms]
        _none(falling, "times decrease")
        times = Counter(message.text for message in everything)
        _none([text for text, count in times.items() if count > 1], "stored twice")
        _none(self.acknowledged.keys() - times.keys(), "acknowledged and lost")
        _none(self.refused.keys() & times.keys(), "refused and stored")
        _none(times.keys() - self.acknowledged.keys() - self.unknown.keys(), "never sent")
        moved = [
            message.text
            for message in everything
            if (sent := self.acknowledged.get(message.text))
            and (sent.pos, sent.time_ms) != (message.pos, message.time_ms)
        ]
        _none(moved, "not where the acknowledgement says")


def check_delivered(name: str, delivered: Sequence[Message], history: Sequence[Message]) -> None:
    """A reader got a conversation whole, in order, each message once."""
    got, wanted = [m.pos for m in delivered], [m.pos for m in history]
    _none([pos for pos, count in Counter(got).items() if count > 1], f"delivered twice to {name}")
    _none(set(wanted) - set(got), f"not delivered to {name}")
    _none(set(got) - set(wanted), f"delivered to {name} and not in the history")
    _none([pair for pair in pairwise(got) if pair[0] > pair[1]], f"out of order at {name}")
    different = [m.pos for m, stored in zip(delivered, history, strict=True) if m != stored]
    _none(different, f"delivered to {name} otherwise than stored")


async def agree(ledger: Ledger, history: Sequence[Message], *readers: Reader) -> None:
    """All was acknowledged and is stored once; the readers get all of it, and are closed."""
    ledger.check(history)
    assert not ledger.unknown and not ledger.refused
    assert len(ledger.acknowledged) == len(history)
    for reader in readers:
        await reader.until_at(history[-1])
        check_delivered(reader.nick, reader.messages, history)
        await reader.close()


def check_sequence(texts: Iterable[str]) -> None:
    """The numbers behind the last dot rise: messages of one sender kept their order."""
    numbers = [int(text.rpartition(".")[2]) for text in texts]
    _none([pair for pair in pairwise(numbers) if pair[0] >= pair[1]], "a sender's order was changed")


def _check_order(messages: Sequence[Message]) -> None:
    broken = [(a.pos, b.prev, b.pos) for a, b in pairwise(messages) if not a.pos <= b.prev < b.pos]
    _none(broken, "the chain of positions is broken")


def _none(found: Iterable[object], complaint: str) -> None:
    listed = sorted(found, key=repr)
    assert not listed, f"{complaint}: {len(listed)}, such as {listed[:_SHOWN]}"
