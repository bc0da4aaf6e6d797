"""Beginning again after an abort, wherever in the process that was."""

import subprocess
import sys

PROGRAM = """
import ctypes, sys, threading
from zchat.broker import revival

again = revival.has_begun_again()
revival.LIVED_S = {lived_s}
revival.arm()
print("again" if again else "first", sys.argv[1], flush=True)
if not again:
    threading.Thread(target=ctypes.CDLL(None).abort, daemon=True).start()  # without Python's lock, as libzmq
    threading.Event().wait()
"""


def run(lived_s: float) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM.format(lived_s=lived_s), "an argument"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_the_same_command_begins_again() -> None:
    ended = run(lived_s=0)
    assert (ended.returncode, ended.stdout) == (0, "first an argument\nagain an argument\n"), ended.stderr


def test_not_when_it_has_just_begun() -> None:
    ended = run(lived_s=60)
    assert (ended.returncode, ended.stdout) == (-6, "first an argument\n")
