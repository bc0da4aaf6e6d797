"""What was asked too often: when to ask again, and what is said to those who do not wait that long."""

import re
from typing import Final, NamedTuple

from zchat.client.core.effects import Refuse
from zchat.common.codes import Refusal

_WAIT_MS_MIN: Final = 5
_WAIT_MS_MAX: Final = 60_000  # the broker may have been told other limits meanwhile


class Limited(NamedTuple):
    """A request was RATE_LIMITED. `until_ms` is when it will not be any more, as the broker said, and
    `due_ms` when it is tried again."""

    reason: str
    until_ms: int
    due_ms: int

    def refuse(self, tickets: list[int], now_ms: int, note: str = "") -> Refuse:
        """For those who wait no longer. `note` says what became of it."""
        seconds = max(1, -(-(self.until_ms - now_ms) // 1000))
        return Refuse(tickets, Refusal.RATE_LIMITED, f"{self.reason}; {note}try again in {seconds} s")


def limited(reason: str, retry_after_ms: int, now_ms: int) -> Limited:
    """What follows from a refusal. protocol.md, Rate Limits."""
    reason = without_time(reason) or Refusal.RATE_LIMITED.meaning
    return Limited(reason, now_ms + retry_after_ms, now_ms + wait_ms(retry_after_ms))


def without_time(reason: str) -> str:
    """The reason of a broker without how long to wait, which is told in whole seconds instead."""
    return re.sub(r"; again in [0-9.]+ s$", "", reason)


def wait_ms(retry_after_ms: int) -> int:
    """How long to wait when the broker says so."""
    return max(_WAIT_MS_MIN, min(retry_after_ms, _WAIT_MS_MAX))


NOT_STORED: Final = "nothing of it was stored; "
