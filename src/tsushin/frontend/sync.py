"""The blocking face of a frontend: the same, on a background thread with an event loop of its own.

Handlers run on that thread. A blocking call made *there* would wait for itself, so it is refused; an
``async`` handler can use ``fe.frontend`` instead. Works where the calling thread has a running loop, as in a
notebook, and Ctrl-C ends every wait.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from tsushin.comm import Comm
from tsushin.errors import LocalProtocolError
from tsushin.expected import DEFAULT_TIMEOUT_S, Expected
from tsushin.frontend.connect import CONNECT_TIMEOUT_S, connect
from tsushin.frontend.execution import OnOutput, Result
from tsushin.frontend.frontend import EXECUTE_TIMEOUT_S, RESTART_TIMEOUT_S, Frontend
from tsushin.manager import CommManager
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import CommInfo, JsonObject
from tsushin.protocol.routing import OnUnknown
from tsushin.transports.websocket import Subprotocol

_JOIN_TIMEOUT_S: Final = 5.0

T = TypeVar("T")


def connect_sync(  # noqa: PLR0913 (as connect)
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
) -> SyncFrontend:
    """Connect to a kernel, blocking.

    ``with connect_sync("python3") as fe:``, or ``fe = connect_sync(…)`` and ``fe.close()``.

    Arguments and errors are those of ``connect``.
    """
    connecting = connect(
        target,
        connection_file=connection_file,
        token=token,
        kernel_id=kernel_id,
        kernel_name=kernel_name,
        on_unknown=on_unknown,
        subprotocol=subprotocol,
        limits=limits,
        timeout=timeout,
        lane=lane,
    )
    thread = LoopThread()
    try:
        return SyncFrontend(thread, thread.run("connect", connecting.__aenter__()))
    except BaseException:
        thread.stop()
        raise


class SyncFrontend:
    """A ``Frontend`` whose calls block. Made by ``connect_sync``.

    Attributes:
        frontend: the asynchronous frontend, for ``async`` handlers; it belongs to the background thread.
        comm_manager: the comms and targets of this end, usable from any thread.
    """

    def __init__(self, thread: LoopThread, frontend: Frontend) -> None:
        self._thread = thread
        self.frontend = frontend
        self.comm_manager: CommManager = frontend.comm_manager

    @property
    def has_lane(self) -> bool:
        """See ``Frontend.has_lane``."""
        return self.frontend.has_lane

    @property
    def is_alive(self) -> bool:
        """See ``Frontend.is_alive``."""
        return self.frontend.is_alive

    def execute(
        self,
        code: str,
        *,
        timeout: float | None = EXECUTE_TIMEOUT_S,
        raise_on_error: bool = True,
        on_output: OnOutput | None = None,
        silent: bool = False,
        store_history: bool = True,
        stop_on_error: bool = False,
    ) -> Result:
        """See ``Frontend.execute``; ``on_output`` is called on the background thread."""
        return self._thread.run(
            "execute",
            self.frontend.execute(
                code,
                timeout=timeout,
                raise_on_error=raise_on_error,
                on_output=on_output,
                silent=silent,
                store_history=store_history,
                stop_on_error=stop_on_error,
            ),
        )

    def comms(
        self, target_name: str | None = None, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> CommInfo:
        """See ``Frontend.comms``."""
        return self._thread.run("comms", self.frontend.comms(target_name, timeout=timeout))

    def restore(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> list[str]:
        """See ``Frontend.restore``; targets run on the background thread."""
        return self._thread.run("restore", self.frontend.restore(timeout=timeout))

    def kernel_info(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> JsonObject:
        """See ``Frontend.kernel_info``."""
        return self._thread.run("kernel_info", self.frontend.kernel_info(timeout=timeout))

    def expect_open(self, target_name: str, timeout: float = DEFAULT_TIMEOUT_S) -> Expected[Comm]:
        """See ``Frontend.expect_open``; wait by ``.result(timeout)``."""
        return self.frontend.expect_open(target_name, timeout)

    def interrupt(self) -> None:
        """See ``Frontend.interrupt``."""
        self._thread.run("interrupt", self.frontend.interrupt())

    def restart(self, *, timeout: float = RESTART_TIMEOUT_S) -> None:
        """See ``Frontend.restart``."""
        self._thread.run("restart", self.frontend.restart(timeout=timeout))

    def close(self) -> None:
        """See ``Frontend.aclose``. A second call does nothing."""
        if self._thread.is_running:
            self._thread.run("close", self.frontend.aclose())
            self._thread.stop()

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
        return f"<Sync{repr(self.frontend)[1:]}"


class LoopThread:
    """A daemon thread that runs an event loop until ``stop``."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="tsushin frontend", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """True until ``stop``."""
        return not self._loop.is_closed()

    def run(self, name: str, coroutine: Coroutine[Any, Any, T]) -> T:  # Any: as asyncio types it
        """Run ``coroutine`` there and wait for it, blocking; an interrupted wait cancels it.

        Raises:
            LocalProtocolError: called on that very thread, or after ``stop``.
        """
        if threading.current_thread() is self._thread or not self.is_running:
            coroutine.close()
            if self.is_running:
                about = "would wait for itself: called by a handler; use fe.frontend in an async handler"
            else:
                about = "the frontend is closed"
            raise LocalProtocolError(f"{name}: {about}")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()  # the coroutine itself is bounded
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the loop and the thread; what still runs there is cancelled."""
        if self.is_running:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_JOIN_TIMEOUT_S)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            for task in (tasks := asyncio.all_tasks(self._loop)):
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()
