"""The network: connections in order, late, cut, half dead; nothing is lost but as it is lost in reality."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Literal

from tests.sim.schedule import Schedule

if TYPE_CHECKING:
    from tests.sim.broker import Broker
    from tests.sim.process import Process

Frames = tuple[bytes, ...]
Port = Literal["router", "xpub"]


class Weather:
    """What one machine's way to the broker is like."""

    def __init__(self) -> None:
        self.delay_ms_max = 5
        self.offline = False
        self.second_port_blocked = False
        self.doubled = 0.0  # of the frames: they arrive twice

    def lets(self, port: Port) -> bool:
        """New connections get through."""
        return not self.offline and not (port == "xpub" and self.second_port_blocked)


class Channel:
    """One direction of a connection: in order, each message late by chance."""

    def __init__(
        self, schedule: Schedule, rng: Random, weather: Weather, receive: Callable[[Frames], None]
    ) -> None:
        self._schedule = schedule
        self._rng = rng
        self._weather = weather
        self._receive = receive
        self._arrival_ms = 0
        self._sent = 0
        self._arrived = 0
        self._lost_from: int | None = None

    def send(self, frames: Frames) -> None:
        """Put a message on its way."""
        delay_ms = self._rng.randint(0, self._weather.delay_ms_max)
        self._arrival_ms = max(self._arrival_ms, self._schedule.now_ms + delay_ms)
        self._schedule.at(self._arrival_ms, partial(self._arrive, self._sent, frames))
        self._sent += 1

    def break_off(self, all_lost: bool) -> None:
        """Of what is on its way the last ones are lost, or all."""
        if self._lost_from is None:
            self._lost_from = self._arrived if all_lost else self._rng.randint(self._arrived, self._sent)

    def _arrive(self, number: int, frames: Frames) -> None:
        if self._lost_from is None or number < self._lost_from:
            self._arrived = number + 1
            self._receive(frames)


class Connection:
    """A connection of a client to one of the broker's ports, as it looks from both ends."""

    def __init__(
        self,
        schedule: Schedule,
        rng: Random,
        weather: Weather,
        port: Port,
        owner: "Process",
        peer: bytes,
        *,
        received: Callable[["Connection", Frames], None],
        lost: Callable[["Connection"], None],
    ) -> None:
        self.port, self.owner, self.key, self.peer = port, owner, owner.key, peer
        self.weather = weather
        self.broker: Broker | None = None
        self.topics: set[bytes] = set()  # approved
        self.asked: set[bytes] = set()  # and asked for
        self.open_at_client = False
        self.open_at_broker = False
        self.silent = False  # nothing gets through any more, whoever knows it
        self._schedule, self._rng = schedule, rng
        self._lost = lost
        self._up = Channel(schedule, rng, weather, self._at_broker)
        self._down = Channel(schedule, rng, weather, partial(received, self))

    def establish(self, broker: "Broker") -> None:
        """Both ends have it."""
        self.broker = broker
        self.open_at_client = self.open_at_broker = True
        broker.accept(self)

    def to_broker(self, frames: Frames) -> bool:
        """What the client sends. True when it will arrive twice."""
        if not self.open_at_client or self.silent:
            return False
        self._up.send(frames)
        twice = self._rng.random() < self.weather.doubled
        if twice:
            self._up.send(frames)
        return twice

    def to_client(self, frames: Frames, once: bool = False) -> bool:
        """What the broker sends. False when it has no such connection. `once`: it never arrives twice."""
        if not self.open_at_broker:
            return False
        if not self.silent:
            self._down.send(frames)
            if not once and self._rng.random() < self.weather.doubled:
                self._down.send(frames)
        return True

    # ---- ends ----

    def cut(self) -> None:
        """It breaks, and both ends notice soon."""
        self._break_off(all_lost=False)
        self._schedule.after(self._rng.randint(0, 300), self._client_notices)
        self._schedule.after(self._rng.randint(0, 300), self._broker_notices)

    def go_silent(self) -> None:
        """Nothing comes through any more, and perhaps nobody notices. A subscriber does in the end: libzmq
        sends heartbeats."""
        self._break_off(all_lost=True)
        if self.port == "xpub" or self._rng.random() < 0.5:
            self._schedule.after(self._rng.randint(500, 20_000), self._client_notices)
        if self._rng.random() < 0.3:
            self._schedule.after(self._rng.randint(500, 40_000), self._broker_notices)

    def close(self) -> None:
        """The client closes it, or is killed: what it sent may arrive, up to some point."""
        self.open_at_client = False
        self._up.break_off(all_lost=False)
        self._down.break_off(all_lost=True)
        if not self.silent:
            self._schedule.after(self._rng.randint(0, 300), self._broker_notices)

    def broker_gone(self) -> None:
        """The broker's process has ended."""
        self.open_at_broker = False
        self._up.break_off(all_lost=True)
        self._down.break_off(all_lost=False)
        if not self.silent:
            self._schedule.after(self._rng.randint(0, 300), self._client_notices)

    def _break_off(self, all_lost: bool) -> None:
        self.silent = True
        self._up.break_off(all_lost)
        self._down.break_off(all_lost)

    def _client_notices(self) -> None:
        if self.open_at_client:
            self.open_at_client = False
            self._lost(self)

    def _broker_notices(self) -> None:
        if self.open_at_broker:
            self.open_at_broker = False
            assert self.broker is not None
            self.broker.connection_lost(self)

    def _at_broker(self, frames: Frames) -> None:
        if self.broker is not None:
            self.broker.arrived(self, frames)
