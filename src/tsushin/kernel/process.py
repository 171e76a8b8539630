"""Any Python process as a kernel end: it has no cells, but it has comms.

``ProcessKernel`` answers the messages that a frontend expects every kernel to answer, well enough for
JupyterLab's own client. What needs a shell for code (``execute_request``, ``interrupt_request``, …) gets an
error reply named "NotSupported". Every request is wrapped in ``busy`` and ``idle`` with it as the parent.

iopub goes to every attached page; a reply goes to the page that asked. Handlers run on one event loop, that
of the endpoint that a page attached through first; other endpoints of this process hand messages over to it.

Spec: Jupyter messaging, "Messages on the shell (ROUTER/DEALER) channel", "Kernel status".
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

from tsushin.errors import RemoteProtocolError, Unsupported
from tsushin.kernel.answers import Answers
from tsushin.kernel.end import Frames, Page
from tsushin.kernel.handled import handled, handling, is_handled
from tsushin.loop_runtime import LoopRuntime
from tsushin.manager import CommManager
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import JsonObject, Message
from tsushin.runtime import Cancel, MadeUnder


class ProcessRuntime:
    """Handlers run on the loop that serves; what they send has the handled message as its parent."""

    def __init__(self, kernel: ProcessKernel) -> None:
        self.kernel = kernel
        self.loop: asyncio.AbstractEventLoop | None = None
        self._on_loop: LoopRuntime | None = None
        self._waiting: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def bind(self, loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
        """Return the loop that handlers run on: the one that does now, or ``loop`` from now on."""
        with self._lock:
            if self.loop is not None and self.loop.is_running():
                return self.loop
            self.loop, self._on_loop = loop, LoopRuntime(loop)
            waiting, self._waiting = self._waiting, []
        for callback in waiting:
            loop.call_soon_threadsafe(callback)
        return loop

    def run(self, handler: Callable[[], object], message: Message) -> object:
        """See ``Runtime.run``."""
        if is_handled(message):
            return handler()
        with handling(message):  # it was kept for a while
            return handler()

    def soon(self, callback: Callable[[], None]) -> None:
        """See ``Runtime.soon``; while nothing is served, what is asked waits for the next endpoint."""
        with self._lock:
            if self.loop is None or self.loop.is_closed():
                self._waiting.append(callback)
            else:
                self.loop.call_soon_threadsafe(callback)

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """See ``Runtime.later``."""
        self.soon(lambda: self._bound().later(delay_s, callback))

    def spawn(
        self, awaitable: Awaitable[object], done: Callable[[BaseException | None], None]
    ) -> Cancel:
        """See ``Runtime.spawn``."""
        return self._bound().spawn(awaitable, done)

    def report(self, error: BaseException, about: str, message: Message | None) -> None:
        """See ``Runtime.report``: to the loop's exception handler, which prints the traceback."""
        self._bound().report(error, about, message)

    def fault(self, error: RemoteProtocolError) -> None:
        """See ``Runtime.fault``: a warning of the logger ``tsushin``."""
        LoopRuntime.fault(self._bound(), error)

    def parent(self, made_under: MadeUnder | None = None) -> JsonObject:
        """See ``Runtime.parent``: the message being handled here and now, if any."""
        return handled() or (made_under() if made_under else {})

    def poll(self, comm_id: str | None) -> int:
        """See ``Runtime.poll``: the loop runs handlers as messages come, so nothing is ever due."""
        del comm_id
        return 0

    # Any: what it gives is not looked at.
    def wait(self, future: Future[Any], timeout_s: float | None, *, handlers: bool = True) -> None:
        """See ``Runtime.wait``."""
        if self._on_loop is None:
            concurrent.futures.wait([future], timeout_s)
        else:
            self._on_loop.wait(future, timeout_s, handlers=handlers)

    def _bound(self) -> LoopRuntime:
        if self._on_loop is None:
            raise RuntimeError("tsushin: a message was handled before anything was served")
        return self._on_loop


