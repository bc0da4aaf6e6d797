"""Who may do what: invites, tokens, roles, modes, sanctions, limits. Reached as `client.admin`.

Longer than other files: the same methods twice, for AsyncClient and for Client, side by side.
"""

import base64
import hashlib
import os
from collections.abc import Coroutine, Iterable
from typing import Any, Final, Protocol, TypeVar

from zchat.client import checks
from zchat.client.exports import ExportedKey
from zchat.client.lists import Ask, pages
from zchat.common import keys, wire
from zchat.common.links import Link

_T = TypeVar("_T")
_DAY_S: Final = 86_400.0
_ID_BYTES: Final = 5
_SECRET_BYTES: Final = 20


class AsyncAdministration:
    """What administrators of the broker and operators of rooms do; whoever may not is refused (NOT_ALLOWED).

    `room` is the name of a room, None the broker itself. `reason` is kept with the act and told to those
    concerned. Lifetimes are in seconds, None: for ever. Acts return the position of their entry, 0 when
    nothing had to change; they raise what `AsyncClient.join` raises. protocol.md, Acts.
    """

    def __init__(self, link: Link, ask: Ask) -> None:
        self._link = link
        self._ask = ask

    # ---- who is let in ----

    async def make_invite(
        self,
        *,
        nick: str | None = None,
        room: str | None = None,
        uses: int = 1,
        lifetime_s: float | None = _DAY_S,
        reason: str = "",
    ) -> Link:
        """A link that lets `uses` people in. `nick`: only as that one, also in place of a lost key. `room`:
        they become members of it. The secret in it is drawn here, and the broker gets its digest alone; the
        invite's id is `link.invite`."""
        id, secret = _base32(_ID_BYTES), _base32(_SECRET_BYTES)
        digest = hashlib.sha256(secret.encode()).digest()
        for_nick, for_room = _nick_or_none(nick), _room_or_none(room)
        lifetime_ms = checks.lifetime_ms(lifetime_s)
        await self._act(wire.MakeInvite(0, 0, id, digest, for_nick, for_room, uses, lifetime_ms, reason))
        return self._link._replace(secret=id + secret)

    async def end_invite(self, id: str, reason: str = "") -> int:
        """Make an invite worthless, by its id."""
        return await self._act(wire.EndInvite(0, 0, id, reason))

    async def invites(self) -> list[wire.InviteRow]:
        """The invites that can still be used."""
        found = await pages(self._ask, wire.Invites, lambda after: wire.ListInvites(0, 0, after))
        return [row for page in found for row in page.invites]

    async def make_token(
        self,
        nick: str,
        *,
        rooms: Iterable[str] = (),
        may_send: bool = True,
        may_read: bool = True,
        lifetime_s: float | None = None,
        reason: str = "",
    ) -> ExportedKey:
        """Register the bot `nick`, which may do no more than is said here: send and read, in `rooms`, or with
        none in all public ones and with direct messages. `str()` of what is returned is the one line that a
        bot needs; its key is drawn here, and its secret half is kept nowhere."""
        pair = keys.draw()
        names, lifetime_ms = [checks.room(room) for room in rooms], checks.lifetime_ms(lifetime_s)
        bot = checks.nick(nick)
        await self._act(
            wire.MakeToken(0, 0, bot, pair.public, names, may_send, may_read, lifetime_ms, reason)
        )
        return ExportedKey(self._link, bot, pair.secret, is_token=True)

    async def end_token(self, nick: str, reason: str = "") -> int:
        """Make the token of a bot worthless; its sessions end at once."""
        return await self._act(wire.EndToken(0, 0, checks.nick(nick), reason))

    async def tokens(self) -> list[wire.TokenRow]:
        """The tokens that one has made; for an administrator, all."""
        found = await pages(self._ask, wire.Tokens, lambda after: wire.ListTokens(0, 0, after))
        return [row for page in found for row in page.tokens]

    # ---- who may do what ----

    async def set_role(self, nick: str, role: int, room: str | None = None, reason: str = "") -> int:
        """Give a role in a room (wire.NONE, VOICE, OPERATOR, OWNER), or at the broker (NONE, OPERATOR)."""
        return await self._act(wire.SetRole(0, 0, _room_or_none(room), checks.nick(nick), role, reason))

    async def set_mode(self, room: str, announce: bool) -> int:
        """`announce`: only who has a role in the room writes there."""
        return await self._act(wire.SetMode(0, 0, checks.room(room), announce))

    async def invite_to_room(self, room: str, nick: str) -> int:
        """Let somebody join a private room, once."""
        return await self._act(wire.InviteToRoom(0, 0, checks.room(room), checks.nick(nick)))

    async def kick(self, room: str, nick: str, reason: str = "") -> int:
        """End somebody's membership of a room; they read it no more until they join anew."""
        return await self._act(wire.Kick(0, 0, checks.room(room), checks.nick(nick), reason))

    async def mute(
        self, nick: str, room: str | None = None, lifetime_s: float | None = None, reason: str = ""
    ) -> int:
        """Have somebody write nothing."""
        return await self._sanction(wire.MUTE, nick, room, lifetime_s, reason)

    async def unmute(self, nick: str, room: str | None = None, reason: str = "") -> int:
        """End a mute."""
        return await self._pardon(wire.MUTE, nick, room, reason)

    async def ban(
        self, nick: str, room: str | None = None, lifetime_s: float | None = None, reason: str = ""
    ) -> int:
        """Keep somebody out of a room, or away from the broker: then their sessions end at once."""
        return await self._sanction(wire.BAN, nick, room, lifetime_s, reason)

    async def unban(self, nick: str, room: str | None = None, reason: str = "") -> int:
        """End a ban."""
        return await self._pardon(wire.BAN, nick, room, reason)

    async def sanctions(self, room: str | None = None) -> list[wire.SanctionRow]:
        """The mutes and bans of a room or of the broker."""
        name = _room_or_none(room)
        found = await pages(self._ask, wire.Sanctions, lambda after: wire.ListSanctions(0, 0, name, after))
        return [row for page in found for row in page.sanctions]

    async def limits(self) -> list[wire.Bound]:
        """The limits of the broker, with their units in their names."""
        answer, _ = await self._ask(wire.ListLimits(0, 0))
        assert isinstance(answer, wire.Bounds)
        return answer.limits

    async def _sanction(
        self, kind: int, nick: str, room: str | None, lifetime_s: float | None, reason: str
    ) -> int:
        lifetime_ms = checks.lifetime_ms(lifetime_s)
        return await self._act(
            wire.Sanction(0, 0, _room_or_none(room), checks.nick(nick), kind, lifetime_ms, reason)
        )

    async def _pardon(self, kind: int, nick: str, room: str | None, reason: str) -> int:
        return await self._act(wire.Pardon(0, 0, _room_or_none(room), checks.nick(nick), kind, reason))

    async def _act(self, act: wire.Act) -> int:
        answer, _ = await self._ask(act)
        assert isinstance(answer, wire.Done)
        return answer.pos


