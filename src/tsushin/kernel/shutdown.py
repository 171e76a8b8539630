"""A kernel that ends closes its comms, so that frontends need not guess.

Two ways out: a ``shutdown_request`` (the closes go out before its reply) and the end of the interpreter
(``quit()``). A killed kernel closes nothing; frontends see that it is gone.

Only comms of this package are closed: ipywidgets' pages take a ``comm_close`` as the end of the widget and
remove what they still show.
"""

from __future__ import annotations

import atexit
import os
from contextlib import ExitStack
from threading import Event
from time import monotonic
from typing import Any

from tsushin.comm import Comm
from tsushin.kernel.ipykernel import KernelCommManager
from tsushin.kernel.restore import put

TIMEOUT_S = 0.5  # for all comms together: a restart should not wait for frontends


# Any: the kernel's class differs between versions.
def close_at_shutdown(undo: ExitStack, kernel: Any, manager: KernelCommManager) -> None:
    """Close the comms of ``manager`` when ``kernel`` shuts down or its process ends."""
    stock = kernel.do_shutdown
    pid = os.getpid()

    # Any: a reply, or something to await that gives one; passed through.
    def do_shutdown(restart: bool) -> Any:  # noqa: FBT001 (ipykernel's signature)
        _close_all(manager, kernel, "the kernel restarts" if restart else "the kernel shuts down")
        return stock(restart)

    def at_exit() -> None:
        if os.getpid() == pid:  # a forked child must not close its parent's comms
            _close_all(manager, kernel, "the kernel's process ends")

    put(undo, vars(kernel), "do_shutdown", do_shutdown)
    # Runs before ipykernel's own, which were registered earlier and stop the IOPub thread.
    atexit.register(at_exit)
    undo.callback(atexit.unregister, at_exit)


def _close_all(manager: KernelCommManager, kernel: Any, reason: str) -> None:
    until = monotonic() + TIMEOUT_S
    for comm in list(manager.comms.values()):
        if monotonic() > until:
            return
        if isinstance(comm, Comm):
            comm.close(metadata={"reason": reason})
    manager.sessions.leave()
    manager.end_bridge(reason)
    manager.lanes.close()
    sent = Event()
    kernel.iopub_thread.schedule(sent.set)  # comes after the closes
    sent.wait(until - monotonic())
