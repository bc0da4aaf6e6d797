"""The addresses of a host, looked up in a thread that nobody has to wait for."""

import asyncio
import socket
import threading
from contextlib import suppress


async def addresses(host: str, port: int) -> list[str]:
    """All addresses of the host, each once, in the order of the system. Raises OSError when there are none or
    nobody can tell, and ValueError for what no host can be called.

    The loop's own look-up runs in an executor, and a process does not end before that is done: with a name
    server that is silent, long after everybody has lost patience.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(outcome: list[str] | Exception) -> None:
        if found.done():
            return  # nobody waits any more
        if isinstance(outcome, Exception):
            found.set_exception(outcome)
        else:
            found.set_result(outcome)

    def look_up() -> None:
        outcome: list[str] | Exception
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            outcome = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except Exception as error:
            outcome = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, outcome)

    threading.Thread(target=look_up, name="addresses", daemon=True).start()
    return await found
