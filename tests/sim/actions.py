"""What can happen in a step: what users do, and what befalls clients, network, disk, clock and broker."""

from collections.abc import Callable
from typing import Final

from tests.sim.machine import Machine
from tests.sim.moderation import Moderation
from tests.sim.process import Process
from tests.sim.world import NICKS, ROOMS, World
from zchat.common import wire

DELAYS_MS: Final = (5, 5, 5, 50, 50, 400, 3_000)
LATENCIES_MS: Final = (1, 2, 2, 20, 20, 300, 4_000)


class Actions:
    """Chooses what happens. How likely each is differs from world to world, so that some are stormy and some
    are busy."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moderation = Moderation(world)
        self._rng = rng = world.rng
        restless = rng.choice((1, 1, 5))
        busy, stormy = rng.choice((1, 4)), rng.choice((0.0, 0.3, 1.0))
        disk, broker = rng.choice((0.0, 0.5, 2.0)), rng.choice((0.0, 0.5, 2.0))
        strict = rng.choice((0.0, 0.3, 1.5))
        self._table: dict[str, tuple[float, Callable[[], None]]] = {
            "send": (10 * busy, self._send),
            "send with a key": (4, self._send_keyed),
            "repeat a key": (4, self._repeat),
            "join": (2 * restless, self._join),
            "leave": (1 * restless, self._leave),
            "set a topic": (1, self._topic),
            **self._moderation.table(strict),
            "follow": (1.5 * restless, self._follow),
            "look at the past": (2, self._fetch),
            "look around": (0.5, self._list),
            "give up": (0.5, self._give_up),
            "stop reading": (1, self._stop_reading),
            "read on": (1.5, self._read_on),
            "start a client": (3, self._start),
            "stop a client": (0.5, self._stop),
            "kill a client": (0.3 + stormy, self._kill),
            "cut a connection": (stormy * 1.5, self._cut),
            "a connection falls silent": (stormy, self._silence),
            "change the weather": (0.5 + stormy, self._weather),
            "lose more or less": (0.5 + stormy, self._losses),
            "change the disk": (disk, self._disk),
            "a commit of unknown outcome": (disk * 0.5, self._doubtful_commit),
            "kill the broker": (broker, self._kill_broker),
            "stop the broker": (broker * 0.3, self._stop_broker),
            "the broker stands still": (broker * 0.5, self._stall),
            "start the broker": (broker * 4 + 1, self._start_broker),
            "set the clock": (0.3, self._clock),
            "intrude": (0.2, self._intrude),
        }
        self.names = list(self._table)
        self._weights = [weight for weight, _ in self._table.values()]
        self._pauses_ms = rng.choice(((0, 1, 5, 50), (0, 5, 50, 500), (0, 50, 1_000, 5_000)))

    def step(self) -> None:
        """One thing happens, and some time passes."""
        (name,) = self._rng.choices(self.names, self._weights)
        self.do(name)
        pause_ms = self._rng.choice(self._pauses_ms)
        if self._rng.random() < 0.01:
            pause_ms = self._rng.randint(5_000, 40_000)
        self._world.schedule.advance(self._rng.randint(0, pause_ms))

    def do(self, name: str) -> None:
        """This happens, one of `names`."""
        self._world.model.stats[name] += 1
        self._world.around.note("world", name)
        self._table[name][1]()

    def last_words(self) -> None:
        """Something is said, and of its deliveries nothing arrives; then nobody says anything any more."""
        faults = self._world.around.faults
        faults.broadcasts_lost = 1.0
        for _ in range(3):
            self._send()
        self._world.schedule.advance(self._rng.choice((50, 500, 3_000)))

    # ---- users ----

    def _process(self, readers: bool = False) -> Process | None:
        processes = self._world.readers if readers else self._world.processes
        return self._rng.choice(processes) if processes else None

    def _to(self) -> str:
        if self._rng.random() < 0.05:
            return self._rng.choice(("#void", "@nobody", "#ops2"))
        if self._rng.random() < 0.4:
            return "@" + self._cased(self._rng.choice(NICKS))
        if self._world.model.decided.private and self._rng.random() < 0.3:
            return "#" + self._cased(self._moderation.room())
        return "#" + self._cased(self._rng.choice(ROOMS[:3] if self._rng.random() < 0.9 else ROOMS))

    def _cased(self, name: str) -> str:
        return name.upper() if self._rng.random() < 0.1 else name

    def _send(self) -> None:
        process = self._process()
        if process is None or len(process.drafts) > 200:
            return
        to = self._to()
        drafts = []
        for _ in range(self._rng.choice((1, 1, 1, 2, 3, 8))):
            drafts.append(self._world.draft(process.nick, to))
            to = to if self._rng.random() < 0.8 else self._to()
        process.send(drafts)

    def _send_keyed(self) -> None:
        process = self._process()
        if process is not None and len(process.drafts) <= 200:
            process.send([self._world.keyed_draft(process.nick, self._to())])

    def _repeat(self) -> None:
        process = self._process()
        if process is None:
            return
        mine = [d for d in self._world.keyed if d.nick == process.nick]
        unsettled = [draft for draft in mine if not draft.settled]
        if unsettled and self._rng.random() < 0.8:
            process.send([unsettled[0]])
        elif mine:
            process.send([self._rng.choice(mine)])

    def _join(self) -> None:
        if (process := self._process()) is not None:
            process.act(wire.Join(0, 0, self._cased(self._moderation.room())))

    def _leave(self) -> None:
        if (process := self._process()) is not None:
            process.act(wire.Leave(0, 0, self._cased(self._moderation.room())))

    def _topic(self) -> None:
        if (process := self._process()) is not None:
            topic = f"topic {self._rng.randint(0, 3)}"
            process.act(wire.SetTopic(0, 0, self._moderation.room(), topic))

    def _follow(self) -> None:
        process = self._process(readers=True)
        if process is None:
            return
        if any(isinstance(act, list) for act in process.acts.values()) and self._rng.random() < 0.7:
            return
        rights = self._world.model.decided
        known = [room[1:] for room in self._world.model.rooms if room not in rights.private]
        rooms = [room for room in known if self._rng.random() < 0.5]
        if self._rng.random() < 0.05:
            process.follow([*rooms, "void"])  # is refused, whole
            return
        process.machine.follows = rooms
        process.follow(rooms)

    def _fetch(self) -> None:
        process = self._process()
        if process is None:
            return
        model, direction = self._world.model, self._rng.randint(0, 2)
        bound = self._rng.randint(0, model.last_pos + 3)
        if direction == 2:
            times = [entry.time_ms for entry in model.log] or [0]
            bound = self._rng.choice(times) + self._rng.randint(-1, 1)
        process.act(wire.Fetch(0, 0, self._to(), direction, max(0, bound)))

    def _list(self) -> None:
        if (process := self._process()) is not None:
            room = self._rng.choice((None, "general", "ops", self._moderation.room()))
            process.act(wire.ListPeople(0, 0, room, ""))
            process.act(wire.ListRooms(0, 0, ""))
            process.act(wire.Whois(0, 0, self._rng.choice(("", *NICKS))))

    def _give_up(self) -> None:
        process = self._process()
        if process is not None and process.drafts:
            process.give_up(self._rng.choice([*process.drafts]))

    def _stop_reading(self) -> None:
        if (process := self._process(readers=True)) is not None:
            process.stop_reading()

    def _read_on(self) -> None:
        for process in self._world.readers:
            process.read_on()

    # ---- clients ----

    def _machine(self, running: bool) -> Machine | None:
        machines = [m for m in self._world.machines if (m.running is not None) == running]
        return self._rng.choice(machines) if machines else None

    def _start(self) -> None:
        machine = self._machine(running=False)
        if machine is None:
            return
        if self._rng.random() < 0.1:  # its disk is lost, or it is another place
            machine.installation = self._world.new_installation(machine.installation.nick)
            machine.follows = []
        self._world.start(machine, quiet=self._rng.random() < 0.15)

    def _stop(self) -> None:
        machine = self._machine(running=True)
        if machine is not None and machine.running is not None:
            machine.running.stop()

    def _kill(self) -> None:
        machine = self._machine(running=True)
        if machine is not None and machine.running is not None:
            machine.running.crash()

    # ---- the network ----

    def _cut(self) -> None:
        connections = self._rng.choice(self._world.machines).connections("router", "xpub")
        for connection in connections:
            if self._rng.random() < 0.7:
                connection.cut()

    def _silence(self) -> None:
        connections = self._rng.choice(self._world.machines).connections("router", "xpub")
        for connection in connections:
            if self._rng.random() < 0.5:
                connection.go_silent()

    def _weather(self) -> None:
        machine = self._rng.choice(self._world.machines)
        weather = machine.weather
        weather.delay_ms_max = self._rng.choice(DELAYS_MS)
        weather.offline = self._rng.random() < 0.2
        weather.doubled = self._rng.choice((0.0, 0.0, 0.0, 0.05))
        weather.second_port_blocked = self._rng.random() < 0.25
        if weather.second_port_blocked:
            for connection in machine.connections("xpub"):
                connection.go_silent()

    def _losses(self) -> None:
        faults = self._world.around.faults
        faults.broadcasts_lost = self._rng.choice((0.0, 0.0, 0.1, 0.5))
        faults.answers_lost = self._rng.choice((0.0, 0.0, 0.05, 0.3))

    # ---- disk, clock and broker ----

    def _disk(self) -> None:
        faults = self._world.around.disk_faults
        faults.latency_ms_max = self._rng.choice(LATENCIES_MS)
        faults.fails_certainly = self._rng.choice((0.0, 0.0, 0.2, 0.8))
        faults.fails_uncertainly = self._rng.choice((0.0, 0.0, 0.1, 0.5))
        faults.unreadable = self._rng.choice((0.0, 0.0, 0.0, 0.2))
        if faults.fails_certainly or faults.fails_uncertainly:
            self._world.model.may_be_unavailable = True

    def _doubtful_commit(self) -> None:
        """The next commit fails, nobody knows how; perhaps the broker is killed before it has found out."""
        faults = self._world.around.disk_faults
        faults.next_in_doubt = True
        self._world.model.may_be_unavailable = True
        if self._rng.random() < 0.7:
            delay_ms = self._rng.choice((100, 1_000, 3_000))
            self._world.schedule.after(self._rng.randint(1, delay_ms), self._kill_if_in_doubt)

    def _kill_if_in_doubt(self) -> None:
        if not self._world.is_healed:
            self._kill_broker()

    def _kill_broker(self) -> None:
        self._world.crash_broker()
        if self._rng.random() < 0.5:
            self._world.start_broker()

    def _start_broker(self) -> None:
        broker = self._world.broker
        if broker is not None and broker.stopping and broker.core.is_idle:
            self._world.crash_broker()
        if self._world.broker is None:
            self._world.start_broker()

    def _stop_broker(self) -> None:
        if self._world.broker is not None:
            self._world.broker.stop()

    def _stall(self) -> None:
        if self._world.broker is not None:
            now_ms = self._world.schedule.now_ms
            self._world.broker.stalled_until_ms = now_ms + self._rng.choice((50, 1_500, 5_000, 20_000))

    def _clock(self) -> None:
        self._world.around.wall_offset_ms += self._rng.choice((-1, 1)) * self._rng.choice((1, 1_000, 10**7))

    def _intrude(self) -> None:
        """Somebody uses another's session, or another's nonce."""
        process, other = self._process(), self._process(readers=True)
        if process is not None:
            self._world.intrude(process, "what nobody of them wrote")
        if other is None or process is None or process.subscriber is None or other.subscriber is None:
            return
        nonce = other.subscriber.nonce
        if nonce is not None and process is not other and process.nick != other.nick:
            process.subscriber.pry(nonce)
