"""One page's WebSocket: ``/api/kernels/{id}/channels``, frames to messages and back.

Both subprotocols of Jupyter Server are spoken. A frame that is no message is reported and the connection goes
on. A page that does not read fast enough fills its own outbox and nobody else's; when that is full the page
is disconnected with code 1013 ("try again later").

Spec: Jupyter Server, "WebSocket protocols"; RFC 6455, 7.4.1 (close codes).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from tsushin.errors import RemoteProtocolError, WireError
from tsushin.kernel.end import V1, Frame, Frames, KernelEnd, Link, Subprotocol
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message
from tsushin.server.asgi import Event, Receive, Send
from tsushin.server.outbox import Outbox
from tsushin.wire import ws_default, ws_v1
from tsushin.wire.ws_v1 import TOKEN_SUBPROTOCOL

GOING_AWAY: Final = 1001
TRY_AGAIN_LATER: Final = 1013
_FLUSH_TIMEOUT_S: Final = 0.5  # for what is queued when the kernel end has ended the page
_MAX_REASON_BYTES: Final = 120  # a close frame has room for 123

_log = logging.getLogger("tsushin")


def choose_subprotocol(offered: tuple[str, ...]) -> str | None:
    """Return the subprotocol to select, one of those offered, or None.

    Browsers fail a connection that offered some and was given none, so a client that offered only its token
    is given that name back; what it then speaks is the default.
    """
    for wanted in (V1, TOKEN_SUBPROTOCOL):
        if wanted in offered:
            return wanted
    return next((name for name in offered if name.startswith(TOKEN_SUBPROTOCOL + ".")), None)


class PageConnection:
    """One attached page. A ``Page`` for the kernel end. Made on the loop of its WebSocket.

    Args:
        send: ASGI's, after the handshake.
        selected: the subprotocol as selected in the handshake.
        max_queued_bytes: how much may wait for this page.
    """

    def __init__(
        self, send: Send, selected: str | None, *, limits: Limits, max_queued_bytes: int
    ) -> None:
        self.subprotocol: Subprotocol = V1 if selected == V1 else None
        self._send = send
        self._limits = limits
        self._outbox = Outbox(max_queued_bytes)
        self._close_code = GOING_AWAY
        self._reason = ""

    def send(self, frames: Frames) -> None:
        """See ``Page.send``; where too much waits already, the page is disconnected."""
        waiting = self._outbox.queued_bytes
        if not self._outbox.put(frames.of(self.subprotocol)) and not self._reason:
            self._close_code = TRY_AGAIN_LATER
            self._reason = f"page too slow: {waiting} bytes were waiting"
            _log.warning("%s; it is disconnected", self._reason)
            self._outbox.finish(drop=True)

    def end(self, reason: str) -> None:
        """See ``Page.end``."""
        self._reason = self._reason or reason
        self._outbox.finish()

    async def run(self, receive: Receive, link: Link, kernel: KernelEnd) -> None:
        """Move messages both ways until either side ends the connection."""
        reading = asyncio.ensure_future(self._read(receive, link, kernel))
        writing = asyncio.ensure_future(self._write())
        ending = asyncio.ensure_future(self._outbox.finished.wait())
        tasks = (reading, writing, ending)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                await asyncio.wait((writing, reading), timeout=_FLUSH_TIMEOUT_S)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _read(self, receive: Receive, link: Link, kernel: KernelEnd) -> None:
        while (event := await receive())["type"] != "websocket.disconnect":
            text = event.get("text")
            frame: Frame = event["bytes"] if text is None else text
            try:
                message = self._decode(frame)
            except RemoteProtocolError as error:
                kernel.fault(error)
            else:
                link.receive(message)

    def _decode(self, frame: Frame) -> Message:
        if self.subprotocol is None:
            return ws_default.decode(frame, limits=self._limits)
        if isinstance(frame, str):
            raise WireError(f"expected binary, got text, as {V1} has none", part="frame")
        return ws_v1.decode(frame, limits=self._limits)

    async def _write(self) -> None:
        try:
            while (frame := await self._outbox.take()) is not None:
                kind = "text" if isinstance(frame, str) else "bytes"
                await self._send({"type": "websocket.send", kind: frame})
            await self._send(self._close_event())
        except OSError:  # ASGI 2.4: the page has gone, which the reader learns too
            self._outbox.finish(drop=True)

    def _close_event(self) -> Event:
        reason = self._reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        return {"type": "websocket.close", "code": self._close_code, "reason": reason}
