"""An endpoint on a socket: uvicorn around it, on this thread's loop or on a background thread.

TCP_NODELAY is asyncio's default for the sockets it accepts: without it small messages wait up to 40 ms.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote as url_quote

import uvicorn

from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.server.app import Endpoint

_START_TIMEOUT_S: Final = 10.0
_STOP_TIMEOUT_S: Final = 5.0
_GRACE_S: Final = 1  # for connections that do not end by themselves


class _Server(uvicorn.Server):
    """uvicorn, minus its signal handlers, plus a word when it listens and before it stops."""

    def __init__(self, config: uvicorn.Config, serving: Serving) -> None:
        super().__init__(config)
        self._serving = serving

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._serving.listening.set_result(None)

    async def main_loop(self) -> None:
        # uvicorn's own wakes ten times a second, to see whether it should stop and what time it is.
        await self._serving.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serving.say_goodbye()
        await super().shutdown(sockets=sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()  # A page that does not read would linger for ever.
        await asyncio.sleep(0)  # lets the connections notice


class Serving:
    """An endpoint being served. A context manager: leaving it closes.

    Args:
        endpoint: the application.
        host: an address of this machine, or a name of one.
        port: 0 chooses a free one.
        on_stop: called on the endpoint's loop when it is asked to stop, before pages are disconnected.

    Raises:
        OSError: the port is taken, or the address is not this machine's.

    Attributes:
        url: where it listens; ends in "/".
        endpoint: the application.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        host: str,
        port: int,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.endpoint = endpoint
        self.listening: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.stopping: asyncio.Event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_stop = on_stop
        self._socket = _bind(host, port)
        self.url: str = f"http://{_authority(self._socket)}/"
        self._server = _Server(_config(endpoint), self)
        self._thread: threading.Thread | None = None

    @property
    def token(self) -> str:
        """What clients must know; "" where none is asked for."""
        return self.endpoint.token

    @property
    def page_url(self) -> str:
        """The address of the page with the token in it: for a browser, not for a log."""
        return f"{self.url}?token={url_quote(self.token, safe='')}" if self.token else self.url

    @property
    def kernel_id(self) -> str:
        """The id of the one kernel, as in the REST API."""
        return self.endpoint.kernel_id

    async def run(self) -> None:
        """Serve on the running loop until ``stop``."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._server.serve(sockets=[self._socket])
        except BaseException as error:
            if not self.listening.done():
                self.listening.set_exception(error)
            raise
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Ask to stop: pages get what is queued and are disconnected. Any thread, returns at once."""
        self._server.should_exit = True  # for when it has not come up yet
        if self._loop is not None and not self._loop.is_closed():
            with suppress(RuntimeError):  # it was closed just now
                self._loop.call_soon_threadsafe(self.stopping.set)

    async def say_goodbye(self) -> None:
        """Tell the kernel end and the pages. Called by the server."""
        self._on_stop()
        await self.endpoint.aclose("the endpoint was closed")

    # ------------------------------------------------------------------ on a background thread

    def start(self) -> None:
        """Serve on a background thread; return when it listens."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self.run()), name="tsushin.serve", daemon=True
        )
        self._thread.start()
        self.listening.result(_START_TIMEOUT_S)
        atexit.register(self.close)

    def close(self) -> None:
        """Stop, and wait for the end where this is not the serving thread. A second call does nothing."""
        atexit.unregister(self.close)
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_STOP_TIMEOUT_S)
        elif self._thread is None:
            self._socket.close()  # it may never have served

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Serving {self.url}>"


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _config(endpoint: Endpoint) -> uvicorn.Config:
    return uvicorn.Config(
        endpoint,
        ws="websockets-sansio",
        # The endpoint checks each message; this is only what keeps a frame from being collected.
        ws_max_size=DEFAULT_LIMITS.max_message_bytes,
        ws_per_message_deflate=False,  # loopback is faster than zlib
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        # Its access log would hold tokens; what goes wrong in the endpoint, the endpoint logs.
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _bind(host: str, port: int) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen()  # whoever is told the address may connect; the server accepts when it runs
    except OSError:
        sock.close()
        raise
    return sock


def _authority(sock: socket.socket) -> str:
    """Return "host:port" as a client on this machine writes it."""
    host, port = sock.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = "::1" if sock.family == socket.AF_INET6 else "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
