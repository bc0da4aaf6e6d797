"""Machines: where clients run, and their way to the broker."""

from collections.abc import Callable, Iterator

from tests.sim.broker import Broker
from tests.sim.installation import Installation
from tests.sim.network import Connection, Frames, Port, Weather
from tests.sim.pages import Pages
from tests.sim.process import Process
from tests.sim.surroundings import Surroundings


class Machine:
    """One place with one client at a time, and with an installation."""

    def __init__(
        self,
        around: Surroundings,
        name: str,
        installation: Installation,
        broker: Callable[[], Broker | None],
        peers: Iterator[int],
        tickets: Iterator[int],
        pages: Pages,
    ) -> None:
        self.around = around
        self.name = name
        self.weather = Weather()
        self.installation = installation
        self.broker = broker
        self.tickets = tickets
        self.pages = pages
        self.process: Process | None = None
        self.follows: list[str] = []  # names of rooms
        self._peers = peers
        self._connections: list[Connection] = []

    @property
    def running(self) -> Process | None:
        """The process, if it lives."""
        return self.process if self.process is not None and self.process.alive else None

    def start(self, instance: int, quiet: bool = False) -> Process:
        """A new process, with what the one before has saved."""
        assert self.running is None
        self.process = Process(self, self.installation, instance, quiet, self.follows)
        return self.process

    def connection(
        self,
        process: Process,
        port: Port,
        received: Callable[[Connection, Frames], None],
        lost: Callable[[Connection], None],
    ) -> Connection:
        """A connection that is not yet established."""
        peer = b"\0" + next(self._peers).to_bytes(4, "big")
        connection = Connection(
            self.around.schedule,
            self.around.rng,
            self.weather,
            port,
            process,
            peer,
            received=received,
            lost=lost,
        )
        self._connections = [c for c in self._connections if c.open_at_client or not c.silent][-8:]
        self._connections.append(connection)
        return connection

    def connections(self, *ports: Port) -> list[Connection]:
        """Those that are open, as far as the client knows."""
        return [c for c in self._connections if c.port in ports and c.open_at_client]
