"""`zchat tail`: messages as they come, for scripts and for people who only read."""

import asyncio
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from zchat.client.commands import completing, past
from zchat.client.commands.account import Account
from zchat.client.commands.addresses import address
from zchat.client.commands.chosen import Chosen
from zchat.client.commands.formats import message_json, message_text
from zchat.client.commands.notices import Notice, Told, conversation_of, notice_json, notice_text
from zchat.client.commands.options import Caller, client_options, json_option, session
from zchat.client.commands.output import Output
from zchat.client.commands.running import first_of, run
from zchat.client.commands.times import SINCE
from zchat.client.cursorfile import CursorFile, cursor_of
from zchat.client.identity import Identity
from zchat.client.messages import Act, Came, CaughtUp, Entry, MemberLeft, Message, Status, Update, Went
from zchat.common.errors import No, Refused, WaitedLongEnough, ZchatError
from zchat.common.text import say

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

_LAST = 10
_JOIN = "zchat join"


class _Wanted(Struct, frozen=True):
    """What is to be printed, and until when."""

    chosen: Chosen
    last: int | None
    after: int | None
    since_ms: int | None
    count: int | None
    wait_s: float | None
    follow: bool
    events: bool
    not_mine: bool
    as_json: bool


@click.command()
@client_options
@json_option
@click.option(
    "-n", "last", type=click.IntRange(0), metavar="N", help=f"Begin with the last N; {_LAST} if not given."
)
@click.option(
    "--since", type=SINCE, metavar="TIME", help="Begin with those since TIME (10m, 2h, 3d, a date)."
)
@click.option("--after", type=click.IntRange(0), metavar="POS", help="Begin with all after that position.")
@click.option(
    "--cursor", metavar="NAME", shell_complete=completing.cursor,
    help="Go on where the cursor NAME is, and move it.",
)  # fmt: skip
@click.option("--peek", is_flag=True, help="Do not move the cursor: zchat cursor set does.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N messages.")
@click.option(
    "--wait", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
    help="With --count: wait no longer than that, and end with 124.",
)  # fmt: skip
@click.option("--no-follow", is_flag=True, help="Print what there is, and end.")
@click.option("--events", is_flag=True, help="Also who joins, leaves, comes and goes, topics and acts.")
@click.option("--not-mine", is_flag=True, help="Without what you wrote yourself.")
@click.argument("to", nargs=-1, metavar="[TO]...", shell_complete=completing.to)
def tail(
    caller: Caller,
    as_json: bool,
    last: int | None,
    since: int | None,
    after: int | None,
    cursor: str | None,
    peek: bool,
    count: int | None,
    wait: float | None,
    no_follow: bool,
    events: bool,
    not_mine: bool,
    to: tuple[str, ...],
) -> None:
    """Print the messages of the rooms and people TO as they come, after the last few of each.

    Without TO: of all rooms that you joined, and those sent to you directly (these from now on). Ends when
    its reader ends, and goes on by itself when the broker was away. Passes over whom you ignore.

    With --cursor it begins where the last run with that cursor ended, and misses nothing between; a new
    cursor begins now, or where --since or --after say. After a kill the last lines may come again. Printed is
    not handled: what must not be lost is read with --peek, and acknowledged with `zchat cursor set`.

    \b
    Examples:
      zchat tail
      zchat tail general @ann
      zchat tail -n 100 --no-follow general
      zchat tail --json --after 4711 logs | jq -r .text
      zchat tail --json --cursor deploy --not-mine ops | ./deploy
      zchat tail --count 1 --wait 60 --not-mine @ann
    """
    _check_usage(last, since, after, cursor, peek, count, wait)
    chosen = Chosen(map(address, to))
    wanted = _Wanted(chosen, last, after, since, count, wait, not no_follow, events, not_mine, as_json)
    who = caller.identity()
    if cursor is None:
        run(_Tail(wanted, None).run(who, caller.timeout))
    else:
        run(_with_cursor(wanted, who, caller.timeout, cursor, peek))


