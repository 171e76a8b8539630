"""The kernel's end of lanes: a WebSocket server on a thread of the kernel's process, for who was let in.

It listens on loopback, from the first time that a session asks, and knows two kinds of visitors: a session's
own page or program, with the token that was made for it, and the user's Jupyter Server, with the secret that
only that user can read (``lane_file.py``). Everything is checked before a byte of a message is read.

Spec: spec/profile.md, "Lane".
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from tsushin.errors import RemoteProtocolError
from tsushin.kernel.lane_file import LaneAddress, lane_file, remove_lane_file, write_lane_file
from tsushin.kernel.lane_guard import LaneGuard
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Message
from tsushin.transports.threaded import Handshake, ThreadedWebSocket, receive_until, start_thread
from tsushin.wire import ws_v1

SETTING: Final = "TSUSHIN_LANE"
HANDSHAKE_TIMEOUT_S: Final = 5.0
MAX_HANDSHAKES: Final = 32  # at a time; more visitors are sent away at once

_log = logging.getLogger("tsushin")


class LaneSessions(Protocol):
    """The sessions of the kernel's manager, as far as lanes are concerned."""

    def is_live(self, session: str) -> bool:
        """Say whether a session is there."""

    def offer_lane(self, session: str, port: int, token: str) -> None:
        """Tell a session how to get its lane."""

    def lane_up(self, session: str, send: Callable[[Message], None]) -> bool:
        """Send what is for a session by its lane from now on; False where it is not there."""

    def lane_down(self, session: str, send: Callable[[Message], None]) -> None:
        """A lane has ended."""


