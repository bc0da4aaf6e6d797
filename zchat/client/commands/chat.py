"""The chat behind both ways to show it: does what was typed, and knows to whom one speaks."""

from typing import TYPE_CHECKING

from zchat.client.commands import acting, asked, people, typed
from zchat.client.commands.account import Account
from zchat.client.commands.answers import Answers
from zchat.client.commands.lines import too_large
from zchat.client.commands.posts import Posts
from zchat.client.messages import Act, MemberJoined, MemberLeft
from zchat.common import limits, links, names
from zchat.common.errors import ConfigurationError, Unreachable, ZchatError
from zchat.common.text import one_line

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient
    from zchat.client.commands.front import Front
    from zchat.common.wire import Person

_HOME = "general"
_CHOOSE = "/join ROOM, /msg NICK, or a number of LIST"


class Nowhere(ZchatError):
    """Text was typed while one writes nowhere; it was sent to nobody."""

    exit_code = 5  # as if a room had refused it

    def __init__(self) -> None:
        super().__init__(f"not sent: you write nowhere. Choose where to write: {_CHOOSE}")


class NotDone(ZchatError):
    """Something that was typed was not done, and that was said then."""

    def __init__(self, error: ZchatError) -> None:
        super().__init__("")
        self.exit_code = error.exit_code


