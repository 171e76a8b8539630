"""A frontend's end of a lane, on the kernel's own machine: a WebSocket read by a thread of its own.

Spec: spec/profile.md, "Lane".
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tsushin.errors import (
    ConnectFailed,
    RemoteProtocolError,
    TransportClosed,
    TransportError,
    TransportLost,
)
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Message
from tsushin.transports.base import OnFault
from tsushin.transports.threaded import Handshake, ThreadedWebSocket, receive_until
from tsushin.wire import ws_v1

_FLUSH_TIMEOUT_S: Final = 1.0  # what ``Transport.aclose`` allows for sending what is queued


async def connect_lane(
    port: int,
    session: str,
    token: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
    timeout_s: float,
) -> LaneTransport:
    """Connect to the lane that a kernel on this machine has offered.

    Raises:
        ConnectFailed: nobody listens there, or not for us, or not within ``timeout_s`` seconds.
    """
    attempt = _Attempt(lambda: _connect(port, session, token, limits, timeout_s))
    try:
        sock, protocol, early = await asyncio.to_thread(attempt.make)
    except (OSError, WebSocketException) as error:
        about = f"lane at port {port}: {str(error) or type(error).__name__}"
        raise ConnectFailed(about) from error
    except asyncio.CancelledError:
        attempt.give_up()
        raise
    return LaneTransport(ThreadedWebSocket(sock, protocol, limits=limits, early=early))


_Made = tuple[socket.socket, ClientProtocol, bytes]


class _Attempt:
    """A connection made on a thread, which goes on when nobody waits for it any more."""

    def __init__(self, connect: Callable[[], _Made]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._made: _Made | None = None
        self._is_given_up = False

    def make(self) -> _Made:
        """Connect. Errors are those of ``connect``."""
        made = self._connect()
        with self._lock:
            self._made = made
            if self._is_given_up:
                made[0].close()
        return made

    def give_up(self) -> None:
        """Close what was made, or will be."""
        with self._lock:
            self._is_given_up = True
            if self._made is not None:
                self._made[0].close()


def _connect(port: int, session: str, token: str, limits: Limits, timeout_s: float) -> _Made:
    until = time.monotonic() + timeout_s
    sock = socket.create_connection(("127.0.0.1", port), timeout_s)
    try:
        protocol = ClientProtocol(
            parse_uri(f"ws://127.0.0.1:{port}/lane?session={quote(session)}"),
            subprotocols=[Subprotocol(ws_v1.SUBPROTOCOL)],
            max_size=limits.max_message_bytes + ws_v1.TABLE_ROOM_BYTES,
        )
        request = protocol.connect()
        request.headers["Authorization"] = f"token {token}"
        protocol.send_request(request)
        for data in protocol.data_to_send():
            sock.sendall(data)
        early = _read_response(sock, protocol, until)
    except BaseException:
        sock.close()
        raise
    return sock, protocol, early


def _read_response(sock: socket.socket, protocol: ClientProtocol, until: float) -> bytes:
    """Read until the handshake is over; return what came behind it.

    Raises:
        OSError: the other side went away.
        WebSocketException: it refused.
    """
    handshake = Handshake(protocol)
    while True:
        data = receive_until(sock, until)
        if not data:
            raise ConnectionResetError("closed during the handshake")
        events = handshake.receive(data)
        if protocol.state is not State.OPEN:  # what refuses may have a body
            protocol.receive_data(handshake.take_early())
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc
        if events:
            return handshake.take_early()


class LaneTransport:
    """A ``Transport`` over a lane. What comes in quick succession wakes the loop once."""

    def __init__(self, lane: ThreadedWebSocket) -> None:
        self.on_fault: OnFault | None = None
        self._lane = lane
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[Message] = deque()
        self._has_arrived = asyncio.Event()
        self._is_wakeup_due = False
        self._ended: TransportError | None = None
        lane.start(self._put, self._end)

    def send(self, message: Message) -> None:
        """See ``Transport.send``."""
        if self._ended is not None:
            raise self._ended
        self._lane.send(message)

    async def receive(self) -> Message:
        """See ``Transport.receive``."""
        while True:
            if self._arrived:
                return self._arrived.popleft()
            if self._ended is not None:
                raise self._ended
            self._has_arrived.clear()
            await self._has_arrived.wait()

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._ended is None:
            await asyncio.to_thread(self._lane.flush, _FLUSH_TIMEOUT_S)
            self._ended = TransportClosed("closed here")
            self._has_arrived.set()
        self._lane.close()

    # ------------------------------------------------------------------ on the lane's thread

    def _put(self, messages: list[Message]) -> None:
        self._arrived.extend(messages)
        self._wake()

    def _end(self, fault: RemoteProtocolError | None) -> None:
        if fault is not None and self.on_fault is not None:
            self.on_fault(fault)
        if self._ended is None and self._lane.is_closed_by_peer:
            self._ended = TransportClosed("closed by the peer")
        self._ended = self._ended or TransportLost("the lane broke")
        self._wake()

    def _wake(self) -> None:
        if not self._is_wakeup_due and not self._loop.is_closed():
            self._is_wakeup_due = True
            self._loop.call_soon_threadsafe(self._wake_reader)

    def _wake_reader(self) -> None:
        self._is_wakeup_due = False  # first, so that what comes from here on wakes again
        self._has_arrived.set()
