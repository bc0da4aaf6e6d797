"""`zchat room`: who may do what in a room, and who is in it."""

from typing import Final

import click

from zchat.client.commands.acts import room_argument
from zchat.client.commands.administration import (
    Call,
    administers,
    for_option,
    nick_argument,
    reason_option,
)
from zchat.client.commands.formats import ROLES, change_json, person_json
from zchat.client.commands.options import Caller, client_options, json_option
from zchat.client.commands.records import members_text, sanction_json, sanctions_text

_MODES: Final = ("announce", "open")


@click.group()
def room() -> None:
    """Who may do what in a room, and who is in it.

    Whoever makes a room by joining it is its owner. Owners do all of this; operators all but giving and
    taking the roles of operators and owners. Who administers the broker is an owner of every public room; the
    account that runs it acts with --as-account. A private room is made by `zchat join --private NAME`.

    \b
    Examples:
      zchat room members kitchen
      zchat room mute kitchen bob --for 10m --reason "calm down"
      zchat room role kitchen ann operator
      zchat room invite ops+4711 ann
    """


@room.command()
@administers
@room_argument
def members(call: Call, room: str) -> None:
    """List who is in ROOM, and their roles.

    A star marks who is here; behind the nick are the role and who is away.

    \b
    Examples:
      zchat room members kitchen
      zchat room members kitchen --json | jq -r 'select(.role == "owner").nick'
    """
    call.show(call.in_room(), lambda client: client.members(room), members_text, person_json)


@room.command()
@client_options
@json_option
@room_argument
@nick_argument
def invite(caller: Caller, as_json: bool, room: str, subject: str) -> None:
    """Let NICK join the private ROOM, once.

    NICK is told, and joins with `zchat join ROOM`. To a public room nobody needs an invitation.

    \b
    Example:
      zchat room invite ops+4711 ann
    """
    call = Call(caller, False, as_json)
    call.about(room, subject, lambda client: client.admin.invite_to_room(room, subject))


@room.command()
@administers
@reason_option
@room_argument
@nick_argument
def kick(call: Call, reason: str, room: str, subject: str) -> None:
    """End the membership of NICK.

    NICK reads ROOM no more until joining it again; a private one can be joined only after another
    invitation.

    \b
    Example:
      zchat room kick kitchen bob --reason flooding
    """
    call.about(room, subject, lambda client: client.admin.kick(room, subject, reason))


@room.command()
@administers
@for_option
@reason_option
@room_argument
@nick_argument
def ban(call: Call, lasts_s: float | None, reason: str, room: str, subject: str) -> None:
    """Kick NICK, who cannot join ROOM again until the ban ends.

    \b
    Example:
      zchat room ban kitchen bob --for 24h --reason flooding
    """
    call.about(room, subject, lambda client: client.admin.ban(subject, room, lasts_s, reason))


@room.command()
@administers
@reason_option
@room_argument
@nick_argument
def unban(call: Call, reason: str, room: str, subject: str) -> None:
    """End the ban of NICK.

    NICK can join ROOM again, a private one after an invitation.

    \b
    Example:
      zchat room unban kitchen bob
    """
    call.about(room, subject, lambda client: client.admin.unban(subject, room, reason))


@room.command()
@administers
@for_option
@reason_option
@room_argument
@nick_argument
def mute(call: Call, lasts_s: float | None, reason: str, room: str, subject: str) -> None:
    """Let NICK write nothing in ROOM, and go on reading.

    \b
    Example:
      zchat room mute kitchen bob --for 10m --reason "calm down"
    """
    call.about(room, subject, lambda client: client.admin.mute(subject, room, lasts_s, reason))


@room.command()
@administers
@reason_option
@room_argument
@nick_argument
def unmute(call: Call, reason: str, room: str, subject: str) -> None:
    """End the mute of NICK.

    \b
    Example:
      zchat room unmute kitchen bob
    """
    call.about(room, subject, lambda client: client.admin.unmute(subject, room, reason))


@room.command()
@administers
@room_argument
def bans(call: Call, room: str) -> None:
    """List the bans and mutes of ROOM.

    A line has which, whose, until when, by whom, and why. Operators may ask that.

    \b
    Examples:
      zchat room bans kitchen
      zchat room bans kitchen --json | jq -r 'select(.kind == "ban").nick'
    """
    call.show(call.in_room(), lambda client: client.admin.sanctions(room), sanctions_text, sanction_json)


@room.command()
@administers
@reason_option
@room_argument
@nick_argument
@click.argument("role", metavar="ROLE", type=click.Choice(ROLES))
def role(call: Call, reason: str, room: str, subject: str, role: str) -> None:
    """Give NICK a role: none, voice, operator or owner.

    Who has a voice writes also while the room is in announce mode. In a private room only members have roles.

    \b
    Examples:
      zchat room role kitchen ann operator
      zchat room role news bob voice
      zchat room role kitchen ann none
    """
    number = ROLES.index(role)
    call.about(room, subject, lambda client: client.admin.set_role(subject, number, room, reason))


@room.command()
@administers
@room_argument
@click.argument("mode", metavar="MODE", type=click.Choice(_MODES))
def mode(call: Call, room: str, mode: str) -> None:
    """Say who writes in ROOM: announce or open.

    In announce mode only who has a role in the room writes there, else everybody.

    \b
    Examples:
      zchat room mode news announce
      zchat room mode news open
    """
    announce = mode == "announce"
    call.act(
        call.in_room(),
        lambda client: client.admin.set_mode(room, announce),
        lambda pos: change_json(room, pos),
    )