class Run(Protocol):
    """Runs a coroutine where the client lives, and waits for its result."""

    def __call__(self, work: Coroutine[Any, Any, _T]) -> _T: ...


class Administration:
    """The same as AsyncAdministration, method for method, and each waits. See there."""

    def __init__(self, admin: AsyncAdministration, run: Run) -> None:
        self._admin = admin
        self._run = run

    def make_invite(
        self,
        *,
        nick: str | None = None,
        room: str | None = None,
        uses: int = 1,
        lifetime_s: float | None = _DAY_S,
        reason: str = "",
    ) -> Link:
        """See AsyncAdministration."""
        return self._run(
            self._admin.make_invite(nick=nick, room=room, uses=uses, lifetime_s=lifetime_s, reason=reason)
        )

    def end_invite(self, id: str, reason: str = "") -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.end_invite(id, reason))

    def invites(self) -> list[wire.InviteRow]:
        """See AsyncAdministration."""
        return self._run(self._admin.invites())

    def make_token(
        self,
        nick: str,
        *,
        rooms: Iterable[str] = (),
        may_send: bool = True,
        may_read: bool = True,
        lifetime_s: float | None = None,
        reason: str = "",
    ) -> ExportedKey:
        """See AsyncAdministration."""
        return self._run(
            self._admin.make_token(
                nick, rooms=rooms, may_send=may_send, may_read=may_read, lifetime_s=lifetime_s, reason=reason
            )
        )

    def end_token(self, nick: str, reason: str = "") -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.end_token(nick, reason))

    def tokens(self) -> list[wire.TokenRow]:
        """See AsyncAdministration."""
        return self._run(self._admin.tokens())

    def set_role(self, nick: str, role: int, room: str | None = None, reason: str = "") -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.set_role(nick, role, room, reason))

    def set_mode(self, room: str, announce: bool) -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.set_mode(room, announce))

    def invite_to_room(self, room: str, nick: str) -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.invite_to_room(room, nick))

    def kick(self, room: str, nick: str, reason: str = "") -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.kick(room, nick, reason))

    def mute(
        self, nick: str, room: str | None = None, lifetime_s: float | None = None, reason: str = ""
    ) -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.mute(nick, room, lifetime_s, reason))

    def unmute(self, nick: str, room: str | None = None, reason: str = "") -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.unmute(nick, room, reason))

    def ban(
        self, nick: str, room: str | None = None, lifetime_s: float | None = None, reason: str = ""
    ) -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.ban(nick, room, lifetime_s, reason))

    def unban(self, nick: str, room: str | None = None, reason: str = "") -> int:
        """See AsyncAdministration."""
        return self._run(self._admin.unban(nick, room, reason))

    def sanctions(self, room: str | None = None) -> list[wire.SanctionRow]:
        """See AsyncAdministration."""
        return self._run(self._admin.sanctions(room))

    def limits(self) -> list[wire.Bound]:
        """See AsyncAdministration."""
        return self._run(self._admin.limits())


def _nick_or_none(name: str | None) -> str:
    return "" if name is None else checks.nick(name)


def _room_or_none(name: str | None) -> str:
    return "" if name is None else checks.room(name)


def _base32(count: int) -> str:
    """That many random bytes, in lower-case base32; `count` is a multiple of 5."""
    return base64.b32encode(os.urandom(count)).decode().lower()
