"""A `zchat` in a terminal of 80x24, whose screen is read as a person would."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import pexpect
import pyte
from pexpect.fdpexpect import fdspawn

from tests.e2e.programs import DEADLINE_S

ENTER, TAB, BACKSPACE, UP = "\r", "\t", "\x7f", "\x1b[A"
CTRL_C, CTRL_D, CTRL_U = "\x03", "\x04", "\x15"
_LOOK_S = 0.05


class Screen:
    """What the process draws goes through a terminal emulator, and what has scrolled off is kept."""

    def __init__(
        self, arguments: Sequence[str], environment: dict[str, str], columns: int = 80, rows: int = 24
    ) -> None:
        self._screen = pyte.HistoryScreen(columns, rows, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self.drawn = b""  # everything, as it came
        end, self._terminal = pty.openpty()
        self._set_size(columns, rows)
        self.modes = termios.tcgetattr(self._terminal)
        self._keyboard = fdspawn(end, timeout=DEADLINE_S)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "zchat", *arguments],
            env={"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | environment,
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=self._terminal,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )

    # ---- the person ----

    def type(self, *keys: str) -> None:
        """Press keys; text, and the names above."""
        for one in keys:
            self._keyboard.send(one)

    def paste(self, text: str) -> None:
        """As a terminal does it, told apart from typing."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        """The window gets another size."""
        self._screen.resize(rows, columns)
        self._screen.cursor.y = min(self._screen.cursor.y, rows - 1)  # which pyte leaves below the screen
        self._screen.cursor.x = min(self._screen.cursor.x, columns - 1)
        self._set_size(columns, rows)

    # ---- what is seen ----

    @property
    def rows(self) -> list[str]:
        """The screen, without the spaces at the end of a row."""
        return [row.rstrip() for row in self._screen.display]

    @property
    def typed(self) -> str:
        """The row of the prompt."""
        prompts = [row for row in self.rows if re.match(r"(choose|\(nowhere\)|[#@][^ ]+)>", row)]
        return prompts[-1] if prompts else ""

    def scrolled(self) -> list[str]:
        """Everything that stands above, and the screen."""
        above = [
            "".join(line[column].data for column in range(self._screen.columns)).rstrip()
            for line in self._screen.history.top
        ]
        return above + self.rows

    def until(self, wanted: str | Callable[["Screen"], bool]) -> None:
        """The screen comes to show `wanted` somewhere, or it comes to be true."""
        is_there = (
            (lambda: wanted in "\n".join(self.rows)) if isinstance(wanted, str) else (lambda: wanted(self))
        )
        ends_at = time.monotonic() + DEADLINE_S
        while not is_there():
            ended = self.process.poll() is not None
            if not self._look() and (ended or time.monotonic() > ends_at):
                raise AssertionError(f"{wanted!r} is not on the screen:\n" + "\n".join(self.rows))

    def until_typed(self, wanted: str) -> None:
        """The row of the prompt is this one."""
        self.until(lambda screen: screen.typed == wanted)

    # ---- the end ----

    def ended(self) -> int:
        """The exit code; the screen is as it was left."""
        ends_at = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < ends_at:
            self._look()
        code = self.process.wait(0)
        while self._look():
            pass
        return code

    def is_restored(self) -> bool:
        """The modes of the terminal are those of before."""
        return termios.tcgetattr(self._terminal) == self.modes

    def close(self) -> None:
        """Leaves nothing behind."""
        self.process.kill()
        self.process.wait()
        self._keyboard.close()
        os.close(self._terminal)

    def _look(self) -> bool:
        """Draw what has come by now, if anything has."""
        with suppress(pexpect.TIMEOUT):
            drawn = self._keyboard.read_nonblocking(65536, timeout=_LOOK_S)
            self.drawn += drawn
            self._stream.feed(drawn)
            return True
        return False

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _take_terminal() -> None:
    """In the new process, which leads a session: the first terminal that it opens is the one that controls
    it. And where tests run in the background Ctrl-C is ignored, which is inherited."""
    os.close(os.open(os.ttyname(0), os.O_RDWR))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
