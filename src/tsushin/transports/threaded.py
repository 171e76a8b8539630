"""A WebSocket on a thread of its own, for comm messages: what a lane is made of.

``websockets`` has the protocol without I/O; the bytes are moved here by blocking calls. Reading is one
thread, which the interpreter wakes once for all that has come. Writing happens on the thread that sends, so
that a message leaves without a hand-over to another one; what the socket does not take at once, and what
comes in quick succession, is written by a second thread, as much as there is in one call.

Spec: RFC 6455; Jupyter Server, "WebSocket protocols"; spec/profile.md, "Lane".
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Message
from tsushin.wire import ws_v1

READ_BYTES: Final = 1 << 18
# Two messages closer to each other than this, in seconds, are a burst: they are written together.
BURST_S: Final = 150e-6
_LAST_WORDS_S: Final = 1.0  # for saying why it ends to a peer that does not read
_ORDERLY: Final = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY)
_DATA: Final = (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)

# Takes the messages that came together, in order, on the reading thread. May raise RemoteProtocolError, to
# end the connection.
OnMessages = Callable[[list[Message]], None]
# Called once, on the reading thread; with what the peer did wrong, if that is why.
OnEnd = Callable[[RemoteProtocolError | None], None]


def receive_until(sock: socket.socket, until: float) -> bytes:
    """Receive what is there, or wait for it; empty when the other side has closed.

    Args:
        until: as ``time.monotonic`` tells it: however slowly a peer speaks, its time is over then.

    Raises:
        OSError: the connection broke, or the time is up (TimeoutError).
    """
    remaining_s = until - time.monotonic()
    if remaining_s <= 0:
        raise TimeoutError("the handshake takes too long")
    sock.settimeout(remaining_s)
    return sock.recv(READ_BYTES)


class ThreadedWebSocket:
    """One open WebSocket that speaks ``v1.kernel.websocket.jupyter.org``.

    Args:
        sock: a connected socket, blocking; this object's from now on.
        protocol: after the handshake.
        limits: bounds on what the peer sends; the protocol has its own for a frame.
        early: what came with the handshake.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: ClientProtocol | ServerProtocol,
        *,
        limits: Limits = DEFAULT_LIMITS,
        early: Sequence[Event] = (),
    ) -> None:
        self._socket = sock
        self._protocol = protocol
        self._limits = limits
        self._masks = isinstance(protocol, ClientProtocol)
        self._lock = threading.Lock()  # of the socket's writing half
        self._has_waiting = threading.Condition(self._lock)
        self._waiting: deque[bytes] = deque()
        self._is_writing = False  # the second thread is at it
        self._writer: threading.Thread | None = None
        self._sent_at = 0.0
        self._is_ended = self._is_closing = False
        self._early = early
        self._parts: list[bytes] = []  # of a message in several frames
        sock.settimeout(None)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def is_closed_by_peer(self) -> bool:
        """True once the other side has said that it closes, and that nothing is wrong."""
        close = self._protocol.close_rcvd
        return close is not None and close.code in _ORDERLY

    # ------------------------------------------------------------------ sending, any thread

    def send(self, message: Message) -> None:
        """Send a message; never waits, never raises. What cannot leave is dropped: the lane has ended."""
        self._write(Opcode.BINARY, ws_v1.encode(message))

    def flush(self, timeout_s: float) -> None:
        """Wait until all that was sent is written, or the time is up."""
        with self._lock:
            self._has_waiting.wait_for(lambda: not (self._waiting or self._is_writing), timeout_s)

    def close(self) -> None:
        """End the connection, without waiting; what is not written yet is dropped. ``on_end`` is called."""
        self._write(Opcode.CLOSE, CloseCode.GOING_AWAY.to_bytes(2, "big"))
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of the socket without a word: in a forked child it is the parent's."""
        self._is_ended = True
        self._socket.close()

    def _write(self, opcode: Opcode, payload: bytes) -> None:
        data = Frame(opcode, payload).serialize(mask=self._masks)
        now = time.monotonic()
        with self._lock:
            if self._is_ended or self._is_closing:
                return
            self._is_closing = opcode is Opcode.CLOSE  # the last frame there is
            is_burst = now - self._sent_at < BURST_S
            self._sent_at = now
            if not (is_burst or self._waiting or self._is_writing):
                data = data[self._write_now(data) :]
            if data:
                self._waiting.append(data)
                self._wake_writer()

    def _write_now(self, data: bytes) -> int:
        """Write what the socket takes at once; return how many bytes that were."""
        if not hasattr(socket, "MSG_DONTWAIT"):  # Windows
            return 0
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError:  # the reading thread finds out as well
            return len(data)

    def _wake_writer(self) -> None:
        if self._writer is None:
            self._writer = start_thread(self._write_waiting, "tsushin lane writer")
        self._has_waiting.notify_all()

    def _write_waiting(self) -> None:
        while True:
            with self._lock:
                while not self._waiting and not self._is_ended:
                    self._has_waiting.wait()
                if not self._waiting:
                    return
                data = b"".join(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
                self._waiting.clear()
                self._is_writing = True
            try:
                self._socket.sendall(data)
            except OSError:
                with self._lock:
                    self._waiting.clear()
            with self._lock:
                self._is_writing = False
                self._has_waiting.notify_all()

    # ------------------------------------------------------------------ receiving

    def start(self, on_messages: OnMessages, on_end: OnEnd) -> None:
        """Read on a thread of its own."""
        start_thread(lambda: self.run(on_messages, on_end), "tsushin lane")

    def run(self, on_messages: OnMessages, on_end: OnEnd) -> None:
        """Read on this thread until the connection ends."""
        fault = None
        try:
            fault = self._read(on_messages)
        finally:
            self._let_go()
            on_end(fault)

    def _let_go(self) -> None:
        with self._lock:
            self._is_ended = True  # nothing is sent any more but what waits
            self._has_waiting.notify_all()
        self.flush(_LAST_WORDS_S)
        with self._lock:
            self._waiting.clear()
        with suppress(OSError):  # wakes the second thread, if it is at it still
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self, on_messages: OnMessages) -> RemoteProtocolError | None:
        protocol = self._protocol
        events, fault = [*self._early, *protocol.events_received()], None
        self._early = ()
        while True:
            try:
                if messages := self._messages(events):
                    on_messages(messages)
            except RemoteProtocolError as error:
                fault = error
                protocol.fail(CloseCode.PROTOCOL_ERROR, "not a message of this session")
            self._write_protocols()
            if fault is not None or protocol.state is not State.OPEN or self._is_ended:
                return fault
            try:
                data = self._socket.recv(READ_BYTES)
            except OSError:
                data = b""
            if data:
                protocol.receive_data(data)
            else:
                protocol.receive_eof()
            events = protocol.events_received()

    def _messages(self, events: list[Event]) -> list[Message]:
        messages = []
        for frame in events:
            if not isinstance(frame, Frame) or frame.opcode not in _DATA:
                continue
            if frame.opcode is Opcode.TEXT:
                raise RemoteProtocolError("lane: expected binary frames, got text")
            if not frame.fin or self._parts:
                self._parts.append(bytes(frame.data))
                if sum(len(part) for part in self._parts) > self._limits.max_message_bytes:
                    raise RemoteProtocolError("lane: a message in several frames is too large")
                if not frame.fin:
                    continue
            data = b"".join(self._parts) if self._parts else bytes(frame.data)
            self._parts.clear()
            messages.append(ws_v1.decode(data, limits=self._limits))
        return messages

    def _write_protocols(self) -> None:
        """Write what the protocol itself has to say: pongs, and the end."""
        said = [data for data in self._protocol.data_to_send() if data]
        with self._lock:
            if said and not self._is_closing:
                self._waiting.extend(said)
                self._is_closing = self._protocol.state is not State.OPEN
                self._wake_writer()


def start_thread(work: Callable[[], object], name: str) -> threading.Thread:
    """Start a thread that ends with the process; debuggers pass it over, as they do ipykernel's own."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    vars(thread).update(pydev_do_not_trace=True, is_pydev_daemon_thread=True)
    thread.start()
    return thread
