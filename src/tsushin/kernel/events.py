"""IPython's ``pre_execute`` and ``post_execute``, always in pairs.

``comm``'s own comms trigger the first, run the handler, and trigger the second only where it did not raise.
Whatever is built on the pair (inline figures, timers of extensions) is out of step from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def balanced_events(shell: Any) -> Iterator[None]:  # Any: IPython's shell, or None
    """Trigger every ``post_execute`` that the block leaves out by raising."""
    if shell is None:
        yield
        return
    open_now = 0

    def count(step: int) -> None:
        nonlocal open_now
        open_now += step

    listeners = {"pre_execute": lambda: count(1), "post_execute": lambda: count(-1)}
    for event, listener in listeners.items():
        shell.events.register(event, listener)
    try:
        yield
    finally:
        for _ in range(open_now):
            shell.events.trigger("post_execute")
        for event, listener in listeners.items():
            shell.events.unregister(event, listener)
