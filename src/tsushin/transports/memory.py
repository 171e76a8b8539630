"""Both ends in one process: a link whose delivery a test steps, delays, cuts and interleaves.

Order within a channel is kept, as every carrier keeps it; across channels the test decides, because no
carrier promises anything there. Messages are encoded when they are sent (``plain``), so what arrives is
what a real wire would bring.
"""

from __future__ import annotations

import asyncio
from collections import deque

from tsushin.errors import TransportClosed, TransportError, TransportLost
from tsushin.protocol.messages import CHANNELS, Channel, Message, plain
from tsushin.transports.base import OnFault


class MemoryTransport:
    """One end. Made in pairs by ``memory_pair``."""

    def __init__(self) -> None:
        self.on_fault: OnFault | None = None
        self._peer: MemoryTransport | None = None
        self._held: dict[Channel, deque[Message]] = {channel: deque() for channel in CHANNELS}
        self._arrived: deque[Message] = deque()
        self._wakeup = asyncio.Event()
        self._ended: TransportError | None = None
        self._is_stepped = False

    def send(self, message: Message) -> None:
        """See ``Transport.send``."""
        if self._ended is not None:
            raise self._ended
        peer = self._peer
        assert peer is not None, "memory_pair joins the two ends"
        peer._held[message.channel].append(plain(message))
        if not peer._is_stepped:
            peer.step(message.channel)

    async def receive(self) -> Message:
        """See ``Transport.receive``."""
        while True:
            if self._arrived:
                return self._arrived.popleft()
            if self._ended is not None:
                raise self._ended
            self._wakeup.clear()
            await self._wakeup.wait()

    def receive_nowait(self) -> Message | None:
        """Take what has arrived, or None: for tests without an event loop."""
        return self._arrived.popleft() if self._arrived else None

    async def aclose(self) -> None:
        """See ``Transport.aclose``; the peer still receives what was sent before."""
        if self._ended is None:
            self._end(TransportClosed("closed here"))
            assert self._peer is not None, "memory_pair joins the two ends"
            self._peer.step_all()
            self._peer._end(TransportClosed("closed by the peer"))

    # ------------------------------------------------------------------ for tests

    def hold(self) -> None:
        """Keep what arrives from now on until ``step`` lets it in."""
        self._is_stepped = True

    def held(self) -> list[Channel]:
        """Return the channels on which something is held."""
        return [channel for channel, queue in self._held.items() if queue]

    def step(self, channel: Channel) -> Message:
        """Let the oldest held message of one channel in, and return it."""
        message = self._held[channel].popleft()
        self._arrived.append(message)
        self._wakeup.set()
        return message

    def step_all(self) -> None:
        """Let everything held in, channel by channel."""
        for channel in CHANNELS:
            while self._held[channel]:
                self.step(channel)

    def cut(self) -> None:
        """Break the link at both ends; what is held is lost."""
        assert self._peer is not None, "memory_pair joins the two ends"
        for end in (self, self._peer):
            for queue in end._held.values():
                queue.clear()
            end._end(TransportLost("the link was cut"))

    def _end(self, error: TransportError) -> None:
        self._ended = self._ended or error
        self._wakeup.set()


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Return two joined ends; delivery is immediate until ``hold`` is called on an end."""
    a, b = MemoryTransport(), MemoryTransport()
    a._peer, b._peer = b, a
    return a, b
