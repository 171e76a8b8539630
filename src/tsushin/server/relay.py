"""The endpoint in front of a real kernel: each page gets a ZMQ link of its own.

One DEALER identity per page, so that the kernel routes a reply to the page that asked; iopub comes over the
page's own subscription, without a high-water mark. A message is decoded once and encoded once.

What no page can see for itself is told to all of them by a ``status``, as Jupyter Server does it: that the
kernel died, that it restarts. After a restart the pages are still connected, over new links.

Spec: Jupyter messaging, "Kernel status" ("restarting" and "dead" come from whoever watches the kernel).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final
from uuid import uuid4

from tsushin.errors import ConnectFailed, RemoteProtocolError, TransportError, TsushinError
from tsushin.frontend.kernel import Kernel
from tsushin.kernel.end import Frames, Page
from tsushin.protocol.messages import JsonObject, Message, new_header
from tsushin.transports.base import Transport

_ATTACH_TIMEOUT_S: Final = (
    10.0  # a kernel that does not answer must not keep a page from restarting it
)

_log = logging.getLogger("tsushin")


class RelayKernel:
    """A kernel behind ZMQ, as a ``KernelEnd``. Used on one event loop.

    Args:
        kernel: how it is started or found; whoever made it ends it.
        name: of its kernelspec.
        spec: the kernelspec, as in ``kernel.json``.
    """

    def __init__(self, kernel: Kernel, *, name: str, spec: JsonObject) -> None:
        self.kernel_id: str = str(uuid4())
        self.name = name
        self.last_activity: float = time.time()
        self.execution_state: str = "starting"
        self._kernel = kernel
        self._spec = spec
        self._session = uuid4().hex
        self._links: set[RelayLink] = set()
        self._lock = asyncio.Lock()  # held while links are made or the kernel is
        self._is_running = asyncio.Event()

    # ------------------------------------------------------------------ for whoever made it

    async def start(self) -> None:
        """Start the kernel; return when it answers.

        Raises:
            ConnectFailed: it cannot be started or reached.
        """
        async with self._lock:
            await self._wait_for_answer()
            self._set_running()

    async def watch(self, on_death: Callable[[], None]) -> None:
        """Tell the pages and ``on_death`` each time the kernel dies by itself. Ends when cancelled."""
        while True:
            await self._is_running.wait()
            await self._kernel.wait_gone()
            # During a restart its process is gone as well, and that is no death.
            if self._is_running.is_set():
                await self._set_dead()
                on_death()

    # ------------------------------------------------------------------ KernelEnd

    def spec(self) -> JsonObject:
        """See ``KernelEnd.spec``."""
        return self._spec

    async def attach(self, page: Page) -> RelayLink:
        """See ``KernelEnd.attach``."""
        link = RelayLink(self, page)
        try:
            async with asyncio.timeout(_ATTACH_TIMEOUT_S), self._lock:
                if not self._is_running.is_set():
                    raise ConnectFailed("the kernel is dead; a restart request starts it again")
                link.use(await self._kernel.connect())
        except TimeoutError:
            raise ConnectFailed(
                f"the kernel did not answer within {_ATTACH_TIMEOUT_S:g} s"
            ) from None
        self._links.add(link)
        return link

    async def interrupt(self) -> None:
        """See ``KernelEnd.interrupt``."""
        await self._kernel.interrupt()

    async def restart(self) -> None:
        """See ``KernelEnd.restart``; returns when the new kernel answers, over every page's link.

        Raises:
            ConnectFailed: the new kernel does not come up; the pages are told that it is dead.
        """
        async with self._lock:
            self._is_running.clear()
            self._tell("restarting")
            await self._hang_up()
            try:
                await self._kernel.restart()
                await self._wait_for_answer()
                for link in list(self._links):
                    link.use(await self._kernel.connect())
            except TsushinError:
                await self._set_dead()
                raise
            self._set_running()

    def fault(self, error: RemoteProtocolError) -> None:
        """See ``KernelEnd.fault``: a warning of the logger ``tsushin``."""
        _log.warning("%s", error)

    # ------------------------------------------------------------------ for RelayLink

    def passed(self, message: Message) -> None:
        """Note a message of the kernel on its way to a page."""
        self.last_activity = time.time()
        if message.msg_type == "status" and message.channel == "iopub":
            self.execution_state = str(message.content.get("execution_state", "idle"))

    def detach(self, link: RelayLink) -> None:
        """Forget a link."""
        self._links.discard(link)

    # ------------------------------------------------------------------ inside

    async def _wait_for_answer(self) -> None:
        """Start the kernel if that is still to be done; return when it answers, pages or not."""
        transport = await self._kernel.connect()
        await transport.aclose()

    def _set_running(self) -> None:
        self.execution_state = "idle"
        self._is_running.set()

    async def _set_dead(self) -> None:
        self._is_running.clear()
        self._tell("dead")
        await self._hang_up()

    async def _hang_up(self) -> None:
        await asyncio.gather(*(link.hang_up() for link in self._links))

    def _tell(self, state: str) -> None:
        self.execution_state = state
        header = new_header(
            "status", msg_id=uuid4().hex, session=self._session, now=time.time(), username="kernel"
        )
        frames = Frames(Message("iopub", header, content={"execution_state": state}))
        for link in self._links:
            link.page.send(frames)


class RelayLink:
    """One page's way to the kernel. A ``Link``; without a transport while the kernel is gone."""

    def __init__(self, relay: RelayKernel, page: Page) -> None:
        self.page = page
        self._relay = relay
        self._transport: Transport | None = None
        self._forwarding: asyncio.Task[None] | None = None

    def use(self, transport: Transport) -> None:
        """Forward what ``transport`` brings, and send over it, from now on."""
        transport.on_fault = self._relay.fault
        self._transport = transport
        self._forwarding = asyncio.create_task(self._forward(transport))

    def receive(self, message: Message) -> None:
        """See ``Link.receive``; while the kernel is gone there is nobody to send it to."""
        if self._transport is None:
            _log.debug("%s dropped: the kernel is gone", message.msg_type)
            return
        try:
            self._transport.send(message)
        except TransportError as error:
            self.page.end(str(error))

    async def aclose(self) -> None:
        """See ``Link.aclose``."""
        self._relay.detach(self)
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close the transport and forward nothing more, until ``use``."""
        transport, self._transport = self._transport, None
        forwarding, self._forwarding = self._forwarding, None
        if forwarding is not None:
            forwarding.cancel()
            await asyncio.wait({forwarding})
        if transport is not None:
            await transport.aclose()

    async def _forward(self, transport: Transport) -> None:
        try:
            while True:
                message = await transport.receive()
                self._relay.passed(message)
                self.page.send(Frames(message))
        except TransportError as error:
            self.page.end(str(error))
        except Exception:  # a fault of ours: the page must not wait for what will not come
            _log.exception("a page's link to the kernel failed")
            self.page.end("internal error")
