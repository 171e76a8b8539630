"""How fast a kernel speaks to plain frontends: not faster than a server with its usual limit passes on.

Jupyter Server drops a page's messages above 1,000 a second, counted over 3 s, and a plain page neither
confirms nor asks again. So a ``send`` waits once a burst is used up. Everything that the kernel publishes
counts, as it does at the server; what others publish is never held up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from tsushin.kernel.restore import put

PER_S: Final = 800.0  # messages; the server's limit is 1,000
BURST: Final = 500.0  # messages that may go at once: with 3 s of ``PER_S`` below 3,000
EXEMPT: Final = (b"status", b"execute_input")  # as at the server; the ends of their topics


class Pace:
    """Counts what a kernel publishes. Any thread may call.

    Args:
        clock: returns the time in seconds, from anywhere.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._left = BURST
        self._at = clock()

    def open(self, undo: ExitStack, kernel: Any) -> None:  # Any: the class differs between versions
        """Count everything that ipykernel's iopub thread sends, until ``undo`` closes."""
        thread = getattr(kernel, "iopub_thread", None)
        if thread is None:
            return
        send = thread.send_multipart

        # Any: whatever ipykernel's own takes.
        def counted(msg: Any, *args: Any, **kwargs: Any) -> Any:
            if not msg[0].endswith(EXEMPT):
                self.count()
            return send(msg, *args, **kwargs)

        put(undo, vars(thread), "send_multipart", counted)

    def count(self) -> None:
        """A message is published."""
        with self._lock:
            self._refill()
            self._left = max(0.0, self._left - 1)

    def pause(self) -> float:
        """Return how long a message has to wait, in seconds: at most a moment, ``1 / PER_S``."""
        if self._left >= 1:  # at least that much: nobody need look at the clock
            return 0.0
        with self._lock:
            self._refill()
            return max(0.0, 1 - self._left) / PER_S

    def sleep(self, pause_s: float) -> None:
        """Wait so long, if at all."""
        if pause_s:
            self._sleep(pause_s)

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._at) * PER_S)
        self._at = now
