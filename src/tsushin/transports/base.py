"""What a transport is: four members that move whole messages, in order per channel.

A transport hides its carrier completely: it encodes and decodes with a codec of ``wire``, signs where the
carrier signs, and turns every way a link can end into one of three errors. What a peer can break in a
single message is no end of the link: it is reported to ``on_fault`` and the next message is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import Message

OnFault = Callable[[RemoteProtocolError], None]


class Transport(Protocol):
    """One end of a link. Ordered per channel, unordered across channels."""

    on_fault: OnFault | None
    """Called with what was wrong with one undecodable message; the link goes on."""

    def send(self, message: Message) -> None:
        """Queue ``message``; never waits, callable from any thread, encodes before it returns.

        Raises:
            TransportClosed: the link is closed.
            TransportLost: the link broke.
        """

    async def receive(self) -> Message:
        """Take the next message of any channel. One reader at a time; safe to cancel.

        Raises:
            TransportClosed: closed by us, or orderly by the peer.
            TransportLost: the link broke.
        """

    async def aclose(self) -> None:
        """Send what is queued (at most 1 s), then close. A second call does nothing."""
