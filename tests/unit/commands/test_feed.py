"""Lines on their way (zchat/client/commands/feed.py)."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from zchat.client.commands.feed import Feed, FeedStopped
from zchat.client.commands.lines import Line, Splitter
from zchat.client.messages import Sent
from zchat.common import limits
from zchat.common.codes import Refusal
from zchat.common.errors import ConfigurationError, OutcomeUnknown, Refused

Answer = Sent | Exception | None  # None: none ever


class Broker:
    """Answers each post as it is told, a turn of the loop later."""

    held_s = 0.0

    def __init__(self, answer: Callable[[str], Answer] = lambda text: Sent(1, 0, "k", False)) -> None:
        self.posted: list[tuple[str, str, str | None]] = []
        self.answer = answer

    async def post(self, to: str, text: str, *, id: str | None = None) -> "asyncio.Future[Sent]":
        self.posted.append((to, text, id))
        future = asyncio.get_running_loop().create_future()
        match self.answer(text):
            case Sent() as sent:
                asyncio.get_running_loop().call_soon(future.set_result, sent)
            case Exception() as error:
                asyncio.get_running_loop().call_soon(future.set_exception, error)
        return future


async def lines(data: bytes, ends: bool = True) -> AsyncIterator[Line]:
    splitter = Splitter()
    for line in splitter.feed(data) + splitter.end():
        yield line
    if not ends:
        await asyncio.Event().wait()


class Run:
    def __init__(self, broker: Broker, id: str | None = None, timeout: float | None = None) -> None:
        self.reported: list[Sent] = []
        self.feed = Feed(broker, "logs", id, timeout, self.report)

    async def report(self, sent: Sent) -> None:
        self.reported.append(sent)


def refuses(*texts: str) -> Callable[[str], Answer]:
    def answer(text: str) -> Answer:
        if text in texts:
            return Refused(Refusal.STORAGE_UNAVAILABLE, "disk full")
        return Sent(int(text), 0, "k", False)

    return answer


def test_blank_lines_are_skipped_and_keep_their_number() -> None:
    broker = Broker()
    run = Run(broker, "K")
    asyncio.run(run.feed.run(lines(b"one\n\n  two \r\n \nthree")))
    assert broker.posted == [("logs", "one", "K.1"), ("logs", "  two ", "K.3"), ("logs", "three", "K.5")]
    assert run.feed.stored == len(run.reported) == 3


def test_without_an_id_counters_are_left_to_the_client() -> None:
    broker = Broker()
    asyncio.run(Run(broker).feed.run(lines(b"one\n")))
    assert broker.posted == [("logs", "one", None)]


def test_it_stops_at_the_first_refusal_and_counts_what_was_stored() -> None:
    broker = Broker(refuses("3"))
    run = Run(broker)
    with pytest.raises(FeedStopped, match=r"^line 3: disk full. Lines stored: 4$") as raised:
        asyncio.run(run.feed.run(lines(b"1\n2\n3\n4\n5\n", ends=False)))
    assert raised.value.exit_code == 5
    assert [sent.pos for sent in run.reported] == [1, 2, 4, 5]  # the last two were on their way


def test_all_that_was_posted_is_counted() -> None:
    broker = Broker(refuses("5000"))
    run = Run(broker)
    with pytest.raises(FeedStopped, match=r"^line 5000: "):
        asyncio.run(run.feed.run(lines(b"".join(b"%d\n" % number for number in range(1, 100_000)))))
    assert run.feed.stored == len(broker.posted) - 1
    stored = [int(text) for _, text, _ in broker.posted if text != "5000"]
    assert [sent.pos for sent in run.reported] == stored


def test_it_reads_no_further_after_a_refusal() -> None:
    broker = Broker(refuses("3"))
    with pytest.raises(FeedStopped):
        asyncio.run(Run(broker).feed.run(lines(b"".join(b"%d\n" % number for number in range(100_000)))))
    assert len(broker.posted) < 10_000


@pytest.mark.parametrize(
    ("bad", "reason", "code"),
    [
        (b"\xff", "the input is not UTF-8: byte 0xff at offset 4", 2),
        (b"x" * (limits.TEXT_BYTES_MAX + 1), "the text is larger than 65536 bytes", 5),
    ],
)
def test_a_bad_line_is_refused_after_those_before_it_are_stored(bad: bytes, reason: str, code: int) -> None:
    broker = Broker()
    with pytest.raises(FeedStopped, match=f"^line 3: {reason}. Lines stored: 2$") as raised:
        asyncio.run(Run(broker).feed.run(lines(b"1\n2\n" + bad + b"\n4\n")))
    assert raised.value.exit_code == code
    assert len(broker.posted) == 2


def test_an_input_that_breaks_off() -> None:
    async def breaking() -> AsyncIterator[Line]:
        async for line in lines(b"1\n\n2\n"):
            yield line
        raise ConfigurationError("cannot read stdin: Input/output error")

    with pytest.raises(FeedStopped, match=r"^line 4: cannot read stdin: .*. Lines stored: 2$") as raised:
        asyncio.run(Run(Broker()).feed.run(breaking()))
    assert raised.value.exit_code == 2


def test_a_report_that_cannot_be_written() -> None:
    async def full(_: Sent) -> None:
        raise ConfigurationError("cannot write to stdout: No space left on device")

    feed = Feed(Broker(), "logs", "K", None, full)
    with pytest.raises(OutcomeUnknown, match=r"^cannot write to stdout: .* Lines stored: 1; those after"):
        asyncio.run(feed.run(lines(b"1\n2\n")))


def test_no_answer_in_time() -> None:
    broker = Broker(lambda text: None if text == "2" else Sent(1, 0, "k", False))
    with pytest.raises(
        OutcomeUnknown, match=r"^no answer within 0.01 s. Lines stored: 1; those after"
    ) as raised:
        asyncio.run(Run(broker, "K", 0.01).feed.run(lines(b"1\n2\n3\n")))
    assert raised.value.id == "K" and "--id K is safe" in str(raised.value)


class Held(Broker):
    """Has sent too much: what is posted is answered when it was asked three times how long that takes."""

    def __init__(self) -> None:
        super().__init__(lambda text: None)
        self._asked = 0
        self._outcome: asyncio.Future[Sent] | None = None

    @property
    def held_s(self) -> float:  # type: ignore[override]
        self._asked += 1
        if self._asked == 3:
            assert self._outcome is not None
            self._outcome.set_result(Sent(1, 0, "k", False))
        return 0.01

    async def post(self, to: str, text: str, *, id: str | None = None) -> "asyncio.Future[Sent]":
        self._outcome = await super().post(to, text, id=id)
        return self._outcome


def test_the_time_in_which_the_client_has_to_wait_does_not_count() -> None:
    run = Run(Held(), timeout=0.01)
    asyncio.run(run.feed.run(lines(b"1\n")))
    assert run.feed.stored == 1


def cancelled_when(is_time: Callable[[Run], bool], broker: Broker) -> Run:
    async def interrupted() -> None:
        task = asyncio.create_task(run.feed.run(lines(b"1\n2\n", ends=False)))
        while not is_time(run):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await task

    run = Run(broker)
    asyncio.run(interrupted())
    return run


def test_interrupted_with_a_line_on_its_way() -> None:
    broker = Broker(lambda text: None)
    with pytest.raises(OutcomeUnknown, match=r"^interrupted. Lines stored: 0; those after"):
        cancelled_when(lambda run: bool(broker.posted), broker)


def test_interrupted_while_nothing_is_on_its_way() -> None:
    with pytest.raises(asyncio.CancelledError):
        cancelled_when(lambda run: len(run.reported) == 2, Broker())


def test_a_bug_is_not_taken_for_a_refusal() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Run(Broker(lambda text: ZeroDivisionError())).feed.run(lines(b"1\n")))
