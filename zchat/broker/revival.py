"""Starting again in the same process when the library beneath has aborted it.

libzmq ends its process when something happens that it holds to be impossible, and a stranger can bring that
about (protocol.md, Known Weaknesses). Everything that was acknowledged is on disk and clients come back by
themselves, so the cure is to begin again, at once, with the same process number for whoever watches it.
"""

import ctypes
import os
import signal
import sys
import time
from typing import Any, Final

LIVED_S: Final = 5.0  # that a broker has to have served, for another attempt to make sense
_MARK: Final = "_ZCHAT_BEGUN_AGAIN"  # in the environment of one that has
_FIRST_DESCRIPTOR: Final = 3
_DESCRIPTORS: Final = 65_536
_EXEC_S: Final = 10  # then the process ends, should it hang in what it does here

_kept: list[Any] = []  # what libc was given must not go away


def has_begun_again() -> bool:
    """Whether this process has been aborted before. Asked once."""
    return os.environ.pop(_MARK, None) is not None


def arm() -> None:
    """From now on an abort (SIGABRT) replaces this process by the same command, started anew; but for one
    that comes within LIVED_S seconds, which ends it as ever. For the main thread."""
    if os.name != "posix":
        return
    signal.alarm(0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGABRT})  # it was blocked while it was handled
    begun = time.monotonic()
    try:
        set_handler = ctypes.CDLL(None).signal
    except (OSError, AttributeError):
        return
    set_handler.argtypes, set_handler.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p

    def begin_again(number: int) -> None:
        if time.monotonic() - begun < LIVED_S:
            set_handler(number, None)  # SIG_DFL, for when this returns
            os.kill(os.getpid(), number)
            return
        signal.alarm(_EXEC_S)
        os.environ[_MARK] = "1"
        os.closerange(_FIRST_DESCRIPTOR, _DESCRIPTORS)
        os.execv(sys.executable, sys.orig_argv)

    # Python's own handlers only set a mark, and are run when it is too late.
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(begin_again)
    _kept.append(handler)
    set_handler(int(signal.SIGABRT), ctypes.cast(handler, ctypes.c_void_p))
