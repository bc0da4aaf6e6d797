"""The store's threads, and a store that fails: late answers, failing writes, commits of unknown outcome."""

from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random

from tests.sim.model import Model
from tests.sim.schedule import Schedule
from zchat.broker.core.port import (
    Durable,
    Failed,
    Found,
    InstanceLoaded,
    Load,
    LoadInstance,
    Look,
    PageRead,
    Read,
    Report,
    Unreadable,
    Write,
)
from zchat.broker.store.memory import MemoryStore
from zchat.common.errors import StorageFailed


class DiskFaults:
    """How likely it is that something goes wrong, and how late everything is."""

    def __init__(self) -> None:
        self.latency_ms_max = 2
        self.fails_certainly = 0.0
        self.fails_uncertainly = 0.0
        self.revives = 0.5  # of those that fail uncertainly
        self.unreadable = 0.0
        self.next_in_doubt = False  # the next commit, and a crash brings it back


class Disk:
    """Carries out the commands of one broker's life, in order, each after a while."""

    def __init__(
        self,
        schedule: Schedule,
        rng: Random,
        faults: DiskFaults,
        store: MemoryStore,
        model: Model,
        report: Callable[[Report], None],
    ) -> None:
        self._schedule, self._rng, self._faults = schedule, rng, faults
        self.store = store
        self._model = model
        self._report = report
        self._reader = store.reader()
        self._commands: deque[Load | Write | Look | LoadInstance] = deque()
        self._alive = True
        self._told_ms = 0

    def submit(self, command: Load | Write | Look | LoadInstance | Read) -> None:
        """A report will follow."""
        if isinstance(command, Read):
            self._schedule.after(self._latency_ms(), partial(self._read, command))
            return
        self._commands.append(command)
        if len(self._commands) == 1:
            self._schedule.after(self._latency_ms(), self._next)

    def crash(self) -> MemoryStore:
        """The broker is killed. A commit under way reached the disk, or did not. Returns what is there."""
        self._alive = False
        if self._commands and isinstance(self._commands[0], Write) and self._rng.random() < 0.5:
            write = self._commands[0]
            self.store.write(write)
            self._model.written(write)
        return self.store.crash()

    def _latency_ms(self) -> int:
        return self._rng.randint(0, self._faults.latency_ms_max)

    def _next(self) -> None:
        """The first command is carried out now; its report takes a while."""
        if not self._alive:
            return
        report = self._carry_out(self._commands[0])
        self._commands.popleft()
        self._told_ms = max(self._told_ms, self._schedule.now_ms + self._rng.randint(0, 2))
        self._schedule.at(self._told_ms, partial(self._tell, report))
        if self._commands:
            self._schedule.after(self._latency_ms(), self._next)

    def _tell(self, report: Report) -> None:
        if self._alive:
            self._report(report)

    def _carry_out(self, command: Load | Write | Look | LoadInstance) -> Report:
        unreadable = self._rng.random() < self._faults.unreadable
        match command:
            case Load():
                return Failed(0, True) if unreadable else self.store.load()
            case Write():
                return self._write(command)
            case Look(token, keys):
                return Found(token, None if unreadable else self.store.look(keys))
            case LoadInstance(token, user, instance, lowest):
                rows = None if unreadable else self.store.load_instance(user, instance, lowest)
                return InstanceLoaded(token, rows)

    def _write(self, write: Write) -> Report:
        chance = self._rng.random()
        if self._faults.next_in_doubt and write.segments:
            self._faults.next_in_doubt = False
            self.store.fail_next(certain=False, revives=True)
        elif chance < self._faults.fails_certainly:
            self.store.fail_next(certain=True)
        elif chance < self._faults.fails_certainly + self._faults.fails_uncertainly:
            self.store.fail_next(certain=False, revives=self._rng.random() < self._faults.revives)
        try:
            scrubbed = self.store.write(write)
        except StorageFailed as error:
            self._model.stats["certain failures" if error.certain else "uncertain failures"] += 1
            return Failed(write.seq, error.certain)
        self._model.written(write)
        return Durable(write.seq, scrubbed)

    def _read(self, read: Read) -> None:
        if not self._alive:
            return
        if self._rng.random() < self._faults.unreadable:
            report: Report = Unreadable(read.token)
        else:
            report = PageRead(read.token, *self._reader.page(read.query))
        self._schedule.after(self._rng.randint(0, 2), partial(self._tell, report))
