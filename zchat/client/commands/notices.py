"""What happened beside messages, as it looks: a line with a star for people, an object for programs."""

from zchat.client.commands.formats import entry_line, minute, rfc3339
from zchat.client.messages import (
    Act,
    Came,
    MemberJoined,
    MemberLeft,
    Redaction,
    Registration,
    TopicChanged,
    Went,
    recipient,
)
from zchat.common.text import one_line
from zchat.common.wire import ACCOUNT, FOR_EVER

Notice = Came | Went | MemberJoined | MemberLeft | TopicChanged | Act | Redaction | Registration

_REMEMBERED_MAX = 100


def notice_json(notice: Notice) -> str:
    """The keys of a message for what is none; null where there is nothing to say."""
    match notice:
        case Came(nick=nick) | Went(nick=nick):
            kind = "here" if isinstance(notice, Came) else "gone"
            return entry_line(None, None, None, nick, None, kind, None, None)
        case MemberJoined(nick=nick):
            kind, text = "joined", None
        case MemberLeft(nick=nick):
            kind, text = "left", None
        case TopicChanged(nick=nick):
            kind, text = "topic", notice.topic
        case Act(actor=nick):
            kind, text = notice.act, _with_reason(_facts(notice), notice.reason) or None
            if notice.room and notice.conversation.startswith("@"):  # nothing else says which room it was
                text = f"#{notice.room}: {text or ''}".rstrip()
        case Redaction(nick=nick):
            kind, text = "removed", _with_reason(str(notice.of), notice.reason)
        case Registration(nick=nick):
            kind, text = "registered", notice.invite or None
    to = _address(conversation_of(notice), nick)
    return entry_line(notice.pos, notice.prev, notice.time_ms, nick, to, kind, None, text)


def notice_text(notice: Notice, nick: str = "", join: str = "/join") -> str:
    """A line that begins with a star, for the reader `nick`. `join` is what the reader joins rooms with."""
    return f"* {_sentence(notice, nick, join)}\n"


def conversation_of(notice: MemberJoined | MemberLeft | TopicChanged | Act | Redaction | Registration) -> str:
    """In which conversation it stands."""
    if isinstance(notice, Act | Redaction | Registration):
        return notice.conversation
    return f"#{notice.room}"


class Told:
    """Acts that were told. One about a person stands in the room, and in the conversation of the two as well
    (protocol.md, Acts): a reader of both is told of it once."""

    def __init__(self) -> None:
        self._acts: dict[tuple[int, str, str, str, str], None] = {}  # the last ones, in order

    def is_new(self, notice: Notice) -> bool:
        """Whether it was not told yet. Now it is."""
        if not isinstance(notice, Act):
            return True
        act = (notice.time_ms, notice.actor, notice.act, notice.room, notice.subject)
        if act in self._acts:
            return False
        self._acts[act] = None
        if len(self._acts) > _REMEMBERED_MAX:
            del self._acts[next(iter(self._acts))]
        return True


# ---- for programs -----------------------------------------------------------------------------------------


def _address(conversation: str, sender: str) -> str:
    return recipient(conversation, sender) if conversation.startswith("@") else conversation


def _facts(act: Act) -> str:
    """Whom or what it is about, what became of it, and until when, in this order, as far as there is one."""
    until = f"until {rfc3339(act.until_ms)}" if 0 < act.until_ms < FOR_EVER else ""
    return " ".join(filter(None, (act.subject, act.details, until)))


def _with_reason(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text


# ---- for people -------------------------------------------------------------------------------------------


def _sentence(notice: Notice, nick: str, join: str) -> str:
    match notice:
        case Came(nick=who):
            return f"{one_line(who)} is here"
        case Went(nick=who):
            return f"{one_line(who)} has gone"
        case MemberJoined(nick=who, room=room):
            return f"{one_line(who)} {'made' if notice.created else 'joined'} #{one_line(room)}"
        case MemberLeft(nick=who, room=room):
            return f"{one_line(who)} left #{one_line(room)}"
        case TopicChanged(nick=who, room=room, topic=topic):
            return f"{one_line(who)} set the topic of #{one_line(room)}: {one_line(topic)}"
        case Act(reason=reason):
            return _with_reason(_act(notice, nick, join), one_line(reason))
        case Redaction(conversation=conversation, reason=reason):
            place = _address(conversation, nick)
            where = f"of {one_line(place)}" if place.startswith("#") else f"with {one_line(place)}"
            return _with_reason(
                f"message {notice.of} {where} was removed {_by(notice.nick)}", one_line(reason)
            )
        case Registration(nick=who, invite=invite):
            return f"{one_line(who)} was registered" + (
                f" by the invite {one_line(invite)}" if invite else ""
            )


def _act(act: Act, nick: str, join: str) -> str:
    """What was done, without the reason."""
    actor, is_me = _who(act.actor), act.subject == nick
    whom = "you" if is_me else one_line(act.subject)
    room = f"#{one_line(act.room)}"
    place = room if act.room else "the broker"
    where = f"in {room}" if act.room else "everywhere"
    until = f" until {minute(act.until_ms)}" if 0 < act.until_ms < FOR_EVER else ""
    match act.act:
        case "kicked":
            return (
                f"you were kicked out of {room} {_by(act.actor)}"
                if is_me
                else f"{actor} kicked {whom} out of {room}"
            )
        case "banned" if is_me:
            return f"you were banned from {place} {_by(act.actor)}{until}"
        case "banned":
            return f"{actor} banned {whom} from {place}{until}"
        case "unbanned":
            return f"{actor} ended {_whose('ban', whom)} from {place}"
        case "muted" if is_me:
            return f"you were muted {where} {_by(act.actor)}{until}"
        case "muted":
            return f"{actor} muted {whom} {where}{until}"
        case "unmuted":
            return f"{actor} ended {_whose('mute', whom)} {where}"
        case "expired":
            behind = f"from {place}" if act.details == "ban" else where
            return f"{_whose(one_line(act.details), whom)} {behind} has come to its end"
        case "invited":
            return f"{actor} invited {whom} to {room}" + (f": {join} {one_line(act.room)}" if is_me else "")
        case "role":
            return _role(act, actor, whom, place)
        case "mode":
            writes = "only those with a voice write" if act.details == "announce" else "everybody writes"
            return f"in {room} {writes} now ({actor})"
        case _:  # newer than this client, or only of the log
            words = (
                act.act.replace("_", " "),
                act.subject,
                act.details,
                f"in #{act.room}" if act.room else "",
            )
            return f"{actor}: {' '.join(one_line(word) for word in words if word)}"


def _role(act: Act, actor: str, whom: str, place: str) -> str:
    match act.details:
        case "none" if act.room:
            return f"{whom} {'have' if whom == 'you' else 'has'} no role in {place} any more ({actor})"
        case "none":
            return f"{actor} took the administration of {place} from {whom}"
        case "voice":
            return f"{actor} gave {whom} a voice in {place}"
        case _:
            role = one_line(act.details) if act.room else "administrator"
            return f"{actor} made {whom} {role} of {place}"


def _whose(what: str, whom: str) -> str:
    return f"your {what}" if whom == "you" else f"the {what} of {whom}"


def _who(actor: str) -> str:
    """Who acted: the account that runs the broker, and the broker itself, have no nick."""
    return "the account" if actor == ACCOUNT else one_line(actor)


def _by(actor: str) -> str:
    """The same, told to the one concerned, who may not know whose account that is."""
    return f"by {_who(actor)}{' that runs the broker' if actor == ACCOUNT else ''}"
