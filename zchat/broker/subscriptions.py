"""What comes over XPUB: each subscription is decided on before the next one is read."""

from collections.abc import Callable

import zmq

from zchat.broker.descriptors import shut
from zchat.broker.guard import Guard


class Subscriptions:
    """Reads XPUB and hands each subscription to `decide`, with its key and its topic. Approval
    (ZMQ_SUBSCRIBE) means the one that was read last.

    libzmq (4.3.5, xpub.cpp) queues the connection of each subscription beside it, so that it knows whom an
    approval means. A message that is no subscription is queued without one, but whoever reads it takes a
    connection off that queue all the same. From then on every approval goes to somebody else's connection,
    until all that was queued has been read. Meanwhile nothing is approved: whoever subscribed comes back.
    """

    def __init__(self, xpub: "zmq.Socket[bytes]", guard: Guard, decide: Callable[[str, bytes], None]) -> None:
        self._xpub = xpub
        self._guard = guard
        self._connections = guard.connections
        self._decide = decide
        self._is_skewed = False

    def read(self, most: int, now_ms: Callable[[], int]) -> bool:
        """Take in at most so many. Returns whether there may be more."""
        for _ in range(most):
            try:
                last = frame = self._xpub.recv(zmq.DONTWAIT, copy=False)
                while last.more:
                    last = self._xpub.recv(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                self._is_skewed = False
                return False
            self._take(frame, now_ms())
        return True

    def _take(self, frame: zmq.Frame, now_ms: int) -> None:
        data = frame.bytes
        is_foreign = frame.more or data[:1] not in (b"\0", b"\1")
        if is_foreign:  # before anything else: whosever it is, the queue has moved
            self._is_skewed = True
        try:
            key, descriptor = str(frame.get("User-Id")), int(frame.get(zmq.SRCFD))
        except zmq.ZMQError:  # the unsubscription of a connection that is gone
            return
        if self._connections.is_shut_out(key, now_ms) and not is_foreign:
            return
        # What ended or began before this frame. Always: the descriptor may be that of a newer connection of
        # the same key, which a record of the one before it would hide.
        self._guard.note_changes(now_ms)
        if is_foreign:
            self._connections.subscribed(descriptor, key)  # so that it is known whose it is
            self._guard.cut(key, "what is no subscription", now_ms)
        elif self._is_skewed:
            shut(descriptor)
        elif data[:1] == b"\1":
            self._subscribe(descriptor, key, data[1:], now_ms)
        else:
            self._xpub.setsockopt(zmq.UNSUBSCRIBE, data[1:])

    def _subscribe(self, descriptor: int, key: str, topic: bytes, now_ms: int) -> None:
        if not self._connections.is_subscriber(descriptor):  # that connection is gone
            return
        if self._connections.subscribed(descriptor, key):
            self._decide(key, topic)
        else:
            self._guard.cut(key, "too many subscriptions", now_ms)
        self._guard.let_go()
