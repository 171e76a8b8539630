"""The way to a kernel's lane through the server: ``<base_url>tsushin/lane/<kernel id>?session=…``.

Who may execute code in a kernel may open it, and nobody else: it asks what the server asks at that kernel's
own WebSocket. Where it leads is no matter of the request: to the lane of a kernel of this server, as the file
beside the kernel's connection file says, which only this user can have written.

One frame at a time is under way in each direction: while a page does not read, nothing is read from its
kernel, and the other way round.

Spec: spec/profile.md, "Lane".
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.services.kernels.websocket import AUTH_RESOURCE
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    WebSocketHandler,
    websocket_connect,
)

from tsushin.kernel.lane_file import LaneAddress, lane_file, read_lane_file
from tsushin.protocol.limits import MIB

KERNEL_ID: Final = r"(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)"  # as jupyter_server's own routes
SUBPROTOCOL: Final = "v1.kernel.websocket.jupyter.org"
MAX_SESSION_CHARS: Final = 256  # those in use have 32 to 36
# Tornado's WebSocket client has a read buffer of 100 MiB. What is larger ends the lane, and goes by the
# standard route.
MAX_FRAME_BYTES: Final = 64 * MIB
CONNECT_TIMEOUT_S: Final = 5.0  # a kernel's lane is on this machine, and answers while cells run

_ENDED: Final = 1001
_BROKEN: Final = 1011
# Codes that may stand in a close frame (RFC 6455, 7.4): the others say that there was none.
_SENDABLE: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


def add_lane_route(web_app: web.Application) -> None:
    """Add the address to a server's web application."""
    path = url_path_join(web_app.settings["base_url"], "tsushin/lane", KERNEL_ID)
    web_app.add_handlers(".*$", [(path, LaneHandler)])


class LaneHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """A page's WebSocket to the lane of one kernel; the classes are those of ``KernelWebsocketHandler``."""

    auth_resource = AUTH_RESOURCE
    lane: WebSocketClientConnection

    def set_default_headers(self) -> None:
        """Leave out JupyterHandler's headers, as at kernels: they are no matter of WebSockets."""

    def get_compression_options(self) -> dict[str, Any] | None:
        """Return what the server's setting for all WebSockets says."""
        options: dict[str, Any] | None = self.settings.get("websocket_compression_options")
        return options

    @property
    def max_message_size(self) -> int:
        """Return the largest frame that passes, in bytes."""
        return MAX_FRAME_BYTES

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Select the lane's own."""
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    @ws_authenticated
    async def get(self, kernel_id: str) -> None:
        """Open the kernel's lane, then the page's WebSocket; return when that has ended.

        Whatever can be refused is so before the page's WebSocket is open, with a status: 400, 403, 404, 502.
        """
        await self._authorize()
        # Tornado asks both again. What it refuses must not open a lane, as that ends the session's other.
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPError(400, "a lane is a WebSocket")
        if not self.check_origin():
            raise web.HTTPError(403, "cross-origin")
        self.lane = await connect(self._address(kernel_id), self._session())
        try:
            await super().get(kernel_id=kernel_id)
        finally:
            self.lane.close(*_end(self.close_code, self.close_reason, "the page is gone"))

    async def open(self, **_: str) -> None:
        """Begin to pass on what the kernel sends."""
        super().open()  # the server's pings
        self.set_nodelay(True)
        self._passing = asyncio.create_task(self._pass_to_page())

    async def on_message(self, message: bytes | str) -> None:
        """Pass one frame on to the kernel; the next is read when this one was taken."""
        with suppress(WebSocketClosedError):  # the page is told by whoever reads from the lane
            await self.lane.write_message(message, binary=isinstance(message, bytes))

    async def _pass_to_page(self) -> None:
        while (message := await self.lane.read_message()) is not None:
            with suppress(WebSocketClosedError):  # the page is gone: the rest is read and left
                await self.write_message(message, binary=isinstance(message, bytes))
        self.close(*_end(self.lane.close_code, self.lane.close_reason, "the lane broke off"))

    async def _authorize(self) -> None:
        user = self.current_user
        asked = self.authorizer.is_authorized(self, user, "execute", AUTH_RESOURCE)
        if not await ensure_async(asked):
            raise web.HTTPError(403, "not allowed to execute in kernels")

    def _address(self, kernel_id: str) -> LaneAddress:
        if kernel_id not in self.kernel_manager:
            raise web.HTTPError(404, f"no kernel {kernel_id}")
        connection_file = self.kernel_manager.get_kernel(kernel_id).connection_file
        address = read_lane_file(lane_file(connection_file)) if connection_file else None
        if address is None:
            raise web.HTTPError(404, f"kernel {kernel_id} has no lane", reason="No Lane")
        return address

    def _session(self) -> str:
        session = self.get_query_argument("session", "")
        if not 0 < len(session) <= MAX_SESSION_CHARS:
            raise web.HTTPError(400, f"a session of 1 to {MAX_SESSION_CHARS} characters is needed")
        return session


async def connect(address: LaneAddress, session: str) -> WebSocketClientConnection:
    """Connect to a kernel's lane for a session; the caller closes it.

    Raises:
        HTTPError: 502, nobody is there, or the kernel refused.
    """
    request = HTTPRequest(
        f"ws://127.0.0.1:{address.port}/lane?session={quote(session, safe='')}",
        headers={"Authorization": f"token {address.secret}"},
        connect_timeout=CONNECT_TIMEOUT_S,
        request_timeout=CONNECT_TIMEOUT_S,
    )
    try:
        # Tornado's client holds one frame until it is read, and reads no further.
        lane = await websocket_connect(
            request, subprotocols=[SUBPROTOCOL], max_message_size=MAX_FRAME_BYTES
        )
    except (OSError, HTTPClientError, WebSocketError) as error:
        why = f"the kernel's lane did not take the connection: {error}"
        raise web.HTTPError(502, why, reason="Lane Refused") from error
    if lane.protocol is not None:  # None once it has ended
        lane.protocol.set_nodelay(True)  # tornado took it back when the request had been sent
    return lane


def _end(code: int | None, reason: str | None, otherwise: str) -> tuple[int, str]:
    """Return code and reason to end one side with, after those that the other ended with."""
    if code is None:
        return _BROKEN, otherwise
    return (code, reason or "") if code in _SENDABLE else (_ENDED, otherwise)
