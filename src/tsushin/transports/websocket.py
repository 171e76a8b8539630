"""One frontend's link to a kernel over WebSocket: Jupyter Server, or an endpoint of ours.

Both subprotocols are offered, v1 first; the server's pick decides the codec. A server that picks none speaks
the default one. Sending never waits: frames are encoded at once and a task on the loop writes them in order,
at the pace of the link.

Spec: Jupyter Server, "WebSocket protocols".
"""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections import deque
from typing import Final, Literal
from urllib.parse import urlsplit

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.frames import CloseCode

from tsushin.errors import (
    ConnectFailed,
    RemoteProtocolError,
    TransportClosed,
    TransportError,
    TransportLost,
    WireError,
    quote,
)
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Message
from tsushin.transports.base import OnFault
from tsushin.wire import ws_default, ws_v1

Subprotocol = Literal["v1", "default"]

CONNECT_TIMEOUT_S: Final = 30.0
_CLOSE_TIMEOUT_S: Final = 1.0  # what ``Transport.aclose`` allows for sending what is queued


async def connect_websocket(
    url: str,
    *,
    token: str | None = None,
    subprotocol: Subprotocol | None = None,
    limits: Limits = DEFAULT_LIMITS,
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> WebSocketTransport:
    """Connect to the channels of a kernel.

    Args:
        url: ``ws://…/api/kernels/<id>/channels``, or wss; may have ``?session_id=``.
        token: sent as ``Authorization: token …``, never in the URL, which servers log.
        subprotocol: the only one to offer; None offers v1 and accepts the default one.

    Raises:
        ConnectFailed: no server, no such kernel, not authorised, or not within ``timeout_s`` seconds.
    """
    where = url.partition("?")[0]  # a query may hold a token
    offered = None if subprotocol == "default" else [websockets.Subprotocol(ws_v1.SUBPROTOCOL)]
    try:
        connection = await connect(
            url,
            subprotocols=offered,
            additional_headers={"Authorization": f"token {token}"} if token else None,
            compression=None,  # costs more time on a local link than it saves
            max_size=limits.max_message_bytes + ws_v1.TABLE_ROOM_BYTES,
            open_timeout=timeout_s,
            close_timeout=_CLOSE_TIMEOUT_S,
            proxy=None if is_loopback(url) else True,
        )
    except (OSError, websockets.WebSocketException, ValueError) as error:
        raise ConnectFailed(f"{where}: {str(error) or type(error).__name__}") from error
    picked: Subprotocol = "v1" if connection.subprotocol == ws_v1.SUBPROTOCOL else "default"
    if subprotocol not in (None, picked):
        await connection.close()
        raise ConnectFailed(f"{where}: expected subprotocol v1, the server picked none")
    return WebSocketTransport(connection, picked, limits=limits)


def is_loopback(url: str) -> bool:
    """Say whether a URL names this machine, which a configured proxy could not reach."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class WebSocketTransport:
    """A ``Transport`` over an open WebSocket, of either side; ``connect_websocket`` makes the frontend's.

    Attributes:
        subprotocol: what the server picked.
    """

    def __init__(
        self,
        connection: Connection,
        subprotocol: Subprotocol,
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.on_fault: OnFault | None = None
        self.subprotocol = subprotocol
        self._connection = connection
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._outgoing: deque[str | bytes] = deque()
        self._has_outgoing = asyncio.Event()
        self._is_wakeup_due = False
        self._is_closing = False
        self._ended: TransportError | None = None
        self._writer = asyncio.create_task(self._write(), name="tsushin websocket writer")

    def send(self, message: Message) -> None:
        """See ``Transport.send``. Buffers are copied, into the frame."""
        if self._ended is not None:
            raise self._ended
        encode = ws_v1.encode if self.subprotocol == "v1" else ws_default.encode
        self._outgoing.append(encode(message))
        if threading.get_ident() == self._thread:
            self._has_outgoing.set()
        elif not self._is_wakeup_due:
            self._is_wakeup_due = True
            self._loop.call_soon_threadsafe(self._wake_writer)

    async def receive(self) -> Message:
        """See ``Transport.receive``."""
        while True:
            if isinstance(self._ended, TransportClosed):
                raise self._ended
            try:
                frame = await self._connection.recv()
            except websockets.ConnectionClosed as error:
                raise self._end(error) from error
            try:
                return self._decode(frame)
            except RemoteProtocolError as error:
                if self.on_fault is not None:
                    self.on_fault(error)

    @property
    def went_silent(self) -> bool:
        """Say whether the link was given up as nothing came any more: the peer may not know of that."""
        error = self._ended and self._ended.__cause__
        if not isinstance(error, websockets.ConnectionClosed) or error.rcvd is not None:
            return False
        return (
            error.sent is not None and error.sent.code == CloseCode.INTERNAL_ERROR
        )  # of the pings

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._is_closing:
            return
        self._is_closing = True
        self._ended = self._ended or TransportClosed("closed here")
        self._has_outgoing.set()
        await asyncio.wait([self._writer], timeout=_CLOSE_TIMEOUT_S)
        self._writer.cancel()
        await self._connection.close()

    # ------------------------------------------------------------------ inside, on the loop's thread

    def _wake_writer(self) -> None:
        self._is_wakeup_due = False  # first, so that what is queued from here on asks again
        self._has_outgoing.set()

    async def _write(self) -> None:
        while self._outgoing or self._ended is None:
            if not self._outgoing:
                self._has_outgoing.clear()
                await self._has_outgoing.wait()
                continue
            try:
                await self._connection.send(self._outgoing.popleft())
            except websockets.ConnectionClosed as error:
                self._end(error)
                return

    def _decode(self, frame: str | bytes) -> Message:
        if self.subprotocol == "default":
            return ws_default.decode(frame, limits=self._limits)
        if isinstance(frame, str):
            raise WireError(f"expected a binary frame, got text {quote(frame)}", part="frame")
        return ws_v1.decode(frame, limits=self._limits)

    def _end(self, error: websockets.ConnectionClosed) -> TransportError:
        if self._ended is None:
            if isinstance(error, websockets.ConnectionClosedOK):
                self._ended = TransportClosed("closed by the peer")
            else:
                self._ended = TransportLost(f"WebSocket: {error}")
                self._ended.__cause__ = error
            self._outgoing.clear()
            self._has_outgoing.set()
        return self._ended
