"""What waits to be sent to one page: in order, bounded in bytes, filled from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Final

from tsushin.kernel.end import Frame
from tsushin.protocol.limits import MIB

# Enough for a burst of 20,000 small messages or several large arrays; a page further behind than this is
# disconnected, so that it can start anew, rather than sent a history with holes.
MAX_QUEUED_BYTES: Final = 256 * MIB


class Outbox:
    """Frames for one page. Made on the loop that takes them.

    Args:
        max_bytes: how much may wait. One frame always may, however large it is.

    Attributes:
        queued_bytes: how much waits; text counts its characters.
        finished: set once ``finish`` was called.
    """

    def __init__(self, max_bytes: int = MAX_QUEUED_BYTES) -> None:
        self.queued_bytes: int = 0
        self.finished: asyncio.Event = asyncio.Event()
        self._max_bytes = max_bytes
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._frames: deque[Frame] = deque()
        self._lock = threading.Lock()
        self._filled = asyncio.Event()
        self._is_finished = False

    def put(self, frame: Frame) -> bool:
        """Queue ``frame``; False where it would be too much, or after ``finish``: then it is dropped."""
        size = len(frame)
        with self._lock:
            is_full = bool(self._frames) and self.queued_bytes + size > self._max_bytes
            if self._is_finished or is_full:
                return False
            is_first = not self._frames
            self._frames.append(frame)
            self.queued_bytes += size
        if is_first:
            self._set(self._filled)
        return True

    def finish(self, *, drop: bool = False) -> None:
        """Take no more; what is queued can still be taken, unless it is dropped."""
        with self._lock:
            self._is_finished = True
            if drop:
                self._frames.clear()
                self.queued_bytes = 0
        self._set(self._filled)
        self._set(self.finished)

    async def take(self) -> Frame | None:
        """Take the next frame, waiting for it; None once finished and empty. One taker at a time."""
        while True:
            with self._lock:
                if self._frames:
                    frame = self._frames.popleft()
                    self.queued_bytes -= len(frame)
                    return frame
                if self._is_finished:
                    return None
                self._filled.clear()
            await self._filled.wait()

    def _set(self, event: asyncio.Event) -> None:
        if threading.get_ident() == self._thread:
            event.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(event.set)
