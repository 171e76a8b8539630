"""A Python frontend's lane: asked for, connected, fed and looked after.

A kernel end that can have lanes is asked for one. Where the frontend is on the kernel's machine, it
connects to the kernel itself; else, or where that fails, through the server it has. While nothing works, and
whenever the lane is away, comm messages go by the standard route.

Everything here runs on the frontend's loop, but for what the lane's own thread hands over.

Spec: spec/profile.md, "Lane".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from tsushin.errors import RemoteProtocolError, TransportError
from tsushin.frontend.kernel import Kernel
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import COMM_TYPES, Message
from tsushin.transports.base import Transport
from tsushin.transports.lane import connect_lane
from tsushin.transports.websocket import connect_websocket

OFFER_TIMEOUT_S: Final = 10.0  # a busy kernel of the old design answers later; it is asked again
CONNECT_TIMEOUT_S: Final = 2.0  # to the kernel itself
THROUGH_SERVER_TIMEOUT_S: Final = 10.0
FIRST_PAUSE_S: Final = 0.1  # between two tries, doubling
LAST_PAUSE_S: Final = 60.0
# In a row: then nothing is tried before the next hello. Who asks for ever keeps an idle kernel alive.
MAX_FAILURES: Final = 5
MAX_FAILURES_LATER: Final = 12  # where it has worked: 4 minutes

_log = logging.getLogger("tsushin")


class LaneSessions(Protocol):
    """The sessions of the frontend's manager, as far as lanes are concerned."""

    def ask_lane(self, origin: str = "") -> None:
        """Ask for a lane."""

    def lane_up(self, session: str, send: Callable[[Message], None]) -> bool:
        """Send what is for a session by its lane from now on; False where it is not there."""

    def lane_down(self, session: str, send: Callable[[Message], None]) -> None:
        """A lane has ended."""


class FrontendLane:
    """The lane of one frontend. ``Lanes`` for its sessions.

    Args:
        sessions: of its manager.
        session: this frontend's.
        address: where the kernel, and its server, are.
        peer: returns the kernel end's session; None where there is none.
        receive: takes messages that came by the lane, in order.
    """

    def __init__(
        self,
        sessions: LaneSessions,
        *,
        session: str,
        address: Kernel,
        peer: Callable[[], str | None],
        receive: Callable[[Message], None],
        limits: Limits,
    ) -> None:
        self._sessions = sessions
        self._session = session
        self._address = address
        self._peer = peer
        self._receive = receive
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._keeping: asyncio.Task[None] | None = None
        self._asked: str | None = None  # the kernel end that it was begun for
        self._offer: asyncio.Future[tuple[int, str]] | None = None
        self._link: Transport | None = None
        self._ending: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ Lanes

    def wanted(self) -> None:
        """See ``Lanes.wanted``."""
        self._loop.call_soon_threadsafe(self._begin)

    def asked(self, session: str, origin: str) -> None:
        """See ``Lanes.asked``: at a kernel end only."""

    def offered(self, port: int, token: str) -> None:
        """See ``Lanes.offered``."""
        self._loop.call_soon_threadsafe(self._take_offer, port, token)

    def end(self, session: str) -> None:
        """See ``Lanes.end``."""
        del session
        self._loop.call_soon_threadsafe(self._hang_up)

    async def aclose(self) -> None:
        """Have no lane any more."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait([keeping])

    # ------------------------------------------------------------------ inside

    def _begin(self) -> None:
        """Have a lane, from now on. What was asked of a kernel end before this one is answered by nobody."""
        if self._keeping is not None and not self._keeping.done():
            if self._link is not None or self._asked == self._peer():
                return
            self._keeping.cancel()
        self._asked = self._peer()
        self._keeping = self._loop.create_task(self._keep(), name="tsushin lane")

    def _take_offer(self, port: int, token: str) -> None:
        if self._offer is not None and not self._offer.done():
            self._offer.set_result((port, token))

    def _hang_up(self) -> None:
        if self._link is not None:
            self._ending = self._loop.create_task(self._link.aclose())

    async def _keep(self) -> None:
        """Have a lane, as long as there is a kernel end that has lanes."""
        failures, pause, has_worked = 0, FIRST_PAUSE_S, False
        while self._peer() is not None:
            link = await self._connect()
            if link is None:
                failures += 1
                if failures >= (MAX_FAILURES_LATER if has_worked else MAX_FAILURES):
                    return
            else:
                failures, pause, has_worked = 0, FIRST_PAUSE_S, True
                await self._use(link, self._peer() or "")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE_S)

    async def _connect(self) -> Transport | None:
        """Ask, and try what is offered; None where nothing works just now."""
        self._offer = self._loop.create_future()
        self._sessions.ask_lane()
        try:
            async with asyncio.timeout(OFFER_TIMEOUT_S):
                port, token = await self._offer
        except TimeoutError:
            return None
        if port == 0:
            return None
        if self._address.is_local:
            try:
                return await connect_lane(
                    port, self._session, token, limits=self._limits, timeout_s=CONNECT_TIMEOUT_S
                )
            except TransportError as error:
                _log.debug("no lane to the kernel itself: %s", error)
        return await self._connect_through_server()

    async def _connect_through_server(self) -> Transport | None:
        url = self._address.lane_url()
        if url is None:
            return None
        try:
            return await connect_websocket(
                f"{url}?session={self._session}",
                token=self._address.token,
                subprotocol="v1",
                limits=self._limits,
                timeout_s=THROUGH_SERVER_TIMEOUT_S,
            )
        except TransportError as error:
            _log.debug("no lane through the server: %s", error)
            return None

    async def _use(self, link: Transport, peer: str) -> None:
        """Send and receive by a lane until it ends."""
        faults: list[RemoteProtocolError] = []
        link.on_fault = faults.append
        self._link, send = link, _quiet(link)
        try:
            if not self._sessions.lane_up(peer, send):
                return
            while not faults:
                message = await link.receive()
                if message.msg_type in COMM_TYPES:
                    self._receive(message)
        except TransportError as error:
            _log.debug("the lane has ended: %s", error)
        finally:
            self._link = None
            self._sessions.lane_down(peer, send)
            await link.aclose()


def _quiet(link: Transport) -> Callable[[Message], None]:
    """Return what sends by a lane and does not mind that it has ended: that is found out beside it."""

    def send(message: Message) -> None:
        try:
            link.send(message)
        except TransportError:
            _log.debug("a message came too late for the lane")

    return send
