"""What can be asked for in the chat: what is typed there is read as one of these."""

from msgspec import Struct


class Nothing(Struct, frozen=True):
    """An empty line."""


class Say(Struct, frozen=True):
    """Text for whom one speaks to."""

    text: str


class Tell(Struct, frozen=True):
    """One message to somebody else, `@nick` or `#room`."""

    to: str
    text: str


class Turn(Struct, frozen=True):
    """Speak to this person or room from now on."""

    to: str


class Join(Struct, frozen=True):
    """Become a member of `#room`, and speak there."""

    room: str


class CreatePrivate(Struct, frozen=True):
    """Make a private room whose name begins with `base`, and speak there."""

    base: str


class Leave(Struct, frozen=True):
    """Be a member no longer; None: of the current room."""

    room: str | None


class ShowPeople(Struct, frozen=True):
    """Who is here. `choose`: and the choice whom to speak to."""

    choose: bool


class ShowRooms(Struct, frozen=True):
    """The public rooms, and one's own."""


class Topic(Struct, frozen=True):
    """Show the topic of the current room, or set it."""

    text: str | None


class History(Struct, frozen=True):
    """The last messages of whom one speaks to."""

    count: int


class Whois(Struct, frozen=True):
    """What is known about somebody; None: about oneself."""

    nick: str | None


class Help(Struct, frozen=True):
    """What can be typed."""


class Quit(Struct, frozen=True):
    """Leave the chat."""


# ---- about oneself, and about what was said ---------------------------------------------------------------


class SetAway(Struct, frozen=True):
    """Be away, for this reason; empty: be back."""

    text: str


class SetIgnored(Struct, frozen=True):
    """Whether somebody is ignored."""

    nick: str
    ignored: bool


class ShowIgnored(Struct, frozen=True):
    """Who is ignored."""


class Redact(Struct, frozen=True):
    """Remove the text of the message at `pos` of the present conversation; None: the last one of `nick`, and
    of one's own without a nick."""

    pos: int | None
    nick: str | None
    reason: str


# ---- who may do what in the current room ------------------------------------------------------------------


class Invite(Struct, frozen=True):
    """Let somebody into a private `#room`; None: into the current one."""

    nick: str
    room: str | None


class Kick(Struct, frozen=True):
    """Put somebody out of the room."""

    nick: str
    reason: str


class Ban(Struct, frozen=True):
    """Put somebody out, and keep them out, for so many seconds (None: for ever)."""

    nick: str
    lifetime_s: float | None
    reason: str


class Unban(Struct, frozen=True):
    """End a ban."""

    nick: str


class Mute(Struct, frozen=True):
    """Have somebody write nothing, for so many seconds (None: for ever)."""

    nick: str
    lifetime_s: float | None
    reason: str


class Unmute(Struct, frozen=True):
    """End a mute."""

    nick: str


class SetRole(Struct, frozen=True):
    """Give somebody a role, a number of the wire."""

    nick: str
    role: int


class SetMode(Struct, frozen=True):
    """Whether only those with a role may write."""

    announce: bool


Question = ShowPeople | ShowRooms | ShowIgnored | Topic | History | Whois
"""What the broker is to tell."""

Act = SetAway | SetIgnored | Redact | Invite | Kick | Ban | Unban | Mute | Unmute | SetRole | SetMode
"""What the broker is to change, and tells of by itself."""

Asked = Nothing | Say | Tell | Turn | Join | CreatePrivate | Leave | Question | Act | Help | Quit
