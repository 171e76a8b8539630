"""Whose comms are a process's comms: those of its kernel, else its own."""

from __future__ import annotations

from tsushin.kernel.attach import attach_if_kernel
from tsushin.manager import CommManager


def comm_manager() -> CommManager:
    """Return this process's manager.

    In a running ipykernel it is the kernel's, attached by this call if need be. Elsewhere, and where
    ``TSUSHIN_DISABLE=1`` forbids attaching, it is the process's own, which ``serve()`` and ``asgi_app()``
    serve.
    """
    attached = attach_if_kernel()
    if attached is not None:
        return attached
    from tsushin.kernel.process import process_manager  # noqa: PLC0415 (a kernel does not need it)

    return process_manager()
