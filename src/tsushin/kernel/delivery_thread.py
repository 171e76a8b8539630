"""The thread on which handlers of comms with ``run="thread"`` run, while a cell runs.

One thread, one event loop: messages are handled in order of arrival, ``async`` handlers go on beside them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

from tsushin.kernel.waking_loop import new_loop
from tsushin.loop_runtime import is_running_here
from tsushin.transports.threaded import start_thread


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
                self._loop = new_loop()
                start_thread(partial(_run, self._loop), "tsushin delivery")
            return self._loop

    def call(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` on the thread, after what was given before."""
        self.loop.call_soon_threadsafe(callback)

    def is_here(self) -> bool:
        """Say whether the caller is on this thread."""
        return self._loop is not None and is_running_here(self._loop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
