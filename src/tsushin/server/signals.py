"""Ctrl-C and SIGTERM for what serves in the main thread: the first one asks, the second one insists."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[list[signal.Signals]]:
    """Call ``stop`` on Ctrl-C and SIGTERM inside the block; yield the list of what came.

    A second signal raises ``KeyboardInterrupt`` in the main thread, for when something there hangs. In
    other threads this does nothing, as only the main thread gets signals.
    """
    caught: list[signal.Signals] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        caught.append(signal.Signals(number))
        if len(caught) > 1:
            raise KeyboardInterrupt
        stop()

    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
