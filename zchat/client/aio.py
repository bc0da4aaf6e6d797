"""AsyncClient: zchat for asyncio. The one implementation of a client.

Longer than other files, for it is one class: the public methods with what is said about each. They check, ask
the shell and wait; nothing is decided here.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from zchat.client import checks
from zchat.client.administration import AsyncAdministration
from zchat.client.callers import Answer
from zchat.client.control import checked
from zchat.client.core.events import Act
from zchat.client.history import Pick, Range, entries_in, messages_in, read
from zchat.client.identity import Asked, Identity, find, find_link
from zchat.client.lists import pages
from zchat.client.messages import Entry, Message, Sent, Update
from zchat.client.saving import Saving, State
from zchat.client.shell import Options, Shell
from zchat.client.statefile import StateFile
from zchat.common import limits, wire
from zchat.common.codes import Refusal
from zchat.common.errors import Closed, ConfigurationError, Refused, Unreachable
from zchat.common.keys import KeyPair
from zchat.common.links import Link

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Entry)
DEFAULT_TIMEOUT: Final = -1.0  # in place of a timeout: the client's
_SENT_S: Final = 5.0  # at the end, for what was posted to be answered


class AsyncClient:
    """A client of one broker under one nick.

    `link` says where the broker is and who it is; `key` is the nick's. What is not given is found as the
    commands find it: ZCHAT_TOKEN, ZCHAT_LINK or the broker of this account, ZCHAT_NICK or the default nick,
    and the nick's key, drawn at its first use. A bot's `token` says all three. `invite` is the secret that a
    link may have, for a broker that registers nobody without. `control` is the control socket of a broker of
    this account, in place of link, nick and key: such a client is quiet, and administers. `admin` has what
    concerns who may do what. `rooms` are read beyond the joined ones (names without `#`). A `quiet` client
    reads nothing by itself and does not appear to others. With `resume`, how far this installation has got is
    kept in its state directory, or in `state`, and what was missed is delivered; without, everything begins
    now. With `register` a nick that is free is registered, without it is refused. `timeout` in seconds bounds
    the first connection and is the default for each call; None or 0: for ever. `name` is told to the broker.

    Raises ConfigurationError and WrongIdentity when broker, nick or key cannot be found. All methods raise
    Closed after `close`, and in a process that was forked after the client was made.
    """

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
        if key is not None and token is not None:
            raise ConfigurationError("a token has a key of its own: give one of both")
        typed = None if link is None else str(link)
        if control is not None:
            who, quiet = _account(typed, nick), True
        else:  # whoever brings a key is not the bot of the environment
            asked = Asked(typed, nick=nick, token=token if key is None else "")
            who = find(asked, may_ask=False)
            key = key or who.key()
        self.link = who.link
        self.nick = nick = who.nick
        self.registered = False
        self.admin = AsyncAdministration(self.link, self._ask)
        self._key = key
        self._invite = _invite(who.invite if invite is None else invite)
        self._control = None if control is None else checked(control)
        if resume and state is None:
            state = who.state()
        self._rooms = [checks.room(room) for room in rooms]
        self._quiet = quiet
        self._register = register
        self._timeout = timeout or None
        self._name = name[: limits.CLIENT_CHARACTERS_MAX]
        if isinstance(state, Path):
            state = StateFile(state, self.link.key)
        self._saving = Saving(state) if state is not None else None
        self._shell: Shell | None = None
        self._closed = False
        self._pid = os.getpid()
        if quiet and (self._rooms or state is not None):
            raise ConfigurationError("a quiet client reads nothing: neither rooms nor a state make sense")
        if not 1 <= len(nick) <= limits.NAME_CHARACTERS_MAX or not checks.is_unicode(nick):
            raise ConfigurationError(f"a nick has 1 to {limits.NAME_CHARACTERS_MAX} characters")

    # ---- the connection ----

    async def connect(self) -> None:
        """Reach the broker and be let in. With a new state, where it begins is on disk on return.

        Raises Unreachable, WrongIdentity or Refused, and ConfigurationError when the state cannot be used;
        then everything is closed.
        """
        self.check_usable()
        if self._shell is not None:
            raise Closed("the client was connected before")
        try:
            snapshot = self._saving.open() if self._saving is not None else None
            self._shell = self._make_shell(snapshot)
            await self._connect(self._shell)
        except BaseException:
            await self._close()
            raise

    def _make_shell(self, snapshot: Any) -> Shell:
        resume = self._saving is not None and self._saving.resumes(snapshot)
        options = Options(
            self.link,
            self.nick,
            self._key,
            self._quiet,
            self._name,
            snapshot,
            resume,
            self._register,
            self._invite,
            self._control,
        )
        shell = Shell(options, self._saving.hasten if self._saving is not None else _nothing)
        if self._saving is not None:
            self._saving.attach(shell)
        return shell

    async def _connect(self, shell: Shell) -> None:
        followed = shell.follow(self._rooms)[1] if self._rooms else None
        shell.start()
        half = None
        if self._timeout is not None:
            half = asyncio.get_running_loop().call_later(self._timeout / 2, self._look, self._timeout / 4)
        try:
            async with asyncio.timeout(self._timeout):
                welcome = await shell.welcome
                self.nick, self.registered = welcome.nick, welcome.registered
                if self._saving is not None:
                    self._saving.belongs_to(welcome.nick)
                if followed is not None:
                    await followed
                if self._saving is not None:
                    await self._saving.begin()
        except TimeoutError:
            raise shell.unreached() from None
        finally:
            if half is not None:
                half.cancel()

    def _look(self, timeout: float) -> None:
        """Half of the time is over: find out why, unless that is known."""
        if self._shell is not None and not self._shell.core.is_open and self._shell.finding is None:
            self._shell.diagnose(timeout)

    async def close(self) -> None:
        """Wait a moment for posted messages to be answered, take leave of the broker, save the state. Closing
        twice is fine."""
        shell = self._shell
        if shell is not None and not self._closed and self._pid == os.getpid() and shell.core.is_open:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self._timeout or _SENT_S, _SENT_S)):
                    await shell.wait_until_sent()
        await self._close()

    async def _close(self) -> None:
        if self._closed or self._pid != os.getpid():
            return
        self._closed = True
        try:
            if self._shell is not None:
                await self._shell.close()
        finally:
            if self._saving is not None:
                await self._saving.close()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await (self.close() if error is None else self._close())

    @property
    def connected(self) -> bool:
        """There is a session with the broker at the moment."""
        return self._shell is not None and not self._closed and self._shell.core.is_open

    @property
    def joined(self) -> frozenset[str]:
        """The rooms that the user is a member of, as far as is known; a quiet client knows of none."""
        return frozenset() if self._shell is None else frozenset(r[1:] for r in self._shell.core.joined)

    @property
    def held_s(self) -> float:
        """For how many seconds the client sends nothing, since the broker said that it was too much; 0 when
        it sends. It goes on by itself."""
        return 0.0 if self._shell is None or self._closed else self._shell.held_s

    # ---- sending ----

    async def send(
        self, to: str, text: str, *, id: str | None = None, timeout: float | None = DEFAULT_TIMEOUT
    ) -> Sent:
        """Send a message to a room (`general`, `#general`) or a person (`@ann`); it is durable on return.

        With an `id` it can be repeated from any process without being stored twice. Raises Refused,
        OutcomeUnknown (handed over, no answer in time) or Unreachable (never handed over).
        """
        shell, address = self._checked(to, text, id)
        loop = asyncio.get_running_loop()
        seconds = self._seconds(timeout)
        deadline = None if seconds is None else loop.time() + seconds
        if not shell.has_room():
            try:
                async with asyncio.timeout(seconds):
                    await shell.wait_for_room()
            except TimeoutError:
                raise Unreachable("the outbox is full; nothing of this was handed over") from None
        ticket, future = shell.post(address, text, id)
        shell.flush()
        return await self._answered(shell, ticket, future, deadline)

    async def post(self, to: str, text: str, *, id: str | None = None) -> asyncio.Future[Sent]:
        """Put a message into the outbox, and wait only for room in it. The future has the result when the
        message is durable, or raises what `send` raises."""
        shell, address = self._checked(to, text, id)
        if not shell.has_room():
            await shell.wait_for_room()
        return shell.post(address, text, id)[1]

    # ---- reading ----

    def messages(self) -> AsyncIterator[Message]:
        """The messages as they come. Asking for the next one says that the one before is done with; other
        updates are passed over. One reader at a time."""
        return self._messages()

    def updates(self) -> AsyncIterator[Update]:
        """Everything as it comes: messages, members, topics, presence, and how the client itself fares."""
        return self._updates()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._messages()

    def handled(self) -> None:
        """Say that the update which was handed out last is done with, before asking for the next one."""
        self.usable().delivery.handled()

    async def _messages(self) -> AsyncIterator[Message]:
        async for update in self._updates():
            if isinstance(update, Message):
                yield update

    async def _updates(self) -> AsyncIterator[Update]:
        shell = self.usable()
        delivery = shell.delivery
        while True:
            update = delivery.take()
            if delivery.has_much_to_tell:
                delivery.tell_taken()
            if update is None:
                await delivery.wait(shell.check)
            else:
                yield update

    async def history(
        self,
        to: str,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        since_ms: int | None = None,
    ) -> list[Message]:
        """At most `limit` messages of a conversation, in order: the first ones after position `after` and not
        before the time `since_ms`; with neither, the last ones. All of them before position `before`. The
        text of a message that was removed is empty."""
        return await self._past(to, Range(limit, before, after, since_ms), messages_in)

    async def entries(
        self,
        to: str,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        since_ms: int | None = None,
    ) -> list[Entry]:
        """The same with all that has a position: who joined, topics, acts. Administrators read `$` with it:
        every act of administration, and who was registered."""
        return await self._past(to, Range(limit, before, after, since_ms), entries_in)

    async def _past(self, to: str, wanted: Range, pick: Pick[_E]) -> list[_E]:
        address = checks.address(to)

        async def page(direction: int, bound: int, entries_max: int) -> tuple[wire.Page, list[wire.Segment]]:
            fetch = wire.Fetch(0, 0, address, direction, bound, entries_max)
            header, segments = await self._ask(fetch)
            assert isinstance(header, wire.Page)
            return header, segments

        return await read(wanted, page, pick)

    # ---- people ----

    async def users(self) -> list[wire.Person]:
        """Everybody who is registered."""
        return await self._people(None)

    async def members(self, room: str) -> list[wire.Person]:
        """The members of a room."""
        return await self._people(checks.room(room))

    async def _people(self, room: str | None) -> list[wire.Person]:
        found = await pages(self._ask, wire.People, lambda after: wire.ListPeople(0, 0, room, after))
        return [person for page in found for person in page.people]

    async def whois(self, nick: str | None = None) -> wire.Profile:
        """What is known about somebody, or about oneself."""
        answer, _ = await self._ask(wire.Whois(0, 0, "" if nick is None else checks.nick(nick)))
        assert isinstance(answer, wire.Profile)
        return answer

    async def set_away(self, text: str) -> int:
        """Be away, for this reason; empty: be back. The position, 0 if it was so already."""
        return await self._act(wire.SetAway(0, 0, text))

    async def set_ignored(self, nick: str, ignored: bool) -> int:
        """Whether what somebody writes is to be passed over. It is kept with the account, and told by
        `whois`; nothing is left out here. The position, 0 if it was so already."""
        return await self._act(wire.SetIgnored(0, 0, checks.nick(nick), ignored))

    async def change_key(self, public: str) -> int:
        """From now on the nick belongs to the key pair with this public half (Z85). This client's key is
        nobody's then, and the broker ends its session: close it and make one with the new key."""
        return await self._act(wire.ChangeKey(0, 0, public))

    # ---- rooms ----

    async def rooms(self) -> list[wire.Room]:
        """The public rooms, and the private ones that one is a member of or invited to."""
        found = await pages(self._ask, wire.Rooms, lambda after: wire.ListRooms(0, 0, after))
        return [room for page in found for room in page.rooms]

    async def join(self, room: str) -> int:
        """Become a member; a public room is created if there is none. Returns the position of the joining, 0
        for one who is a member already."""
        return await self._act(wire.Join(0, 0, checks.room(room)))

    async def create_private(self, base: str) -> str:
        """Create a private room and become its owner. The name of the room: `base`, a plus and a number.
        Nobody can join it but who is invited: `admin.invite_to_room`."""
        answer, _ = await self._ask(wire.Join(0, 0, checks.room(base), private=True))
        assert isinstance(answer, wire.Done)
        return answer.name

    async def leave(self, room: str) -> int:
        """Be a member no longer. The position, 0 for one who was none."""
        return await self._act(wire.Leave(0, 0, checks.room(room)))

    async def set_topic(self, room: str, topic: str) -> int:
        """Set the topic. The position, 0 if it was that already."""
        return await self._act(wire.SetTopic(0, 0, checks.room(room), checks.topic(topic)))

    async def redact(self, to: str, pos: int, reason: str = "") -> int:
        """Remove the text of the message at `pos` of a conversation: one's own, or as an operator anybody's.
        On return it is in no file of the broker any more. The position, 0 if it was removed already."""
        return await self._act(wire.Redact(0, 0, checks.address(to), pos, reason))

    async def follow(self, rooms: Iterable[str]) -> None:
        """Read exactly these rooms beyond the joined ones. New ones begin now."""
        shell = self.usable()
        if self._quiet:
            raise ConfigurationError("a quiet client reads nothing")
        names = [checks.room(room) for room in rooms]
        if len(names) > limits.FOLLOWED_ROOMS_MAX:
            raise Refused(Refusal.LIMIT_REACHED, f"at most {limits.FOLLOWED_ROOMS_MAX} rooms can be followed")
        ticket, future = shell.follow(names)
        await self._answered(shell, ticket, future, self._deadline())

    # ---- waiting ----

    async def _act(self, act: wire.Act | wire.Redact) -> int:
        answer, _ = await self._ask(act)
        assert isinstance(answer, wire.Done)
        return answer.pos

    async def _ask(self, request: Act) -> Answer:
        shell = self.usable()
        ticket, future = shell.ask(checks.bounds(request))
        return await self._answered(shell, ticket, future, self._deadline())

    async def _answered(
        self, shell: Shell, ticket: int, future: "asyncio.Future[_T]", deadline: float | None
    ) -> _T:
        timer = None
        if deadline is not None:
            timer = asyncio.get_running_loop().call_at(deadline, shell.give_up, ticket)
        try:
            return await future
        except asyncio.CancelledError:
            shell.give_up(ticket)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _seconds(self, timeout: float | None) -> float | None:
        return self._timeout if timeout == DEFAULT_TIMEOUT else timeout or None

    def _deadline(self) -> float | None:
        return None if self._timeout is None else asyncio.get_running_loop().time() + self._timeout

    def _checked(self, to: str, text: str, id: str | None) -> tuple[Shell, str]:
        shell = self.usable()
        checks.message(text, id)
        return shell, checks.address(to)

    def usable(self) -> Shell:
        """What does the work. Raises Closed, or what the client failed with."""
        self.check_usable()
        if self._shell is None:
            raise Closed("the client is not connected yet")
        self._shell.check()
        return self._shell

    @property
    def is_mine(self) -> bool:
        """This process made the client."""
        return self._pid == os.getpid()

    def check_usable(self) -> None:
        """Raises Closed when the client is closed, or this process was forked from its own."""
        if self._closed:
            raise Closed("the client is closed")
        if not self.is_mine:
            raise Closed("this process was forked after the client was made; make a new client")


def _account(link: str | None, nick: str | None) -> Identity:
    """Who comes through the control socket."""
    if nick not in (None, wire.ACCOUNT):
        raise ConfigurationError(f"through the control socket one is {wire.ACCOUNT}, and nobody else")
    return Identity(find_link(Asked(link, token="")), wire.ACCOUNT)


def _invite(secret: str) -> str:
    if len(secret) > limits.INVITE_CHARACTERS_MAX or not checks.is_unicode(secret):
        raise ConfigurationError("that is no invite: it is the last part of a link, and has 40 characters")
    return secret


def _nothing() -> None:
    """There is no state to save."""
