"""The REST calls a frontend needs of a kernel server: list, start, look, interrupt, restart, end.

The token goes into the ``Authorization`` header; a redirect is not followed, so it goes nowhere else. The
standard library's blocking client runs in a thread; each call is bounded.

Spec: Jupyter Server REST API.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote as url_quote
from urllib.parse import urlsplit, urlunsplit

from tsushin.errors import ConnectFailed, quote
from tsushin.transports.websocket import is_loopback

REQUEST_TIMEOUT_S: Final = 60.0  # starting a kernel is part of the request
LOOK_TIMEOUT_S: Final = 10.0  # a server that lists no kernels within that time does not answer
_MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024

Json = Any  # as decoded


class Server:
    """One server by its base URL. Every call raises ``ConnectFailed`` where there is no good answer.

    Args:
        url: ``http(s)://host:port/base/``, with or without a slash at its end.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self.url: str = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"token {token}"
        # A proxy of the environment cannot reach this machine's own loopback.
        proxies = urllib.request.ProxyHandler({} if is_loopback(url) else None)
        self._opener = urllib.request.build_opener(proxies, _NoRedirect)

    async def kernel_ids(self, *, timeout_s: float = REQUEST_TIMEOUT_S) -> list[str]:
        """Return the ids of the running kernels, the oldest first."""
        # To look is no activity: it must not keep an idle server from shutting down.
        path = "api/kernels?no_track_activity=1"
        answer = await self._call("GET", path, timeout_s=timeout_s)
        return [_kernel_id(kernel) for kernel in answer] if isinstance(answer, list) else []

    async def has_kernel(self, kernel_id: str, *, timeout_s: float = LOOK_TIMEOUT_S) -> bool:
        """Say whether the server runs this kernel."""
        return kernel_id in await self.kernel_ids(timeout_s=timeout_s)

    async def start(self, name: str | None) -> str:
        """Start a kernel and return its id; None means the server's default spec."""
        body = {} if name is None else {"name": name}
        starting = asyncio.ensure_future(self._call("POST", "api/kernels", body))
        try:
            return _kernel_id(await asyncio.shield(starting))
        except asyncio.CancelledError:
            # The request is on its way: wait, or a kernel stays that nobody knows of.
            await asyncio.wait({starting})
            if not starting.cancelled() and starting.exception() is None:
                await self.shutdown(_kernel_id(starting.result()))
            raise

    async def interrupt(self, kernel_id: str) -> None:
        """Interrupt what the kernel runs."""
        await self._call("POST", f"{_path(kernel_id)}/interrupt", {})

    async def restart(self, kernel_id: str) -> None:
        """Restart the kernel; the answer comes when it runs again."""
        await self._call("POST", f"{_path(kernel_id)}/restart", {})

    async def shutdown(self, kernel_id: str) -> None:
        """End the kernel; one that is gone already is no error."""
        await self._call("DELETE", _path(kernel_id), missing_ok=True)

    def channels_url(self, kernel_id: str) -> str:
        """Return the WebSocket URL of a kernel's channels."""
        return self._websocket_url(f"{_path(kernel_id)}/channels")

    def lane_url(self, kernel_id: str) -> str:
        """Return the WebSocket URL of a kernel's lane; a server without our extension has none."""
        return self._websocket_url(f"tsushin/lane/{kernel_id}")

    def _websocket_url(self, path: str) -> str:
        parts = urlsplit(f"{self.url}/{path}")
        return urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws"))

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None = None,
        *,
        missing_ok: bool = False,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Json:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 (connect takes http and https only)
            f"{self.url}/{path}", data, self._headers, method=method
        )
        what = f"{method} {self.url}/{path}"
        try:
            text = await asyncio.to_thread(self._open, request, timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                if missing_ok and error.code == 404:  # noqa: PLR2004 (HTTP: Not Found)
                    return None
                raise ConnectFailed(f"{what}: {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            raise ConnectFailed(f"{what}: {error}") from error
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise ConnectFailed(f"{what}: expected JSON, got {quote(text)}") from None

    def _open(self, request: urllib.request.Request, timeout_s: float) -> bytes:
        with self._opener.open(request, timeout=timeout_s) as response:
            text: bytes = response.read(_MAX_ANSWER_BYTES)
            return text


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _path(kernel_id: str) -> str:
    return f"api/kernels/{url_quote(kernel_id, safe='')}"


def _kernel_id(kernel: Json) -> str:
    kernel_id = kernel.get("id") if isinstance(kernel, dict) else None
    if isinstance(kernel_id, str):
        return kernel_id
    raise ConnectFailed(f"expected a kernel with an id, got {quote(kernel)}")
