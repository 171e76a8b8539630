"""What runs in this process: a kernel, or a marimo notebook's session, and its comms."""

from __future__ import annotations

from tsushin.errors import NoHost
from tsushin.kernel.attach import attach_to_running, is_disabled
from tsushin.kernel.bridge import Bridge
from tsushin.kernel.marimo import running_session
from tsushin.kernel.provided import provided_manager
from tsushin.manager import CommManager


def kernel_manager() -> CommManager | None:
    """Return the manager of the kernel that this code runs in: ipykernel's, a marimo session's, another's."""
    if is_disabled():
        return None
    session = running_session()
    return session.manager if session is not None else attach_to_running() or provided_manager()


def poll() -> int:
    """Run every handler that is due on this thread, of all comms, and return how many messages that were.

    What a long loop in a cell calls between two steps, so that the page is heard while it runs: comms of
    this package and of others (ipywidgets') alike. Elsewhere than on a kernel's main thread nothing is due.
    """
    manager = kernel_manager()
    return 0 if manager is None else manager.runtime.poll(None)


def bridge() -> Bridge:
    """Carry this kernel's comms over one widget, where no extension of ours is installed.

    Display what this returns, as the last expression of a cell: the page that shows it has an object called
    ``Jupyter`` from then on. Every call in one kernel returns the same bridge.

    Raises:
        NoHost: neither an ipykernel nor a marimo notebook runs here, or the environment says
            ``TSUSHIN_DISABLE=1``.
    """
    session = None if is_disabled() else running_session()
    if session is not None:
        return session.bridge
    manager = None if is_disabled() else attach_to_running()
    if manager is None:
        raise NoHost("bridge: expected a running ipykernel or marimo notebook, there is neither")
    return manager.bridge()
