"""The client's core on an asyncio loop: sockets, clock, those who wait for answers, and the updates.

Longer than other files: every effect of the core is executed here, and what does it shares the core, the
sockets and the timer. What could do without them has files of its own: callers, delivery, saving, diagnosis.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, NamedTuple, assert_never

from zchat.client.callers import Answer, Callers, refused
from zchat.client.control import look_at
from zchat.client.core import effects as do
from zchat.client.core.core import Core
from zchat.client.core.cursors import Snapshot
from zchat.client.core.events import (
    Act,
    ActQueued,
    Consumed,
    Diagnosed,
    Draft,
    Elapsed,
    Event,
    FollowChanged,
    GivenUp,
    HandshakeFailed,
    MessagesQueued,
    Started,
    Stopped,
)
from zchat.client.delivery import Delivery
from zchat.client.diagnosis import Finding, look
from zchat.client.hosts import addresses
from zchat.client.messages import Sent
from zchat.client.sockets import Sockets
from zchat.common import wire
from zchat.common.errors import Closed, Refused, Unreachable, WrongIdentity, ZchatError
from zchat.common.keys import KeyPair
from zchat.common.links import Link

_OUTBOX_MESSAGES_MAX: Final = 10_000
_OUTBOX_BYTES_MAX: Final = 8 * 1024 * 1024
_LOOK_S: Final = 5.0
_WRONG_KEYS: Final = 4  # handshakes in a row that fail before the link's key is called wrong


class Options(NamedTuple):
    """What a client is made with. `resume`: what was missed since `snapshot` is wanted. `control`: a socket
    to connect to in place of the link's address; then there is no key."""

    link: Link
    nick: str
    key: KeyPair | None
    quiet: bool
    software: str
    snapshot: Snapshot | None
    resume: bool
    register: bool
    invite: str
    control: Path | None


