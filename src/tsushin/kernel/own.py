"""The kernel end that a plain process is, one for the whole process. A kernel that runs here comes first."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tsushin import host
from tsushin.kernel.host import kernel_manager
from tsushin.manager import CommManager

if TYPE_CHECKING:
    from tsushin.kernel.process import ProcessKernel

_own: ProcessKernel | None = None
_own_lock = threading.Lock()


def process_kernel() -> ProcessKernel:
    """Return this process's own kernel end, made on first use."""
    from tsushin.kernel.process import ProcessKernel  # noqa: PLC0415 (a kernel does not need it)

    global _own  # noqa: PLW0603 (one process, one kernel end)
    with _own_lock:
        if _own is None:
            _own = ProcessKernel()
        return _own


def process_manager() -> CommManager:
    """Return the manager that ``serve()`` and ``asgi_app()`` serve. Register targets on it first."""
    return process_kernel().manager


def comm_manager() -> CommManager:
    """Return this process's manager.

    In a running ipykernel it is the kernel's, attached by this call if need be; in a marimo notebook its
    session's. Elsewhere, and where ``TSUSHIN_DISABLE=1`` forbids attaching, it is the process's own, which
    ``serve()`` and ``asgi_app()`` serve.
    """
    return kernel_manager() or process_manager()


def _served_manager() -> CommManager | None:
    """Find the manager for ``Comm``, once something serves or has served it; a kernel here comes first."""
    if _own is None or not _own.is_hosting:
        return None
    return kernel_manager() or _own.manager


host.add_finder(_served_manager)
