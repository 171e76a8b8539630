"""An event loop that other threads wake by a lock.

asyncio's own is woken by a byte in a socket: one system call to write it, two to read it, and one to wait.
At each of them the thread lets go of the interpreter, and beside a cell that computes it gets it back only
after a switch interval. A lock needs none of them but the wait. Where the loop has files to wait for, as when
a handler uses the network, it waits and is woken as ever.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
from contextlib import suppress


class _Selector(selectors.DefaultSelector):
    """Waits for files, or where there is none but the loop's own, for a lock.

    Attributes:
        is_at_files: it waits for files, or is about to: only they wake it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_at_files: bool = False
        self._sleeping = threading.Lock()  # released to wake
        self._sleeping.acquire()

    def wake(self) -> None:
        """End ``select``, or the next one. Any thread."""
        with suppress(RuntimeError):  # it is released already
            self._sleeping.release()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the files that are ready, as ``BaseSelector.select``."""
        if len(self.get_map()) > 1:
            return self._select_files(timeout)
        if timeout is None:
            self._sleeping.acquire()
        elif timeout > 0:
            self._sleeping.acquire(timeout=timeout)
        else:
            self._sleeping.acquire(blocking=False)
        return []

    def _select_files(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        self.is_at_files = True  # first: who wakes from here on does it by a file
        try:
            if self._sleeping.acquire(blocking=False):
                timeout = 0
            return super().select(timeout)
        finally:
            self.is_at_files = False


class WakingLoop(asyncio.SelectorEventLoop):
    """The event loop of a thread that others give work to all the time."""

    def __init__(self) -> None:
        self._waking = _Selector()
        super().__init__(self._waking)

    def _write_to_self(self) -> None:
        """Wake the loop; asyncio calls this for ``call_soon_threadsafe``."""
        self._waking.wake()
        if self._waking.is_at_files:
            super()._write_to_self()  # type: ignore[misc]  # not in the stubs


def new_loop() -> asyncio.AbstractEventLoop:
    """Return such a loop; on Windows asyncio's own, as subprocesses need that."""
    return asyncio.new_event_loop() if sys.platform == "win32" else WakingLoop()
