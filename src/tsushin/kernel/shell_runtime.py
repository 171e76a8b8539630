"""The ``Runtime`` of a kernel: handlers run where ipykernel runs its message handlers.

A handler gets what a cell gets around it: the ``pre_execute`` and ``post_execute`` events (so that inline
figures appear), Ctrl-C, and errors shown as a cell's errors are shown, on iopub, under the message that
caused them. On the delivery thread there are no such events: what listens to them, as matplotlib does, is
not made for a second thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any

from tsushin.errors import LocalProtocolError, RemoteProtocolError
from tsushin.kernel.handled import (
    handle_by_lane,
    handled,
    handled_by_lane,
    handling,
    shown_under,
)
from tsushin.kernel.shell_channel import flush, parent_here, request_here
from tsushin.kernel.shell_delivery import ShellDelivery
from tsushin.protocol.messages import JsonObject, Message
from tsushin.runtime import Cancel, MadeUnder

_log = logging.getLogger("tsushin")
_OURS = str(Path(__file__).parent.parent)  # the folder of this package


class ShellRuntime:
    """Runs handlers for one ipykernel.

    Args:
        kernel: a kernel; it may have no IPython shell, then there are no events.
        loop: returns the loop on which ``async`` handlers and kept messages run.
        delivery: what brings messages while a cell runs.
    """

    # Any: the kernel's class differs between versions and languages.
    def __init__(
        self,
        kernel: Any,
        loop: Callable[[], asyncio.AbstractEventLoop],
        delivery: ShellDelivery,
    ) -> None:
        self._kernel = kernel
        self._loop = loop
        self._delivery = delivery
        self._tasks: set[asyncio.Task[BaseException | None]] = set()  # a loop holds them weakly

    def run(self, handler: Callable[[], object], message: Message) -> object:
        """See ``Runtime.run``."""
        if handled() is None and shown_under() is not None:
            handle_by_lane(message)
            return self._run(handler)
        if message.header.get("msg_id", "") in ("", self.parent().get("msg_id")):
            return self._run(handler)
        # It was kept for a while, and something else is going on now.
        return contextvars.copy_context().run(self._run_under, handler, message)

    def _run_under(self, handler: Callable[[], object], message: Message) -> object:
        if handled() is not None:  # came over the bridge; the kernel's frontends do not know it
            with handling(message):
                return self._run(handler)
        handle_by_lane(message)
        with parent_here(self._kernel, self._delivery.shown_under(message)):
            try:
                return self._run(handler)
            finally:
                flush()

    def _run(self, handler: Callable[[], object]) -> object:
        self._trigger("pre_execute")
        try:
            return handler()
        finally:
            self._trigger("post_execute")

    def soon(self, callback: Callable[[], None]) -> None:
        """See ``Runtime.soon``; a safe point of the cell that asked comes first, if there is one."""
        self._delivery.soon(callback)

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """See ``Runtime.later``: on a thread of its own, as no loop of the kernel is sure to be free."""
        self._delivery.alarm.after(delay_s, callback)

    def spawn(
        self, awaitable: Awaitable[object], done: Callable[[BaseException | None], None]
    ) -> Cancel:
        """See ``Runtime.spawn``: on the loop, in the context of the message."""

        async def run() -> BaseException | None:
            self._trigger("pre_execute")
            try:
                await awaitable
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                return error  # the last two, raised in a task, would end the kernel's loop
            finally:
                self._trigger("post_execute")
            return None

        started: list[asyncio.Task[BaseException | None]] = []

        def finished(task: asyncio.Task[BaseException | None]) -> None:
            self._tasks.discard(task)
            done(None if task.cancelled() else task.result())

        def start() -> None:
            task = self._loop().create_task(run())
            self._tasks.add(task)
            task.add_done_callback(finished)
            started.append(task)

        def cancel() -> None:
            for task in started:
                task.cancel()

        self._call_soon(start)
        return lambda: self._call_soon(cancel)

    def report(self, error: BaseException, about: str, message: Message | None) -> None:
        """See ``Runtime.report``: an ``error`` message on iopub, as for a cell. Never raises."""
        _log.error("%s raised", about, exc_info=error)
        try:
            self._publish_error(error, about, message)
        except Exception:  # the comm must go on whatever a user's exception does to us
            self._kernel.log.exception("tsushin: %s raised, and that could not be shown", about)

    def fault(self, error: RemoteProtocolError) -> None:
        """See ``Runtime.fault``: a warning in the kernel's own log, which its starter reads."""
        self._kernel.log.warning("tsushin: %s", error)

    def parent(self, made_under: MadeUnder | None = None) -> JsonObject:
        """See ``Runtime.parent``: the request this thread works on.

        On a thread of the user's it is the request under which the comm was made, else the last one. For a
        message that came over the bridge it is that message, not the widget's that carried it.
        """
        known = handled() or handled_by_lane()  # the first may have come in the second
        if known is not None:
            return known
        request = request_here(self._kernel)
        if request is None:
            if made_under is not None and (known := made_under()):
                return known
            request = self._kernel.get_parent()
        header: JsonObject = request.get("header", {})
        return header

    def poll(self, comm_id: str | None) -> int:
        """See ``Runtime.poll``."""
        return self._delivery.safe_point(comm_id)

    # Any: what it gives is not looked at.
    def wait(self, future: Future[Any], timeout_s: float | None, *, handlers: bool = True) -> None:
        """See ``Runtime.wait``; Ctrl-C ends it on the main thread."""
        is_main = threading.current_thread() is threading.main_thread()
        if future.done():
            return
        if not handlers and (self._delivery.is_beside or not is_main):
            concurrent.futures.wait([future], timeout_s)
            return
        if self._delivery.thread.is_here():
            raise LocalProtocolError(
                "waiting on the delivery thread would stop what it waits for; use an async handler"
            )
        if not is_main:
            concurrent.futures.wait([future], timeout_s)
            return
        future.add_done_callback(lambda _: self._delivery.changed())
        self._delivery.wait(future.done, timeout_s, handlers=handlers)

    # ------------------------------------------------------------------ inside

    def _publish_error(self, error: BaseException, about: str, message: Message | None) -> None:
        flush()  # what the handler printed comes before its error
        content = {
            "ename": type(error).__name__,
            "evalue": _text(error),
            "traceback": [
                _sendable(line) for line in (*self._format(error), f"(raised in {about})")
            ],
        }
        kernel = self._kernel
        # What came over the bridge is no request that this kernel's own frontends know.
        if message is not None and handled() is None:
            parent = {"header": self._delivery.shown_under(message).header}
        else:
            parent = kernel.get_parent()
        topic = f"kernel.{kernel.ident}.error".encode()  # as ipykernel's own errors have
        kernel.session.send(kernel.iopub_socket, "error", content, parent=parent, ident=topic)

    def _trigger(self, event: str) -> None:
        shell = getattr(self._kernel, "shell", None)
        if shell is not None:
            shell.events.trigger(event)

    def _call_soon(self, callback: Callable[[], None]) -> None:
        loop = self._loop()
        if not loop.is_closed():  # else the kernel has ended and nobody is left to run it
            context = contextvars.copy_context()
            loop.call_soon_threadsafe(callback, context=context)

    def _format(self, error: BaseException) -> list[str]:
        """Return the traceback as the user set it up (``%xmode``), from their own code on."""
        kind, where = type(error), _users_part(error.__traceback__)
        shell = getattr(self._kernel, "shell", None)
        if shell is not None:
            try:
                lines: list[str] = shell.InteractiveTB.structured_traceback(
                    kind, error, where, tb_offset=0
                )
            except Exception:
                _log.exception("IPython could not format a traceback")
            else:
                return lines
        return traceback.format_exception(kind, error, where)


class ThreadRuntime(ShellRuntime):
    """Runs handlers of comms with ``run="thread"``, on the delivery thread."""

    def soon(self, callback: Callable[[], None]) -> None:
        """See ``Runtime.soon``."""
        self._call_soon(callback)

    def _trigger(self, event: str) -> None:
        """Leave out the shell's events, whose listeners expect the main thread."""


def _users_part(where: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of this package that lead to the user's."""
    start = where
    while start is not None and start.tb_frame.f_code.co_filename.startswith(_OURS):
        start = start.tb_next
    return where if start is None else start


def _text(error: BaseException) -> str:
    try:
        return _sendable(str(error))
    except Exception:
        return "(its text cannot be made: __str__ raised)"


def _sendable(text: str) -> str:
    """Replace lone surrogates, which JSON cannot carry as UTF-8."""
    return text.encode(errors="replace").decode()
