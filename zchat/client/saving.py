"""When the state file is written: soon after something was taken, at most once a second, and at the end."""

import asyncio
from typing import Final, Protocol

from zchat.client.core.cursors import Snapshot
from zchat.client.shell import Shell
from zchat.common.errors import ConfigurationError

_INTERVAL_S: Final = 1.0


class State(Protocol):
    """Where a client keeps how far it has got. All methods raise ConfigurationError, `write` OSError."""

    nick: str | None  # whose it is; None: not known yet
    begins_now: bool  # a new one begins now, and not with the direct messages since the registration

    def __str__(self) -> str:
        """What it is called in an error."""

    def open(self) -> Snapshot | None:
        """Hold and read it; None: it is new."""

    def write(self, snapshot: Snapshot) -> None:
        """Replace it, durably."""

    def close(self) -> None:
        """Let others have it."""


class Saving:
    """Keeps the state of a client up to date while the client lives."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._shell: Shell | None = None
        self._saved: Snapshot | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None
        self._known = asyncio.Event()  # where reading begins

    def open(self) -> Snapshot | None:
        """Hold and read the state. Raises ConfigurationError."""
        snapshot = self._state.open()
        if snapshot is not None and snapshot.floor is not None:
            self._known.set()
            self._saved = snapshot
        return snapshot

    def resumes(self, snapshot: Snapshot | None) -> bool:
        """Whether what was missed is wanted."""
        return not self._state.begins_now or (snapshot is not None and snapshot.floor is not None)

    async def begin(self) -> None:
        """Wait until it is known where reading begins, and have that on disk. Raises ConfigurationError."""
        if self._saved is None:
            await self._known.wait()
            self._set_timer(_INTERVAL_S)  # not while this writes
            await self._write_now()

    def attach(self, shell: Shell) -> None:
        """From now on the shell's snapshots are saved."""
        self._shell = shell
        self._set_timer(_INTERVAL_S)

    def belongs_to(self, nick: str) -> None:
        """The broker knows us as `nick`. Raises ConfigurationError when the file is somebody else's."""
        if self._state.nick not in (None, nick):
            raise ConfigurationError(f"{self._state} belongs to {self._state.nick}, not to {nick}")
        self._state.nick = nick

    def hasten(self) -> None:
        """Where reading begins is known, and should be saved now."""
        self._known.set()
        self._set_timer(0)

    async def close(self) -> None:
        """Save for the last time, and let others have the file."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            await self._write_now()
        finally:
            self._state.close()

    async def _write_now(self) -> None:
        if self._writing is not None:
            await asyncio.wait([self._writing])
        snapshot = self._changed()
        if snapshot is not None:
            self._write(snapshot)

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_INTERVAL_S, self._tick)
        if self._writing is not None and not self._writing.done():
            return
        snapshot = self._changed()
        if snapshot is not None:
            self._writing = loop.run_in_executor(None, self._write, snapshot)
            self._writing.add_done_callback(self._written)

    def _written(self, writing: "asyncio.Future[None]") -> None:
        if not writing.cancelled() and (error := writing.exception()) is not None and self._shell is not None:
            self._shell.fail(error if isinstance(error, Exception) else RuntimeError(repr(error)))

    def _changed(self) -> Snapshot | None:
        """What is to be saved; None when that is in the file, or nobody knows yet whose it is."""
        if self._shell is None or self._state.nick is None:
            return None
        self._shell.delivery.tell_taken()
        snapshot = self._shell.core.snapshot()
        return None if snapshot == self._saved else snapshot

    def _write(self, snapshot: Snapshot) -> None:
        try:
            self._state.write(snapshot)
        except OSError as error:
            raise ConfigurationError(f"cannot write {self._state}: {error.strerror or error}") from None
        self._saved = snapshot
