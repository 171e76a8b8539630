"""What is around the handling of one message: its parent, busy before and idle after it.

The last status that a frontend hears counts as the kernel's state. So when a message was handled while a
request runs, ``busy`` of that request is published once more after the ``idle``. An ``async`` handler goes
on after the ``idle``, as a task does that a cell started.

Spec: Jupyter messaging, "Kernel status" and "Custom Messages": handlers set the parent and publish status.
"""

from __future__ import annotations

import contextvars
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from tsushin.kernel.handled import handle_by_lane, show_under
from tsushin.kernel.shell_channel import (
    flush,
    has_parent_in_context,
    parent_here,
    set_parent,
)
from tsushin.protocol.messages import JsonObject, Message

Status = Callable[[str, Message], None]


# The request that the main shell works on, or None.
Running = Callable[[], Message | None]
# Of which cell, on which thread; and the context.
_CellContext = tuple[tuple[str | None, int], contextvars.Context]


class Handling:
    """Handles messages of one kernel.

    Args:
        kernel: an ipykernel.
        status: publishes a state ("busy", "idle") with a message as its parent.
        running: the request that the main shell works on.
    """

    def __init__(self, kernel: Any, status: Status, running: Running) -> None:
        self._kernel = kernel  # Any: the class differs between versions
        self._status = status
        self._running = running
        self._context: _CellContext | None = None  # of the last cell that was shown under

    def handle(self, message: Message, work: Callable[[], None]) -> None:
        """Call ``work`` with ``message`` as parent, between busy and idle. Raises what it raises."""
        contextvars.copy_context().run(self._handle, message, work)

    def handle_quietly(self, message: Message, cell: Message, work: Callable[[], None]) -> None:
        """Call ``work`` and publish no status: no frontend knows ``message`` as a request.

        What is sent has it as the parent; what is published is shown under ``cell``. Raises what it raises.
        """
        context = self._context
        if context is None or context[0] != (cell.header.get("msg_id"), threading.get_ident()):
            context = self._new_context(cell)
        context[1].copy().run(self._handle_quietly, message, cell, work)

    def note(self, message: Message) -> None:
        """Publish busy and idle for a message that nothing had to run for."""
        self._status("busy", message)
        self._idle(message)

    def _handle(self, message: Message, work: Callable[[], None]) -> None:
        with parent_here(self._kernel, message):
            self._status("busy", message)
            try:
                work()
            finally:
                flush()
                self._idle(message)

    def _new_context(self, cell: Message) -> _CellContext:
        """Return a context in which ``cell`` is the parent, where ipykernel has that in the context.

        It is kept for the next message off the main thread: there all of them begin with the same context.
        """
        context = contextvars.copy_context()
        context.run(show_under, cast("JsonObject", cell.header))
        context.run(set_parent, self._kernel, cell)
        made = (cell.header.get("msg_id"), threading.get_ident()), context
        if threading.current_thread() is not threading.main_thread():
            self._context = made
        return made

    def _handle_quietly(self, message: Message, cell: Message, work: Callable[[], None]) -> None:
        handle_by_lane(message)
        try:
            if has_parent_in_context(self._kernel):
                work()
            else:
                with parent_here(self._kernel, cell):
                    work()
        finally:
            flush()

    def _idle(self, message: Message) -> None:
        self._status("idle", message)
        running = self._running()
        if running is not None:
            self._status("busy", running)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C in, as ipykernel does around its message handlers; between them it ignores it."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
