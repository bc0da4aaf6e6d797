"""What is done for who chats: being away, ignoring, removing messages, and who may do what in a room."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, assert_never

from zchat.client.commands import asked as ask
from zchat.common import names
from zchat.common.errors import ConfigurationError

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient

AWAY: Final = "away"  # the reason, when none is given
_LOOKED_AT: Final = 500  # messages, for the last one of somebody


async def do(client: "AsyncClient", act: ask.Act, to: str, room: Callable[[], str]) -> int:
    """Have the broker do it. `to` is whom one speaks to, `room` names the room that is meant when none is.
    Returns the position, 0 when nothing had to change; raises what the client does."""
    match act:
        case ask.SetAway(text=text):
            return await client.set_away(text)
        case ask.SetIgnored(nick=nick, ignored=ignored):
            if ignored and _folded(nick) == _folded(client.nick):
                raise ConfigurationError("you cannot ignore yourself")
            return await client.set_ignored(nick, ignored)
        case ask.Redact(pos=pos, nick=nick, reason=reason):
            return await client.redact(to, await _last(client, to, nick) if pos is None else pos, reason)
        case ask.Invite(nick=nick):
            return await client.admin.invite_to_room(act.room or room(), nick)
        case ask.Kick(nick=nick, reason=reason):
            return await client.admin.kick(room(), nick, reason)
        case ask.Ban(nick=nick, lifetime_s=lifetime_s, reason=reason):
            return await client.admin.ban(nick, room(), lifetime_s, reason)
        case ask.Unban(nick=nick):
            return await client.admin.unban(nick, room())
        case ask.Mute(nick=nick, lifetime_s=lifetime_s, reason=reason):
            return await client.admin.mute(nick, room(), lifetime_s, reason)
        case ask.Unmute(nick=nick):
            return await client.admin.unmute(nick, room())
        case ask.SetRole(nick=nick, role=role):
            return await client.admin.set_role(nick, role, room())
        case ask.SetMode(announce=announce):
            return await client.admin.set_mode(room(), announce)
        case _:
            assert_never(act)


def remark(act: ask.Act, pos: int) -> str | None:
    """What is to be said when it is done: the conversation tells of the most, but not of what concerns nobody
    else."""
    match act:
        case ask.SetAway(text=text):
            reason = f": {text}" if text != AWAY else ""
            return f"you are away{reason}" if text else "you are back"
        case ask.SetIgnored(nick=nick, ignored=False) if not pos:
            return f"you do not ignore {nick}"
        case ask.SetIgnored(nick=nick, ignored=True):
            return f"what {nick} writes is shown no more; /unignore {nick} ends that"
        case ask.SetIgnored(nick=nick):
            return f"what {nick} writes is shown again"
    return None if pos else "it was so already"


async def _last(client: "AsyncClient", to: str, nick: str | None) -> int:
    """The position of the last message of somebody in a conversation, of oneself without a nick."""
    whose = _folded(client.nick if nick is None else nick)
    for message in reversed(await client.history(to, limit=_LOOKED_AT)):
        if _folded(message.sender) == whose and not message.redacted:
            return message.pos
    raise ConfigurationError(
        f"there is no message of {nick or 'yours'} among the last {_LOOKED_AT} here; zchat history --json "
        "tells the positions"
    )


def _folded(nick: str) -> str:
    try:
        return names.folded(nick)
    except names.InvalidName:  # another version of Unicode let it in
        return nick
