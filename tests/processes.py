"""A broker as a process: started on two free ports, stopped or killed, and started again as it was."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import zchat
from tests.e2e.programs import free_port
from zchat.common import keys, links

START_S = 20.0  # until the link is printed, at most
STOP_S = 20.0  # from a signal to the end
ROOT = Path(zchat.__file__).parents[1]  # so that the broker is the code under test, wherever that lies


class BrokerProcess:
    """`zchat broker` on a port and the next one, which it keeps, as it keeps `data_dir`. It runs when this is
    made; `with` ends it. `settings` is its config.toml. What it logs goes to a file beside the data, over all
    its lives."""

    def __init__(self, data_dir: Path, *options: str, settings: str = "") -> None:
        self.data_dir = data_dir
        self._config_dir = data_dir.with_name(f"{data_dir.name}.config")
        if settings:
            self._config_dir.mkdir(parents=True)
            (self._config_dir / "config.toml").write_text(settings)
        self.port = free_port()
        self.link = ""
        self.runtime_dir = Path(tempfile.mkdtemp(prefix="zchat-"))  # short: a path of a socket is
        self._options = options
        self._log = data_dir.with_name(f"{data_dir.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        """Of the process that runs, or that ran last."""
        assert self._process is not None
        return self._process.pid

    @property
    def key(self) -> str:
        """Its public key in Z85."""
        return links.parse(self.link).key

    @property
    def control(self) -> Path:
        """Its control socket."""
        return self.runtime_dir / f"{keys.to_base32(self.key)[:16]}.sock"

    @property
    def is_running(self) -> bool:
        """It has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def rss_bytes(self) -> int:
        """Its resident memory (Linux)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def start(self) -> None:
        """Returns when clients can connect. Raises AssertionError with its log when it does not come up."""
        assert not self.is_running
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                broker_command(self.port, self.data_dir, *self._options),
                cwd=ROOT,
                env=broker_environment()
                | {"ZCHAT_RUNTIME_DIR": str(self.runtime_dir), "ZCHAT_CONFIG_DIR": str(self._config_dir)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        try:
            self.link = self._first_line()
            assert self.link.startswith("zchat://"), self.log_lines()
        except BaseException:
            self.kill()
            raise

    def send_signal(self, number: int) -> None:
        """Any signal, such as SIGSTOP and SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its return code, when it has ended by a signal that asks it to."""
        self.send_signal(number)
        return self._ended()

    def kill(self) -> None:
        """End it as a crash would; nothing when it has ended."""
        assert self._process is not None
        self._process.kill()
        self._ended()

    def log_lines(self) -> list[str]:
        """What it has logged so far."""
        return self._log.read_text(encoding="utf-8").splitlines()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.runtime_dir, ignore_errors=True)

    def _ended(self) -> int:
        assert self._process is not None and self._process.stdout is not None
        code = self._process.wait(STOP_S)
        self._process.stdout.close()
        return code

    def _first_line(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        ends_at, line = time.monotonic() + START_S, b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, ends_at - time.monotonic()))
            part = os.read(descriptor, 4096) if ready else b""
            assert part, (line, self.log_lines())
            line += part
        return line.decode().strip()


def broker_command(port: int, data_dir: Path, *options: str) -> list[str]:
    """The command line of a broker."""
    return [sys.executable, "-m", "zchat", "broker", "-p", str(port), "--data-dir", str(data_dir), *options]


def broker_environment() -> dict[str, str]:
    """The environment without settings of zchat; warnings are errors."""
    unwanted = ("ZCHAT_", "PYTHONDONTWRITE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | {"PYTHONWARNINGS": "error"}
