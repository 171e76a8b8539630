"""The ``Runtime`` of an end that lives on an asyncio loop: a Python frontend, a plain process."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from tsushin.errors import LocalProtocolError, RemoteProtocolError
from tsushin.protocol.messages import JsonObject, Message
from tsushin.runtime import Cancel, MadeUnder

_log = logging.getLogger("tsushin")


class LoopRuntime:
    """Handlers run on ``loop``, in place; their errors go to the loop's exception handler.

    That handler prints the traceback unless the application set another one, so nothing is swallowed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[BaseException | None]] = (
            set()
        )  # a loop holds its tasks weakly

    def run(self, handler: Callable[[], object], message: Message) -> object:
        """See ``Runtime.run``."""
        del message  # its parent matters in a kernel only
        return handler()

    def soon(self, callback: Callable[[], None]) -> None:
        """See ``Runtime.soon``; does nothing once the loop is closed, as nobody is left to run it."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """See ``Runtime.later``."""

        def begin() -> None:
            self._loop.call_later(delay_s, callback)

        self.soon(begin)

    def spawn(
        self, awaitable: Awaitable[object], done: Callable[[BaseException | None], None]
    ) -> Cancel:
        """See ``Runtime.spawn``. A cancelled handler counts as finished."""

        async def run() -> BaseException | None:
            try:
                await awaitable
            except (Exception, SystemExit) as error:  # SystemExit out of a task would end the loop
                return error
            return None

        def finished(task: asyncio.Task[BaseException | None]) -> None:
            self._tasks.discard(task)
            done(None if task.cancelled() else task.exception() or task.result())

        task = self._loop.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(finished)

        def cancel() -> None:
            task.cancel()

        return lambda: self.soon(cancel)

    def report(self, error: BaseException, about: str, message: Message | None) -> None:
        """See ``Runtime.report``."""
        del message  # its parent matters in a kernel only
        self._loop.call_exception_handler(
            {"message": f"tsushin: {about} raised", "exception": error}
        )

    def fault(self, error: RemoteProtocolError) -> None:
        """See ``Runtime.fault``: a warning of the logger ``tsushin``."""
        _log.warning("%s", error)

    def parent(self, made_under: MadeUnder | None = None) -> JsonObject:
        """See ``Runtime.parent``: what a frontend sends has no parent."""
        del made_under
        return {}

    def poll(self, comm_id: str | None) -> int:
        """See ``Runtime.poll``: the loop runs handlers as messages come, so nothing is ever due."""
        del comm_id
        return 0

    # Any: what it gives is not looked at.
    def wait(self, future: Future[Any], timeout_s: float | None, *, handlers: bool = True) -> None:
        """See ``Runtime.wait``."""
        del handlers  # they run on the loop, whoever waits elsewhere
        if not future.done() and is_running_here(self._loop):
            raise LocalProtocolError(
                "waiting here would stop the event loop that brings what is waited for; use await"
            )
        concurrent.futures.wait([future], timeout_s)


def is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Say whether the caller is inside ``loop``."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
