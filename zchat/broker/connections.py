"""Connections by file descriptor: whom they belong to, what they may cost, and which have to go."""

from typing import Final, NamedTuple

from zchat.broker.descriptors import bytes_received, traffic
from zchat.broker.unadmitted import Bounds, Unadmitted

LOCAL_PORT: Final = 0  # of a Unix socket, whose connections are the owner's: none of them is turned away
ROUND_MS: Final = 1_000  # in which each connection is looked at once, a part of them at a time
_LOOKED_AT_ONCE: Final = 500  # connections; some milliseconds
_RESERVED_PART: Final = 8  # of the process's descriptors, an eighth: for files, and what is being shut down


class ConnectionLimits(NamedTuple):
    """What connections may cost, and whoever makes them. Tests choose smaller ones."""

    connections_max: int = 20_000  # at once; two for each session
    connections_per_key_max: int = 400  # of a key that was admitted
    unadmitted_max: int = 4_096  # connections over which nobody was let in yet, at once
    unadmitted_per_address_max: int = 2_048  # of one IPv4 address or one IPv6 network (/64)
    unadmitted_ms_max: int = 15_000  # until somebody is let in over a connection
    unadmitted_silent_ms: int = 500  # to begin with CURVE, or it gives way when there are too many
    unadmitted_patience_ms: int = 5_000  # for each answer to the broker, or it gives way as well
    unadmitted_requests_max: int = 1_000  # read from a connection until somebody is let in
    subscriptions_max: int = 4_096  # that one connection asks for, ever
    subscriptions_per_key_max: int = 32_768  # the same of all connections of a key
    subscribers_per_key_max: int = 100  # connections with subscriptions; one for each session
    malformed_max: int = 100  # requests of one connection that cannot be read
    unreadable_bytes_max: int = 4 * 1024 * 1024  # received without a readable message, and besides:
    unreadable_bytes_per_second: int = 1_024
    shut_out_ms: int = 30_000  # how long a key that was cut for abuse is not admitted again
    shut_out_keys_max: int = 10_000

    def within(self, descriptors: int) -> "ConnectionLimits":
        """The same for a process that may have so many descriptors, some of which are for other things."""
        connections = min(self.connections_max, descriptors - max(32, descriptors // _RESERVED_PART))
        unadmitted = max(2, min(self.unadmitted_max, connections // 2))
        per_address = max(1, unadmitted * self.unadmitted_per_address_max // self.unadmitted_max)
        return self._replace(
            connections_max=connections, unadmitted_max=unadmitted, unadmitted_per_address_max=per_address
        )


CONNECTION_MEANINGS: Final = {
    "connections_max": "connections at once; two for each session",
    "connections_per_key_max": "connections of one key that was let in",
    "unadmitted_max": "connections over which nobody was let in yet, at once",
    "unadmitted_per_address_max": "such connections of one IPv4 address or IPv6 network (/64)",
    "unadmitted_ms_max": "ms until somebody is let in over a connection",
    "unadmitted_silent_ms": "ms for it to begin with CURVE, or it gives way when there are too many",
    "unadmitted_patience_ms": "ms for its client to answer the broker, or it gives way as well",
    "unadmitted_requests_max": "requests of a connection until somebody is let in",
    "subscriptions_max": "subscriptions that one connection asks for, ever",
    "subscriptions_per_key_max": "the same of all connections of a key that there are",
    "subscribers_per_key_max": "connections of a key that subscribe to anything",
    "malformed_max": "requests of one connection that cannot be read",
    "unreadable_bytes_max": "bytes of one connection without a readable message, and besides:",
    "unreadable_bytes_per_second": "such bytes for each second of its life",
    "shut_out_ms": "ms for which a key that was cut for abuse is not admitted again",
    "shut_out_keys_max": "keys that are shut out at once",
}  # of what each is, with its unit


class _Connection:
    __slots__ = (
        "address",
        "is_admitted",
        "is_cut",
        "key",
        "keys",
        "malformed",
        "peers",
        "port",
        "received",
        "requests",
        "since_ms",
        "subscriptions",
        "was_read",
    )

    def __init__(self, port: int, address: str, now_ms: int) -> None:
        self.port = port
        self.address = address
        self.key = ""
        self.keys: list[
            str
        ] = []  # of what was read; more than one, if something of a connection before it was
        self.peers: list[bytes] = []
        self.requests = 0  # while it was not admitted
        self.subscriptions = 0
        self.malformed = 0
        self.is_admitted = False
        self.is_cut = False
        self.received = 0  # bytes, when a message of it was last read
        self.since_ms = now_ms
        self.was_read = False


class _Key:
    __slots__ = ("descriptors", "is_admitted", "subscribers", "subscriptions")

    def __init__(self) -> None:
        self.descriptors: dict[int, None] = {}
        self.subscribers = 0  # of these, those that asked for subscriptions
        self.subscriptions = 0  # that those asked for
        self.is_admitted = False


class Connections:
    """Told by the socket monitors and by what is read; says whom to cut. Times are monotonic milliseconds.

    A connection is *admitted* when something was read from it with the key of somebody who was let in
    (`admit`). Which keys those are is known while they have a connection. `leaving` has the descriptors that
    are to be shut down; the shell takes them from there.
    """

    def __init__(self, limits: ConnectionLimits, xpub_port: int) -> None:
        self.leaving: list[int] = []
        self._xpub_port = xpub_port
        self._limits = limits
        self._by_descriptor: dict[int, _Connection] = {}
        self._descriptor_of_peer: dict[bytes, int] = {}
        self._keys: dict[str, _Key] = {}
        self._shut_out: dict[str, int] = {}  # keys, and until when
        self._to_look_at: list[int] = []  # of this round
        bounds = Bounds(
            limits.unadmitted_max,
            limits.unadmitted_per_address_max,
            limits.unadmitted_silent_ms,
            limits.unadmitted_patience_ms,
            limits.unadmitted_ms_max,
        )
        self._unadmitted = Unadmitted(bounds, traffic)

    def __len__(self) -> int:
        return len(self._by_descriptor)

    # ---- their beginning and end ----

    def opened(self, descriptor: int, port: int, address: str, now_ms: int) -> list[bytes]:
        """A connection from `address` was accepted on `port`. Returns the peers of one before it, whose end
        was not told."""
        lost = self._forget(descriptor)
        connection = self._by_descriptor[descriptor] = _Connection(port, address, now_ms)
        if port == LOCAL_PORT:
            connection.is_admitted = True
            return lost
        leaving = self._unadmitted.add(descriptor, address, now_ms)
        if leaving is None and len(self._by_descriptor) > self._limits.connections_max:
            leaving = self._unadmitted.make_room(descriptor, now_ms)
        if leaving is not None:
            self.leaving.append(leaving)
        return lost

    def closed(self, descriptor: int, port: int) -> list[bytes]:
        """A connection on `port` ended. Returns its peers, who are lost."""
        connection = self._by_descriptor.get(descriptor)
        if connection is None or connection.port != port:  # the descriptor is another's by now
            return []
        return self._forget(descriptor)

    def _forget(self, descriptor: int) -> list[bytes]:
        connection = self._by_descriptor.pop(descriptor, None)
        if connection is None:
            return []
        self._unadmitted.remove(descriptor)
        self._uncount(connection)
        for peer in connection.peers:
            self._descriptor_of_peer.pop(peer, None)
        for key in connection.keys:
            known = self._keys[key]
            del known.descriptors[descriptor]
            if not known.descriptors:
                del self._keys[key]
        return connection.peers

    # ---- what is read from them ----

    def knows(self, peer: bytes) -> bool:
        """Whether something was read of this routing id before."""
        return peer in self._descriptor_of_peer

    def key_of(self, peer: bytes) -> str:
        """The key of its connection; "" when there is none."""
        connection = self._by_descriptor.get(self._descriptor_of_peer.get(peer, -1))
        return connection.key if connection else ""

    def address_of(self, descriptor: int) -> str:
        """Where a connection comes from; "" when that is not known."""
        connection = self._by_descriptor.get(descriptor)
        return connection.address if connection else ""

    def subscribers(self, key: str) -> list[int]:
        """The connections to XPUB with which a key subscribed, once each: they are to be shut."""
        known = self._keys.get(key)
        found = [
            (descriptor, connection)
            for descriptor in (known.descriptors if known else ())
            if (connection := self._by_descriptor[descriptor]).port == self._xpub_port
            and not connection.is_cut
        ]
        for _, connection in found:
            connection.is_cut = True
        return [descriptor for descriptor, _ in found]

    def is_subscriber(self, descriptor: int) -> bool:
        """Whether there is a connection to XPUB with this descriptor."""
        connection = self._by_descriptor.get(descriptor)
        return connection is not None and connection.port == self._xpub_port

    def read(self, descriptor: int, key: str, peer: bytes) -> None:
        """A request of `peer` was read from a connection to ROUTER; or from one before it, which had the same
        descriptor and has ended."""
        connection = self._by_descriptor.get(descriptor)
        if connection is None or connection.port == self._xpub_port:
            return
        connection.was_read = True
        if self._descriptor_of_peer.get(peer) != descriptor:
            connection.peers.append(peer)
            self._descriptor_of_peer[peer] = descriptor
        self._note_key(descriptor, connection, key)
        if not connection.is_admitted:
            connection.requests += 1
            if connection.requests > self._limits.unadmitted_requests_max and not connection.is_cut:
                connection.is_cut = True
                self.leaving.append(descriptor)

    def malformed(self, descriptor: int) -> bool:
        """What was read from the connection was no request. True: it has sent too much of the kind."""
        connection = self._by_descriptor.get(descriptor)
        if connection is None:
            return False
        connection.malformed += 1
        return connection.malformed > self._limits.malformed_max

    def subscribed(self, descriptor: int, key: str) -> bool:
        """A subscription was read from a connection to XPUB. False: it is ignored, for it asked for too
        many."""
        connection = self._by_descriptor.get(descriptor)
        if connection is None or connection.port != self._xpub_port:  # of one before it
            return True
        self._note_key(descriptor, connection, key)
        connection.was_read = True
        known = self._keys[key]
        known.subscribers += connection.subscriptions == 0
        known.subscriptions += 1
        connection.subscriptions += 1
        is_first = connection.subscriptions == 1
        if is_first and known.subscribers > self._limits.subscribers_per_key_max and not connection.is_cut:
            connection.is_cut = True
            self.leaving.append(descriptor)
        return (
            connection.subscriptions <= self._limits.subscriptions_max
            and known.subscriptions <= self._limits.subscriptions_per_key_max
        )

    def _uncount(self, connection: _Connection) -> None:
        """Its subscriptions are its key's no longer."""
        if connection.subscriptions:
            known = self._keys[connection.key]
            known.subscribers -= 1
            known.subscriptions -= connection.subscriptions
            connection.subscriptions = 0

    # ---- who was let in ----

    def admit(self, key: str) -> None:
        """Somebody with this key was let in: its connections, and those that it makes while it has one, are
        no longer those of anybody."""
        known = self._keys.get(key)
        if known is None or known.is_admitted:
            return
        known.is_admitted = True
        for descriptor in known.descriptors:
            if (connection := self._by_descriptor[descriptor]).key == key:
                self._admit(descriptor, connection)

    def dismiss(self, key: str, now_ms: int) -> None:
        """Whoever has this key is let in no longer: its connections are those of anybody again."""
        known = self._keys.get(key)
        if known is None:
            return
        known.is_admitted = False
        for descriptor in known.descriptors:
            connection = self._by_descriptor[descriptor]
            if connection.is_admitted and connection.key == key:
                self._dismiss(descriptor, connection, now_ms)

    def overdue(self, now_ms: int) -> list[int]:
        """Those over which nobody was let in in time. To be asked as `flooding` is."""
        return self._unadmitted.overdue(now_ms)

    def _admit(self, descriptor: int, connection: _Connection) -> None:
        connection.is_admitted = True
        self._unadmitted.remove(descriptor)

    def _dismiss(self, descriptor: int, connection: _Connection, now_ms: int) -> None:
        connection.is_admitted, connection.requests = False, 0
        leaving = self._unadmitted.add(descriptor, connection.address, now_ms)
        if leaving is not None:
            self.leaving.append(leaving)

    def _note_key(self, descriptor: int, connection: _Connection, key: str) -> None:
        """A connection is of the key that was read last. Another one before it is that of a connection which
        had the descriptor before: what that one had said was still being read."""
        if connection.key == key:
            return
        self._uncount(connection)
        connection.key = key
        known = self._keys.setdefault(key, _Key())
        if key not in connection.keys:
            connection.keys.append(key)
            known.descriptors[descriptor] = None
            if len(known.descriptors) > self._limits.connections_per_key_max:
                connection.is_cut = True
                self.leaving.append(descriptor)
                return
        if known.is_admitted:
            self._admit(descriptor, connection)
        elif connection.is_admitted:
            self._dismiss(descriptor, connection, connection.since_ms)

    # ---- who has to go ----

    def cut(self, key: str, now_ms: int) -> list[int]:
        """Shut a key out for a while. Returns those of its connections that were not cut before."""
        self._shut_out.pop(key, None)
        while len(self._shut_out) >= self._limits.shut_out_keys_max:
            del self._shut_out[next(iter(self._shut_out))]
        self._shut_out[key] = now_ms + self._limits.shut_out_ms
        known = self._keys.get(key)
        if known is None:
            return []
        known.is_admitted = False
        found = [
            (d, c) for d in known.descriptors if (c := self._by_descriptor[d]).key == key and not c.is_cut
        ]
        for _, connection in found:
            connection.is_cut = True
        return [descriptor for descriptor, _ in found]

    def is_shut_out(self, key: str, now_ms: int) -> bool:
        """Whether a key was cut for abuse a short while ago."""
        until_ms = self._shut_out.get(key)
        if until_ms is not None and now_ms >= until_ms:
            del self._shut_out[key]
        return until_ms is not None and now_ms < until_ms

    @property
    def look_interval_ms(self) -> int:
        """How often `flooding` is to be asked."""
        return ROUND_MS // (1 + len(self._by_descriptor) // _LOOKED_AT_ONCE)

    def flooding(self, now_ms: int) -> list[int]:
        """Connections that sent more than they may without one message that could be read; each is looked at
        about once a second. To be asked only while all sockets were read empty (protocol.md, Limits; Linux
        only)."""
        if not self._to_look_at:
            self._to_look_at = list(self._by_descriptor)
        part = self._to_look_at[-_LOOKED_AT_ONCE:]
        del self._to_look_at[-_LOOKED_AT_ONCE:]
        known = ((descriptor, self._by_descriptor.get(descriptor)) for descriptor in part)
        return [
            descriptor for descriptor, found in known if found and self._floods(descriptor, found, now_ms)
        ]

    def _floods(self, descriptor: int, connection: _Connection, now_ms: int) -> bool:
        received = bytes_received(descriptor)
        if received is None:
            return False
        if connection.was_read:
            connection.was_read = False
            connection.received, connection.since_ms = received, now_ms
            return False
        seconds = (now_ms - connection.since_ms) // 1000
        allowed = self._limits.unreadable_bytes_max + self._limits.unreadable_bytes_per_second * seconds
        return received - connection.received > allowed
