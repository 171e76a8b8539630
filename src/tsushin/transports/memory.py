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


class _Way:
    """One direction of a link: what is held, what has arrived, and how it ended."""

    def __init__(self) -> None:
        self.held: dict[Channel, deque[Message]] = {channel: deque() for channel in CHANNELS}
        self.arrived: deque[Message] = deque()
        self.wakeup: asyncio.Event = asyncio.Event()
        self.ended: TransportError | None = None
        self.is_stepped = False

    def put(self, message: Message) -> None:
        self.held[message.channel].append(message)
        if not self.is_stepped:
            self.step(message.channel)

    def step(self, channel: Channel) -> Message:
        message = self.held[channel].popleft()
        self.arrived.append(message)
        self.wakeup.set()
        return message

    def step_all(self) -> None:
        for channel in CHANNELS:
            while self.held[channel]:
                self.step(channel)

    def end(self, error: TransportError) -> None:
        self.ended = self.ended or error
        self.wakeup.set()


class MemoryTransport:
    """One end. Made in pairs by ``memory_pair``."""

    def __init__(self, incoming: _Way, outgoing: _Way) -> None:
        self.on_fault: OnFault | None = None
        self._incoming = incoming
        self._outgoing = outgoing

    def send(self, message: Message) -> None:
        """See ``Transport.send``."""
        if self._incoming.ended is not None:
            raise self._incoming.ended
        self._outgoing.put(plain(message))

    async def receive(self) -> Message:
        """See ``Transport.receive``."""
        while (message := self.receive_nowait()) is None:
            if self._incoming.ended is not None:
                raise self._incoming.ended
            self._incoming.wakeup.clear()
            await self._incoming.wakeup.wait()
        return message

    def receive_nowait(self) -> Message | None:
        """Take what has arrived, or None: for tests without an event loop."""
        arrived = self._incoming.arrived
        return arrived.popleft() if arrived else None

    async def aclose(self) -> None:
        """See ``Transport.aclose``; the peer still receives what was sent before."""
        if self._incoming.ended is None:
            self._incoming.end(TransportClosed("closed here"))
            self._outgoing.step_all()
            self._outgoing.end(TransportClosed("closed by the peer"))

    # ------------------------------------------------------------------ for tests

    def hold(self) -> None:
        """Keep what arrives from now on until ``step`` lets it in."""
        self._incoming.is_stepped = True

    def held(self) -> list[Channel]:
        """Return the channels on which something is held."""
        return [channel for channel, queue in self._incoming.held.items() if queue]

    def step(self, channel: Channel) -> Message:
        """Let the oldest held message of one channel in, and return it."""
        return self._incoming.step(channel)

    def drop(self, channel: Channel) -> Message:
        """Lose the oldest held message of one channel, as a server under load does; return it."""
        return self._incoming.held[channel].popleft()

    def repeat(self, channel: Channel) -> None:
        """Let the oldest held message of one channel in, and once more later."""
        held = self._incoming.held[channel]
        held.append(held[0])
        self.step(channel)

    def step_all(self) -> None:
        """Let everything held in, channel by channel."""
        self._incoming.step_all()

    def cut(self) -> None:
        """Break the link at both ends; what is held is lost."""
        for way in (self._incoming, self._outgoing):
            for queue in way.held.values():
                queue.clear()
            way.end(TransportLost("the link was cut"))


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Return two joined ends; delivery is immediate until ``hold`` is called on an end."""
    there, back = _Way(), _Way()
    return MemoryTransport(back, there), MemoryTransport(there, back)
