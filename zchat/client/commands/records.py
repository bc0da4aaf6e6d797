"""How what administration is about looks: invites, tokens, sanctions, members, limits, acts of the log."""

import json
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import astuple

from zchat.client.commands.formats import ROLES, cells, minute, rfc3339
from zchat.client.commands.notices import notice_text
from zchat.client.messages import Act, Registration
from zchat.common.text import json_safe, one_line
from zchat.common.wire import ACCOUNT, FOR_EVER, MUTE

if TYPE_CHECKING:
    from zchat.client.exports import ExportedKey
    from zchat.common.links import Link
    from zchat.common.wire import Bound, InviteRow, Person, SanctionRow, TokenRow

_KINDS: Final = {MUTE: "mute"}  # of a sanction; any other is a ban
_LOGGED: Final = {
    "invite_made": "made the invite {subject}",
    "invite_used": "used the invite {subject}",
    "invite_ended": "ended the invite {subject}",
    "token_made": "made a token for {subject}",
    "token_ended": "ended the token of {subject}",
    "key_changed": "has another key, by the one before",
    "key_replaced": "has another key, by an invite",
    "redacted": "removed the text of message {subject}",
    "ignored": "ignores {subject}",
    "unignored": "ignores {subject} no longer",
}  # what stands in the log alone: behind who did it

# ---- who is let in ----------------------------------------------------------------------------------------


def invite_json(link: "Link") -> str:
    """An invite that was made, as a line of JSON. The link has its secret."""
    return _line({"id": link.invite, "link": str(link)})


def invites_text(rows: Sequence["InviteRow"]) -> str:
    """Invites that can still be used, a line each: the id, how often and until when, by whom, for whom."""
    return _columns(
        (
            row.invite,
            f"uses {row.uses}",
            _until(row.until_ms),
            f"by {_who(row.maker)}",
            f"for {one_line(row.nick)}" if row.nick else "",
            f"#{one_line(row.room)}" if row.room else "",
        )
        for row in rows
    )


def invite_row_json(row: "InviteRow") -> str:
    """An invite as a line of JSON; null for any nick, no room, no end."""
    return _line(
        {
            "id": row.invite,
            "by": row.maker,
            "nick": row.nick or None,
            "room": row.room or None,
            "uses": row.uses,
            "until": _time(row.until_ms),
        }
    )


def token_json(token: "ExportedKey") -> str:
    """A token that was made, as a line of JSON. Whoever has it is that bot."""
    return _line({"nick": token.nick, "token": str(token)})


def tokens_text(rows: Sequence["TokenRow"]) -> str:
    """Tokens that hold, a line each: whose, what for, until when, by whom, where."""
    return _columns(
        (
            one_line(row.nick),
            "+".join(_may(row)),
            _until(row.until_ms),
            f"by {_who(row.maker)}",
            " ".join(f"#{one_line(room)}" for room in row.rooms),
        )
        for row in rows
    )


def token_row_json(row: "TokenRow") -> str:
    """A token as a line of JSON; no `rooms`: all public ones and direct messages. null: no end."""
    return _line(
        {
            "nick": row.nick,
            "by": row.maker,
            "may": _may(row),
            "rooms": list(row.rooms),
            "until": _time(row.until_ms),
        }
    )


def _may(row: "TokenRow") -> list[str]:
    return ["send"] * row.may_send + ["read"] * row.may_read


# ---- who may do what --------------------------------------------------------------------------------------


def act_json(room: str | None, nick: str, pos: int) -> str:
    """What became of an act about somebody, in a room or (null) at the broker; `pos` is 0 when it was so
    already."""
    return _line({"room": room, "nick": nick, "pos": pos})


def ended_json(id: str, pos: int) -> str:
    """What became of ending an invite."""
    return _line({"id": id, "pos": pos})


def sanctions_text(rows: Sequence["SanctionRow"]) -> str:
    """Mutes and bans, a line each: which, of whom, until when, by whom, why."""
    return _columns(
        (
            _KINDS.get(row.kind, "ban"),
            one_line(row.nick),
            _until(row.until_ms),
            f"by {_who(row.actor)}",
            one_line(row.reason),
        )
        for row in rows
    )


def sanction_json(row: "SanctionRow") -> str:
    """A mute or a ban as a line of JSON; null: no end. The reason may be empty."""
    return _line(
        {
            "kind": _KINDS.get(row.kind, "ban"),
            "nick": row.nick,
            "until": _time(row.until_ms),
            "by": row.actor,
            "reason": row.reason,
        }
    )


