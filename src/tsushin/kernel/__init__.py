"""The kernel end: comms of a running ipykernel, of a marimo notebook, or of a plain Python process."""

from __future__ import annotations

from tsushin.kernel.attach import attach, attach_if_kernel, detach
from tsushin.kernel.host import kernel_manager
from tsushin.kernel.own import comm_manager

__all__ = ["attach", "attach_if_kernel", "comm_manager", "detach", "kernel_manager"]
