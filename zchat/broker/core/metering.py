"""How much a user, or an address from which nobody was let in yet, may ask in a time: token buckets."""

from collections.abc import Container
from typing import Final

from zchat.broker.core.limits import Limits

_FORGET_MS: Final = 60_000  # how often meters that are full again are looked for


class Bucket:
    """Lets `per_second` through, and `burst` at once after a silence. Times are monotonic milliseconds."""

    __slots__ = ("_at_ms", "_burst", "_per_second", "level")

    def __init__(self, per_second: int, burst: int, now_ms: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self.level = float(burst)
        self._at_ms = now_ms

    def wait_ms(self, now_ms: int) -> int:
        """After how long something may be taken out; 0: now."""
        if now_ms != self._at_ms:
            more = (now_ms - self._at_ms) * self._per_second / 1000
            self.level = min(self._burst, self.level + more)
            self._at_ms = now_ms
        if self.level >= 1:
            return 0
        return 1 + int((1 - self.level) * 1000 / self._per_second)

    def take(self, amount: int, now_ms: int) -> int:
        """Take out so much: 0 when that is allowed, else after how many milliseconds it will be. What is
        asked for may be more than the bucket holds: then those after it wait the longer."""
        wait_ms = self.wait_ms(now_ms)
        if not wait_ms:
            self.level -= amount
        return wait_ms

    def is_full(self, now_ms: int) -> bool:
        """Nothing is remembered that matters."""
        return self.level + (now_ms - self._at_ms) * self._per_second / 1000 >= self._burst


class Meter:
    """What one user has sent and asked, in all sessions."""

    __slots__ = ("messages", "requests", "text_bytes")

    def __init__(self, limits: Limits, now_ms: int) -> None:
        self.messages = Bucket(limits.messages_per_second, limits.messages_burst, now_ms)
        self.text_bytes = Bucket(limits.text_bytes_per_second, limits.text_bytes_burst, now_ms)
        self.requests = Bucket(limits.requests_per_second, limits.requests_burst, now_ms)

    def send(self, messages: int, size: int, now_ms: int) -> int:
        """Messages of so many bytes are sent: 0 when that is allowed, else after how many milliseconds it
        will be. What is refused counts for nothing."""
        one, other = self.messages, self.text_bytes
        wait_ms = one.wait_ms(now_ms) or other.wait_ms(now_ms)
        if wait_ms:
            return max(wait_ms, other.wait_ms(now_ms))
        one.level -= messages
        other.level -= size
        return 0

    def is_full(self, now_ms: int) -> bool:
        """Nothing is remembered that matters."""
        return all(bucket.is_full(now_ms) for bucket in (self.messages, self.text_bytes, self.requests))


class Meters:
    """The meters of all users and addresses that asked something of late."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._users: dict[str, Meter] = {}
        self._addresses: dict[str, Bucket] = {}
        self._forget_ms = 0

    def of(self, nick: str, now_ms: int) -> Meter:
        """The meter of a user who has a session."""
        meter = self._users.get(nick)
        if meter is None:
            meter = self._users[nick] = Meter(self._limits, now_ms)
        return meter

    def greeting(self, address: str, now_ms: int) -> int:
        """Somebody who was never let in greets from an address: 0 when that is allowed, else after how many
        milliseconds it will be. No more addresses are remembered than sessions are allowed: then the oldest
        one is forgotten."""
        bucket = self._addresses.get(address)
        if bucket is None:
            if len(self._addresses) >= self._limits.sessions_max:
                del self._addresses[next(iter(self._addresses))]
            limits = self._limits
            bucket = Bucket(limits.greetings_per_second, limits.greetings_burst, now_ms)
            self._addresses[address] = bucket
        return bucket.take(1, now_ms)

    def forget(self, now_ms: int, in_use: Container[str]) -> None:
        """Forget those that are full again, now and then, but for users that are `in_use`: their sessions
        hold on to them, and another session would get another one."""
        if now_ms < self._forget_ms:
            return
        self._forget_ms = now_ms + _FORGET_MS
        self._users = {
            nick: meter for nick, meter in self._users.items() if nick in in_use or not meter.is_full(now_ms)
        }
        self._addresses = {
            address: bucket for address, bucket in self._addresses.items() if not bucket.is_full(now_ms)
        }
