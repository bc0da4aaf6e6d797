"""What can happen to the broker on the network, as past participles."""

from typing import NamedTuple

from zchat.common import wire


class Request(NamedTuple):
    """A request of the connection `peer` (its routing id), whose CURVE key is `key`; `size` of its frame in
    bytes. `address` is where a Hello came from, empty for other requests. On the control socket the key is
    empty."""

    peer: bytes
    key: str
    request: wire.Request
    size: int
    address: str = ""


class Received(NamedTuple):
    """What one turn of the loop read, in order."""

    requests: list[Request]


class MalformedReceived(NamedTuple):
    """Bytes that are no request. `abusive`: what no client sends by mistake, so that the peer is cut."""

    peer: bytes
    key: str
    reason: str
    abusive: bool


class Subscribed(NamedTuple):
    """A connection with the key `key` asks for an XPUB topic. The answer is executed before the next frame of
    the XPUB socket is read."""

    key: str
    topic: bytes


class PeerLost(NamedTuple):
    """The connection of this routing id is gone for good."""

    peer: bytes


class Elapsed(NamedTuple):
    """A deadline may have passed; handed over only when nothing is left to read, so that silence is real."""


class Stopping(NamedTuple):
    """The broker was told to stop: no further requests come."""


NetworkEvent = Received | MalformedReceived | Subscribed | PeerLost | Elapsed | Stopping