def _check_usage(
    last: int | None,
    since: int | None,
    after: int | None,
    cursor: str | None,
    peek: bool,
    count: int | None,
    wait: float | None,
) -> None:
    beginnings = {"-n": last, "--since": since, "--after": after}
    given = [name for name, value in beginnings.items() if value is not None]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other")
    if cursor is not None and last is not None:
        raise click.UsageError("a cursor begins now, or where --since or --after say; not with -n")
    if peek and cursor is None:
        raise click.UsageError("--peek is about a cursor: --cursor NAME")
    if wait is not None and count is None:
        raise click.UsageError("--wait is for --count N")


async def _with_cursor(wanted: _Wanted, who: Identity, timeout: float | None, name: str, peek: bool) -> None:
    to, after = wanted.chosen.addresses, wanted.after
    cursor = cursor_of(who, name, to=to, after=after, peek=peek)
    if cursor.exists:
        wanted = replace(wanted, since_ms=None)  # it says where a new cursor begins
    elif wanted.since_ms is not None:
        after = await _position_before(who, timeout, to, wanted.since_ms)
        cursor = cursor_of(who, name, to=to, after=after, peek=peek)
    await _Tail(wanted, cursor).run(who, timeout)


async def _position_before(who: Identity, timeout: float | None, to: list[str], time_ms: int) -> int:
    async with session(who, timeout) as client:
        addresses = to or [f"#{room.name}" for room in await client.rooms()]
        return await past.position_before(client, addresses, time_ms)


class _NothingLeft(ZchatError):
    """Of nothing that was named will there be more."""

    exit_code = 5


