"""How messages are driven through a server: as fast as it takes them, or one after the other."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

_SECONDS_MAX: Final = 5.0
_PATIENCE_S: Final = 90.0  # then there may be a thousand messages to a thousand readers on their way


class Client(Protocol):
    """A client of any server. `received` counts the messages that came to it."""

    received: int

    @property
    def unanswered(self) -> int:
        """Messages that it sent and that were not acknowledged; 0 where nothing is acknowledged."""

    @property
    def may_send(self) -> bool:
        """What it sent before has left it."""

    def send(self, to: str, messages: int) -> None:
        """Send so many, at once."""


class Clients(Protocol):
    """All clients of a server in this process."""

    def wait(self, seconds: float) -> None:
        """Read what has come, or what comes first within that time."""


class Line(NamedTuple):
    """Who sends, and to whom."""

    sender: Client
    to: str


def pump(
    clients: Clients,
    lines: Sequence[Line],
    receivers: Sequence[Client],
    messages: int,
    window: int,
    batch: int,
) -> int:
    """Have each line send so many messages, `batch` at once, at most `window` ahead of its receivers, and of
    the acknowledgements where there are any. Several lines have a receiver each, and one line has them all.
    After a few seconds no more are sent. Returns how many were sent, when all have come and are
    acknowledged."""
    each = len(lines) > 1
    sent = [0] * len(lines)
    begun = [receiver.received for receiver in receivers]
    stops_at = time.monotonic() + _SECONDS_MAX
    while True:
        came = [receiver.received - before for receiver, before in zip(receivers, begun, strict=True)]
        reached = came if each else [min(came, default=sent[0])]
        behind = [
            max(count - here, line.sender.unanswered)
            for line, count, here in zip(lines, sent, reached, strict=True)
        ]
        late = time.monotonic() - stops_at
        if late > 0 or all(count == messages for count in sent):
            if not any(behind):
                return sum(sent)
            if late > _PATIENCE_S:
                raise TimeoutError(f"{max(behind)} messages did not come")
        else:
            for place, line in enumerate(lines):
                sent[place] += _send(line, window - behind[place], messages - sent[place], batch)
        clients.wait(0.001)


def _send(line: Line, free: int, left: int, batch: int) -> int:
    """All that the window has room for, and how much that was."""
    sent = 0
    while 0 < (count := min(batch, left - sent)) <= free - sent and line.sender.may_send:
        line.sender.send(line.to, count)
        sent += count
    return sent


def one_by_one(clients: Clients, line: Line, receivers: Sequence[Client], messages: int) -> list[float]:
    """Seconds from sending a message until all receivers have it, for one after the other; without receivers
    until it is acknowledged."""
    seconds = []
    for _ in range(messages):
        wanted = sum(receiver.received for receiver in receivers) + len(receivers)
        begin = time.perf_counter()
        line.sender.send(line.to, 1)
        while (receivers and sum(receiver.received for receiver in receivers) < wanted) or (
            not receivers and line.sender.unanswered
        ):
            _wait(clients, begin)
        seconds.append(time.perf_counter() - begin)
        while line.sender.unanswered:
            _wait(clients, begin)
    return seconds


def _wait(clients: Clients, begin: float) -> None:
    clients.wait(_PATIENCE_S)
    if time.perf_counter() - begin > _PATIENCE_S:
        raise TimeoutError("a message did not come")
