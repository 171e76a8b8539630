"""The bridge: all comms of a kernel over one widget model, where no extension of ours is installed.

``Bridge`` is the kernel's end. A page that runs its module says hello; from then on the kernel's messages
reach it, and its own come to ``receive`` in the order in which they were sent. Until the first hello what
the kernel sends is kept: a message sent right after the model was made is lost in some hosts.

Spec: docs/reference/wire.md, "The bridge".
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tsushin.errors import RemoteProtocolError, Unsupported, quote
from tsushin.kernel.end import Frames, Page
from tsushin.kernel.in_order import InOrder
from tsushin.kernel.widget_model import WidgetModel
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import JsonObject, Message
from tsushin.wire import afm
from tsushin.wire.afm import MARK, VERSION
from tsushin.wire.parts import BytesLike

MODULE: Final = Path(__file__).parent / "static" / "bridge.js"
GAP_TIMEOUT_S: Final = 10.0  # an overtaken message arrives within a second, or never
MAX_PAGES: Final = 32  # pages that left without a word are forgotten, the oldest first

# What one custom message held: its JSON, and its buffers.
_Carried = tuple[JsonObject, Sequence[BytesLike]]

_log = logging.getLogger("tsushin")


class Bridge:
    """One kernel's comms over one widget model. Whoever displays it is connected.

    Args:
        kernel_id: names the kernel; one object in a page serves one kernel.
        receive: takes each message of a page, on the handler thread.
        hand_over: calls a function on the handler thread, now where that is this one.
        fault: hears what pages do wrong. Any thread.
    """

    def __init__(
        self,
        kernel_id: str,
        *,
        receive: Callable[[Message, Page], None],
        hand_over: Callable[[Callable[[], None]], None],
        fault: Callable[[RemoteProtocolError], None],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.kernel_id: str = kernel_id
        self._receive = receive
        self._hand_over = hand_over
        self._fault = fault
        self._limits = limits
        self._lock = threading.RLock()  # what is numbered first is sent first
        self._model: WidgetModel | None = None
        self._pages: dict[str, _Page] = {}
        self._is_awaited = False  # no page has said hello to this model yet
        self._kept = _Kept(limits)
        self._next = 0  # number of the next message to the pages

    @property
    def pages(self) -> int:
        """How many pages are connected (count)."""
        return sum(page.is_live for page in self._pages.values())

    @property
    def is_up(self) -> bool:
        """True while a page is connected, or the first one is still awaited."""
        return self._is_awaited or self.pages > 0

    def carriers(self) -> set[str]:
        """Return the ids of the comms that messages of pages come by."""
        return set() if self._model is None else {self._model.model_id}

    def show(self) -> WidgetModel:
        """Return the model to display; a new one where there is none, or the host has closed it."""
        with self._lock:
            if self._model is None or self._model.is_closed:
                self._is_awaited = True
                for page in self._pages.values():
                    page.is_live = False  # until it says hello by the new model
                self._model = WidgetModel(_module(), {"kernel_id": self.kernel_id}, self._arrive)
            return self._model

    def publish(self, message: Message, to: str | None = None) -> None:
        """Send ``message`` to every page, or to the one called ``to``. Any thread; never waits."""
        content: JsonObject = {"message": afm.encode(message)}
        if to is not None:
            content["to"] = to
        with self._lock:
            if not self.is_up:
                return
            numbered = {MARK: VERSION, "n": self._next, **content}
            self._next += 1
            if self._is_awaited or self._model is None or self._model.is_closed:
                self._kept.put(numbered, message.buffers)
            else:
                self._model.send(numbered, message.buffers)

    def send(self, frames: Frames) -> None:
        """See ``Page.send``: what a kernel end publishes."""
        self.publish(frames.message)

    def end(self, reason: str) -> None:
        """Tell every page that nothing more comes, and why. See ``Page.end``."""
        with self._lock:
            self._pages.clear()
            self._is_awaited = False
            self._kept.clear()
            self._say({"gone": reason})

    def join_ipywidgets(self) -> None:
        """See ``WidgetModel.join_ipywidgets``."""
        if self._model is not None:
            self._model.join_ipywidgets()

    # Any: a MIME bundle, as IPython and marimo take it.
    def _repr_mimebundle_(self, **_kwargs: Any) -> JsonObject:
        return self.show().mimebundle()

    def __repr__(self) -> str:
        return f"<the bridge of kernel {self.kernel_id}, pages connected: {self.pages}>"

    # ------------------------------------------------------------------ what pages say

    def _arrive(self, content: Any, buffers: Sequence[BytesLike]) -> None:  # Any: JSON of a page
        """Take one custom message, on whatever thread the host reads."""
        try:
            page_id, number = _head(content)
            page = self._put(page_id, number, content, buffers)
        except RemoteProtocolError as error:
            self._fault(error)
        else:
            if page is not None:
                self._hand_over(lambda: self._drain(page))

    def _put(
        self, page_id: str, number: int, content: JsonObject, buffers: Sequence[BytesLike]
    ) -> _Page | None:
        """Take a message in its turn; return the page whose messages may be due now."""
        with self._lock:
            if content.get("yield"):
                self.end("the page has the extension")
                return None
            page = self._pages.get(page_id) or self._add(page_id)
            if content.get("hello"):
                self._welcome(page, number)
            size = sum(memoryview(buffer).nbytes for buffer in buffers)
            try:
                page.due.extend(page.in_order.put(number, (content, buffers), size))
            except RemoteProtocolError:
                self.drop(page, page.in_order.gap())
                raise
            if page.in_order.is_waiting:
                self._watch_gap(page)
            return page

    def _add(self, page_id: str) -> _Page:
        """Add a page; it is live from its hello on, which other messages of it may overtake."""
        while len(self._pages) >= MAX_PAGES:
            self._pages.pop(next(iter(self._pages)))
        page = self._pages[page_id] = _Page(self, page_id)
        return page

    def _welcome(self, page: _Page, number: int) -> None:
        """Connect a page: what was kept for the first one, then everything from now on."""
        missing, late = page.in_order.start_at(number)
        page.due.extend(late)
        if missing and page.was_live:
            about = f"{missing} messages of the page were lost while its widget was made anew"
            self._fault(RemoteProtocolError(about))
        page.is_live = page.was_live = True
        first = self._kept.first if self._kept.first is not None else self._next
        self._say({"welcome": page.page_id, "n": first})
        if self._is_awaited and self._model is not None:
            self._is_awaited = False
            for content, buffers in self._kept.take():
                self._model.send(content, buffers)

    def _drain(self, page: _Page) -> None:
        """Handle what is due. One at a time, and in order: whoever is called first takes the first."""
        while page.due:
            try:
                content, buffers = page.due.popleft()
            except IndexError:  # taken by another thread just now
                return
            if "bye" in content:
                self._leave(page)
            elif "message" in content:
                self._handle(page, content["message"], buffers)

    def _handle(self, page: _Page, packed: object, buffers: Sequence[BytesLike]) -> None:
        try:
            message = afm.decode(packed, buffers, self._limits)
        except (RemoteProtocolError, ValueError) as error:
            self._fault(RemoteProtocolError(f"message of a page: {error}"))
        else:
            self._receive(message, page)

    def _leave(self, page: _Page) -> None:
        with self._lock:
            page.is_live = False

    def drop(self, page: _Page, reason: str) -> None:
        """Let go of a page whose messages are not whole any more."""
        self._pages.pop(page.page_id, None)
        self._say({"gone": reason, "to": page.page_id})

    def _watch_gap(self, page: _Page) -> None:
        """Let go of the page if what it waits for now has not come in time."""
        if page.watched == page.in_order.awaited:
            return
        awaited = page.watched = page.in_order.awaited

        def due() -> None:
            with self._lock:
                order = page.in_order
                if order.awaited != awaited or self._pages.get(page.page_id) is not page:
                    return
                gap = order.gap()
                self.drop(page, gap)
            self._fault(RemoteProtocolError(gap))

        timer = threading.Timer(GAP_TIMEOUT_S, due)
        timer.daemon = True
        timer.start()

    def _say(self, content: JsonObject) -> None:
        if self._model is not None and not self._model.is_closed:
            self._model.send({MARK: VERSION, **content})


class _Page:
    """One page behind the bridge, as a kernel end sees it. A ``Page``."""

    def __init__(self, bridge: Bridge, page_id: str) -> None:
        self.page_id: str = page_id
        self.in_order: InOrder[_Carried] = InOrder()
        self.due: deque[_Carried] = deque()
        self.is_live: bool = False
        self.was_live: bool = False
        self.watched: int = -1  # the number whose absence is being watched
        self._bridge = bridge

    def send(self, frames: Frames) -> None:
        """See ``Page.send``."""
        self._bridge.publish(frames.message, to=self.page_id)

    def end(self, reason: str) -> None:
        """See ``Page.end``."""
        self._bridge.drop(self, reason)


class _Kept:
    """What is sent before a page is there: bounded, the oldest is dropped first."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._kept: deque[_Carried] = deque()
        self._bytes = 0
        self._has_warned = False

    @property
    def first(self) -> int | None:
        """The number of the oldest."""
        return self._kept[0][0]["n"] if self._kept else None

    def put(self, content: JsonObject, buffers: Sequence[BytesLike]) -> None:
        """Keep one more; the first time that one is dropped for it is logged."""
        self._kept.append((content, buffers))
        self._bytes += _size(buffers)
        limits = self._limits
        # The newest is kept whatever its size: it is in memory anyway.
        while len(self._kept) > 1 and (
            len(self._kept) > limits.max_kept_messages or self._bytes > limits.max_kept_bytes
        ):
            self._bytes -= _size(self._kept.popleft()[1])
            if not self._has_warned:
                self._has_warned = True
                _log.warning(
                    "no page shows the bridge: the oldest messages to it are dropped; "
                    "display tsushin.bridge() in a cell"
                )

    def take(self) -> list[_Carried]:
        """Return all, in order, and keep none."""
        kept = list(self._kept)
        self.clear()
        return kept

    def clear(self) -> None:
        """Keep none."""
        self._kept.clear()
        self._bytes = 0


def run_on(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> bool:
    """Call ``callback`` if this thread runs ``loop`` just now; False where another one does."""
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        return False
    if here is loop:
        callback()
    return here is loop


def _size(buffers: Sequence[BytesLike]) -> int:
    return sum(memoryview(buffer).nbytes for buffer in buffers)


def _head(content: object) -> tuple[str, int]:
    """Return which page sent a custom message, and its number.

    Raises:
        RemoteProtocolError: it is none of the bridge.
    """
    if not isinstance(content, dict) or content.get(MARK) != VERSION:
        raise RemoteProtocolError(f"expected a message of the bridge's page, got {quote(content)}")
    page_id, number = content.get("page"), content.get("n")
    if not isinstance(page_id, str) or not isinstance(number, int) or number < 0:
        about = f"page, n: expected a string and a count, got {quote(page_id)}, {quote(number)}"
        raise RemoteProtocolError(about)
    return page_id, number


def _module() -> str:
    """Return the source of the module that pages run.

    Raises:
        Unsupported: it was not built.
    """
    if not MODULE.is_file():
        about = "the bridge is not built: run `make demo` in the repository, or install the wheel"
        raise Unsupported(about, feature="bridge")
    return MODULE.read_text(encoding="utf-8")