class KernelLanes:
    """The lanes of one kernel. ``Lanes`` for its sessions; any thread may call.

    Args:
        sessions: of its manager.
        receive: takes messages that came by a lane, in order, and that lane's session.
        fault: hears what a visitor did wrong.
        connection_file: of the kernel; "" where it has none, then no server finds the lane.
    """

    def __init__(
        self,
        sessions: LaneSessions,
        *,
        receive: Callable[[list[Message], str], None],
        fault: Callable[[RemoteProtocolError], None],
        connection_file: str = "",
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._sessions = sessions
        self._receive = receive
        self._fault = fault
        self._file = lane_file(connection_file) if connection_file else None
        self._limits = limits
        self._lock = threading.Lock()
        self._server: LaneServer | None = None
        self._lanes: dict[str, ThreadedWebSocket] = {}

    @property
    def port(self) -> int:
        """Where it listens; 0 while it does not."""
        return 0 if self._server is None else self._server.port

    def wanted(self) -> None:
        """See ``Lanes.wanted``: at a frontend only."""

    def offered(self, port: int, token: str) -> None:
        """See ``Lanes.offered``: at a frontend only."""

    def asked(self, session: str, origin: str) -> None:
        """See ``Lanes.asked``: listen, if that is still to be done, and tell how to get in."""
        self.end(session)  # who asks has no lane any more, also where that is not known here
        try:
            server = self._listen()
        except OSError as error:
            _log.warning("no lane: cannot listen on loopback: %s", error)
            server = None
        if server is None:
            self._sessions.offer_lane(session, 0, "")
        else:
            self._sessions.offer_lane(session, server.port, server.guard.admit(session, origin))

    def end(self, session: str) -> None:
        """See ``Lanes.end``."""
        with self._lock:
            lane = self._lanes.pop(session, None)
        if lane is not None:
            lane.close()

    def close(self) -> None:
        """End every lane and listen no more, until somebody asks again."""
        with self._lock:
            server, self._server = self._server, None
            lanes, self._lanes = list(self._lanes.values()), {}
        if server is not None:
            server.close()
            if self._file is not None:
                remove_lane_file(self._file)
        for lane in lanes:
            lane.close()

    def forget(self) -> None:
        """Let go of everything without a word, in a forked child: it is the parent's."""
        self._lock = threading.Lock()
        server, self._server = self._server, None
        lanes, self._lanes = list(self._lanes.values()), {}
        for one in (server, *lanes):
            if one is not None:
                one.forget()

    # ------------------------------------------------------------------ inside

    def _listen(self) -> LaneServer | None:
        with self._lock:
            if os.environ.get(SETTING, "1") in ("", "0"):
                return None
            if self._server is None:
                guard = LaneGuard(self._sessions.is_live)
                self._server = LaneServer(guard, self._welcome, limits=self._limits)
                self._tell_server(self._file, self._server)
            return self._server

    def _tell_server(self, file: Path | None, server: LaneServer) -> None:
        if file is None:
            return
        try:
            write_lane_file(file, LaneAddress(server.port, server.guard.secret))
        except OSError as error:
            _log.warning("the lane is not to be had through a server: %s", error)

    def _welcome(self, session: str, lane: ThreadedWebSocket) -> None:
        """Serve a lane, on its thread, until it ends."""
        send = lane.send
        with self._lock:
            if self._server is None:  # closed meanwhile
                lane.forget()
                return
            former = self._lanes.get(session)
            self._lanes[session] = lane

        def on_end(fault: RemoteProtocolError | None) -> None:
            with self._lock:
                if self._lanes.get(session) is lane:
                    del self._lanes[session]
            self._sessions.lane_down(session, send)
            if fault is not None:
                self._fault(fault)

        is_there = self._sessions.lane_up(session, send)
        if former is not None:  # not before: nothing has to go by the standard route meanwhile
            former.close()
        if is_there:
            lane.run(lambda messages: self._receive(messages, session), on_end)
        else:  # it said goodbye just now
            self.end(session)
            lane.forget()


class LaneServer:
    """Listens on loopback and does the handshakes; each visitor has a thread.

    Args:
        guard: who may come in.
        welcome: serves one lane of a session until it ends, on the thread it is called on.

    Raises:
        OSError: there is no loopback to listen on.

    Attributes:
        port: where it listens.
    """

    def __init__(
        self,
        guard: LaneGuard,
        welcome: Callable[[str, ThreadedWebSocket], None],
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.guard = guard
        self._welcome = welcome
        self._limits = limits
        self._places = threading.BoundedSemaphore(MAX_HANDSHAKES)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=MAX_HANDSHAKES)
        self.port: int = self._socket.getsockname()[1]
        guard.port = self.port
        start_thread(self._accept, "tsushin lanes")

    def close(self) -> None:
        """Listen no more; open lanes go on."""
        with suppress(OSError):  # wakes the thread that accepts
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def forget(self) -> None:
        """Let go of the socket, in a forked child: its parent listens on."""
        self._socket.close()

    # ------------------------------------------------------------------ inside

    def _accept(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            if self._places.acquire(blocking=False):
                start_thread(partial(self._meet, visitor), "tsushin lane")
            else:
                visitor.close()

    def _meet(self, visitor: socket.socket) -> None:
        try:
            try:
                met = self._shake_hands(visitor)
            finally:
                self._places.release()
            if met is None:
                visitor.close()
            else:
                session, protocol, early = met
                lane = ThreadedWebSocket(visitor, protocol, limits=self._limits, early=early)
                self._welcome(session, lane)
        except OSError:
            visitor.close()
        except Exception:
            _log.exception("a lane failed")
            visitor.close()

    def _shake_hands(self, visitor: socket.socket) -> tuple[str, ServerProtocol, bytes] | None:
        """Return the session and the protocol of a visitor that may come in, and what it sent too early."""
        protocol = ServerProtocol(
            subprotocols=[Subprotocol(ws_v1.SUBPROTOCOL)],
            max_size=self._limits.max_message_bytes + ws_v1.TABLE_ROOM_BYTES,
            logger=_log,
        )
        handshake = Handshake(protocol)
        request = _request(visitor, handshake)
        if request is None:
            return None
        session, refusal = self.guard.meet(request)
        response = protocol.reject(*refusal) if refusal else protocol.accept(request)
        _respond(visitor, protocol, response)
        is_in = response.status_code == _SWITCHING
        return (session, protocol, handshake.take_early()) if is_in else None


_SWITCHING: Final = 101


def _request(visitor: socket.socket, handshake: Handshake) -> Request | None:
    """Read the request; None where the visitor goes, or sends something else. Raises OSError: too slow."""
    until = time.monotonic() + HANDSHAKE_TIMEOUT_S
    while data := receive_until(visitor, until):
        for event in handshake.receive(data):
            return event if isinstance(event, Request) else None
        if handshake.has_failed:
            return None
    return None


def _respond(visitor: socket.socket, protocol: ServerProtocol, response: Response) -> None:
    protocol.send_response(response)
    visitor.settimeout(HANDSHAKE_TIMEOUT_S)
    for data in protocol.data_to_send():
        if data:
            visitor.sendall(data)
