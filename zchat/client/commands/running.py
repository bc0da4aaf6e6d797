"""Running a command's coroutine: signals end it, and several parts of it end together."""

import asyncio
import atexit
import gc
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from zchat.common.errors import ZchatError

T = TypeVar("T")
_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
    _SIGNALS.append(signal.SIGHUP)


class Interrupted(ZchatError):
    """A signal ended the command while nothing was under way; there is nothing to say about it."""

    def __init__(self, number: int) -> None:
        super().__init__("")
        self.exit_code = 128 + number


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of the coroutine. SIGINT, SIGTERM and SIGHUP cancel it: what it raises then is raised here,
    and Interrupted when that is only its cancellation."""
    atexit.register(gc.freeze)  # no search for garbage in a process that ends: it takes longer than a send
    return asyncio.run(_heeding_signals(work))


async def _heeding_signals(work: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        task.cancel()

    with suppress(NotImplementedError):  # Windows, where asyncio.run heeds SIGINT by itself
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop, number)
    try:
        return await work
    except asyncio.CancelledError:
        if received:
            raise Interrupted(received[0]) from None
        raise
    finally:
        with suppress(NotImplementedError):
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


async def first_of(*parts: Coroutine[Any, Any, T]) -> T:
    """Runs the parts together until one has ended; the others are cancelled, and have ended as well when
    this returns or raises what that one did. When this is cancelled, so are all parts; what the first of them
    raises then, if it is something else, is raised here."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    except asyncio.CancelledError:
        for outcome in await _cancelled(tasks):
            if isinstance(outcome, Exception):
                raise outcome from None
        raise
    finally:
        await _cancelled(tasks)


async def _cancelled(tasks: list[asyncio.Task[T]]) -> list[T | BaseException]:
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)