class ProcessKernel:
    """This process, or one set of comms in it, as a kernel. A ``KernelEnd``.

    Args:
        name: of its kernelspec.
        display_name: for people; the name unless given.
        about: what this end is, as pages read it.

    Attributes:
        manager: its comms and targets.
        is_hosting: something serves it, or has; then ``Comm`` may belong to it.
    """

    def __init__(
        self,
        name: str = "tsushin",
        *,
        display_name: str | None = None,
        about: str = "a plain Python process",
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.kernel_id: str = str(uuid4())
        self.name = name
        self.last_activity: float = time.time()
        self.is_hosting: bool = False
        self._endpoints = 0  # serving now
        self._display_name = display_name or name
        self._pages: tuple[Page, ...] = ()  # replaced, never changed: any thread may read it
        self._lock = threading.Lock()
        self._runtime = ProcessRuntime(self)
        self.manager: CommManager = CommManager(
            send=self._broadcast,
            runtime=self._runtime,
            channel="iopub",
            on_unknown="close",
            limits=limits,
        )
        self._answers = Answers(self.manager, about=about, publish=self._broadcast)

    # ------------------------------------------------------------------ KernelEnd

    @property
    def execution_state(self) -> str:
        """See ``KernelEnd``: whoever can ask finds it idle."""
        return "idle"

    def spec(self) -> JsonObject:
        """See ``KernelEnd.spec``; ``argv`` is empty because nobody can start this process."""
        return {
            "argv": [],
            "display_name": self._display_name,
            "language": "python",
            "interrupt_mode": "message",
            "env": {},
            "metadata": {},
        }

    async def attach(self, page: Page) -> ProcessLink:
        """See ``KernelEnd.attach``."""
        self.add(page, asyncio.get_running_loop())
        return ProcessLink(self, page)

    async def interrupt(self) -> None:
        """See ``KernelEnd.interrupt``: a plain process cannot be."""
        raise Unsupported("a plain Python process cannot be interrupted", feature="interrupt")

    async def restart(self) -> None:
        """See ``KernelEnd.restart``: a plain process cannot be."""
        raise Unsupported("a plain Python process cannot be restarted", feature="restart")

    def fault(self, error: RemoteProtocolError) -> None:
        """See ``KernelEnd.fault``."""
        self._runtime.fault(error)

    # ------------------------------------------------------------------ for whoever serves it

    def serving_begins(self) -> None:
        """An endpoint serves this kernel from now on. Any thread."""
        with self._lock:
            self.is_hosting = True
            self._endpoints += 1

    def serving_ends(self, reason: str) -> None:
        """An endpoint stops; with the last one every comm is closed. Call on its loop."""
        with self._lock:
            self._endpoints -= 1
            is_last = self._endpoints == 0
        if is_last:
            self.manager.close_all(reason)

    # ------------------------------------------------------------------ for ProcessLink and the bridge

    def add(self, page: Page, loop: asyncio.AbstractEventLoop) -> None:
        """Send ``page`` what is published from now on; handlers run on ``loop`` if none has them yet."""
        self._runtime.bind(loop)
        with self._lock:
            self._pages = (*self._pages, page)

    def receive(self, message: Message, page: Page) -> None:
        """Handle a message of ``page``, here or on the loop that handlers run on."""
        here = asyncio.get_running_loop()
        loop = self._runtime.bind(here)
        if loop is here:
            self._handle(message, page)
        else:
            loop.call_soon_threadsafe(self._handle, message, page)

    def detach(self, page: Page) -> None:
        """Send ``page`` nothing more."""
        with self._lock:
            self._pages = tuple(p for p in self._pages if p is not page)

    # ------------------------------------------------------------------ inside

    def _handle(self, message: Message, page: Page) -> None:
        self.last_activity = time.time()
        if message.channel in ("shell", "control"):
            with handling(message):
                self._publish_status("busy")
                try:
                    self._answers.dispatch(message, page)
                finally:
                    self._publish_status("idle")
        else:
            self._answers.dispatch(message, page)

    def _publish_status(self, state: str) -> None:
        self._broadcast(self._answers.message("iopub", "status", {"execution_state": state}))

    def _broadcast(self, message: Message) -> None:
        frames = Frames(message)
        for page in self._pages:
            page.send(frames)


class ProcessLink:
    """One page's way into a ``ProcessKernel``. A ``Link``."""

    def __init__(self, kernel: ProcessKernel, page: Page) -> None:
        self._kernel = kernel
        self._page = page

    def receive(self, message: Message) -> None:
        """See ``Link.receive``."""
        self._kernel.receive(message, self._page)

    async def aclose(self) -> None:
        """See ``Link.aclose``; comms stay open, as in every kernel: other pages may use them."""
        self._kernel.detach(self._page)


def kernel_of(manager: CommManager) -> ProcessKernel:
    """Return the kernel end whose manager this is.

    Raises:
        TypeError: it belongs to another host: a notebook's kernel, a frontend.
    """
    if isinstance(manager.runtime, ProcessRuntime):
        return manager.runtime.kernel
    raise TypeError(
        "manager: expected a plain process's, as comm_manager() gives where no kernel runs, "
        f"got one whose handlers run in a {type(manager.runtime).__name__}"
    )
