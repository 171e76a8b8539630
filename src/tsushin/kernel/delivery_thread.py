"""The thread on which handlers of comms with ``run="thread"`` run, while a cell runs.

One thread, one event loop: messages are handled in order of arrival, ``async`` handlers go on beside them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from tsushin.loop_runtime import is_running_here


class DeliveryThread:
    """A daemon thread with an event loop, started on first use; debuggers pass it over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop; it runs."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._start(self._loop)
            return self._loop

    def call(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` on the thread, after what was given before."""
        self.loop.call_soon_threadsafe(callback)

    def is_here(self) -> bool:
        """Say whether the caller is on this thread."""
        return self._loop is not None and is_running_here(self._loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        thread = threading.Thread(target=_run, args=[loop], name="tsushin delivery", daemon=True)
        # What debugpy looks at (ipykernel's own threads have the same two): not stopped at breakpoints.
        vars(thread).update(pydev_do_not_trace=True, is_pydev_daemon_thread=True)
        thread.start()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
