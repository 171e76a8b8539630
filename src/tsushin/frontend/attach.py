"""Kernels somebody else started: by connection file, or by the WebSocket URL of their channels."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from jupyter_client.connect import find_connection_file

from tsushin.errors import ConnectFailed, KernelGoneWhy, Unsupported
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import JsonObject
from tsushin.transports.base import Transport
from tsushin.transports.heartbeat import wait_silent
from tsushin.transports.websocket import Subprotocol, connect_websocket, is_loopback
from tsushin.transports.zmq_ready import connect_zmq


class FileKernel:
    """A kernel by its connection file; its heartbeat tells when it is gone.

    Args:
        connection_file: a path, or a file name (globs allowed) in Jupyter's runtime directory.
    """

    can_reconnect = False  # its sockets do so by themselves
    max_whole_bytes: int | None = None
    is_ours = False
    can_restart = False  # only who started it can
    token: str | None = None

    def __init__(
        self, connection_file: str | os.PathLike[str], *, limits: Limits, timeout_s: float
    ) -> None:
        self.about: str = f"kernel of {os.fspath(connection_file)!r}"
        self._file = connection_file
        self._limits = limits
        self._timeout_s = timeout_s
        self._info: JsonObject = {}

    async def connect(self, *, after: str | None = None) -> Transport:
        """See ``Kernel.connect``."""
        try:
            self._info = _read(self._file)
            return await connect_zmq(
                self._info, limits=self._limits, timeout_s=self._timeout_s, after=after
            )
        except (
            OSError,
            ValueError,
            AttributeError,
        ) as error:  # AttributeError: JSON, but no object
            raise ConnectFailed(f"{self.about}: {error}") from error

    @property
    def is_local(self) -> bool:
        """See ``Kernel.is_local``."""
        return self._info.get("transport") == "ipc" or is_loopback(f"tcp://{self._info.get('ip')}")

    def lane_url(self) -> str | None:
        """See ``Kernel.lane_url``."""
        return None

    async def wait_gone(self) -> KernelGoneWhy:
        """See ``Kernel.wait_gone``."""
        await wait_silent(self._info)
        return "died"

    async def fate(self) -> KernelGoneWhy | None:
        """See ``Kernel.fate``."""
        return None

    async def interrupt(self) -> None:
        """See ``Kernel.interrupt``."""
        raise Unsupported(f"{self.about}: no process to signal", feature="interrupt")

    async def restart(self) -> None:
        """See ``Kernel.restart``: never called."""

    async def aclose(self) -> None:
        """See ``Kernel.aclose``."""


def _read(connection_file: str | os.PathLike[str]) -> JsonObject:
    path = find_connection_file(os.fspath(connection_file))
    info: JsonObject = json.loads(Path(path).read_text("utf-8"))
    return info


class EndpointKernel:
    """A kernel by the WebSocket URL of its channels; nothing else of its server is used.

    Args:
        url: ``ws://…/channels``, or wss.
    """

    can_reconnect = True
    max_whole_bytes: int | None = None  # whose server it is is not known
    is_ours = False
    can_restart = False  # only who started it can

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        session: str,
        subprotocol: Subprotocol | None,
        limits: Limits,
        timeout_s: float,
    ) -> None:
        self.about: str = f"kernel at {url.partition('?')[0]}"
        self._url = f"{url}{'&' if '?' in url else '?'}session_id={session}"
        self.token = token
        self.is_local: bool = is_loopback(url)
        self._subprotocol = subprotocol
        self._limits = limits
        self._timeout_s = timeout_s

    async def connect(self, *, after: str | None = None) -> Transport:
        """See ``Kernel.connect``."""
        del after  # the server sees to that
        return await connect_websocket(
            self._url,
            token=self.token,
            subprotocol=self._subprotocol,
            limits=self._limits,
            timeout_s=self._timeout_s,
        )

    def lane_url(self) -> str | None:
        """See ``Kernel.lane_url``: whose server it is is not known."""
        return None

    async def wait_gone(self) -> KernelGoneWhy:
        """See ``Kernel.wait_gone``: the server's messages and the link itself tell."""
        await asyncio.Event().wait()
        return "died"

    async def fate(self) -> KernelGoneWhy | None:
        """See ``Kernel.fate``."""
        return None

    async def interrupt(self) -> None:
        """See ``Kernel.interrupt``."""
        raise Unsupported(f"{self.about}: no process to signal", feature="interrupt")

    async def restart(self) -> None:
        """See ``Kernel.restart``: never called."""

    async def aclose(self) -> None:
        """See ``Kernel.aclose``."""
