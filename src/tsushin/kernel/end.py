"""What the endpoint and a kernel end ask of each other.

The endpoint (``server/``) knows pages, HTTP and WebSockets; a ``KernelEnd`` knows one kernel: this very
process (``process.py``) or a real one behind ZMQ (``server/relay.py``). Between them go messages.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import JsonObject, Message
from tsushin.wire import ws_default, ws_v1

V1: Final = "v1.kernel.websocket.jupyter.org"
# None is the default subprotocol: it has no name on the wire.
Subprotocol = Literal["v1.kernel.websocket.jupyter.org"] | None

Frame = str | bytes


class Frames:
    """One message on its way to pages: encoded once for each subprotocol, however many pages get it."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self._encoded: dict[Subprotocol, Frame] = {}

    def of(self, subprotocol: Subprotocol) -> Frame:
        """Return the frame for ``subprotocol``; buffers are copied into it. Errors are the codec's."""
        frame = self._encoded.get(subprotocol)
        if frame is None:
            codec = ws_v1 if subprotocol == V1 else ws_default
            frame = self._encoded[subprotocol] = codec.encode(self.message)
        return frame


class Page(Protocol):
    """One attached WebSocket connection, as a kernel end sees it."""

    def send(self, frames: Frames) -> None:
        """Queue a message; never waits, callable from any thread, encodes before it returns."""

    def end(self, reason: str) -> None:
        """Close the connection after what is queued: this kernel end is gone. Any thread."""


class Link(Protocol):
    """One page's way into the kernel."""

    def receive(self, message: Message) -> None:
        """Take a message of the page; never waits, never raises for what the page sent."""

    async def aclose(self) -> None:
        """Forget the page. Nothing is sent to it after this."""


class KernelEnd(Protocol):
    """One kernel that pages can attach to. Called on the endpoint's event loop."""

    kernel_id: str
    """As in the REST API."""
    name: str
    """Of its kernelspec."""
    last_activity: float
    """When a message last passed, in seconds since 1970."""

    @property
    def execution_state(self) -> str:
        """The kernel's state as the REST API tells it: "idle", "busy", "dead", …."""

    def spec(self) -> JsonObject:
        """Return the ``spec`` object of its kernelspec."""

    async def attach(self, page: Page) -> Link:
        """Give ``page`` everything the kernel publishes from now on.

        Raises:
            TransportError: the kernel cannot be reached.
        """

    async def interrupt(self) -> None:
        """Interrupt what runs.

        Raises:
            Unsupported: this kernel cannot be interrupted.
        """

    async def restart(self) -> None:
        """Start the kernel anew under the same id; its comms are lost.

        Raises:
            Unsupported: this kernel cannot be restarted.
        """

    def fault(self, error: RemoteProtocolError) -> None:
        """Report what a page did wrong to whoever looks after this end."""
