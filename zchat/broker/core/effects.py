"""What the core has its shell do on the network, as imperatives; the commands to the log are in port.py."""

from typing import NamedTuple

from zchat.common import wire


class Transmit(NamedTuple):
    """Send one answer to a peer. Not sent when its queue is full or it is gone: it is repaired later."""

    peer: bytes
    answer: wire.Answer


class TransmitSegments(NamedTuple):
    """Send a header and segments, each a frame, to a peer."""

    peer: bytes
    header: wire.Deliver | wire.Page
    segments: list[bytes]


class Publish(NamedTuple):
    """Send a payload on a topic of the XPUB socket."""

    topic: bytes
    payload: bytes


class Approve(NamedTuple):
    """Let the subscription that was read last take effect."""

    topic: bytes


class Cut(NamedTuple):
    """Shut down every connection of this key, for the reason `why`, and keep it out for a while."""

    key: str
    why: str


class CutSubscribers(NamedTuple):
    """Shut down the connections of these keys to XPUB, for the reason `why`: what is published after this
    reaches none of them. They come back, and their subscriptions are decided on anew."""

    keys: tuple[str, ...]
    why: str


class Admit(NamedTuple):
    """Whoever has this key was let in: its connections are no longer those of anybody, which may be few only,
    and for a short time."""

    key: str


class Dismiss(NamedTuple):
    """Whoever has these keys is let in no longer: their connections are those of anybody again."""

    keys: tuple[str, ...]


class Log(NamedTuple):
    """One line for the operator: an event's name, and details that are neither text of users nor keys."""

    event: str
    details: str


NetworkEffect = Transmit | TransmitSegments | Publish | Approve | Cut | CutSubscribers | Admit | Dismiss | Log
