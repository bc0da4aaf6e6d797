"""`zchat admin`: who is let in, who administers, what was done."""

from typing import TYPE_CHECKING, Final

import click

from zchat.client.commands.administration import (
    Call,
    administering,
    administers,
    for_option,
    nick_argument,
    reason_option,
)
from zchat.client.commands.output import Output
from zchat.client.commands.past import Wanted, entries
from zchat.client.commands.records import (
    audit_json,
    audit_text,
    ended_json,
    invite_row_json,
    invites_text,
    limit_json,
    limits_text,
    sanction_json,
    sanctions_text,
    token_row_json,
    tokens_text,
)
from zchat.client.commands.running import run
from zchat.client.commands.times import SINCE
from zchat.client.messages import Act, Registration
from zchat.common import links
from zchat.common.wire import ACCOUNT, NONE, OPERATOR

if TYPE_CHECKING:
    from zchat.client.aio import AsyncClient
    from zchat.common.wire import TokenRow

_LAST: Final = 50
_ID_CHARACTERS: Final = 8


@click.group()
def admin() -> None:
    """Administer the broker: who is let in, who may do that, what was done.

    On the broker's machine the account that runs it needs no nick for that. Elsewhere, and with --nick or
    ZCHAT_NICK, it takes a nick that administers the broker.

    \b
    Examples:
      zchat admin grant ann
      zchat admin ban bob --for 24h --reason flooding
      zchat admin audit --since 2h
    """


@admin.command()
@administers
@reason_option
@nick_argument
def grant(call: Call, reason: str, subject: str) -> None:
    """Let NICK administer the broker.

    \b
    Example:
      zchat admin grant ann
    """
    call.about(None, subject, lambda client: client.admin.set_role(subject, OPERATOR, reason=reason))


@admin.command()
@administers
@reason_option
@nick_argument
def revoke(call: Call, reason: str, subject: str) -> None:
    """Let NICK administer the broker no longer.

    \b
    Example:
      zchat admin revoke ann
    """
    call.about(None, subject, lambda client: client.admin.set_role(subject, NONE, reason=reason))


@admin.command()
@administers
@for_option
@reason_option
@nick_argument
def ban(call: Call, lasts_s: float | None, reason: str, subject: str) -> None:
    """Let NICK in no more until the ban ends.

    Their sessions end at once, and those of their bots.

    \b
    Example:
      zchat admin ban bob --for 24h --reason flooding
    """
    call.about(None, subject, lambda client: client.admin.ban(subject, None, lasts_s, reason))


@admin.command()
@administers
@reason_option
@nick_argument
def unban(call: Call, reason: str, subject: str) -> None:
    """End the ban of NICK.

    \b
    Example:
      zchat admin unban bob
    """
    call.about(None, subject, lambda client: client.admin.unban(subject, None, reason))


@admin.command()
@administers
@for_option
@reason_option
@nick_argument
def mute(call: Call, lasts_s: float | None, reason: str, subject: str) -> None:
    """Let NICK write nothing, in no room and to nobody.

    \b
    Example:
      zchat admin mute bob --for 1h --reason "calm down"
    """
    call.about(None, subject, lambda client: client.admin.mute(subject, None, lasts_s, reason))


@admin.command()
@administers
@reason_option
@nick_argument
def unmute(call: Call, reason: str, subject: str) -> None:
    """End the mute of NICK.

    \b
    Example:
      zchat admin unmute bob
    """
    call.about(None, subject, lambda client: client.admin.unmute(subject, None, reason))


@admin.command()
@administers
def bans(call: Call) -> None:
    """List the bans and mutes at the broker.

    A line has which, whose, until when, by whom, and why.

    \b
    Example:
      zchat admin bans
    """
    call.show(call.at_broker(), lambda client: client.admin.sanctions(), sanctions_text, sanction_json)


@admin.command()
@administers
def invites(call: Call) -> None:
    """List the invites that can still be used.

    A line has the id, how often, until when, by whom, for whom, and into which room. The id is no secret: it
    is the first eight characters of what a link has behind its last slash.

    \b
    Example:
      zchat admin invites
    """
    call.show(call.at_broker(), lambda client: client.admin.invites(), invites_text, invite_row_json)


@admin.command("end-invite")
@administers
@reason_option
@click.argument("id", metavar="ID")
def end_invite(call: Call, reason: str, id: str) -> None:
    """Let the invite ID, or that of a link, let nobody in.

    \b
    Example:
      zchat admin end-invite 2qj4s7xa --reason "sent to the wrong list"
    """
    name = _id(id)
    call.act(
        call.at_broker(),
        lambda client: client.admin.end_invite(name, reason),
        lambda pos: ended_json(name, pos),
    )


def _id(typed: str) -> str:
    """The id of an invite, also where its link was given. Raises click.BadParameter without quoting it."""
    id = links.parse(typed).invite if typed.startswith("zchat://") else typed.lower()
    if len(id) != _ID_CHARACTERS or not set(id) <= set("abcdefghijklmnopqrstuvwxyz234567"):
        raise click.BadParameter("not the id of an invite: zchat admin invites lists them", param_hint="ID")
    return id


@admin.command()
@administers
def tokens(call: Call) -> None:
    """List the tokens of all bots, as `zchat token list` does.

    \b
    Example:
      zchat admin tokens
    """
    call.show(call.at_broker(), _all_tokens, tokens_text, token_row_json)


async def _all_tokens(client: "AsyncClient") -> list["TokenRow"]:
    await client.admin.limits()  # who does not administer is told so, not given their own
    return await client.admin.tokens()


@admin.command("limits")
@administers
def limits_(call: Call) -> None:
    """List the limits of the broker.

    A line has the name with its unit, the value, and what it is of. They are set in the section
    [broker.limits] of config.toml on the broker's machine.

    \b
    Example:
      zchat admin limits | grep per_second
    """
    call.show(call.at_broker(), lambda client: client.admin.limits(), limits_text, limit_json)


@admin.command()
@administers
@click.option(
    "-n", "count", type=click.IntRange(0), metavar="N",
    help=f"The last N; {_LAST} if not given, and all with --since.",
)  # fmt: skip
@click.option("--since", type=SINCE, metavar="TIME", help="From TIME on (10m, 2h, 3d, a date); the first N.")
def audit(call: Call, count: int | None, since: int | None) -> None:
    """Print what was done, by whom, when and why.

    These are all acts of administration and of operators, and who was registered, in their order.

    \b
    Examples:
      zchat admin audit
      zchat admin audit --since 7d --json | jq -r 'select(.act == "banned").subject'
    """
    most = _LAST if count is None and since is None else count
    run(_audit(call, most, since))


async def _audit(call: Call, most: int | None, since_ms: int | None) -> None:
    output = Output()
    async with administering(call.at_broker()) as client:
        async for entry in entries(client, Wanted(ACCOUNT, most, since_ms=since_ms, events=True)):
            if isinstance(entry, Act | Registration):
                await (output.json(audit_json(entry)) if call.as_json else output.text(audit_text(entry)))
