"""zchat as a subject: a broker, and clients that are no more than their sockets."""

from collections.abc import Sequence
from pathlib import Path

from bench.drive import Line
from bench.process import BrokerProcess
from bench.speaker import Speaker, Speakers
from bench.subject import CHATS, STORES, Subject
from zchat import __version__
from zchat.common.links import parse


class Broker(BrokerProcess):
    """A broker and its clients. Those who only send are quiet, as `zchat send` is."""

    def __init__(self, directory: Path, prefix: str = "n") -> None:
        super().__init__(directory)
        self.speakers = Speakers(parse(self.link), prefix)  # the prefix of their nicks

    def wait(self, seconds: float) -> None:
        """Have the clients read what has come, or what comes first within that time."""
        self.speakers.wait(seconds)

    def room(self, readers: int) -> tuple[Line, Sequence[Speaker]]:
        """Somebody who writes in a room, and so many more who read it."""
        return self.storing(), self.listeners(readers)

    def listeners(self, count: int) -> Sequence[Speaker]:
        """So many more who read the room."""
        return self.speakers.make(count, reads=True)

    def pairs(self, count: int) -> tuple[Sequence[Line], Sequence[Speaker]]:
        """So many who write to one other each, and those others."""
        receivers = self.speakers.make(count, reads=True)
        senders = self.speakers.make(count, reads=False)
        lines = [Line(one, f"@{other.nick}") for one, other in zip(senders, receivers, strict=True)]
        return lines, receivers

    def storing(self) -> Line:
        """Somebody whose messages are stored, and acknowledged then: all are."""
        return Line(self.speakers.make(1, reads=False)[0], "#general")

    def close(self) -> None:
        """End it and its clients."""
        self.speakers.close()
        super().close()


ZCHAT = Subject(
    "zchat",
    f"zchat {__version__}",
    "written to a file and synced; encrypted on the way",
    CHATS | STORES,
    Broker,
)
