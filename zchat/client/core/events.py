"""What happens to a client: the events of its core, as past participles."""

from typing import NamedTuple

from msgspec import Struct

from zchat.common import wire


class Draft(NamedTuple):
    """A message that a user wants sent. `ticket` is the shell's number for the caller who waits, `size` that
    of the text in bytes, `key` the id the user chose; None: it gets a counter."""

    ticket: int
    to: str
    text: str
    size: int
    key: str | None = None


class Started(Struct, frozen=True):
    """The client is to connect, and to stay connected."""


class HandshakeSucceeded(Struct, frozen=True):
    """The request socket has reached a broker that has the link's key."""


class HandshakeFailed(Struct, frozen=True):
    """The request socket reached nobody, or nobody with the link's key."""


class Disconnected(Struct, frozen=True):
    """The request socket lost its connection."""


class AnswerReceived(Struct, frozen=True):
    """One frame came over the request socket."""

    answer: wire.Answer


class SegmentDelivered(Struct, frozen=True):
    """A segment came over the request socket, for `session`."""

    session: int
    segment: wire.Segment


class PageReceived(Struct, frozen=True):
    """A page came over the request socket."""

    header: wire.Page
    segments: list[wire.Segment]


class RoomPublished(Struct, frozen=True):
    """A segment of a room came over the subscriber."""

    segment: wire.Segment


class HeadsPublished(Struct, frozen=True):
    """Heads came over the subscriber, on the topic of `nonce`."""

    nonce: str
    heads: wire.Heads


class PresencePublished(Struct, frozen=True):
    """Changes of presence came over the subscriber."""

    presence: wire.Presence


class Diagnosed(Struct, frozen=True):
    """A look at the broker's address found something that people should know. `kind` is one word."""

    kind: str
    text: str


class MalformedReceived(Struct, frozen=True):
    """Bytes came that are no message."""


class MessagesQueued(Struct, frozen=True):
    """Users want messages sent, in this order."""

    drafts: list[Draft]


class GivenUp(Struct, frozen=True):
    """The caller with this ticket waits no longer."""

    ticket: int


class ActQueued(Struct, frozen=True):
    """A user wants something done or looked up. Session and token of the request are filled in."""

    ticket: int
    request: "Act"


class FollowChanged(Struct, frozen=True):
    """A user wants exactly these rooms read beyond the joined ones (names without `#`)."""

    ticket: int
    rooms: list[str]


class Consumed(Struct, frozen=True):
    """The user has taken `count` more of the updates that were delivered, and is done with them."""

    count: int


class Elapsed(Struct, frozen=True):
    """The deadline is reached."""


class Stopped(Struct, frozen=True):
    """The client is to end."""


Act = wire.Act | wire.Redact | wire.Fetch | wire.Question
Event = (
    Started
    | HandshakeSucceeded
    | HandshakeFailed
    | Disconnected
    | AnswerReceived
    | SegmentDelivered
    | PageReceived
    | RoomPublished
    | HeadsPublished
    | PresencePublished
    | MalformedReceived
    | Diagnosed
    | MessagesQueued
    | GivenUp
    | ActQueued
    | FollowChanged
    | Consumed
    | Elapsed
    | Stopped
)