class Shell:
    """Executes what the core decides, in the loop's thread."""

    def __init__(self, options: Options, save: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._save = save
        self.instance = (time.time_ns() // 1_000_000 % 2**42 << 21) + random.SystemRandom().getrandbits(21)
        self.core = Core(
            options.nick,
            instance=self.instance,
            jitter=random.random,
            quiet=options.quiet,
            snapshot=options.snapshot,
            resume=options.resume,
            register=options.register,
            invite=options.invite,
            software=options.software,
        )
        self._sockets = Sockets(options.link.key, options.key, self._received, self.fail)
        self._callers = Callers(self.instance)
        self._drafts: list[Draft] = []  # posted and not yet given to the core
        self._drafts_bytes = 0
        self._flush: asyncio.Handle | None = None
        self._room: deque[asyncio.Future[None]] = deque()  # those who wait for room in the outbox
        self._timer: asyncio.TimerHandle | None = None
        self._arming = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._host = options.link.host  # the address that is connected to
        self._attempts = 0
        self._closing = False
        self.error: ZchatError | Exception | None = None  # why there is nothing more to come
        self.welcome: asyncio.Future[wire.Welcome] = self._loop.create_future()
        self.refused: Refused | None = None  # why the broker does not let us in at the moment
        self.finding: Finding | None = None
        self.delivery = Delivery(lambda taken: self._handle(Consumed(taken)))
        self._empty = asyncio.Event()
        self._empty.set()

    # ---- events and time ----

    def start(self) -> None:
        """Begin to connect."""
        self._handle(Started())

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)

    def _handle(self, event: Event) -> None:
        if self.error is not None and not isinstance(event, Consumed | Stopped):
            return
        for effect in self.core.handle(event, self._now_ms()):
            self._execute(effect)
        if not self._arming and not self._closing:
            self._arming = True
            self._loop.call_soon(self._arm)  # after those who waited for an answer
        if self._room:
            self._make_room()

    def _received(self, event: Event) -> None:
        self._handle(event)
        if isinstance(event, HandshakeFailed):
            self._judge()

    def _arm(self) -> None:
        """Have a timer run at the deadline, or before: then it is set again."""
        self._arming = False
        if self._closing:
            return
        deadline_ms = self.core.deadline_ms()
        if deadline_ms is None:
            return
        when = deadline_ms / 1000 + 0.001
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._elapsed)

    def _elapsed(self) -> None:
        self._timer = None
        try:
            self.delivery.tell_taken()
            self._handle(Elapsed())
        except Exception as error:
            self.fail(error)

    # ---- effects ----

    def _execute(self, effect: do.Effect) -> None:
        match effect:
            case do.Deliver(updates=updates):
                self.delivery.add(updates)
            case do.Transmit(request=request):
                self._sockets.transmit(request)
            case do.Acknowledge():
                self._callers.acknowledge(effect)
                self._check_empty()
            case do.Resolve(ticket=ticket, answer=answer, segments=segments):
                self._callers.resolve(ticket, (answer, segments))
            case do.Refuse(tickets=tickets, refusal=refusal, reason=reason):
                self._callers.refuse(tickets, refusal, reason)
                self._check_empty()
            case do.Abandon(tickets=tickets, handed_over=handed_over):
                self._callers.abandon(tickets, handed_over, self.error)
                self._check_empty()
            case do.Connect():
                self._connect()
            case do.Diagnose():
                self.diagnose()
            case do.OpenSubscriber(port=port):
                self._sockets.open_subscriber(self._host, port)
            case do.Subscribe(topic=topic):
                self._sockets.subscribe(topic)
            case do.Unsubscribe(topic=topic):
                self._sockets.unsubscribe(topic)
            case do.TouchSubscriber():
                self._sockets.touch()
            case do.Greet(welcome=welcome):
                self.finding = self.refused = None
                if not self.welcome.done():
                    self.welcome.set_result(welcome)
            case do.Announce(refusal=code, status=status):
                if code is not None:
                    self.refused = Refused(code, status.text)
            case do.Save():
                self._save()
            case do.Fail(refusal=code, reason=reason):
                self.fail(refused(code, reason))
            case _:
                assert_never(effect)

    def _connect(self) -> None:
        if self._options.control is not None:
            self._sockets.connect_locally(self._options.control)
            return
        host, port = self._options.link.host, self._options.link.port
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            self._spawn(self._connect_by_name(host, port))
        else:
            self._sockets.connect(host, port)

    async def _connect_by_name(self, name: str, port: int) -> None:
        """libzmq would take the first address that a name has, and stay with it."""
        try:
            found = await addresses(name, port)
        except (OSError, ValueError):  # ValueError: what no name can be
            self._handle(HandshakeFailed())
            return
        found.sort(key=lambda address: ":" in address)
        self._host = found[self._attempts % len(found)]
        self._attempts += 1
        if not self._closing:
            self._sockets.connect(self._host, port)

    # ---- who is there ----

    def diagnose(self, timeout: float = _LOOK_S) -> None:
        """Look at what is at the broker's address, for `timeout` seconds."""
        self._spawn(self._diagnose(timeout))

    async def _diagnose(self, timeout: float) -> None:
        control = self._options.control
        self.finding = await (look(self._options.link, timeout) if control is None else look_at(control))
        self._judge()

    def _judge(self) -> None:
        """The link's key is wrong when an encrypted peer breaks off the handshake again and again."""
        finding = self.finding
        if finding is None:
            return
        refusing = self._sockets.handshakes_refused >= _WRONG_KEYS
        if finding.kind == "there" or (finding.kind == "curve" and not refusing):
            return
        self._handle(Diagnosed(finding.kind, finding.text))
        if finding.kind == "curve" and not self.welcome.done():
            self.welcome.set_exception(WrongIdentity(finding.text))

    def unreached(self) -> ZchatError:
        """What kept the client from being let in."""
        if self.refused is not None:
            return self.refused
        link, control = self._options.link, self._options.control
        if self.finding is None or self.finding.kind in ("curve", "there"):
            place = f"{link.host}:{link.port}" if control is None else control
            return Unreachable(f"the broker at {place} does not answer in time")
        return self.finding.error(self._sockets.handshakes_refused > 0)

    # ---- sending ----

    def has_room(self) -> bool:
        """The outbox takes more messages."""
        outbox = self.core.outbox
        return (
            outbox.waiting + len(self._drafts) < _OUTBOX_MESSAGES_MAX
            and outbox.waiting_bytes + self._drafts_bytes < _OUTBOX_BYTES_MAX
        )

    @property
    def held_s(self) -> float:
        """For how long nothing is sent, since too much was."""
        return self.core.outbox.held_ms(self._now_ms()) / 1000

    async def wait_for_room(self) -> None:
        """Returns when the outbox takes more messages."""
        while not self.has_room():
            future: asyncio.Future[None] = self._loop.create_future()
            self._room.append(future)
            try:
                await future
            finally:
                with suppress(ValueError):
                    self._room.remove(future)
            self.check()

    def _make_room(self) -> None:
        if self.has_room():
            for future in self._room:
                if not future.done():
                    future.set_result(None)

    def post(self, to: str, text: str, key: str | None) -> tuple[int, asyncio.Future[Sent]]:
        """Put a message into the outbox, with those of the same turn of the loop."""
        ticket, future = self._callers.sends(key)
        size = len(text) if text.isascii() else len(text.encode())
        self._drafts.append(Draft(ticket, to, text, size, key))
        self._drafts_bytes += size
        if self._flush is None:
            self._flush = self._loop.call_soon(self.flush)
            self._empty.clear()
        return ticket, future

    def flush(self) -> None:
        """Give what was posted to the core."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        drafts, self._drafts, self._drafts_bytes = self._drafts, [], 0
        if drafts:
            try:
                self._handle(MessagesQueued(drafts))
            except Exception as error:
                self.fail(error)
        self._check_empty()

    def _check_empty(self) -> None:
        if self.core.outbox.is_empty and not self._drafts:
            self._empty.set()

    async def wait_until_sent(self) -> None:
        """Returns when every message has its answer."""
        self.flush()
        await self._empty.wait()

    # ---- asking ----

    def ask(self, request: Act) -> tuple[int, asyncio.Future[Answer]]:
        """Give a request of a user to the core."""
        ticket, future = self._callers.asks(isinstance(request, wire.Fetch | wire.Question))
        self._handle(ActQueued(ticket, request))
        return ticket, future

    def follow(self, rooms: list[str]) -> tuple[int, asyncio.Future[Answer]]:
        """Have the core follow exactly these rooms."""
        ticket, future = self._callers.asks(is_read=True)
        self._handle(FollowChanged(ticket, rooms))
        return ticket, future

    def give_up(self, ticket: int) -> None:
        """Nobody waits for this any more. If somebody does, it fails now."""
        if ticket in self._callers:
            self.flush()
            self._handle(GivenUp(ticket))
            self._check_empty()

    # ---- the end ----

    def check(self) -> None:
        """Raises when the client is of no use any more."""
        if self.error is not None:
            raise self.error
        if self._closing:
            raise Closed("the client is closed")

    def fail(self, error: Exception) -> None:
        """The client is of no use any more: everybody who waits is told."""
        if self.error is not None:
            return
        self.error = error
        if not self.welcome.done():
            self.welcome.set_exception(error)
        for effect in self.core.handle(Stopped(), self._now_ms()):
            self._execute(effect)
        self._wake_all()

    async def close(self) -> None:
        """Say Bye and close everything."""
        if self._closing:
            return
        self.flush()
        self.delivery.tell_taken()
        self._closing = self._callers.closing = True
        flush = self.core.is_open
        for effect in self.core.handle(Stopped(), self._now_ms()):
            self._execute(effect)
        self._wake_all()
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sockets.close(flush)

    def _wake_all(self) -> None:
        self.delivery.wake()
        self._empty.set()
        for future in self._room:
            if not future.done():
                future.set_result(None)
        if self._closing and not self.welcome.done():
            self.welcome.cancel()

    def _spawn(self, work: Any) -> None:
        if self._closing:
            work.close()
            return
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error if isinstance(error, Exception) else RuntimeError(repr(error)))
