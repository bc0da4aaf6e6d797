"""The chat behind both ways to show it: does what was typed, and knows to whom one speaks."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol, assert_never

from zchat.client.commands import people, typed
from zchat.client.commands.formats import Notice
from zchat.client.commands.lines import too_large
from zchat.common import limits, links, names
from zchat.common.errors import Closed, ConfigurationError, OutcomeUnknown, Unreachable, ZchatError
from zchat.common.text import one_line

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient
    from zchat.client.messages import Message, Sent
    from zchat.common.wire import Person

_HOME = "general"
_QUOTED_CHARACTERS = 40  # of a text that was refused


class NotDone(ZchatError):
    """Something that was typed was not done, and that was said then."""

    def __init__(self, error: ZchatError) -> None:
        super().__init__("")
        self.exit_code = error.exit_code


class Front(Protocol):
    """Where the chat is shown."""

    @property
    def may_ask(self) -> bool:
        """Somebody can be asked a question now: there is a person, and nothing is half typed."""

    async def show(self, update: "Message | Notice") -> None:
        """What came."""

    async def text(self, text: str) -> None:
        """Lines that were asked for, each with its newline."""

    def remark(self, text: str) -> None:
        """A line about what the user or the client did."""

    def caught_up(self) -> None:
        """All that was missed is shown. Comes once in each session with the broker."""

    def posted(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        """Something was typed for others, and waits for being stored."""


class Chat:
    """Takes what is typed, one line after the other. What a line does wrong is said, and ends nothing."""

    def __init__(self, client: "AsyncClient", front: Front) -> None:
        self.client = client
        self.room = f"#{_HOME if not client.joined or _HOME in client.joined else min(client.joined)}"
        self.to = self.room  # to whom plain text goes, `#room` or `@nick`; `room` is the last room of them
        self.question: typed.Question | None = None  # while the user is asked whom to speak to
        self._has_typed = False
        self._just_joined: set[str] = set()  # without #; the client hears of it later than of the answer
        self._unsettled: set[asyncio.Future[Sent]] = set()
        self._lost: list[ZchatError] = []
        self.failed: ZchatError | None = None  # the first of what was typed and not done
        self._front = front

    # ---- arriving and leaving ----

    async def greet(self) -> None:
        """The first words."""
        link = self.client.link
        await self._front.text(
            f"* You are {one_line(self.client.nick)} at {links.authority(link.host, link.port)}, "
            f"and write to {self.to}.\n* /help lists the commands, Ctrl-D leaves.\n"
        )

    async def arrive(self) -> None:
        """Once everything that was missed is shown: who is here, and the question whom to speak to, unless
        the user has begun already."""
        try:
            await self._show_people(self._front.may_ask and not self._has_typed, is_first=True)
        except ZchatError as error:
            self._front.remark(str(error))

    async def settle(self, timeout: float | None) -> None:
        """Wait until all that was sent is stored or refused, at most `timeout` seconds (None: for ever)."""
        if self._unsettled:
            await asyncio.wait(self._unsettled, timeout=timeout)

    @property
    def unsettled(self) -> int:
        """Messages that are neither stored nor refused yet."""
        return len(self._unsettled)

    async def lost(self) -> ZchatError | None:
        """Once the client is closed: why something that was sent is not known to be stored, if so."""
        await asyncio.sleep(0)  # what closing settled is reported in the next turn of the loop
        return max(self._lost, key=lambda error: error.exit_code, default=None)

    # ---- what is typed ----

    async def enter(self, text: str) -> bool:
        """False when it asked for the end."""
        self._has_typed = True
        try:
            if len(text.encode("utf-8", "surrogatepass")) > limits.TEXT_BYTES_MAX:
                raise too_large()
            if self.question is None:
                return await self._obey(typed.parse(text))
            chosen = typed.choose(text, self.question)
            self.question = None
            return await self._obey(chosen)
        except ZchatError as error:
            self.fail(error)
            return True

    def fail(self, error: ZchatError) -> None:
        """Something that was typed was not done."""
        self.failed = self.failed or error
        self._front.remark(str(error))

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that the user is a member of, without #."""
        return self.client.joined | self._just_joined

    def keep(self) -> None:
        """Answer the question whom to speak to with nobody new."""
        self.question = None

    async def join(self, room: str) -> None:
        """Become a member of `#room`, and speak there from now on. Raises what the client does."""
        self._check_connected()
        await self.client.join(room)
        self._just_joined.add(room[1:])
        if room == self.to:
            self._front.remark(f"you are in {room}")
        self._turn(room)

    async def _obey(self, asked: typed.Typed) -> bool:
        match asked:
            case typed.Nothing():
                pass
            case typed.Say(text=text):
                await self._send(self.to, text)
            case typed.Tell(to=to, text=text):
                await self._send(to, text)
            case typed.Turn(to=to):
                await self._turn_to(to)
            case typed.Join(room=room):
                await self.join(room)
            case typed.Leave(room=room):
                await self._leave(room or self._current_room())
            case typed.ShowPeople(choose=choose):
                await self._show_people(choose and self._front.may_ask, is_first=False)
            case typed.ShowRooms():
                self._check_connected()
                await self._front.text(people.starred_rooms_text(await self.client.rooms(), self.rooms))
            case typed.Topic(text=text):
                await self._topic(self._current_room(), text)
            case typed.History(count=count):
                await self._history(count)
            case typed.Whois(nick=nick):
                await self._whois(nick)
            case typed.Help():
                await self._front.text(typed.help_text())
            case typed.Quit():
                return False
            case _:
                assert_never(asked)
        return True

    # ---- to whom one speaks ----

    async def _turn_to(self, to: str) -> None:
        """A nick is shown as it is registered, and must be; while the broker is away it is taken as typed."""
        if to.startswith("#"):
            self._check_member(to)
        elif self.client.connected:
            to = "@" + (await self._person(to[1:])).nick
        self._turn(to)

    def _turn(self, to: str) -> None:
        self.question = None
        is_new = self.to != to
        self.to = to
        if to.startswith("#"):
            self.room = to
        if is_new:
            back = "" if to.startswith("#") else f"; /join {self.room[1:]} returns to the room"
            self._front.remark(f"you write to {to} now{back}")

    async def _leave(self, room: str) -> None:
        self._check_connected()
        if await self.client.leave(room) == 0:
            raise ConfigurationError(f"you are not in {room}")
        self._just_joined.discard(room[1:])
        self._front.remark(f"you left {room}")
        if room in (self.to, self.room):
            others = sorted(self.rooms - {room[1:]})
            self.room = "#" + (_HOME if _HOME in others or not others else others[0])
            if not others:
                self._front.remark("you are in no room now; /join ROOM joins one")
                self.to = self.room if room == self.to else self.to
            elif room == self.to:
                self._turn(self.room)

    def _current_room(self) -> str:
        if not self.to.startswith("#"):
            raise ConfigurationError(f"you write to {self.to}, which is no room; /join ROOM turns to one")
        return self.to

    # ---- asking the broker ----

    async def _show_people(self, choose: bool, is_first: bool) -> None:
        self._check_connected()
        nick, everybody = self.client.nick, await self.client.users()
        here = [person.nick for person in everybody if person.present and person.nick != nick]
        if not choose:
            await self._front.text(people.people_text(everybody, nick))
        elif not here:
            await self._front.text("* Nobody else is here.\n")
        else:
            await self._ask(here, [person.nick for person in everybody if not person.present], is_first)

    async def _ask(self, here: list[str], away: list[str], is_first: bool) -> None:
        question = typed.Question(here[: people.NUMBERED_MAX], self.room, is_first)
        more = len(here) - len(question.nicks)
        others = f"  and {more} more, whom /msg NICK reaches\n" if more else ""
        await self._front.text(
            f"* Here are:\n{people.numbered_text(question.nicks)}{others}{people.away_text(away)}"
            f"* Write to whom? Type {question.choices()}.\n"
        )
        self.question = question

    async def _topic(self, room: str, text: str | None) -> None:
        self._check_connected()
        if text is not None:
            await self.client.set_topic(room, text)
            return
        topics = [one.topic for one in await self.client.rooms() if f"#{one.name}" == room]
        topic = one_line(topics[0]) if topics else ""
        await self._front.text(f"* The topic of {room}: {topic}\n" if topic else f"* {room} has no topic.\n")

    async def _history(self, count: int) -> None:
        self._check_connected()
        for message in await self.client.history(self.to, limit=count):
            await self._front.show(message)

    async def _whois(self, nick: str) -> None:
        self._check_connected()
        person = await self._person(nick)
        rooms = sorted(self.rooms)
        members = await asyncio.gather(*map(self.client.members, rooms))
        common = [
            room
            for room, those in zip(rooms, members, strict=True)
            if any(one.nick == person.nick for one in those)
        ]
        await self._front.text("* " + people.whois_text(person, common, self.client.nick))

    async def _person(self, nick: str) -> "Person":
        folded = names.folded(nick)
        for person in await self.client.users():
            if _folded(person.nick) == folded:
                return person
        raise ConfigurationError(f"nobody is registered as {nick}")

    def _check_connected(self) -> None:
        if not self.client.connected:
            raise Unreachable("not now: the broker is away. Messages are kept, and sent when it is back")

    def _check_member(self, room: str) -> None:
        if room[1:] not in self.rooms:
            raise ConfigurationError(f"you are not in {room}; /join {room[1:]} joins it")

    # ---- sending ----

    async def _send(self, to: str, text: str) -> None:
        if to.startswith("#"):
            self._check_member(to)
        sent = await self.client.post(to, text)
        self._unsettled.add(sent)
        sent.add_done_callback(partial(self._settled, to, text))
        self._front.posted(to, text, sent)

    def _settled(self, to: str, text: str, sent: "asyncio.Future[Sent]") -> None:
        self._unsettled.discard(sent)
        error = None if sent.cancelled() else sent.exception()
        if error is None:
            return
        if isinstance(error, Closed):
            error = Unreachable("the broker was not there any more")
        self.failed = self.failed or (error if isinstance(error, ZchatError) else None)
        if isinstance(error, (Unreachable, OutcomeUnknown)):
            self._lost.append(error)
        sure = "perhaps not" if isinstance(error, OutcomeUnknown) else "not"
        self._front.remark(f"{sure} sent to {to}: {error} [{_beginning(text)}]")


def _folded(nick: str) -> str:
    """Names of others may be against the rule as it is here: the broker's Unicode can be newer."""
    try:
        return names.folded(nick)
    except names.InvalidName:
        return nick


def _beginning(text: str) -> str:
    return text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + "…"
