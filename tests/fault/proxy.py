"""A TCP proxy on another loopback address, in front of a broker's two ports: it can stall and cut."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.fault.clients import DEADLINE_S
from zchat.common.links import Link, parse

_PIECE_BYTES = 64 * 1024


class Proxy:
    """`async with` it; clients that use `link` go through it, since the Welcome names a port and no host."""

    def __init__(self, link: str, host: str = "127.0.0.2") -> None:
        broker = parse(link)
        self._target = broker.host
        self.link: Link = broker._replace(host=host)
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._requests, self._answers = asyncio.Event(), asyncio.Event()
        self._bytes_left: int | None = None  # of answers, until all connections are broken
        self._broken = asyncio.Event()
        self.flow()

    def stall(self, *, answers_only: bool = False) -> None:
        """Carry nothing any more, or nothing from the broker; connections stay, and new ones are accepted."""
        self._answers.clear()
        if not answers_only:
            self._requests.clear()

    def flow(self) -> None:
        """Carry what waited, and go on."""
        self._requests.set()
        self._answers.set()

    def cut(self) -> None:
        """Break all connections; what they carried and nobody has got yet is lost."""
        for writer in self._writers:
            writer.transport.abort()

    async def cut_after(self, answers_bytes: int) -> None:
        """Returns when so many bytes more came from the broker, and all connections are broken."""
        self._bytes_left = answers_bytes
        self._broken.clear()
        async with asyncio.timeout(DEADLINE_S):
            await self._broken.wait()

    def _carried(self, answers_bytes: int) -> None:
        if self._bytes_left is not None:
            self._bytes_left -= answers_bytes
            if self._bytes_left <= 0:
                self._bytes_left = None
                self.cut()
                self._broken.set()

    async def listen(self, port: int) -> None:
        """Carry connections to one port."""

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._carry(port, reader, writer)

        self._servers.append(await asyncio.start_server(carry, self.link.host, port))

    async def swallow(self, port: int) -> None:
        """Accept connections to one port, and say nothing."""

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.add(writer)
            with suppress(OSError):
                while await reader.read(_PIECE_BYTES):
                    pass
            self._writers.discard(writer)
            writer.transport.abort()

        self._servers.append(await asyncio.start_server(hold, self.link.host, port))

    async def __aenter__(self) -> Self:
        await self.listen(self.link.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        self.cut()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _carry(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            its_reader, its_writer = await asyncio.open_connection(self._target, port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, its_writer}
        self._writers |= both
        pumps = [
            asyncio.create_task(_pump(reader, its_writer, self._requests, lambda _: None)),
            asyncio.create_task(_pump(its_reader, writer, self._answers, self._carried)),
        ]
        self._pumps |= set(pumps)
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._pumps -= set(pumps)
            self._writers -= both
            for one in both:
                one.transport.abort()


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    flowing: asyncio.Event,
    carried: Callable[[int], None],
) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE_BYTES):
            await flowing.wait()
            writer.write(piece)
            await writer.drain()
            carried(len(piece))
