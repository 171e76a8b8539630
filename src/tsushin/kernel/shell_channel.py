"""Where ipykernel's shell channel can be tapped: everything this package knows of its insides.

Two designs are known, told apart by what a kernel has, not by its version:

- A thread reads the channel and hands each request to a main shell or a subshell (ipykernel >= 7,
  ``ThreadedShell``). Comm messages are taken on that thread, so a running cell is not in their way.
- The main loop reads it (ipykernel 6, ``LoopShell``). Comm messages are taken when a cell awaits or asks.

Everything that is not taken goes on to ipykernel as it came, frame by frame, in its place. A *turn* is a
message of our own in the kernel's queue of requests: when it is reached, what was taken before it is due.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Protocol

import zmq

from tsushin.kernel.restore import put
from tsushin.protocol.messages import Message, to_classic

_TURN: Final = (
    b"tsushin turn"  # first frame; no message has it: identities come before the delimiter
)
_SWITCH_TIMEOUT_S: Final = 2.0

# Any: zmq.Frame, which pyzmq does not export as a type.
Frames = Sequence[Any]
# Any: kernels differ in their class between versions and packages.
Kernel = Any


class Taker(Protocol):
    """Who takes comm messages from the channel."""

    def take(self, frames: Frames) -> tuple[bool, int | None]:
        """Take a message, if it is one for comms: whether it was, and the turn to ask for, if any."""

    def first_turn(self) -> int | None:
        """Return the turn to ask for when the taking begins."""

    def turn(self, number: int) -> None:
        """A turn that was asked for has come. On the main thread, between two requests."""

    def running(self, frames: Frames) -> AbstractContextManager[None]:
        """Note that the main shell works on this request until the block ends."""


class ShellChannel(Protocol):
    """One kernel's shell channel, tapped."""

    def open(self, undo: ExitStack) -> None:
        """Give comm messages to the taker from now on; closing ``undo`` ends it."""

    def read(self) -> None:
        """Take what has come, where nobody else reads. On the main thread."""

    def wait(self, changed: threading.Event, timeout_s: float) -> None:
        """Wait until something may have come or ``changed`` is set. On the main thread."""

    def reply(self, frames: list[bytes | memoryview]) -> None:
        """Send on the shell channel. On the thread that called ``take``."""

    def pause(self) -> None:
        """Read no more for now. On the thread that called ``take``."""

    def resume(self) -> None:
        """Read again after ``pause``. Any thread."""


