"""Client: AsyncClient for programs without asyncio, on a loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from zchat.client.administration import Administration
from zchat.client.aio import DEFAULT_TIMEOUT, AsyncClient
from zchat.client.messages import Entry, Message, Sent, Update
from zchat.client.saving import State
from zchat.common.errors import Closed
from zchat.common.keys import KeyPair
from zchat.common.links import Link
from zchat.common.wire import Person, Profile, Room

_T = TypeVar("_T")


class Client:
    """The same as AsyncClient, method for method: its methods block, its iterators are ordinary ones, and
    `post` returns a `concurrent.futures.Future`. See there."""

    def __init__(
        self,
        link: str | Link | None = None,
        nick: str | None = None,
        *,
        key: KeyPair | None = None,
        token: str | None = None,
        invite: str | None = None,
        control: Path | None = None,
        rooms: Iterable[str] = (),
        quiet: bool = False,
        resume: bool = False,
        state: Path | State | None = None,
        register: bool = True,
        timeout: float | None = 5.0,
        name: str = "zchat/0.1.0",
    ) -> None:
        self._client = AsyncClient(
            link,
            nick,
            key=key,
            token=token,
            invite=invite,
            control=control,
            rooms=rooms,
            quiet=quiet,
            resume=resume,
            state=state,
            register=register,
            timeout=timeout,
            name=name,
        )
        self.admin = Administration(self._client.admin, self._run)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def connect(self) -> None:
        """See AsyncClient."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="zchat", daemon=True)
            self._thread.start()
        try:
            self._run(self._client.connect())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See AsyncClient."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or loop.is_closed() or not self._client.is_mine:
            return
        asyncio.run_coroutine_threadsafe(self._client.close(), loop).result()
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def link(self) -> Link:
        """Where the broker is and who it is."""
        return self._client.link

    @property
    def nick(self) -> str:
        """The nick, after `connect` as it is registered."""
        return self._client.nick

    @property
    def registered(self) -> bool:
        """Whether `connect` registered the nick just now."""
        return self._client.registered

    @property
    def connected(self) -> bool:
        """See AsyncClient."""
        return self._client.connected

    @property
    def joined(self) -> frozenset[str]:
        """See AsyncClient."""
        return self._client.joined

    @property
    def held_s(self) -> float:
        """See AsyncClient."""
        return self._client.held_s

    def send(
        self, to: str, text: str, *, id: str | None = None, timeout: float | None = DEFAULT_TIMEOUT
    ) -> Sent:
        """See AsyncClient."""
        return self._run(self._client.send(to, text, id=id, timeout=timeout))

    def post(self, to: str, text: str, *, id: str | None = None) -> "Future[Sent]":
        """See AsyncClient."""
        return self._run(_bridged(self._client, to, text, id))

    def messages(self) -> Iterator[Message]:
        """See AsyncClient."""
        return (update for update in self.updates() if isinstance(update, Message))

    def updates(self) -> Iterator[Update]:
        """See AsyncClient."""
        shell = self._client.usable()
        delivery = shell.delivery
        while True:
            update = delivery.take()
            if delivery.has_much_to_tell and self._loop is not None:
                self._loop.call_soon_threadsafe(delivery.tell_taken)
            if update is None:
                self._run(delivery.wait(shell.check))
            else:
                yield update

    def handled(self) -> None:
        """See AsyncClient."""
        self._client.handled()

    def __iter__(self) -> Iterator[Message]:
        return self.messages()

    def history(
        self,
        to: str,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        since_ms: int | None = None,
    ) -> list[Message]:
        """See AsyncClient."""
        return self._run(self._client.history(to, limit=limit, before=before, after=after, since_ms=since_ms))

    def entries(
        self,
        to: str,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        since_ms: int | None = None,
    ) -> list[Entry]:
        """See AsyncClient."""
        return self._run(self._client.entries(to, limit=limit, before=before, after=after, since_ms=since_ms))

    def users(self) -> list[Person]:
        """See AsyncClient."""
        return self._run(self._client.users())

    def members(self, room: str) -> list[Person]:
        """See AsyncClient."""
        return self._run(self._client.members(room))

    def whois(self, nick: str | None = None) -> Profile:
        """See AsyncClient."""
        return self._run(self._client.whois(nick))

    def set_away(self, text: str) -> int:
        """See AsyncClient."""
        return self._run(self._client.set_away(text))

    def set_ignored(self, nick: str, ignored: bool) -> int:
        """See AsyncClient."""
        return self._run(self._client.set_ignored(nick, ignored))

    def change_key(self, public: str) -> int:
        """See AsyncClient."""
        return self._run(self._client.change_key(public))

    def rooms(self) -> list[Room]:
        """See AsyncClient."""
        return self._run(self._client.rooms())

    def join(self, room: str) -> int:
        """See AsyncClient."""
        return self._run(self._client.join(room))

    def create_private(self, base: str) -> str:
        """See AsyncClient."""
        return self._run(self._client.create_private(base))

    def leave(self, room: str) -> int:
        """See AsyncClient."""
        return self._run(self._client.leave(room))

    def set_topic(self, room: str, topic: str) -> int:
        """See AsyncClient."""
        return self._run(self._client.set_topic(room, topic))

    def redact(self, to: str, pos: int, reason: str = "") -> int:
        """See AsyncClient."""
        return self._run(self._client.redact(to, pos, reason))

    def follow(self, rooms: Iterable[str]) -> None:
        """See AsyncClient."""
        return self._run(self._client.follow(rooms))

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of the coroutine, run in the loop's thread. A forked process has no such thread."""
        try:
            self._client.check_usable()
            if self._loop is None:
                raise Closed("the client is not connected yet")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except BaseException:
            work.close()
            raise
        try:
            return future.result()
        except BaseException:  # KeyboardInterrupt, too
            future.cancel()
            raise


async def _bridged(client: AsyncClient, to: str, text: str, id: str | None) -> "Future[Sent]":
    bridge: Future[Sent] = Future()
    bridge.set_running_or_notify_cancel()

    def done(posted: "asyncio.Future[Sent]") -> None:
        if posted.cancelled():
            bridge.set_exception(Closed("the client was closed before this was handed over"))
        elif (error := posted.exception()) is not None:
            bridge.set_exception(error)
        else:
            bridge.set_result(posted.result())

    (await client.post(to, text, id=id)).add_done_callback(done)
    return bridge
