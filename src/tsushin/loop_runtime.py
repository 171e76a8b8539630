"""The ``Runtime`` of an end that lives on an asyncio loop: a Python frontend, a plain process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import JsonObject, Message

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

    def run(self, handler: Callable[[], object]) -> object:
        """See ``Runtime.run``."""
        return handler()

    def soon(self, callback: Callable[[], None]) -> None:
        """See ``Runtime.soon``; does nothing once the loop is closed, as nobody is left to run it."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)

    def spawn(
        self, awaitable: Awaitable[object], done: Callable[[BaseException | None], None]
    ) -> None:
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

    def report(self, error: BaseException, about: str, message: Message | None) -> None:
        """See ``Runtime.report``."""
        del message  # its parent matters in a kernel only
        self._loop.call_exception_handler(
            {"message": f"tsushin: {about} raised", "exception": error}
        )

    def fault(self, error: RemoteProtocolError) -> None:
        """See ``Runtime.fault``: a warning of the logger ``tsushin``."""
        _log.warning("%s", error)

    def parent(self) -> JsonObject:
        """See ``Runtime.parent``: what a frontend sends has no parent."""
        return {}
