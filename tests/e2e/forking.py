"""The process that others are forked from: it has imported the libraries and zchat but for its start, which
takes most of the time that a short command needs. What is left of it at the end is not taken apart either.

`python -m tests.e2e.forking FD`: on the socket FD come requests, each with the four descriptors that a
process gets as stdin, stdout and stderr, and for its exit code. The answer is its pid. It ends with the
socket.
"""

import asyncio  # noqa: F401
import atexit
import encodings.idna  # noqa: F401
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sqlite3  # noqa: F401
import sys
import threading
import time
import traceback
from contextlib import suppress
from io import TextIOWrapper
from typing import Any

import click  # noqa: F401
import msgspec  # noqa: F401
import platformdirs  # noqa: F401
import precis_i18n.profile  # noqa: F401
import zmq.asyncio  # noqa: F401

import zchat

LENGTH_BYTES = 4


def serve(requests: socket.socket) -> None:
    """Returns in each process that is forked, ready to be what was asked for."""
    codes: dict[int, int] = {}  # the descriptor for its exit code, by pid

    def reap(*_: object) -> None:
        while codes:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            write_to = codes.pop(pid)
            with suppress(BrokenPipeError):  # nobody asks any more
                os.write(write_to, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(write_to)

    signal.signal(signal.SIGCHLD, reap)
    for module in pkgutil.walk_packages(zchat.__path__, "zchat."):
        if not module.name.startswith(("zchat.__main__", "zchat.client.terminal")):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()
    while True:
        head, descriptors, _, _ = socket.recv_fds(requests, LENGTH_BYTES, 4)
        if not head:
            requests.close()
            sys.exit()
        request = json.loads(_exactly(requests, int.from_bytes(head)))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid == 0:
            requests.detach()
            _become(request, descriptors)
            return
        codes[pid] = descriptors.pop()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for descriptor in descriptors:
            os.close(descriptor)
        requests.sendall(pid.to_bytes(LENGTH_BYTES))


def _exactly(requests: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        found += requests.recv(count - len(found))
    return found


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """As if the interpreter had just started."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    os.closerange(3, max(descriptors) + 256)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.path[0] = os.getcwd()
    sys.argv = ["zchat", *request["arguments"]]
    sys.stdin = sys.__stdin__ = _standard(sys.stdin, 0, "r")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _standard(sys.stdout, 1, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _standard(sys.stderr, 2, "w")  # type: ignore[misc]


def _standard(like: Any, number: int, mode: str) -> TextIOWrapper:
    """A standard stream as the interpreter makes it."""
    buffering = 1 if number == 2 or os.isatty(number) else -1
    newline = None if mode == "r" else "\n"
    return open(  # type: ignore[return-value]
        number, mode, buffering, encoding=like.encoding, errors=like.errors, newline=newline, closefd=False
    )


def _end(code: Any) -> None:
    """As the interpreter does, but for what was imported before the fork."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # where warnings come from
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120
    os._exit(code or 0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        runpy.run_module("zchat", run_name="__main__", alter_sys=True)
        _end(0)
    except SystemExit as end:
        _end(end.code)
    except BaseException:
        traceback.print_exc()
        _end(1)
