"""What the core has its shell do: effects, as imperatives, to be executed in order."""

from msgspec import Struct

from zchat.client.messages import Status, Update
from zchat.common import wire
from zchat.common.codes import Refusal


class Connect(Struct, frozen=True):
    """Close the request socket, if there is one, and connect a new one."""


class Diagnose(Struct, frozen=True):
    """Find out with plain TCP what is at the broker's address, and tell people."""


class OpenSubscriber(Struct, frozen=True):
    """Close the subscriber, if there is one, and connect a new one to this port of the broker."""

    port: int


class Subscribe(Struct, frozen=True):
    """Subscribe to a topic."""

    topic: bytes


class Unsubscribe(Struct, frozen=True):
    """Subscribe to a topic no longer."""

    topic: bytes


class TouchSubscriber(Struct, frozen=True):
    """Use the subscriber: libzmq reconnects and subscribes again only then."""


class Transmit(Struct, frozen=True):
    """Send a request. If the socket cannot take it, it is lost: the core notices and repeats it."""

    request: wire.Request


class Deliver(Struct, frozen=True):
    """Give updates to the user, behind those before."""

    updates: list[Update]


class Acknowledge(Struct, frozen=True):
    """The messages with these tickets are durable, at `pos` and the positions that follow; their ids are
    `key`, or the counters from `counter` on."""

    tickets: list[int]
    key: str | None
    counter: int
    pos: int
    time_ms: int
    duplicate: bool


class Resolve(Struct, frozen=True):
    """The act with this ticket was answered. `segments` are those of a page."""

    ticket: int
    answer: wire.Done | wire.Listed | wire.Page | wire.Followed
    segments: list[wire.Segment]


class Refuse(Struct, frozen=True):
    """What these tickets are for was refused."""

    tickets: list[int]
    refusal: Refusal
    reason: str


class Abandon(Struct, frozen=True):
    """Nothing more is done about these tickets. `handed_over`: whether it happened is unknown; else the
    broker has never seen it."""

    tickets: list[int]
    handed_over: bool


class Greet(Struct, frozen=True):
    """Tell whoever waits for the connection that a session is open."""

    welcome: wire.Welcome


class Announce(Struct, frozen=True):
    """The client's own state has changed. The user finds it among the updates."""

    status: Status
    refusal: Refusal | None = None


class Save(Struct, frozen=True):
    """The snapshot has changed in a way that should not wait for the next message."""


class Fail(Struct, frozen=True):
    """The broker will never let this client in. The core has stopped."""

    refusal: Refusal
    reason: str


Effect = (
    Connect
    | Diagnose
    | OpenSubscriber
    | Subscribe
    | Unsubscribe
    | TouchSubscriber
    | Transmit
    | Deliver
    | Acknowledge
    | Resolve
    | Refuse
    | Abandon
    | Greet
    | Announce
    | Save
    | Fail
)