def members_text(people: Sequence["Person"]) -> str:
    """Members of a room, a line each: a star in front of who is here, behind the nick the role, and who is
    away."""
    return "".join(map(_member, people))


def _member(person: "Person") -> str:
    said = [word for word, holds in ((ROLES[person.role], person.role), ("away", person.away)) if holds]
    behind = f" ({', '.join(said)})" if said else ""
    return f"{'*' if person.present else ' '} {one_line(person.nick)}{behind}\n"


def limits_text(bounds: Sequence["Bound"]) -> str:
    """Limits, a line each: the name with its unit, the value, what it is of."""
    widest = max((len(str(bound.value)) for bound in bounds), default=0)
    return _columns(
        (one_line(bound.name), f"{bound.value:>{widest}}", one_line(bound.meaning)) for bound in bounds
    )


def limit_json(bound: "Bound") -> str:
    """A limit as a line of JSON."""
    return _line({"name": bound.name, "value": bound.value, "meaning": bound.meaning})


# ---- the log ----------------------------------------------------------------------------------------------


def audit_text(entry: Act | Registration) -> str:
    """What was done, when and by whom, as a line for people, in local time."""
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time_ms / 1000))
    sentence = _logged(entry) if isinstance(entry, Act) else None
    if sentence is None:
        sentence = notice_text(entry).removeprefix("* ").rstrip()
    return f"{clock}  {sentence}\n"


def _logged(act: Act) -> str | None:
    """About what stands in the log alone; None for the rest."""
    actor, subject = _who(act.actor), one_line(act.subject)
    details = one_line(act.details).removesuffix(" rooms=")  # of a token for all of them
    if act.act == "away":
        sentence = f"{actor} is away: {details}" if details else f"{actor} is back"
    elif act.act == "expired" and act.details in ("invite", "token"):
        whose = f"the token of {subject}" if act.details == "token" else f"the invite {subject}"
        sentence = f"{whose} has come to its end"
    elif act.act in _LOGGED:
        until = f", {_until(act.until_ms)}" if 0 < act.until_ms < FOR_EVER else ""
        more = f" ({details})" if details else ""
        sentence = f"{actor} {_LOGGED[act.act].format(subject=subject)}{more}{until}"
        sentence += f" in #{one_line(act.room)}" if act.room else ""
    else:
        return None
    return f"{sentence}: {one_line(act.reason)}" if act.reason else sentence


def audit_json(entry: Act | Registration) -> str:
    """The same as a line of JSON; null where there is nothing to say, and for `until` when there is no end.
    Whoever was registered did it, by the invite in `details`."""
    if isinstance(entry, Registration):
        pos, prev, time_ms, conversation, nick, _, invite = astuple(entry)
        act = Act(pos, prev, time_ms, conversation, nick, "registered", "", nick, 0, invite, "")
    else:
        act = entry
    return _line(
        {
            "pos": act.pos,
            "time": rfc3339(act.time_ms),
            "actor": act.actor,
            "act": act.act,
            "room": act.room or None,
            "subject": act.subject or None,
            "until": _time(act.until_ms),
            "details": act.details or None,
            "reason": act.reason or None,
        }
    )


# ---- keys -------------------------------------------------------------------------------------------------


def rotated_json(nick: str, fingerprint: str) -> str:
    """A nick and the fingerprint of its new key as a line of JSON."""
    return _line({"nick": nick, "fingerprint": fingerprint})


# ---- lines ------------------------------------------------------------------------------------------------


def _who(nick: str) -> str:
    return "the account" if nick == ACCOUNT else one_line(nick)


def _until(time_ms: int) -> str:
    if time_ms >= FOR_EVER:
        return "for ever"
    return f"until {minute(time_ms)}"


def _time(time_ms: int) -> str | None:
    return rfc3339(time_ms) if 0 < time_ms < FOR_EVER else None


def _columns(rows: Iterable[Sequence[str]]) -> str:
    """A line for each row, the columns below each other; those that are empty everywhere are left out."""
    listed = list(rows)
    widths = [max(map(cells, column)) for column in zip(*listed, strict=True)]
    return "".join(
        "  ".join(
            cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True) if width
        ).rstrip()
        + "\n"
        for row in listed
    )


def _line(fields: dict[str, Any]) -> str:
    return json_safe(json.dumps(fields, ensure_ascii=False, separators=(",", ":"))) + "\n"