def tap(kernel: Kernel, taker: Taker) -> ShellChannel | None:
    """Return the shell channel of ``kernel``; None where its design is not known."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is not None:
        known = hasattr(kernel, "shell_channel_thread_main") and hasattr(thread, "asyncio_lock")
        return ThreadedShell(kernel, taker) if known else None
    return LoopShell(kernel, taker) if hasattr(kernel, "schedule_dispatch") else None


class ThreadedShell:
    """ipykernel >= 7. ``take`` is called on its shell-channel thread."""

    def __init__(self, kernel: Kernel, taker: Taker) -> None:
        self._kernel = kernel
        self._taker = taker
        self._thread = kernel.shell_channel_thread
        self._is_open = False

    def open(self, undo: ExitStack) -> None:
        """See ``ShellChannel.open``; returns when it has begun, unless the kernel starts only now."""
        put(
            undo,
            attributes(self._kernel),
            "dispatch_shell",
            self._dispatch(self._kernel.dispatch_shell),
        )
        if (
            getattr(self._kernel, "io_loop", None) is None
        ):  # a startup file: start() is still to come
            _after_start(self._kernel, undo, lambda: self._begin(undo))
        else:
            self._begin(undo)

    def read(self) -> None:
        """See ``ShellChannel.read``: the other thread does."""

    def wait(self, changed: threading.Event, timeout_s: float) -> None:
        """See ``ShellChannel.wait``."""
        changed.wait(timeout_s)

    def reply(self, frames: list[bytes | memoryview]) -> None:
        """See ``ShellChannel.reply``."""
        # Through the stream: a send beside it could swallow the wake-up for a request (ipykernel 7.4).
        self._kernel.shell_stream.send_multipart(frames)

    def pause(self) -> None:
        """See ``ShellChannel.pause``."""
        self._kernel.shell_stream.stop_on_recv()

    def resume(self) -> None:
        """See ``ShellChannel.resume``."""
        if self._is_open:
            self._thread.io_loop.add_callback(self._receive_with, self._received)

    # ------------------------------------------------------------------ inside

    def _begin(self, undo: ExitStack) -> None:
        begun = threading.Event()

        async def begin() -> None:
            self._receive_with(self._received)
            begun.set()
            await self._ask(self._taker.first_turn())

        self._is_open = True
        self._thread.io_loop.add_callback(begin)
        undo.callback(self._end)
        begun.wait(_SWITCH_TIMEOUT_S)

    def _end(self) -> None:
        """Give the channel back; what the other thread takes until then is still ours."""
        ended = threading.Event()

        def end() -> None:
            self._receive_with(self._kernel.shell_channel_thread_main)
            self._thread.io_loop.add_callback(ended.set)  # after what the stream has read already

        self._is_open = False
        self._thread.io_loop.add_callback(end)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            ended.wait(_SWITCH_TIMEOUT_S)

    def _receive_with(self, callback: Callable[[Frames], Awaitable[None]]) -> None:
        stream = self._kernel.shell_stream
        if not stream.closed():
            stream.on_recv(callback, copy=False)

    async def _received(self, frames: Frames) -> None:
        # No await before either lock: so what came first also gets its place first.
        is_taken, number = self._taker.take(frames)
        if is_taken:
            await self._ask(number)
        else:
            await self._kernel.shell_channel_thread_main(frames)

    async def _ask(self, number: int | None) -> None:
        if number is not None:
            async with self._thread.asyncio_lock:
                socket = self._thread.manager.get_shell_channel_to_subshell_socket(None)
                socket.send_multipart([_TURN, b"%d" % number])

    def _dispatch(self, stock: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        # Any: passed on as they come; 7.4 has one more than 7.3.
        async def dispatch_shell(
            msg: Frames, /, subshell_id: str | None = None, **options: Any
        ) -> None:
            if msg and bytes(msg[0].buffer) == _TURN:
                self._taker.turn(int(bytes(msg[1].buffer)))
            elif subshell_id is not None or options.get("concurrent"):
                await stock(msg, subshell_id=subshell_id, **options)
            else:
                with self._taker.running(msg):
                    await stock(msg, subshell_id=subshell_id, **options)

        return dispatch_shell


class LoopShell:
    """ipykernel 6. ``take`` is called on the main thread."""

    def __init__(self, kernel: Kernel, taker: Taker) -> None:
        self._kernel = kernel
        self._taker = taker

    def open(self, undo: ExitStack) -> None:
        """See ``ShellChannel.open``."""
        if getattr(self._kernel, "io_loop", None) is None:
            _after_start(self._kernel, undo, lambda: self._begin(undo))
        elif threading.current_thread() is threading.main_thread():
            self._begin(undo)
        else:
            self._kernel.io_loop.add_callback(self._begin, undo)

    def read(self) -> None:
        """See ``ShellChannel.read``."""
        self._kernel.shell_stream.flush(zmq.POLLIN)

    def wait(self, changed: threading.Event, timeout_s: float) -> None:
        """See ``ShellChannel.wait``; what other threads change is seen within 50 ms."""
        if not changed.is_set():
            self._kernel.shell_stream.socket.poll(int(min(timeout_s, 0.05) * 1000))

    def reply(self, frames: list[bytes | memoryview]) -> None:
        """See ``ShellChannel.reply``."""
        self._kernel.shell_stream.send_multipart(frames)

    def pause(self) -> None:
        """See ``ShellChannel.pause``: nothing is read while a cell runs unless it asks."""

    def resume(self) -> None:
        """See ``ShellChannel.resume``."""

    # ------------------------------------------------------------------ inside

    def _begin(self, undo: ExitStack) -> None:
        self._kernel.shell_stream.on_recv(self._received, copy=False)
        undo.callback(self._end)
        self._ask(self._taker.first_turn())

    def _end(self) -> None:
        self._kernel.shell_stream.on_recv(
            lambda frames: self._kernel.schedule_dispatch(self._kernel.dispatch_shell, frames),
            copy=False,
        )

    def _received(self, frames: Frames) -> None:
        is_taken, number = self._taker.take(frames)
        if is_taken:
            self._ask(number)
        else:
            self._kernel.schedule_dispatch(self._dispatch, frames)

    def _ask(self, number: int | None) -> None:
        if number is not None:
            self._kernel.schedule_dispatch(self._turn, number)

    async def _turn(self, number: int) -> None:
        self._taker.turn(number)

    async def _dispatch(self, frames: Frames) -> None:
        with self._taker.running(frames):
            await self._kernel.dispatch_shell(frames)


def _after_start(kernel: Kernel, undo: ExitStack, begin: Callable[[], None]) -> None:
    stock = kernel.start

    def start() -> None:
        stock()
        begin()

    put(undo, attributes(kernel), "start", start)


def connection_file_of(kernel: Kernel) -> str:
    """Return the path of the kernel's connection file; "" where it has none."""
    application = getattr(kernel, "parent", None)
    path = getattr(application, "abs_connection_file", "") or getattr(
        application, "connection_file", ""
    )
    return path if isinstance(path, str) and Path(path).is_absolute() else ""


