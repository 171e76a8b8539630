"""``serve`` and ``asgi_app``: the same targets for a notebook, a plain web page and any other client."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import webbrowser
from collections.abc import Iterable
from typing import Literal, overload

from tsushin.errors import quote
from tsushin.kernel.own import process_kernel
from tsushin.kernel.process import ProcessKernel, kernel_of
from tsushin.manager import CommManager
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.server.app import Endpoint
from tsushin.server.security import Guard
from tsushin.server.serving import Serving, is_loopback
from tsushin.server.signals import stop_on_signals


def asgi_app(
    manager: CommManager | None = None,
    *,
    token: str | None = None,
    allow_origins: Iterable[str] = (),
    allow_hosts: Iterable[str] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Endpoint:
    """Return an ASGI application that serves the comms of this process, to be mounted anywhere.

    ``app.mount("/comms", tsushin.asgi_app(...))`` in Starlette or FastAPI; clients then use that address as
    they would a Jupyter Server's. From now on a ``Comm`` made here belongs to it. Handlers run on the
    event loop of the server it is mounted in.

    Args:
        manager: whose comms; None is this process's own, as ``comm_manager()`` gives.
        token: what clients must know; None makes one, see the ``token`` of what is returned; "" asks
            for none, where the application around it decides who may.
        allow_origins: other sites whose pages may connect, as "https://app.example"; "*" is any.
        allow_hosts: names that clients reach this by; localhost and plain addresses need no mention.
        limits: bounds on what a page may send.

    Raises:
        TypeError: ``manager`` belongs to a kernel or a frontend.
    """
    kernel = _kernel(manager)
    kernel.serving_begins()
    return _endpoint(kernel, token, allow_origins, allow_hosts, limits)


@overload
def serve(
    manager: CommManager | None = None,
    *,
    host: str = ...,
    port: int = ...,
    token: str | None = ...,
    open: bool = ...,
    block: Literal[True] = ...,
    allow_remote: bool = ...,
    allow_origins: Iterable[str] = ...,
    allow_hosts: Iterable[str] = ...,
    limits: Limits = ...,
) -> None: ...
@overload
def serve(
    manager: CommManager | None = None,
    *,
    host: str = ...,
    port: int = ...,
    token: str | None = ...,
    open: bool = ...,
    block: Literal[False],
    allow_remote: bool = ...,
    allow_origins: Iterable[str] = ...,
    allow_hosts: Iterable[str] = ...,
    limits: Limits = ...,
) -> Serving: ...
def serve(  # noqa: PLR0913 (each by name, each with a default)
    manager: CommManager | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    open: bool = False,  # noqa: A002 (says what it does)
    block: bool = True,
    allow_remote: bool = False,
    allow_origins: Iterable[str] = (),
    allow_hosts: Iterable[str] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Serving | None:
    """Serve the comms of this process to pages and programs on this machine.

    Blocks until Ctrl-C, with handlers on the calling thread. With ``block=False`` it serves, and runs
    handlers, on a background thread and returns at once. When it ends every comm is closed.

    Args:
        manager: whose comms; None is this process's own, as ``comm_manager()`` gives.
        host: the address to listen on.
        port: 0 chooses a free one.
        token: what clients must know; None makes one, "" asks for none.
        open: open the page in the browser.
        block: see above.
        allow_remote: needed for a ``host`` that other machines can reach. Nothing is encrypted.
        allow_origins, allow_hosts, limits: as ``asgi_app``.

    Returns:
        With ``block=False`` a handle with ``url``, ``token``, ``page_url``, ``kernel_id`` and ``close()``;
        also a context manager.

    Raises:
        ValueError: ``host`` can be reached from elsewhere and ``allow_remote`` is False.
        OSError: the port is taken.
        RuntimeError: blocking was asked for inside a running event loop.
    """
    if not allow_remote and not is_loopback(host):
        raise ValueError(
            f"host: expected an address of this machine alone, got {quote(host)}; "
            "allow_remote=True lets other machines connect"
        )
    if block and _is_loop_running():
        raise RuntimeError(
            "serve() blocks, and an event loop runs here: serve(block=False) returns"
        )
    kernel = _kernel(manager)
    serving = Serving(
        _endpoint(kernel, token, allow_origins, allow_hosts, limits),
        host=host,
        port=port,
        on_stop=lambda: kernel.serving_ends("the endpoint was closed"),
    )
    kernel.serving_begins()
    if block:
        _run(serving, open_page=open)
        return None
    serving.start()
    if open:
        webbrowser.open(serving.page_url)
    return serving


def _run(serving: Serving, *, open_page: bool) -> None:
    """Serve on this thread until Ctrl-C or SIGTERM; the latter then has its usual effect."""

    async def run() -> None:
        running = asyncio.ensure_future(serving.run())
        await asyncio.wait(
            (running, asyncio.wrap_future(serving.listening)), return_when=asyncio.FIRST_COMPLETED
        )
        if open_page and not running.done():
            await asyncio.to_thread(webbrowser.open, serving.page_url)
        await running

    with stop_on_signals(serving.stop) as caught:
        sys.stderr.write(f"tsushin: serving at {serving.page_url} (Ctrl-C to stop)\n")
        asyncio.run(run())
    if signal.SIGTERM in caught:
        signal.raise_signal(signal.SIGTERM)


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _kernel(manager: CommManager | None) -> ProcessKernel:
    return process_kernel() if manager is None else kernel_of(manager)


def _endpoint(
    kernel: ProcessKernel,
    token: str | None,
    allow_origins: Iterable[str],
    allow_hosts: Iterable[str],
    limits: Limits,
) -> Endpoint:
    guard = Guard(
        token=secrets.token_urlsafe() if token is None else token,
        allow_origins=frozenset(allow_origins),
        allow_hosts=frozenset(host.lower() for host in allow_hosts),
    )
    return Endpoint(kernel, guard, limits=limits)
