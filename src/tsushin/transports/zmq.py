"""One frontend's link to a kernel over ZMQ, from a connection file.

Three DEALER sockets with one identity (shell, control, stdin) and a SUB socket (iopub), read straight from
asyncio by their file descriptors. Only the loop's thread touches a socket: other threads queue encoded
frames and wake the loop.

A ZMQ descriptor is edge-triggered: it tells that *something* happened, once, and sending may consume that
too. So whoever was told, or has sent, marks the socket as ready, and ``receive`` reads it until it is empty.

No high-water mark: the stock client's 1,000 drops a quarter of a fast burst, silently. What nobody reads is
bounded above, where it can be counted (``protocol/inbox.py``).

Spec: Jupyter messaging, "The Wire Protocol"; Jupyter kernels, "Connection files".
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import uuid4

import zmq

from tsushin.errors import RemoteProtocolError, TransportClosed, TransportError
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Channel, Message
from tsushin.transports.base import OnFault
from tsushin.transports.connection_info import ConnectionInfo
from tsushin.wire import zmq as wire
from tsushin.wire.signing import Signer

_KINDS: Final[dict[Channel, zmq.SocketType]] = {
    "shell": zmq.DEALER,
    "control": zmq.DEALER,
    "stdin": zmq.DEALER,
    "iopub": zmq.SUB,
}
_LINGER_MS: Final = 1000  # what ``Transport.aclose`` allows for sending what is queued
_HEAD_FRAMES: Final = 7  # topic, delimiter, signature, four parts; later frames are buffers

Frames = list[bytes | memoryview]
AnyFrames = list[Any]  # bytes, or zmq.Frame for a buffer; pyzmq's types do not tell which


class ZmqTransport:
    """A ``Transport`` to a kernel. Make it inside a running event loop; see ``zmq_ready.connect_zmq``.

    Args:
        info: the contents of the connection file.

    Raises:
        ValueError: ``info`` lacks a key, or names an unknown carrier or signature scheme.
    """

    def __init__(self, info: Mapping[str, object], *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.on_fault: OnFault | None = None
        self.info: ConnectionInfo = ConnectionInfo.parse(info)
        self._limits = limits
        self._signer = Signer(self.info.key, scheme=self.info.signature_scheme, limits=limits)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._wakeup = asyncio.Event()
        self._ended: TransportError | None = None
        self._outgoing: deque[tuple[Channel, Frames]] = deque()
        self._is_flush_due = False
        self._ready: deque[Channel] = deque()
        self._unread: deque[Message] = deque()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        identity = uuid4().hex.encode()
        self._sockets = {c: self._connect(c, identity) for c in _KINDS}

    def send(self, message: Message) -> None:
        """See ``Transport.send``. Buffers are not copied: they must not change."""
        if self._ended is not None:
            raise self._ended
        self._outgoing.append((message.channel, wire.encode(message, self._signer)))
        if threading.get_ident() == self._thread:
            self._flush()
        elif not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon_threadsafe(self._flush)

    async def receive(self) -> Message:
        """See ``Transport.receive``."""
        while self._ended is None:
            message = self._unread.popleft() if self._unread else self._next()
            if message is not None:
                return message
            self._wakeup.clear()
            await self._wakeup.wait()
        raise self._ended

    def unread(self, messages: Iterable[Message]) -> None:
        """Put messages back, to be received before any other, in this order."""
        self._unread.extendleft(reversed(list(messages)))

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._ended is not None:
            return
        self._flush()
        self._ended = TransportClosed("closed here")
        self._wakeup.set()
        for socket in self._sockets.values():
            self._loop.remove_reader(socket.fileno())
            socket.close(linger=_LINGER_MS)
        # Returns when what was queued is gone, at most after the linger time.
        await asyncio.to_thread(self._context.term)

    # ------------------------------------------------------------------ inside, on the loop's thread

    def _connect(self, channel: Channel, identity: bytes) -> zmq.Socket[bytes]:
        socket = self._context.socket(_KINDS[channel])
        socket.set_hwm(0)
        self.info.secure(socket)
        if channel == "iopub":
            socket.subscribe(b"")
        else:
            socket.identity = identity
        socket.connect(self.info.url(channel))
        self._loop.add_reader(socket.fileno(), self._told, channel)
        return socket

    def _flush(self) -> None:
        self._is_flush_due = False  # first, so that what is queued from here on asks again
        if self._ended is not None:
            return
        while self._outgoing:
            channel, frames = self._outgoing.popleft()
            self._sockets[channel].send_multipart(frames, copy=False)
            self._mark_ready(channel)

    def _told(self, channel: Channel) -> None:
        # Reading EVENTS takes the notice back, or the loop would spin until somebody receives.
        if self._sockets[channel].getsockopt(zmq.EVENTS):
            self._mark_ready(channel)

    def _mark_ready(self, channel: Channel) -> None:
        if channel not in self._ready:
            self._ready.append(channel)
        self._wakeup.set()

    def _next(self) -> Message | None:
        """Take the next good message, one channel after the other; None where all are empty."""
        while self._ready:
            channel = self._ready.popleft()
            frames = self._take(self._sockets[channel])
            if frames is None:
                continue
            self._ready.append(channel)
            message = self._decode(channel, frames)
            if message is not None:
                return message
        return None

    @staticmethod
    def _take(socket: zmq.Socket[bytes]) -> AnyFrames | None:
        try:
            frames: AnyFrames = [socket.recv(zmq.NOBLOCK)]
        except zmq.Again:
            return None
        while socket.getsockopt(zmq.RCVMORE):
            # A small frame is cheaper copied; a buffer is not.
            frames.append(socket.recv(zmq.NOBLOCK, copy=len(frames) < _HEAD_FRAMES))
        return frames

    def _decode(self, channel: Channel, frames: AnyFrames) -> Message | None:
        try:
            return wire.decode(frames, channel=channel, signer=self._signer, limits=self._limits)
        except RemoteProtocolError as error:
            if self.on_fault is not None:
                self.on_fault(error)
            return None
