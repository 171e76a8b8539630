"""A WebSocket on a thread of its own, for comm messages: what a lane is made of.

``websockets`` has the protocol without I/O; the bytes are moved here by blocking calls. Reading is one
thread, which the interpreter wakes once for all that has come. Writing happens on the thread that sends, so
that a message leaves without a hand-over to another one; what the socket does not take at once, and what
comes in quick succession, is written by a second thread, as much as there is in one call. Large buffers are
not copied on the way: see ``frames.py``.

Spec: RFC 6455; Jupyter Server, "WebSocket protocols"; spec/profile.md, "Lane".
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Message
from tsushin.transports.frames import Bytes, FrameReader, Received, joined, message_frame
from tsushin.wire import ws_v1

READ_BYTES: Final = 1 << 18
LARGE_READ_BYTES: Final = 1 << 20  # at a time, of a message of which so much is still to come
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


class Handshake:
    """Gives a protocol the request or the response that comes, and not a byte of what is behind it."""

    def __init__(self, protocol: ClientProtocol | ServerProtocol) -> None:
        self._protocol = protocol
        self._last = b""  # bytes that may be the first ones of the mark
        self._early = b""

    def receive(self, data: bytes) -> list[Event]:
        """Return the request or the response, once it is there."""
        mark = b"\r\n\r\n"
        seen = self._last + data
        end = seen.find(mark)
        size = len(data) if end < 0 else end + len(mark) - len(self._last)
        self._last = seen[1 - len(mark) :]
        self._early += data[size:]
        self._protocol.receive_data(data[:size])
        return self._protocol.events_received()

    @property
    def has_failed(self) -> bool:
        """What came is no request, or no response."""
        return self._protocol.handshake_exc is not None

    def take_early(self) -> bytes:
        """Take what came behind it."""
        early, self._early = self._early, b""
        return early


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
        early: bytes = b"",
    ) -> None:
        self._socket = sock
        self._protocol = protocol
        self._limits = limits
        self._masks = isinstance(protocol, ClientProtocol)
        self._lock = threading.Lock()  # of the socket's writing half
        self._has_waiting = threading.Condition(self._lock)
        self._waiting: deque[Bytes | Iterator[Bytes]] = deque()
        self._is_writing = False  # the second thread is at it
        self._writer: threading.Thread | None = None
        self._sent_at = 0.0
        self._is_ended = self._is_closing = False
        self._early = early
        self._frames = FrameReader(
            protocol,
            is_masked=not self._masks,
            max_bytes=limits.max_message_bytes + ws_v1.TABLE_ROOM_BYTES,
        )
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
        """Send a message; never waits, never raises. What cannot leave is dropped: the lane has ended.

        Large buffers are not copied: they must not change.
        """
        self._write(message_frame(ws_v1.encode_pieces(message), mask=self._masks))

    def flush(self, timeout_s: float) -> None:
        """Wait until all that was sent is written, or the time is up."""
        with self._lock:
            self._has_waiting.wait_for(lambda: not (self._waiting or self._is_writing), timeout_s)

    def close(self) -> None:
        """End the connection, without waiting; what is not written yet is dropped. ``on_end`` is called."""
        close = Frame(Opcode.CLOSE, CloseCode.GOING_AWAY.to_bytes(2, "big"))
        self._write(iter([close.serialize(mask=self._masks)]), is_last=True)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of the socket without a word: in a forked child it is the parent's."""
        self._is_ended = True
        self._socket.close()

    def _write(self, pieces: Iterator[Bytes], *, is_last: bool = False) -> None:
        """Write a frame, or have it written."""
        now = time.monotonic()
        with self._lock:
            if self._is_ended or self._is_closing:
                return
            self._is_closing = is_last
            is_burst = now - self._sent_at < BURST_S
            self._sent_at = now
            self._put(pieces, is_burst=is_burst)

    def _put(self, pieces: Iterator[Bytes], *, is_burst: bool) -> None:
        """Write what the socket takes at once, unless others wait or come soon; the rest waits."""
        if is_burst or self._waiting or self._is_writing or not self._write_now(pieces):
            self._waiting.append(pieces)
            self._wake_writer()

    def _write_now(self, pieces: Iterator[Bytes]) -> bool:
        """Write what the socket takes at once; say whether that was all. What it did not take waits."""
        if not hasattr(socket, "MSG_DONTWAIT"):  # Windows
            return False
        for piece in pieces:
            try:
                taken = self._socket.send(piece, socket.MSG_DONTWAIT)
            except BlockingIOError:
                taken = 0
            except OSError:  # the reading thread finds out as well
                return True
            if taken < len(piece):
                self._waiting.append(memoryview(piece)[taken:])
                return False
        return True

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
                self._is_writing = True
            self._write_all()  # by itself: what was written is not held while nothing waits
            with self._lock:
                self._is_writing = False
                self._has_waiting.notify_all()

    def _write_all(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        try:
            for data in joined(_pieces(waiting)):
                self._socket.sendall(data)
        except OSError:
            with self._lock:
                self._waiting.clear()

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
        data, self._early = self._early, b""
        while True:
            fault = self._take(data, on_messages)
            self._write_protocols()
            if fault is not None or protocol.state is not State.OPEN or self._is_ended:
                return fault
            data = self._receive()
            if not data:
                protocol.receive_eof()

    def _take(self, data: bytes, on_messages: OnMessages) -> RemoteProtocolError | None:
        """Hand on what came; return what was wrong with it."""
        try:
            if messages := self._messages(self._frames.receive(data)):
                on_messages(messages)
        except RemoteProtocolError as error:
            self._protocol.fail(CloseCode.PROTOCOL_ERROR, "not a message of this session")
            return error
        return None

    def _receive(self) -> bytes:
        """Return what is there, or what comes: of a large message much at once; empty at the end."""
        missing = self._frames.missing
        try:
            if missing < READ_BYTES:
                return self._socket.recv(READ_BYTES)
            return self._socket.recv(min(missing, LARGE_READ_BYTES), socket.MSG_WAITALL)
        except OSError:
            return b""

    def _messages(self, received: list[Received]) -> list[Message]:
        messages = []
        for frame in received:
            if isinstance(frame, bytes | bytearray):
                messages.append(ws_v1.decode(frame, limits=self._limits))
                continue
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
                self._is_closing = self._protocol.state is not State.OPEN
                self._put(iter(said), is_burst=False)


def start_thread(work: Callable[[], object], name: str) -> threading.Thread:
    """Start a thread that ends with the process; debuggers pass it over, as they do ipykernel's own."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    vars(thread).update(pydev_do_not_trace=True, is_pydev_daemon_thread=True)
    thread.start()
    return thread


def _pieces(waiting: Iterable[Bytes | Iterator[Bytes]]) -> Iterator[Bytes]:
    for one in waiting:
        if isinstance(one, bytes | memoryview):
            yield one
        else:
            yield from one
