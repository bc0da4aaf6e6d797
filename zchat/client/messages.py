"""What a client hands to its user: messages, and what else happened in the conversations it reads."""

from msgspec import Struct

from zchat.common.wire import (
    Acted,
    Entries,
    Joined,
    KeyedMessage,
    Left,
    Messages,
    Redacted,
    Registered,
    Segment,
    TopicSet,
)


class Message(Struct, frozen=True, gc=False):
    """A message, durable and in its place. `prev` is the position before it in its conversation, `to` the
    recipient (`#room` or `@nick`), `id` the key that the sender chose or `~instance.counter`. An empty text
    was removed."""

    pos: int
    prev: int
    time_ms: int
    sender: str
    to: str
    kind: str
    id: str
    text: str
    conversation: str

    @property
    def reply_to(self) -> str:
        """The address where an answer belongs: the room, or the sender of a direct message."""
        return self.to if self.to.startswith("#") else "@" + self.sender

    @property
    def redacted(self) -> bool:
        """Its text was removed, by the sender or an operator."""
        return not self.text


class MemberJoined(Struct, frozen=True, gc=False):
    """`nick` became a member of `room`; `created`: and the room came to be."""

    pos: int
    prev: int
    time_ms: int
    room: str
    nick: str
    created: bool


class MemberLeft(Struct, frozen=True, gc=False):
    """`nick` is no longer a member of `room`."""

    pos: int
    prev: int
    time_ms: int
    room: str
    nick: str


class TopicChanged(Struct, frozen=True, gc=False):
    """`nick` set the topic of `room`."""

    pos: int
    prev: int
    time_ms: int
    room: str
    nick: str
    topic: str


class Act(Struct, frozen=True, gc=False):
    """`actor` did what `act` names to `subject` (a nick, the id of an invite), in `room` if it is not empty,
    until `until_ms` (wire.FOR_EVER: for ever; 0: it does not end). protocol.md, Acts, says what `act` and
    `details` can be. The `conversation` is that of the room, that of the two, or `$`."""

    pos: int
    prev: int
    time_ms: int
    conversation: str
    actor: str
    act: str
    room: str
    subject: str
    until_ms: int
    details: str
    reason: str


class Redaction(Struct, frozen=True, gc=False):
    """`nick` had the text of the message at position `of` removed, in this `conversation`."""

    pos: int
    prev: int
    time_ms: int
    conversation: str
    nick: str
    of: int
    reason: str


class Registration(Struct, frozen=True, gc=False):
    """`nick` was registered with the public `key` (Z85), by the invite with this id if it is not empty. Only
    in `$`, which administrators read."""

    pos: int
    prev: int
    time_ms: int
    conversation: str
    nick: str
    key: str
    invite: str


class Came(Struct, frozen=True, gc=False):
    """`nick` is here now. Told without repair: ask `users()` for the state."""

    nick: str


class Went(Struct, frozen=True, gc=False):
    """`nick` is here no longer."""

    nick: str


class CaughtUp(Struct, frozen=True, gc=False):
    """Everything that was missed is delivered: what was there before the present session with the broker
    began. Comes once in each session."""


class Status(Struct, frozen=True, gc=False):
    """How the client itself fares. `kind` is one word for programs, `text` a sentence for people."""

    kind: str
    text: str


class Sent(Struct, frozen=True, gc=False):
    """A message of ours is durable at `pos`. `duplicate`: it was stored before, and this is its first
    position and time."""

    pos: int
    time_ms: int
    id: str
    duplicate: bool


Entry = Message | MemberJoined | MemberLeft | TopicChanged | Act | Redaction | Registration
"""What has a position."""
Update = Entry | Came | Went | CaughtUp | Status


def entries_of(segment: Segment, above: int) -> list[Entry]:
    """The entries of a segment behind position `above` that a user can be shown, in order."""
    found: list[Entry] = []
    pos, prev, time_ms = segment.first, segment.prev, segment.time_ms
    for entry in segment.entries:
        kind = type(entry)
        if kind is Messages:
            assert isinstance(entry, Messages)
            if pos + len(entry.texts) - 1 > above:
                found += _of_send(entry, pos, prev, above, segment)
            pos += len(entry.texts)
            prev = pos - 1
            continue
        if pos > above:
            if kind is KeyedMessage:
                assert isinstance(entry, KeyedMessage)
                nick = entry.nick
                to = recipient(segment.conversation, nick)
                found.append(
                    Message(
                        pos, prev, time_ms, nick, to, "message", entry.key, entry.text, segment.conversation
                    )
                )
            else:
                found += _of_other(entry, pos, prev, segment)
        prev = pos
        pos += 1
    return found


def _of_other(entry: Entries, pos: int, prev: int, segment: Segment) -> list[Entry]:
    """What is no message; none of it for what is not known here."""
    conversation, time_ms = segment.conversation, segment.time_ms
    match entry:
        case Joined(nick=nick, created=created):
            return [MemberJoined(pos, prev, time_ms, conversation[1:], nick, created)]
        case Left(nick=nick):
            return [MemberLeft(pos, prev, time_ms, conversation[1:], nick)]
        case TopicSet(nick=nick, topic=topic):
            return [TopicChanged(pos, prev, time_ms, conversation[1:], nick, topic)]
        case Acted(nick, act, room, subject, until_ms, details, reason):
            return [
                Act(pos, prev, time_ms, conversation, nick, act, room, subject, until_ms, details, reason)
            ]
        case Redacted(nick=nick, pos=of, reason=reason):
            return [Redaction(pos, prev, time_ms, conversation, nick, of, reason)]
        case Registered(nick=nick, key=key, invite=invite):
            return [Registration(pos, prev, time_ms, conversation, nick, key, invite)]
        case _:
            return []


def _of_send(send: Messages, pos: int, prev: int, above: int, segment: Segment) -> list[Message]:
    conversation, time_ms, nick = segment.conversation, segment.time_ms, send.nick
    to = recipient(conversation, nick)
    id_before, counter = f"~{send.instance}.", send.counter
    found = []
    for text in send.texts:
        if pos > above:
            id = f"{id_before}{counter}"
            found.append(Message(pos, prev, time_ms, nick, to, "message", id, text, conversation))
        prev = pos
        pos += 1
        counter += 1
    return found


def recipient(conversation: str, sender: str) -> str:
    """The address that `sender` wrote to: the room, or the other half of a direct conversation."""
    if conversation.startswith("#"):
        return conversation
    one, _, other = conversation[1:].partition(",")
    return "@" + (other if sender == one else one)


def positions_in(segment: Segment) -> int:
    """How many positions the entries of a segment take."""
    return sum(len(entry.texts) if isinstance(entry, Messages) else 1 for entry in segment.entries)
