"""When the state file is written: soon after something was taken, at most once a second, and at the end."""

import asyncio
from pathlib import Path
from typing import Final

from zchat.client.core.cursors import Snapshot
from zchat.client.shell import Shell
from zchat.client.statefile import StateFile
from zchat.common.errors import ConfigurationError

_INTERVAL_S: Final = 1.0


class Saving:
    """Keeps the state file of a client up to date while the client lives."""

    def __init__(self, path: Path, broker: str) -> None:
        self._path = path
        self._file = StateFile(path, broker)
        self._shell: Shell | None = None
        self._saved: Snapshot | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None

    def open(self) -> Snapshot | None:
        """Lock and read the file. Raises ConfigurationError."""
        return self._file.open()

    def attach(self, shell: Shell) -> None:
        """From now on the shell's snapshots are saved."""
        self._shell = shell
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL_S, self._tick)

    def belongs_to(self, nick: str) -> None:
        """The broker knows us as `nick`. Raises ConfigurationError when the file is somebody else's."""
        if self._file.nick not in (None, nick):
            raise ConfigurationError(f"{self._path} belongs to {self._file.nick}, not to {nick}")
        self._file.nick = nick

    def hasten(self) -> None:
        """The snapshot should be saved now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(0, self._tick)

    async def close(self) -> None:
        """Save for the last time, and let others have the file."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            if self._writing is not None:
                await asyncio.wait([self._writing])
            snapshot = self._changed()
            if snapshot is not None:
                self._write(snapshot)
        finally:
            self._file.close()

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
        if self._shell is None or self._file.nick is None:
            return None
        self._shell.report_taken()
        snapshot = self._shell.core.snapshot()
        return None if snapshot == self._saved else snapshot

    def _write(self, snapshot: Snapshot) -> None:
        try:
            self._file.write(snapshot)
        except OSError as error:
            raise ConfigurationError(f"cannot write {self._path}: {error.strerror or error}") from None
        self._saved = snapshot
