"""Start a kernel of this machine by the name of its kernelspec, and end it.

Spec: Jupyter kernels, "Kernel specs". The process is jupyter_client's; the link to it is ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import zmq
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager

from tsushin.errors import ConnectFailed, KernelGoneWhy
from tsushin.protocol.limits import Limits
from tsushin.transports.base import Transport
from tsushin.transports.zmq_ready import connect_zmq

_POLL_S: Final = 0.1  # how often the process is looked at; it costs one system call


class LaunchedKernel:
    """A kernel that lives as long as its frontend.

    Args:
        kernel_name: name of the kernelspec.
        limits: bounds on what it may send.
        timeout_s: seconds until its first answer.
        arguments: added to the command of the kernelspec.
    """

    is_ours = True
    can_reconnect = False
    max_whole_bytes: int | None = None
    can_restart = True
    token: str | None = None
    is_local = True

    def __init__(
        self,
        kernel_name: str,
        *,
        limits: Limits,
        timeout_s: float,
        arguments: Sequence[str] = (),
    ) -> None:
        self.about: str = f"kernel {kernel_name!r}"
        self._name = kernel_name
        self._limits = limits
        self._timeout_s = timeout_s
        self._manager = AsyncKernelManager(kernel_name=kernel_name)
        if zmq.has("curve") and self._manager.has_trait("transport_encryption"):
            # Where the kernelspec says that the kernel can: whoever shares the machine cannot read along.
            self._manager.transport_encryption = "auto"
        self._arguments = list(arguments)
        self._is_started = False

    async def connect(self, *, after: str | None = None) -> Transport:
        """See ``Kernel.connect``."""
        if not self._is_started:
            await self._start()
        connecting = asyncio.ensure_future(
            connect_zmq(
                self._manager.get_connection_info(),
                limits=self._limits,
                timeout_s=self._timeout_s,
                after=after,
            )
        )
        gone = asyncio.ensure_future(self.wait_gone())
        try:
            await asyncio.wait({connecting, gone}, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                return connecting.result()
            raise ConnectFailed(f"{self.about}: its process ended while it started")
        finally:
            gone.cancel()
            connecting.cancel()
            await asyncio.wait({connecting, gone})

    def lane_url(self) -> str | None:
        """See ``Kernel.lane_url``."""
        return None

    async def wait_gone(self) -> KernelGoneWhy:
        """See ``Kernel.wait_gone``."""
        while await self._manager.is_alive():  # noqa: ASYNC110 (a process sets no event)
            await asyncio.sleep(_POLL_S)
        return "died"

    async def fate(self) -> KernelGoneWhy | None:
        """See ``Kernel.fate``."""
        return None if await self._manager.is_alive() else "died"

    async def interrupt(self) -> None:
        """See ``Kernel.interrupt``: a signal or a message, as the kernelspec wants it."""
        await self._manager.interrupt_kernel()

    async def restart(self) -> None:
        """See ``Kernel.restart``."""
        await self._manager.restart_kernel()

    async def aclose(self) -> None:
        """See ``Kernel.aclose``: asks it to end, and kills it after jupyter_client's 5 s."""
        if self._manager.has_kernel:
            await self._manager.shutdown_kernel(now=not self._is_started)

    async def _start(self) -> None:
        try:
            await self._manager.start_kernel(extra_arguments=self._arguments)
        except NoSuchKernel:
            found = ", ".join(sorted(self._manager.kernel_spec_manager.find_kernel_specs()))
            raise ConnectFailed(
                f"{self.about}: no such kernelspec, found: {found or 'none'}"
            ) from None
        except OSError as error:
            raise ConnectFailed(f"{self.about}: {error}") from error
        self._is_started = True
