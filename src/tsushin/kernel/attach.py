"""Attach to the ipykernel that runs in this process, and let go of it again.

Attaching puts our manager where ipykernel's was: behind its shell handlers, at ``kernel.comm_manager`` and
behind ``comm.get_comm_manager()``. Everything put there is recorded and taken out by ``detach``.

A kernel keeps one manager for good: attaching again after ``detach`` finds the same comms.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ExitStack
from typing import Any

from tsushin.errors import NoHost
from tsushin.kernel.ipykernel import KernelCommManager
from tsushin.kernel.lenient import LenientManager
from tsushin.kernel.provider import provide
from tsushin.kernel.restore import put
from tsushin.kernel.shutdown import close_at_shutdown
from tsushin.protocol.messages import COMM_TYPES

DISABLE = "TSUSHIN_DISABLE"

_lock = threading.RLock()
_attached: dict[int, _Attachment] = {}  # at most one, by id of its kernel


class _Attachment:
    """One kernel's manager, and how to undo what attaching did."""

    def __init__(self, kernel: Any) -> None:  # Any: the class differs between versions
        from tornado.ioloop import IOLoop  # noqa: PLC0415 (ipykernel has it; a plain process need not)

        # A startup file runs before kernel.start() sets io_loop, on the thread whose loop it will be.
        main: Any = (
            getattr(kernel, "io_loop", None) or IOLoop.current()
        )  # Any: tornado hides .asyncio_loop
        stock = kernel.comm_manager
        self.kernel = kernel
        self.manager = KernelCommManager(
            kernel, main.asyncio_loop, comms=stock.comms, targets=stock.targets
        )
        self.undo = ExitStack()
        self.is_on = False

    def switch_on(self) -> None:
        """Attach; nothing happens when it is attached already."""
        if self.is_on:
            return
        kernel, manager, undo = self.kernel, self.manager, self.undo
        self.is_on = True
        lenient = LenientManager(manager)
        if provide(undo, lenient):
            put(undo, vars(kernel), "comm_manager", lenient)
        for msg_type in COMM_TYPES:
            put(undo, kernel.shell_handlers, msg_type, getattr(manager, msg_type))
        for handlers in (kernel.shell_handlers, kernel.control_handlers):
            put(undo, handlers, "comm_info_request", manager.comm_info_request)
        manager.delivery.open(undo)
        manager.pace.open(undo, kernel)
        close_at_shutdown(undo, kernel, manager)
        manager.join()
        manager.sessions.announce()

    def switch_off(self) -> None:
        """Take out what ``switch_on`` put in."""
        if self.is_on:
            self.is_on = False
            self.manager.sessions.leave()
            self.manager.lanes.close()
            self.manager.leave()
            self.undo.close()
            # Until then a hello, or the wish for a lane, may have come in beside the main thread.
            self.manager.sessions.leave()
            self.manager.lanes.close()


def attach() -> KernelCommManager:
    """Attach to the running ipykernel, if that has not been done, and return its manager.

    Raises:
        NoHost: no ipykernel runs in this process, or the environment says ``TSUSHIN_DISABLE=1``.
    """
    if is_disabled():
        raise NoHost(f"{DISABLE} is set: nothing is attached")
    manager = attach_to_running()
    if manager is None:
        raise NoHost("no ipykernel runs in this process")
    return manager


def attach_if_kernel() -> KernelCommManager | None:
    """Do ``attach`` where it is possible; None in a plain process or where it is disabled."""
    return None if is_disabled() else attach_to_running()


def attach_to_running() -> KernelCommManager | None:
    """Do ``attach``, for who has asked ``is_disabled``; None in a plain process. Each new comm asks."""
    kernel = _running_kernel()
    if kernel is None:
        return None
    with _lock:
        attachment = _attached.get(id(kernel))
        if attachment is None:
            _attached.clear()  # of a kernel that was here before
            attachment = _attached[id(kernel)] = _Attachment(kernel)
        attachment.switch_on()
    return attachment.manager


def detach() -> None:
    """Give the kernel its own comms back, exactly as they were; nothing happens if not attached.

    Comms of this package that are open stay open and usable; the next new one attaches again.
    """
    with _lock:
        for attachment in _attached.values():
            attachment.switch_off()


def is_disabled() -> bool:
    """Say whether the environment forbids attaching: ``TSUSHIN_DISABLE`` set, and not to 0."""
    return os.environ.get(DISABLE, "0") not in ("", "0")


def _running_kernel() -> Any:  # Any: the kernel, or None; its class differs between versions
    kernelbase = sys.modules.get("ipykernel.kernelbase")  # not imported means not running
    if kernelbase is None or not kernelbase.Kernel.initialized():
        return None
    kernel = kernelbase.Kernel.instance()
    return kernel if hasattr(kernel, "comm_manager") else None
