"""One simulated world: who lives in it, what they do, what befalls them, and how it must end."""

from itertools import count
from random import Random
from typing import Final

from tests.sim.account import Account
from tests.sim.broker import Broker
from tests.sim.installation import Installation
from tests.sim.machine import Machine
from tests.sim.model import Draft, Violation
from tests.sim.pages import Pages
from tests.sim.process import Process
from tests.sim.surroundings import Surroundings
from zchat.broker.core.limits import Limits
from zchat.broker.store.memory import MemoryStore
from zchat.common import wire

NICKS: Final = ("ann", "Bob", "cyd", "dan")
ROOMS: Final = ("general", "ops", "dev", "den")
HEALING_MS_MAX: Final = 240_000
SILENCE_MS: Final = 20_000


class World:
    """Broker, machines, users. Everything in it follows from the seed."""

    def __init__(self, seed: int, trace: list[str] | None = None) -> None:
        self.rng = Random(seed)
        self.around = Surroundings(self.rng, trace)
        self.model = self.around.model
        self.schedule = self.around.schedule
        self.broker: Broker | None = None
        self.lives = 0
        self.is_healed = False
        self.limits = Limits(
            commit_bytes_max=self.rng.choice((400, 4_000, 4 * 1024 * 1024)),
            remembered_sends_max=self.rng.choice((40, 1024)),
            messages_per_second=self.rng.choice((50_000, 50_000, 50_000, 5)),
            messages_burst=self.rng.choice((200_000, 200_000, 20)),
        )
        self.account = Account(lambda: self.broker)
        self._store = MemoryStore()
        self._peers, self._tickets, self._texts, self._keys = count(1), count(1), count(1), count(1)
        self._pages = Pages(self.model, self.conversation)
        self.keyed: list[Draft] = []
        self.machines: list[Machine] = []
        for number, nick in enumerate((*NICKS, NICKS[0], self.rng.choice(NICKS))):
            self.machines.append(self._machine(f"m{number}", nick))
        self.start_broker()

    def _machine(self, name: str, nick: str) -> Machine:
        return Machine(
            self.around,
            name,
            self.new_installation(nick),
            lambda: self.broker,
            self._peers,
            self._tickets,
            self._pages,
        )

    # ---- those who live in it ----

    @property
    def processes(self) -> list[Process]:
        """The clients that run."""
        return [machine.running for machine in self.machines if machine.running is not None]

    @property
    def readers(self) -> list[Process]:
        """Those that are not quiet."""
        return [process for process in self.processes if not process.quiet]

    def new_installation(self, nick: str) -> Installation:
        """One that knows nothing. A user's key is the same everywhere."""
        return Installation(self.model, nick, f"{nick:k<40}", resume=self.rng.random() < 0.8)

    def start_broker(self) -> None:
        """The broker's next life."""
        self.lives += 1
        self.broker = Broker(self.around, self._store, self.limits, self.lives)

    def crash_broker(self) -> None:
        """The broker is killed. Somebody has to start it again."""
        if self.broker is not None:
            self._store = self.broker.crash()
            rows = self._store._state.items()
            keys = {key: value for (kind, key), value in rows if kind == "key"}
            self.model.recovered(self._store._segments, keys)
            self.broker = None

    def start(self, machine: Machine, quiet: bool = False) -> Process:
        """A client with a new instance."""
        instance = (self.around.wall_ms % 2**42 << 21) + self.rng.getrandbits(21)
        return machine.start(instance, quiet)

    # ---- what users write ----

    def conversation(self, nick: str, to: str) -> str:
        """Which conversation a user means."""
        if to[0] == "#":
            return to.lower()
        other = next((known for known in NICKS if known.lower() == to[1:].lower()), to[1:])
        return f"@{min(nick, other)},{max(nick, other)}"

    def draft(self, nick: str, to: str, key: str | None = None) -> Draft:
        """A message whose text is its own."""
        text = f"{nick} {next(self._texts)} " + "x" * self.rng.choice((0, 0, 10, 60))
        draft = Draft(nick, to, self.conversation(nick, to), text, key)
        who = {name.lower() for name in self.model.users}
        is_there = to.lower() in self.model.rooms and to.lower() not in self.model.decided.private
        draft.had_addressee = is_there or (to[0] == "@" and to[1:].lower() in who)
        self.model.drafts[text] = draft
        return draft

    def keyed_draft(self, nick: str, to: str) -> Draft:
        """A message with a key of its user, seldom with one that was used before."""
        used = [draft for draft in self.keyed if draft.nick == nick]
        key = f"key-{next(self._keys)}"
        if used and self.rng.random() < 0.1:
            key = self.rng.choice(used).key or key
        draft = self.draft(nick, to, key)
        self.keyed.append(draft)
        return draft

    # ---- the end ----

    def heal(self) -> None:
        """No faults from now on, and everybody is there. What was begun is brought to its end."""
        self.is_healed = True
        self.around.faults.broadcasts_lost = self.around.faults.answers_lost = 0.0
        faults = self.around.disk_faults
        faults.fails_certainly = faults.fails_uncertainly = faults.unreadable = 0.0
        faults.next_in_doubt = False
        faults.latency_ms_max = 5
        if self.broker is not None and self.broker.stopping:
            self.crash_broker()
        if self.broker is None:
            self.start_broker()
        assert self.broker is not None
        self.broker.stalled_until_ms = self.schedule.now_ms
        for machine in self.machines:
            weather = machine.weather
            weather.offline = weather.second_port_blocked = False
            weather.delay_ms_max, weather.doubled = 5, 0.0
        self._bring_back()
        for process in self.processes:
            process.read_on()

    def _bring_back(self) -> None:
        """Who was turned away comes again, with the key that counts, and nobody is banned at the broker. What
        ends by itself ends now, since it would say something into the silence."""
        access = self.broker.core._context.log.state.access if self.broker is not None else None
        if access is not None and access.next_end_ms < wire.FOR_EVER:
            self.around.wall_offset_ms += max(0, access.next_end_ms - self.around.wall_ms)
            self.account.act(wire.Pardon(0, 0, "", NICKS[0], wire.MUTE, "the end"))
        for nick in self.model.decided.banned:
            self.account.act(wire.Pardon(0, 0, "", nick, wire.BAN, "the end"))
        for machine in self.machines:
            if machine.running is None and machine.installation.nick not in self.model.decided.banned:
                self.start(machine)

    def end_in_silence(self) -> None:
        """Nobody says anything any more. In the end everything is settled, and everybody has everything."""
        until_ms = self.schedule.now_ms + HEALING_MS_MAX
        while (unsettled := self.unsettled()) and self.schedule.now_ms < until_ms:
            self.schedule.advance(1_000)
            self._bring_back()
        self.account.leave()
        if unsettled:
            raise Violation(f"not settled after {HEALING_MS_MAX} ms of silence: {unsettled}")
        self.schedule.advance(SILENCE_MS)
        unsettled = self.unsettled() or self.unclean()
        if unsettled:
            raise Violation(f"settled before, and not any more: {unsettled}")

    def unsettled(self) -> str:
        """What is not yet as it must be in the end."""
        if len(self.processes) < len(self.machines):
            return f"only {len(self.processes)} clients are there"
        if self.broker is None or self.broker.core._context.log.state.access.next_end_ms < wire.FOR_EVER:
            return "something has yet to end by itself"
        for process in self.processes:
            if process.drafts:
                return f"{process.nick} waits for {[draft.text for draft in process.drafts.values()]}"
            if process.acts:
                return f"{process.nick} waits for {[*process.acts.values()]}"
            if not process.core.is_open:
                return f"{process.nick} has no session"
            if process.quiet:
                continue
            if not process.reader.caught_up:
                return f"{process.nick}.{process.instance} has not caught up"
            wrong = process.installation.missing() or process.reader.misjudged(process.core.joined)
            if wrong:
                return wrong
            floor = process.core.snapshot().floor
            if floor != self.model.last_pos:
                return f"{process.nick}.{process.instance} has the floor {floor} of {self.model.last_pos}"
        return ""

    def unclean(self) -> str:
        """What the broker keeps and should not, now that nothing is under way."""
        assert self.broker is not None
        log, sessions = self.broker.core._context.log, self.broker.core._context.sessions
        left = {
            "queued bytes": log.queued_bytes,
            "ids in doubt": len(log.in_doubt),
            "sessions of nobody": len(sessions) - len(self.processes),
        }
        return ", ".join(f"{number} {what}" for what, number in left.items() if number)

    def intrude(self, process: Process, text: str) -> bool:
        """Another key takes over the routing id of a session, and asks in its name."""
        number, connection = process.core._session.number, process._connection
        if number is None or connection is None or self.broker is None or not connection.open_at_broker:
            return False
        send = wire.Send(number, 2**40, 0, "#general", process.core.outbox.lowest, [text])
        self.broker.inject(connection.peer, "i" * 40, wire.encode(send))
        return True
