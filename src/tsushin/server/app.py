"""The endpoint: a plain ASGI application that serves one kernel to any number of pages.

``rest.py`` lists the HTTP surface, ``channels.py`` is the WebSocket, ``static_files.py`` the page at ``/``,
``security.py`` decides who may. It needs no lifespan and can be mounted below a prefix.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Final

from tsushin.errors import TransportError
from tsushin.kernel.end import KernelEnd
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.server.asgi import (
    NO_CONTENT,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    error_response,
    read_request,
    write_response,
)
from tsushin.server.channels import PageConnection, choose_subprotocol
from tsushin.server.outbox import MAX_QUEUED_BYTES
from tsushin.server.rest import RestApi
from tsushin.server.security import Guard
from tsushin.server.static_files import static_response

_CLOSE_TIMEOUT_S: Final = 1.0

_log = logging.getLogger("tsushin")


class Endpoint:
    """An ASGI application in front of one kernel.

    Args:
        kernel: what pages attach to.
        guard: who may.
        limits: bounds on what pages send.
        max_queued_bytes: how much may wait for one page before it is disconnected.

    Attributes:
        token: what clients must know; "" where none is asked for.
        kernel_id: of the one kernel, as in the REST API.
    """

    def __init__(
        self,
        kernel: KernelEnd,
        guard: Guard,
        *,
        limits: Limits = DEFAULT_LIMITS,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
    ) -> None:
        self.kernel = kernel
        self._guard = guard
        self._limits = limits
        self._max_queued_bytes = max_queued_bytes
        self._rest = RestApi(kernel)
        self._pages: set[PageConnection] = set()
        self._all_gone = asyncio.Event()

    @property
    def token(self) -> str:
        """What clients must know; "" where none is asked for."""
        return self._guard.token

    @property
    def kernel_id(self) -> str:
        """The id of the one kernel, as in the REST API."""
        return self.kernel.kernel_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI 3 defines it."""
        match scope["type"]:
            case "http":
                await self._http(read_request(scope), receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)
            case "lifespan":
                await _lifespan(receive, send)

    async def aclose(self, reason: str) -> None:
        """Send every page what is queued and disconnect it; bounded, 1 s. Pages may attach again."""
        for page in list(self._pages):
            page.end(reason)
        if self._pages:
            self._all_gone.clear()
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self._all_gone.wait()
            except TimeoutError:
                _log.debug("%d pages did not go in time", len(self._pages))

    # ------------------------------------------------------------------ inside

    async def _http(self, request: Request, receive: Receive, send: Send) -> None:
        response = await self._answer(request, receive)
        cors = self._guard.cors_headers(request)
        headers = {**response.headers, **cors}
        await write_response(
            send, replace(response, headers=headers), with_body=request.method != "HEAD"
        )

    async def _answer(self, request: Request, receive: Receive) -> Response:
        is_api = request.path == "/api" or request.path.startswith("/api/")
        is_preflight = request.method == "OPTIONS"  # browsers ask it without credentials
        refusal = self._guard.refusal(request, needs_token=is_api and not is_preflight)
        if refusal is not None:
            return refusal
        if is_preflight:
            return Response(NO_CONTENT)
        try:
            if is_api:
                return await self._rest.answer(request, receive)
            return static_response(request)
        except Exception:  # a fault of ours: said here, because the server's own log is quiet
            _log.exception("%s %s failed", request.method, request.path)
            return error_response(500, "internal error; the log of the endpoint says more")

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = read_request(scope)
        await receive()  # websocket.connect
        refusal = self._guard.refusal(request, needs_token=True)
        if refusal is None and request.path != f"/api/kernels/{self.kernel_id}/channels":
            refusal = error_response(404, "there is no such kernel")
        if refusal is None:
            refusal = await self._serve_page(request, receive, send)
        if refusal is not None:
            await _refuse(scope, send, refusal)

    async def _serve_page(self, request: Request, receive: Receive, send: Send) -> Response | None:
        selected = choose_subprotocol(request.subprotocols)
        page = PageConnection(
            send, selected, limits=self._limits, max_queued_bytes=self._max_queued_bytes
        )
        try:
            link = await self.kernel.attach(page)
        except TransportError as error:
            return error_response(503, str(error))
        self._enter(page)
        try:
            await send({"type": "websocket.accept", "subprotocol": selected})
            await page.run(receive, link, self.kernel)
        except OSError:
            _log.debug("a page went away during the handshake")
        except Exception:
            _log.exception("a page's connection failed")
        finally:
            await link.aclose()
            self._leave(page)
        return None

    def _enter(self, page: PageConnection) -> None:
        self._pages.add(page)
        self._rest.connections = len(self._pages)

    def _leave(self, page: PageConnection) -> None:
        self._pages.discard(page)
        self._rest.connections = len(self._pages)
        if not self._pages:
            self._all_gone.set()


async def _refuse(scope: Scope, send: Send, response: Response) -> None:
    """Refuse a WebSocket handshake, with the reason where the server can carry it."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await write_response(send, response, prefix="websocket.http")
    else:
        await send({"type": "websocket.close", "code": 1008})


async def _lifespan(receive: Receive, send: Send) -> None:
    """Say yes to whoever runs a lifespan; nothing here depends on it."""
    while (event := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{event['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
