"""A kernel of Jupyter Server, or of an endpoint of ours: found or started by REST, spoken to by WebSocket."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import uuid4

from tsushin.errors import ConnectFailed, KernelGoneWhy
from tsushin.frontend.rest import Server
from tsushin.protocol.limits import Limits
from tsushin.transports.base import Transport
from tsushin.transports.websocket import (
    Subprotocol,
    WebSocketTransport,
    connect_websocket,
    is_loopback,
)

# What Jupyter Server takes in one message, by default, and a margin for the frame's own parts.
WEBSOCKET_BYTES: Final = (10 << 20) - (64 << 10)
_ASK_S: Final = 5.0  # between two questions whether the kernel is still there


class ServerKernel:
    """One kernel of a server.

    Args:
        kernel_id: attach to this one.
        kernel_name: start one of this spec, and end it at close. With neither, attach to the server's
            oldest kernel, or start its default one where none runs.
    """

    can_reconnect = True
    max_whole_bytes: int | None = WEBSOCKET_BYTES
    can_restart = True

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        kernel_id: str | None,
        kernel_name: str | None,
        session: str,
        subprotocol: Subprotocol | None,
        limits: Limits,
        timeout_s: float,
    ) -> None:
        self.about: str = f"kernel of {url}"
        self.is_ours: bool = False
        self._server = Server(url, token=token)
        self.token = token
        self.is_local: bool = is_loopback(url)
        self._id = kernel_id
        self._name = kernel_name
        self._session = session
        self._link: WebSocketTransport | None = None
        self._subprotocol = subprotocol
        self._limits = limits
        self._timeout_s = timeout_s

    async def connect(self, *, after: str | None = None) -> Transport:
        """See ``Kernel.connect``."""
        del after  # the server sees to that
        kernel_id = self._id = await self._find()
        # Without this look, a wrong id and a wrong token are both "403" or "404" of a WebSocket.
        if not await self._server.has_kernel(kernel_id, timeout_s=self._timeout_s):
            raise ConnectFailed(f"{self.about}: no kernel {kernel_id}")
        if self._link is not None and self._link.went_silent:
            # Where the server still has the old connection, two of one id would share what the kernel says.
            self._session = uuid4().hex
        url = f"{self._server.channels_url(kernel_id)}?session_id={self._session}"
        self._link = await connect_websocket(
            url,
            token=self.token,
            subprotocol=self._subprotocol,
            limits=self._limits,
            timeout_s=self._timeout_s,
        )
        return self._link

    def lane_url(self) -> str | None:
        """See ``Kernel.lane_url``."""
        return None if self._id is None else self._server.lane_url(self._id)

    async def wait_gone(self) -> KernelGoneWhy:
        """See ``Kernel.wait_gone``.

        A death is told by the server's messages. A kernel that somebody else ends through the server may
        say nothing at all, and the server keeps the link: it is asked now and then.
        """
        while await self.fate() is None:  # noqa: ASYNC110 (REST tells no events)
            await asyncio.sleep(_ASK_S)
        return "shut down"

    async def fate(self) -> KernelGoneWhy | None:
        """See ``Kernel.fate``: a server that answers knows."""
        try:
            return None if await self._server.has_kernel(self._known_id()) else "shut down"
        except ConnectFailed:
            return None

    async def interrupt(self) -> None:
        """See ``Kernel.interrupt``."""
        await self._server.interrupt(self._known_id())

    async def restart(self) -> None:
        """See ``Kernel.restart``."""
        await self._server.restart(self._known_id())

    async def aclose(self) -> None:
        """See ``Kernel.aclose``."""
        if self.is_ours and self._id is not None:
            self.is_ours = False
            await self._server.shutdown(self._id)

    async def _find(self) -> str:
        if self._id is not None:
            return self._id
        running = await self._server.kernel_ids() if self._name is None else []
        if running:
            return running[0]
        kernel_id = await self._server.start(self._name)
        self.is_ours = True
        return kernel_id

    def _known_id(self) -> str:
        if self._id is None:
            raise ConnectFailed(f"{self.about}: not connected yet")
        return self._id
