"""Idempotence of Sends: what each live instance may send next, and what was accepted of it before."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from zchat.broker.core.port import CounterRow
from zchat.broker.core.state import Denied
from zchat.common.codes import Refusal

DIGEST_BYTES: Final = 16


def digest(conversation: str, encoded_texts: bytes) -> bytes:
    """What tells a repeat from a reuse of its id: 16 bytes of the addressee and the texts."""
    return blake2b(conversation.encode() + b"\0" + encoded_texts, digest_size=DIGEST_BYTES).digest()


class Accepted:
    """A Send that was accepted. `pos` is 0 until its commit is numbered."""

    __slots__ = ("digest", "messages", "pos", "time_ms")

    def __init__(self, messages: int, digest: bytes, pos: int = 0, time_ms: int = 0) -> None:
        self.messages = messages
        self.digest = digest
        self.pos = pos
        self.time_ms = time_ms

    def check_repeat(self, messages: int, digest: bytes) -> None:
        """Raises Denied unless a Send with the same id is the same Send."""
        if (messages, digest) != (self.messages, self.digest):
            raise Denied(Refusal.ID_REUSED, "this id was used for another text or another addressee")


class Instance:
    """The counters of one live client process. protocol.md, Sending."""

    def __init__(self, lowest: int, rows: Iterable[CounterRow] = ()) -> None:
        self._lowest = lowest
        self._expected = lowest
        self._accepted: dict[int, Accepted] = {}
        for row in rows:
            self.accept(row.counter, Accepted(row.messages, row.digest, row.pos, row.time_ms))

    @property
    def lowest(self) -> int:
        """The lowest counter that the client still wants an answer for."""
        return self._lowest

    @property
    def remembered(self) -> int:
        """How many Sends are kept to recognise a repeat of."""
        return len(self._accepted)

    def raise_lowest(self, lowest: int) -> None:
        """The client has an answer to all counters below, or gave them up: it never repeats those."""
        if lowest <= self._lowest:
            return
        self._lowest = lowest
        self._expected = max(self._expected, lowest)
        for counter, accepted in list(self._accepted.items()):  # in rising order
            if counter + accepted.messages > lowest:
                break
            del self._accepted[counter]

    def known(self, counter: int, messages: int, digest: bytes) -> Accepted | None:
        """The first result of a repeated Send; None for the one that is expected now. Raises Denied for
        anything else."""
        if counter == self._expected:
            return None
        accepted = self._accepted.get(counter)
        if accepted is None or counter > self._expected:
            raise Denied(Refusal.OUT_OF_ORDER, f"expected {self._expected}, not {counter}")
        accepted.check_repeat(messages, digest)
        return accepted

    def accept(self, counter: int, accepted: Accepted) -> None:
        """Only this and `raise_lowest` move what is expected; no refusal does."""
        self._accepted[counter] = accepted
        self._expected = max(self._expected, counter + accepted.messages)
