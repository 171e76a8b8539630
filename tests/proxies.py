"""A link that a test can break: a TCP proxy in front of a real server."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit


class Proxy:
    """A TCP proxy in front of a server.

    ``cut`` breaks every connection, and ``is_down`` refuses new ones. ``freeze`` lets nothing through until
    ``thaw``, and says nothing.

    Args:
        path: only connections that ask for a path with this in it are broken, refused, held up and counted.

    Attributes:
        accepted: how many connections were made.
    """

    def __init__(self, url, *, path=""):
        self._to = urlsplit(url)
        self._path = path.encode()
        self._writers = set()
        self._others = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.is_down = False
        self.accepted = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = self._to._replace(netloc=f"127.0.0.1:{port}").geturl()
        return self

    async def __aexit__(self, *_):
        self.cut()
        for writer in self._others:
            writer.transport.abort()
        self.thaw()
        self._server.close()

    def cut(self):
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self):
        self._flows.clear()

    def thaw(self):
        self._flows.set()

    async def _accept(self, reader, writer):
        line = await reader.readline() if self._path else b""
        is_meant = self._path in line
        if is_meant:
            self.accepted += 1
            await self._flows.wait()
        there = None
        with contextlib.suppress(ConnectionRefusedError):  # of a server that is away
            if not (is_meant and self.is_down):
                there = await asyncio.open_connection(self._to.hostname, self._to.port)
        if there is None:
            writer.transport.abort()
            return
        there[1].write(line)
        writers = self._writers if is_meant else self._others
        writers |= {writer, there[1]}
        await asyncio.gather(
            self._copy(reader, there[1], is_meant), self._copy(there[0], writer, is_meant)
        )

    async def _copy(self, reader, writer, is_meant):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if is_meant:
                    await self._flows.wait()
                writer.write(data)
                await writer.drain()
            if is_meant:
                await self._flows.wait()
        writer.close()
