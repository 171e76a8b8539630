"""How a frontend came by its kernel: what ``Frontend`` asks of each way there is."""

from __future__ import annotations

from typing import Protocol

from tsushin.errors import KernelGoneWhy
from tsushin.transports.base import Transport


class Kernel(Protocol):
    """One kernel, started here or found."""

    about: str
    """Names it in errors."""
    is_ours: bool
    """Whether this frontend started it, and so ends it."""
    can_reconnect: bool
    """Whether ``connect`` may be called again when the link broke, for the same kernel."""
    can_restart: bool
    """Whether ``restart`` is possible; otherwise it is never called."""

    max_whole_bytes: int | None
    """What the route takes in one message; None for no bound that is known."""
    token: str | None
    """What its server wants to know; None without one."""

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, as far as can be told."""

    def lane_url(self) -> str | None:
        """Return the URL of its lane through its server; None without one."""

    async def connect(self, *, after: str | None = None) -> Transport:
        """Start the kernel if that is still to be done, and return a live link to it.

        Args:
            after: after a restart, the session of the process that ended or is about to.

        Raises:
            ConnectFailed: it cannot be started or reached.
        """

    async def wait_gone(self) -> KernelGoneWhy:
        """Return when the kernel has ended; wait for ever where nothing here can tell. To be cancelled."""

    async def fate(self) -> KernelGoneWhy | None:
        """Say what became of the kernel, asked when the link to it has ended; None: it may well live."""

    async def interrupt(self) -> None:
        """Interrupt what runs.

        Raises:
            Unsupported: only a message to the kernel itself can.
        """

    async def restart(self) -> None:
        """End the kernel and start it again. ``connect`` next."""

    async def aclose(self) -> None:
        """End the kernel if it is ours. A second call does nothing."""