class Chat:
    """Takes what is typed, one line after the other. What a line does wrong is said, and ends nothing."""

    def __init__(self, client: "AsyncClient", front: "Front") -> None:
        self.client = client
        self.account = Account(client)
        self.room = f"#{_HOME if not client.joined or _HOME in client.joined else min(client.joined)}"
        self.to = self.room  # to whom plain text goes, `#room` or `@nick`; empty: nowhere
        self.question: typed.Question | None = None  # while the user is asked whom to speak to
        self._has_typed = False
        self._just_joined: set[str] = set()  # without #; the client hears of it later than of the answer
        self._put_out: set[str] = set()  # without #: kicked and banned from
        self.posts = Posts(client, front)
        self._front = front
        self._answers = Answers(client, front)

    @property
    def nick(self) -> str:
        """The user's own, as it is registered."""
        return self.client.nick

    # ---- arriving and leaving ----

    async def greet(self) -> None:
        """The first words."""
        link = self.client.link
        await self._front.text(
            f"* You are {one_line(self.nick)} at {links.authority(link.host, link.port)}, "
            f"and write to {self.to}.\n* /help lists the commands, Ctrl-D leaves.\n"
        )

    async def arrive(self) -> None:
        """Once everything that was missed is shown: who is here, and the question whom to speak to, unless
        the user has begun already."""
        try:
            await self._show_people(self._front.may_ask and not self._has_typed, is_first=True)
        except ZchatError as error:
            self._front.remark(str(error))

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
        except Nowhere as error:
            self.fail(error)
            self._front.keep(text)
        except ZchatError as error:
            self.fail(error)
            if self._front.is_program and typed.is_turn(text):
                self._turn_nowhere()  # it does not see that, and writes on as if it had been done
        return True

    def fail(self, error: ZchatError) -> None:
        """Something that was typed was not done."""
        self.posts.fail(error, str(error))

    def keep(self) -> None:
        """Answer the question whom to speak to with nobody new."""
        self.question = None

    async def _obey(self, wanted: asked.Asked) -> bool:
        match wanted:
            case asked.Nothing():
                pass
            case asked.Say(text=text):
                await self._send(self._place(), text)
            case asked.Tell(to=to, text=text):
                await self._send(to, text)
            case asked.Turn(to=to):
                await self._turn_to(to)
            case asked.Join(room=room):
                await self.join(room)
            case asked.CreatePrivate(base=base):
                await self._create_private(base)
            case asked.Help():
                await self._front.text(typed.help_text())
            case asked.Quit():
                return False
            case _:
                self._check_connected()
                await self._ask(wanted)
        return True

    async def _ask(
        self,
        wanted: asked.Leave | asked.Question | asked.Act,
    ) -> None:
        """What the broker has to answer."""
        match wanted:
            case asked.Leave(room=room):
                await self._leave(room or self._current_room())
            case asked.ShowPeople(choose=choose):
                await self._show_people(choose and self._front.may_ask, is_first=False)
            case asked.ShowRooms():
                await self._answers.rooms(self.rooms)
            case asked.ShowIgnored():
                await self._answers.ignored()
            case asked.Topic(text=None):
                await self._answers.topic(self._current_room())
            case asked.Topic(text=text):
                await self.client.set_topic(self._current_room(), text or "")
            case asked.History(count=count):
                await self._answers.history(self._place(), count)
            case asked.Whois(nick=nick):
                await self._answers.whois(nick)
            case _:
                await self._act(wanted)

    async def _act(self, act: asked.Act) -> None:
        if isinstance(act, asked.Redact) and act.pos is None and act.nick is None:
            await self.posts.settle(None)  # the last one may be on its way
        to = self._place() if isinstance(act, asked.Redact) else self.to
        pos = await acting.do(self.client, act, to, self._current_room)
        if isinstance(act, asked.SetAway | asked.SetIgnored):
            await self.account.ask()
        said = acting.remark(act, pos)
        if said is not None:
            self._front.remark(said)

    # ---- rooms ----

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that the user is a member of, without #."""
        return (self.client.joined | self._just_joined) - self._put_out

    async def join(self, room: str) -> None:
        """Become a member of `#room`, and speak there from now on. Raises what the client does."""
        self._check_connected()
        await self.client.join(room)
        self._entered(room[1:])
        if room == self.to:
            self._front.remark(f"you are in {room}")
        self._turn(room)

    async def _create_private(self, base: str) -> None:
        self._check_connected()
        name = await self.client.create_private(base)
        self._entered(name)
        self._turn(f"#{name}")
        self._front.remark(f"only who is invited comes in: /invite NICK, and then they /join {name}")

    def _entered(self, room: str) -> None:
        self._just_joined.add(room)
        self._put_out.discard(room)

    async def _leave(self, room: str) -> None:
        if await self.client.leave(room) == 0:
            raise ConfigurationError(f"you are not in {room}")
        self._just_joined.discard(room[1:])
        self._front.remark(f"you left {room}")
        self._turn_away(room)

    async def heard(self, update: Act | MemberJoined | MemberLeft) -> None:
        """Somebody was put out of a room, or has joined or left one."""
        if isinstance(update, MemberJoined):
            if update.nick == self.nick:
                self._put_out.discard(update.room)
        elif isinstance(update, MemberLeft):
            if update.nick == self.nick and update.room in self.rooms:  # in another terminal
                await self._check_put_out(update.room)
        elif update.act in ("kicked", "banned") and update.room and update.subject == self.nick:
            await self._check_put_out(update.room)

    async def _check_put_out(self, room: str) -> None:
        """What was missed may tell of a kick from before one joined again, so the broker is asked."""
        if not await self._is_member(room):
            self._just_joined.discard(room)
            self._put_out.add(room)
            self._turn_away(f"#{room}")

    async def _is_member(self, room: str) -> bool:
        try:
            return any(person.nick == self.nick for person in await self.client.members(room))
        except ZchatError:
            return False

    def _turn_away(self, room: str) -> None:
        """One is in the room no longer. What was meant for it is for nobody else: the user chooses."""
        if room == self.room:
            others = sorted(self.rooms - {room[1:]})
            self.room = "#" + (_HOME if _HOME in others or not others else others[0])
        if room == self.to:
            self._turn_nowhere()

    def _turn_nowhere(self) -> None:
        self.question = None
        if self.to:
            self.to = ""
            self._front.remark(f"you write nowhere now, until you choose: {_CHOOSE}")

    # ---- to whom one speaks ----

    def _place(self) -> str:
        if not self.to:
            raise Nowhere
        return self.to

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

    def _current_room(self) -> str:
        if not self._place().startswith("#"):
            raise ConfigurationError(f"you write to {self.to}, which is no room; /join ROOM turns to one")
        return self.to

    async def _show_people(self, choose: bool, is_first: bool) -> None:
        self._check_connected()
        if not choose:
            await self._answers.people()
            return
        everybody = await self.client.users()
        here = [person.nick for person in everybody if person.present and person.nick != self.nick]
        if not here:
            await self._front.text("* Nobody else is here.\n")
            return
        question = typed.Question(here[: people.NUMBERED_MAX], self.room, is_first)
        more = len(here) - len(question.nicks)
        others = f"  and {more} more, whom /msg NICK reaches\n" if more else ""
        gone = people.gone_text([person.nick for person in everybody if not person.present])
        await self._front.text(
            f"* Here are:\n{people.numbered_text(question.nicks)}{others}{gone}"
            f"* Write to whom? Type {question.choices()}.\n"
        )
        self.question = question

    async def _person(self, nick: str) -> "Person":
        folded = names.folded(nick)
        for person in await self.client.users():
            if _folded(person.nick) == folded:
                return person
        raise ConfigurationError(f"nobody is registered as {nick}")

    async def _send(self, to: str, text: str) -> None:
        if to.startswith("#"):
            self._check_member(to)
        await self.posts.send(to, text)

    def _check_connected(self) -> None:
        if not self.client.connected:
            raise Unreachable("not now: the broker is away. Messages are kept, and sent when it is back")

    def _check_member(self, room: str) -> None:
        if room[1:] not in self.rooms:
            raise ConfigurationError(f"you are not in {room}; /join {room[1:]} joins it")


def _folded(nick: str) -> str:
    """Names of others may be against the rule as it is here: the broker's Unicode can be newer."""
    try:
        return names.folded(nick)
    except names.InvalidName:
        return nick