# Any: whatever is there.
def attributes(kernel: Kernel) -> dict[str, Any]:
    """Return the kernel's own attributes, to put something there."""
    return kernel.__dict__  # type: ignore[no-any-return]  # Any: its class differs


# ---------------------------------------------------------------------- parents


@contextmanager
def parent_here(kernel: Kernel, message: Message) -> Iterator[None]:
    """Make ``message`` the parent of what this thread publishes until the block ends.

    Call in a context of its own (``contextvars.copy_context().run``): where ipykernel keeps parents in
    context variables (>= 7), they are set here and left. Where it keeps one for all (6), it is put back;
    off the main thread it is left alone there.
    """
    parent, identities = to_classic(message), list(message.identities)
    if set_parent(kernel, message):
        yield
    elif threading.current_thread() is threading.main_thread():
        before = kernel._parent_ident["shell"], kernel.get_parent("shell")  # noqa: SLF001 (likewise)
        kernel.set_parent(identities, parent, channel="shell")
        try:
            yield
        finally:
            kernel.set_parent(*before, channel="shell")
    else:
        yield


def set_parent(kernel: Kernel, message: Message) -> bool:
    """Make ``message`` the parent of what is published in this context, for good.

    False where ipykernel keeps parents elsewhere: then nothing was done.
    """
    parent, identities = to_classic(message), list(message.identities)
    parent_var = getattr(kernel, "_shell_parent", None)
    if not isinstance(parent_var, ContextVar):
        return False
    parent_var.set(parent)
    kernel._shell_parent_ident.set(identities)  # noqa: SLF001 (this file is for that)
    for holder, value in _holders(kernel, parent):
        holder.set(value)
    return True


def has_parent_in_context(kernel: Kernel) -> bool:
    """Say whether ipykernel has parents in context variables (>= 7), and one is set here."""
    parent_var = getattr(kernel, "_shell_parent", None)
    return isinstance(parent_var, ContextVar) and parent_var.get(None) is not None


# Any: a message as ipykernel has it.
def request_here(kernel: Kernel) -> dict[str, Any] | None:
    """Return the request that this thread works on; None where it works on none."""
    parent_var = getattr(kernel, "_shell_parent", None)
    request: dict[str, Any] | None = None
    if isinstance(parent_var, ContextVar):
        request = parent_var.get(None)
    elif threading.current_thread() is threading.main_thread():
        request = kernel.get_parent()
    return request


# Any: what the variables hold is ipykernel's.
def _holders(kernel: Kernel, parent: Any) -> Iterator[tuple[ContextVar[Any], Any]]:
    """Yield the other places where ipykernel >= 7 keeps the parent of outputs, and what belongs there."""
    shell = getattr(kernel, "shell", None)
    header = parent["header"]
    places = [(shell, parent), (sys.stdout, header), (sys.stderr, header)]
    places += [(getattr(shell, name, None), header) for name in ("displayhook", "display_pub")]
    for place, value in places:
        variable = getattr(place, "_parent_header", None)
        if isinstance(variable, ContextVar):
            yield variable, value


def flush() -> None:
    """Send what was printed so far ahead of what is published next.

    ``flush`` of ipykernel's streams waits for its IOPub thread, two switches between threads; where nothing
    was printed that is spared.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and getattr(stream, "_buffers", True):
            stream.flush()
