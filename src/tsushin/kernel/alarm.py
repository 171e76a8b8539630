"""Calls things later, on a thread of its own: in a kernel no loop is sure to be free.

The thread starts with the first call and sleeps while nothing is due.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

from tsushin.transports.threaded import start_thread

_log = logging.getLogger("tsushin")


class Alarm:
    """Timers of one kernel. Any thread may ask."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def after(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call ``callback`` in ``delay_s`` seconds. What it raises is logged."""
        with self._changed:
            timer = (time.monotonic() + delay_s, next(self._numbers), callback)
            heapq.heappush(self._timers, timer)
            if self._thread is None:
                self._thread = start_thread(self._run, "tsushin alarm")
            if self._timers[0] is timer:  # else the thread wakes in time as it is
                self._changed.notify()

    def _run(self) -> None:
        while True:
            callback = self._next()
            try:
                callback()
            except Exception:  # one timer must not keep the others from ringing
                _log.exception("tsushin: a timer failed")

    def _next(self) -> Callable[[], None]:
        with self._changed:
            while True:
                now = time.monotonic()
                if self._timers and self._timers[0][0] <= now:
                    return heapq.heappop(self._timers)[2]
                self._changed.wait(self._timers[0][0] - now if self._timers else None)
