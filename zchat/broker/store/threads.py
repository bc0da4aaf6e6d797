"""The two threads of the store: one commits, one reads pages; the loop hears of both through a descriptor."""

import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Final, TypeVar, assert_never

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
from zchat.broker.store.contract import Store
from zchat.common.errors import StorageFailed

OrderedCommand = (
    Load | Write | Look | LoadInstance
)  # carried out one after the other, by the thread that commits
LEFT_IN_WAL: Final = (
    "Write: redacted text is still in the write-ahead log: another program reads the database, "
    "or the disk is full or fails"
)
_Command = TypeVar("_Command")


class StoreThreads:
    """Carries out the commands of the port, all but Append, on `store`, which it closes in the end.

    `last_error` says what the last command that failed was and why, for the log; also of a Write that is
    durable and not scrubbed. Raises StorageFailed when the store cannot be read."""

    def __init__(self, store: Store) -> None:
        self.last_error = ""
        self._store = store
        self._reader = store.reader()
        self._reports: deque[Report] = deque()
        self._bug: BaseException | None = None
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)
        self._rung = False
        self._ordered: SimpleQueue[OrderedCommand | None] = SimpleQueue()
        self._reads: SimpleQueue[Read | None] = SimpleQueue()
        # Daemons: when the loop ends by a bug without stop(), they do not keep the process.
        self._threads = [
            Thread(target=self._run, args=(self._ordered, self._carry_out), name="storage", daemon=True),
            Thread(target=self._run, args=(self._reads, self._read), name="reading", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, command: OrderedCommand | Read) -> None:
        """Hands over a command; one report will follow. Never blocks. The core bounds how many wait."""
        if isinstance(command, Read):
            self._reads.put(command)
        else:
            self._ordered.put(command)

    def fileno(self) -> int:
        """A descriptor that is readable while reports wait."""
        return self._ear.fileno()

    def take(self) -> list[Report]:
        """The reports that wait, those of a thread in the order of their commands; also after stop(). Raises
        what ended one of the threads, which is a bug."""
        with suppress(OSError):  # nobody rang, or it is stopped
            self._ear.recv(64)
        # Before the reports are taken: one that comes afterwards rings again.
        self._rung = False
        if self._bug is not None:
            raise self._bug
        return [self._reports.popleft() for _ in range(len(self._reports))]

    def stop(self) -> None:
        """Finishes what was submitted, ends the threads, closes the store."""
        self._ordered.put(None)
        self._reads.put(None)
        for thread in self._threads:
            thread.join()
        self._reader.close()
        self._store.close()
        self._ear.close()
        self._bell.close()

    def _run(self, commands: "SimpleQueue[_Command | None]", carry_out: Callable[[_Command], Report]) -> None:
        try:
            while (command := commands.get()) is not None:
                self._reports.append(carry_out(command))
                self._ring()
        except BaseException as bug:
            self._bug = bug
            self._rung = False
            self._ring()

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            with suppress(BlockingIOError):  # then it is readable already
                self._bell.send(b"!")

    def _carry_out(self, command: OrderedCommand) -> Report:
        try:
            match command:
                case Load():
                    return self._store.load()
                case Write():
                    scrubbed = self._store.write(command)
                    if not scrubbed:
                        self.last_error = LEFT_IN_WAL
                    return Durable(command.seq, scrubbed)
                case Look(token, keys):
                    return Found(token, self._store.look(keys))
                case LoadInstance(token, user, instance, lowest):
                    return InstanceLoaded(token, self._store.load_instance(user, instance, lowest))
                case _:
                    assert_never(command)
        except StorageFailed as error:
            self._note(command, error)
            return _failed(command, error.certain)

    def _read(self, command: Read) -> Report:
        try:
            return PageRead(command.token, *self._reader.page(command.query))
        except StorageFailed as error:
            self._note(command, error)
            return Unreadable(command.token)

    def _note(self, command: OrderedCommand | Read, error: StorageFailed) -> None:
        self.last_error = f"{type(command).__name__}: {error}"


def _failed(command: OrderedCommand, certain: bool) -> Report:
    match command:
        case Load():
            return Failed(0, True)
        case Write():
            return Failed(command.seq, certain)
        case Look():
            return Found(command.token, None)
        case LoadInstance():
            return InstanceLoaded(command.token, None)
        case _:
            assert_never(command)
