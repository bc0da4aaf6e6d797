"""Being let in: what to do about a refusal, and the invite that whoever runs the broker needs not ask for."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from zchat.client import rotation
from zchat.client.commands.addresses import quoted
from zchat.client.control import socket_of
from zchat.client.identity import Identity
from zchat.common.codes import Refusal
from zchat.common.errors import OutcomeUnknown, Refused, Unreachable, WrongIdentity

_INVITE_S: Final = 60.0
_HINTS: Final = {
    Refusal.NICK_TAKEN: "Choose another one with --nick; if it is yours, bring its key: zchat key import. "
    "For a lost key, ask who runs the broker for zchat invite --nick {nick}",
    Refusal.KEY_BOUND: "Use that nick, or another key",
    Refusal.NOT_REGISTERED: "zchat connect --nick {nick} registers it",
    Refusal.NOT_INVITED: "Ask who runs the broker for a link that zchat invite prints, and then: "
    "zchat connect --nick {nick} LINK",
    Refusal.INVITE_INVALID: "Ask who runs the broker for another link that zchat invite prints",
    Refusal.BANNED: "Only who administers the broker can end that",
}


@contextmanager
def hints(who: Identity, is_new: bool) -> Iterator[None]:
    """A refusal to let somebody in says what to do about it. `is_new`: the key was drawn for this attempt;
    for a nick of somebody else it is worth nothing, and would be in the way of the right one."""
    try:
        yield
    except (Refused, WrongIdentity) as error:
        if error.refusal is None or error.refusal not in _HINTS:
            raise
        from zchat.client.callers import refused

        if is_new and error.refusal is Refusal.NICK_TAKEN:
            who.own_key_file().unlink(missing_ok=True)
        raise refused(error.refusal, f"{error}. {_hint(error.refusal, who)}") from None


def _hint(refusal: Refusal, who: Identity) -> str:
    if refusal is Refusal.NICK_TAKEN and who.is_bot:
        return "Ask who made it for another one: zchat token create"
    if refusal in (Refusal.NICK_TAKEN, Refusal.KEY_BOUND) and rotation.is_unfinished(who):
        return "A change of its key was interrupted: zchat key rotate finds out, and finishes it"
    if refusal is Refusal.NOT_INVITED and socket_of(who.link) is not None:
        return f"This account runs the broker: zchat connect --nick {quoted(who.nick)} registers it"
    return _HINTS[refusal].format(nick=quoted(who.nick))


async def invite_after(error: Refused | WrongIdentity, who: Identity, timeout: float | None) -> str | None:
    """The secret of an invite for the nick of somebody who had none and runs the broker, for whoever can open
    its control socket lets in whom they like. None for others, and when that does not answer."""
    from zchat.client.aio import AsyncClient

    control = socket_of(who.link) if error.refusal is Refusal.NOT_INVITED else None
    if control is None:
        return None
    with suppress(Refused, WrongIdentity, Unreachable, OutcomeUnknown):
        async with AsyncClient(who.link, control=control, timeout=timeout) as account:
            made = await account.admin.make_invite(nick=who.nick, lifetime_s=_INVITE_S)
            return made.secret
    return None
