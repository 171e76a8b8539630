"""``tsushin.connect``: from a name, a file or a URL to a connected frontend."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

from tsushin.frontend.attach import EndpointKernel, FileKernel
from tsushin.frontend.frontend import Frontend
from tsushin.frontend.kernel import Kernel
from tsushin.frontend.launch import LaunchedKernel
from tsushin.frontend.server_kernel import ServerKernel
from tsushin.frontend.tasks import finish
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.routing import OnUnknown
from tsushin.transports.websocket import Subprotocol

CONNECT_TIMEOUT_S: Final = 60.0
_HTTP: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def connect(  # noqa: PLR0913 (one door, each by name)
    target: str | None = None,
    *,
    connection_file: str | os.PathLike[str] | None = None,
    token: str | None = None,
    kernel_id: str | None = None,
    kernel_name: str | None = None,
    on_unknown: OnUnknown | None = None,
    subprotocol: Subprotocol | None = None,
    limits: Limits = DEFAULT_LIMITS,
    timeout: float = CONNECT_TIMEOUT_S,
    lane: bool = True,
) -> Connecting:
    """Connect to a kernel; start it where that is asked for.

    Either ``async with connect("python3") as fe:``, or ``fe = await connect(…)`` and ``await fe.aclose()``.

    Args:
        target: what to connect to:
            the name of a kernelspec: starts that kernel; it ends when the frontend is closed;
            ``http(s)://…``, a Jupyter Server or an endpoint of ours: attaches to ``kernel_id``, or starts
            ``kernel_name`` (and ends it at close), or, with neither, attaches to its oldest kernel, or starts
            its default one where none runs. ``?token=`` is understood, as Jupyter prints it;
            ``ws(s)://…/channels``: attaches to the channels of one kernel, without REST. Without
            ``/channels`` it is the server of that address.
            None, without ``connection_file``: "python3".
        connection_file: attaches to the kernel of this file: a path, or a name in the runtime directory.
        token: of the server.
        on_unknown: what to do when the kernel opens a comm to a target not registered here: "close"
            answers with ``comm_close``; "ignore" leaves it to other frontends; "keep" does too, and delivers
            the comm with its messages (bounded) once the target is registered. By default "close" if this
            frontend starts its kernel, else "ignore".
        subprotocol: speak only this WebSocket subprotocol, "v1" or "default".
        timeout: seconds until the kernel is ready.
        lane: have comm messages go straight to the kernel's process where that is possible
            (``Frontend.has_lane``).

    Raises:
        ValueError: the arguments contradict each other. Raised here; the rest when awaited:
        ConnectFailed: no such kernelspec, kernel or server; no access; the kernel ended at once.
        TimeoutError: not within ``timeout`` seconds.
    """
    request = _Request(
        target, connection_file, token, kernel_id, kernel_name, subprotocol, limits, timeout
    )
    request.check()
    return Connecting(request, on_unknown, lane=lane)


@dataclass(frozen=True, slots=True)
class _Request:
    """The arguments of ``connect``."""

    target: str | None
    connection_file: str | os.PathLike[str] | None
    token: str | None
    kernel_id: str | None
    kernel_name: str | None
    subprotocol: Subprotocol | None
    limits: Limits
    timeout_s: float

    @property
    def scheme(self) -> str:
        return (self.target or "").partition("://")[0] if "://" in (self.target or "") else ""

    def check(self) -> None:
        if self.target is not None and self.connection_file is not None:
            raise ValueError("connect: expected a target or a connection_file, got both")
        if self.kernel_id is not None and self.kernel_name is not None:
            raise ValueError(
                "connect: expected kernel_id (attach) or kernel_name (start), got both"
            )
        if self.scheme and self.scheme not in _HTTP:
            raise ValueError(f"connect: expected http, https, ws or wss, got {self.scheme}://")
        if not self.scheme:
            for name in ("token", "kernel_id", "kernel_name", "subprotocol"):
                if getattr(self, name) is not None:
                    raise ValueError(f"connect: {name} needs the URL of a server")

    def kernel(self, session: str) -> Kernel:
        """Return what the arguments mean; nothing is started yet."""
        if self.connection_file is not None:
            return FileKernel(self.connection_file, limits=self.limits, timeout_s=self.timeout_s)
        if not self.scheme:
            return LaunchedKernel(
                self.target or "python3", limits=self.limits, timeout_s=self.timeout_s
            )
        return self._of_server(session)

    def _of_server(self, session: str) -> Kernel:
        parts = urlsplit(self.target or "")
        query = dict(parse_qsl(parts.query))
        token = self.token or query.pop("token", None)
        if self.scheme in ("ws", "wss") and parts.path.endswith("/channels"):
            return EndpointKernel(
                urlunsplit(parts._replace(query=urlencode(query), fragment="")),
                token=token,
                session=session,
                subprotocol=self.subprotocol,
                limits=self.limits,
                timeout_s=self.timeout_s,
            )
        base = parts._replace(scheme=_HTTP[self.scheme], query="", fragment="")
        return ServerKernel(
            urlunsplit(base),
            token=token,
            kernel_id=self.kernel_id,
            kernel_name=self.kernel_name,
            session=session,
            subprotocol=self.subprotocol,
            limits=self.limits,
            timeout_s=self.timeout_s,
        )


class Connecting:
    """A frontend to come: ``async with`` it, or await it and close the frontend yourself."""

    def __init__(self, request: _Request, on_unknown: OnUnknown | None, *, lane: bool) -> None:
        self._has_lane = lane
        self._request = request
        self._on_unknown = on_unknown
        self._frontend: Frontend | None = None

    def __await__(self) -> Generator[object, None, Frontend]:
        return self._connect().__await__()

    async def __aenter__(self) -> Frontend:
        self._frontend = await self._connect()
        return self._frontend

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._frontend is not None:
            await self._frontend.aclose()

    async def _connect(self) -> Frontend:
        session = uuid4().hex
        kernel = self._request.kernel(session)
        timeout_s = self._request.timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                transport = await kernel.connect()
        except TimeoutError:
            await finish(kernel.aclose())
            raise TimeoutError(f"{kernel.about}: not connected within {timeout_s:g} s") from None
        except BaseException:
            await finish(kernel.aclose())
            raise
        return Frontend(
            kernel,
            transport,
            session=session,
            on_unknown=self._on_unknown or ("close" if kernel.is_ours else "ignore"),
            limits=self._request.limits,
            lane=self._has_lane,
        )