class _Tail:
    def __init__(self, wanted: _Wanted, cursor: CursorFile | None) -> None:
        self._wanted, self._cursor = wanted, cursor
        self._output = Output()
        self._left = wanted.count  # lines still to be printed
        self._printed: dict[str, int] = {}  # conversation: the last position
        self._told = Told()
        self._over: set[str] = set()  # rooms of which there will be no more
        self._account: Account

    async def run(self, who: Identity, timeout: float | None) -> None:
        """Until enough is printed, or nothing more is to be. Raises No and WaitedLongEnough when less than
        what was to be counted came."""
        wanted = self._wanted
        reads = wanted.follow or self._cursor is not None
        rooms = wanted.chosen.rooms if reads else ()
        quiet = not reads and bool(wanted.chosen.addresses)  # a quiet session does not hear what was joined
        async with session(who, timeout, rooms=rooms, quiet=quiet, state=self._cursor) as client:
            self._account = Account(client)
            await self._account.ask()
            await self._within_time(client)
        if self._left:
            raise No(f"there were only {(wanted.count or 0) - self._left} of {wanted.count} messages")

    async def _within_time(self, client: "AsyncClient") -> None:
        seconds = self._wanted.wait_s
        try:
            async with nullcontext() if seconds is None else asyncio.timeout(seconds):
                await first_of(self._print_all(client), self._output.reader_gone())
        except TimeoutError:
            raise WaitedLongEnough(f"nothing more within {seconds:g} s") from None

    async def _print_all(self, client: "AsyncClient") -> None:
        """The past is read after the session has begun, so it reaches to what has come since, and overlaps
        it: nothing is missed between the two, and positions tell what is there twice."""
        if self._cursor is None:
            await self._print_past(client)
        if self._wanted.follow or self._cursor is not None:
            async for update in client.updates():
                if self._left == 0 or (isinstance(update, CaughtUp) and not self._wanted.follow):
                    break
                await self._heed(update, client.nick)
                client.handled()
                if isinstance(update, Act | MemberLeft):
                    await self._check_over(update, client)
                if self._left == 0:
                    break

    async def _print_past(self, client: "AsyncClient") -> None:
        wanted = self._wanted
        addresses = wanted.chosen.addresses or [f"#{room}" for room in sorted(client.joined)]
        from_the_end = wanted.after is None and wanted.since_ms is None
        most = (_LAST if wanted.last is None else wanted.last) if from_the_end else None
        each = [
            past.Wanted(to, most, None, wanted.after, wanted.since_ms, None, wanted.events)
            for to in addresses
        ]
        async for entry in past.merged(client, each):
            await self._print_entry(entry, client.nick)
            if self._left == 0:
                break

    async def _heed(self, update: Update, nick: str) -> None:
        match update:
            case Status():
                if update.kind == "replaced":
                    self._begin_anew()
                say(update.text)
                if update.kind == "back":
                    with suppress(ZchatError):
                        await self._account.ask()
            case CaughtUp():
                pass
            case Came() | Went():
                if self._wanted.events and not self._wanted.chosen.addresses:
                    await self._print(self._line(update, nick))
            case _:
                if isinstance(update, Act):
                    await self._warn_of(update, nick)
                conversation = _conversation(update)
                is_new = update.pos > self._printed.get(conversation, 0)
                if is_new and self._wanted.chosen.holds(conversation, nick):
                    await self._print_entry(update, nick)

    async def _warn_of(self, act: Act, nick: str) -> None:
        """Whoever is put out of a room gets nothing more of it, and should know why: also when that comes
        first, or only, in a conversation that was not asked for."""
        if act.act not in ("kicked", "banned") or act.subject != nick:
            return
        if self._wanted.events and self._wanted.chosen.holds(act.conversation, nick):
            return  # it is printed
        if not self._wanted.chosen.holds(f"#{act.room}", nick) or not self._told.is_new(act):
            return
        if self._wanted.events:
            await self._print(self._line(act, nick))
        else:
            say(notice_text(act, nick, _JOIN).removeprefix("* ").rstrip("\n"))

    async def _check_over(self, update: Act | MemberLeft, client: "AsyncClient") -> None:
        """Raise _NothingLeft when the reader may read no room of those that were named any more. A kick out
        of a public room ends by joining again; and a ban may be one of long ago, so the broker is asked."""
        who = update.subject if isinstance(update, Act) else update.nick
        is_over = isinstance(update, Act) and update.act == "banned"
        is_out = isinstance(update, MemberLeft) or update.act == "kicked"
        room = f"#{update.room}"
        if who != client.nick or not (is_over or (is_out and "+" in room)):
            return
        if room not in self._wanted.chosen.addresses:
            return
        try:
            await client.history(room, limit=1)
        except Refused as error:
            self._over.add(room)
            if self._over.issuperset(self._wanted.chosen.addresses):
                raise _NothingLeft(f"nothing more comes: {error}") from None
        else:
            self._over.discard(room)

    def _begin_anew(self) -> None:
        """The broker's log was replaced by an older one: positions are given a second time."""
        self._printed.clear()
        if self._cursor is not None:
            self._cursor.begin_anew()

    async def _print_entry(self, entry: Entry, nick: str) -> None:
        conversation = _conversation(entry)
        self._printed[conversation] = entry.pos
        if not self._is_wanted(entry, nick):
            return
        if self._cursor is not None:
            self._cursor.prints(entry.pos, conversation)
        await self._print(self._line(entry, nick))

    def _is_wanted(self, entry: Entry, nick: str) -> bool:
        wanted = self._wanted
        if wanted.since_ms is not None and entry.time_ms < wanted.since_ms:
            return False
        if isinstance(entry, Message):
            return not (self._account.passes_over(entry) or (wanted.not_mine and entry.sender == nick))
        return wanted.events and (self._told.is_new(entry) or wanted.as_json)

    def _line(self, update: Message | Notice, nick: str) -> str:
        if isinstance(update, Message):
            return message_json(update) if self._wanted.as_json else message_text(update)
        return notice_json(update) if self._wanted.as_json else notice_text(update, nick, _JOIN)

    async def _print(self, line: str) -> None:
        if self._left == 0:
            return
        await (self._output.json(line) if self._wanted.as_json else self._output.text(line))
        if self._left is not None:
            self._left -= 1


def _conversation(entry: Entry) -> str:
    return entry.conversation if isinstance(entry, Message) else conversation_of(entry)
