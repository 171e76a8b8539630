"""The least that a WebSocket client can be: one socket, frames made beforehand, nothing else.

All WebSocket rows have this client, so that only the servers differ.
"""

from __future__ import annotations

import base64
import contextlib
import os
import select
import socket
import struct
import time

TIMEOUT_S = 60.0
CHUNK = 1 << 18  # bytes asked of the system at a time
SHORT, LONG = 126, 127  # what a length byte says of the two or eight that follow
BINARY, TEXT, CLOSE, PING = 2, 1, 8, 9
FIN = 0x80
NO_MASK = bytes(4)  # masked with zeros, which servers undo like any other mask


def client_frame(payload: bytes) -> bytes:
    """Return a binary message as the frame that a client sends."""
    size = len(payload)
    if size < SHORT:
        head = bytes([FIN | BINARY, FIN | size])
    elif size < 1 << 16:
        head = bytes([FIN | BINARY, FIN | SHORT]) + struct.pack(">H", size)
    else:
        head = bytes([FIN | BINARY, FIN | LONG]) + struct.pack(">Q", size)
    return head + NO_MASK + payload


class RawWebSocket:
    """A connection to 127.0.0.1. Not for use by several threads."""

    def __init__(self, port: int, path: str = "/", headers: dict[str, str] | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""
        self._at = 0
        key = base64.b64encode(os.urandom(16)).decode()
        lines = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            **(headers or {}),
        }
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{text}\r\n".encode())
        while b"\r\n\r\n" not in self._data:
            self._more()
        self.response, _, self._data = self._data.partition(b"\r\n\r\n")
        if b" 101 " not in self.response.partition(b"\r\n")[0]:
            self._socket.close()
            raise ConnectionError(self.response.decode("latin-1"))

    def send(self, frame: bytes) -> None:
        """Send what ``client_frame`` made; several at once is fine."""
        self._socket.sendall(frame)

    def has_data(self, timeout_s: float) -> bool:
        """Return whether anything is there, or comes in time."""
        if self._at < len(self._data):
            return True
        return bool(select.select([self._socket], [], [], timeout_s)[0])

    def receive(self) -> bytes:
        """Return the payload of the next data message; pings are answered."""
        while True:
            head = self._take(2)
            size = head[1] & ~FIN
            if size == SHORT:
                (size,) = struct.unpack(">H", self._take(2))
            elif size == LONG:
                (size,) = struct.unpack(">Q", self._take(8))
            payload = self._take(size)
            opcode = head[0] & 15
            if opcode in {BINARY, TEXT}:
                if not head[0] & FIN:
                    raise ConnectionError("a fragmented message, which no server here sends")
                return payload
            if opcode == CLOSE:
                raise ConnectionError(f"closed by the server: {payload!r}")
            if opcode == PING:
                self._socket.sendall(bytes([FIN | 10, FIN | size]) + NO_MASK + payload)

    def receive_until(self, mark: bytes) -> bytes:
        """Return the next message that contains ``mark``; others are passed over."""
        while mark not in (payload := self.receive()):
            pass
        return payload

    def close(self) -> None:
        """Say goodbye, and do not wait for the answer."""
        with contextlib.suppress(OSError):
            self._socket.sendall(bytes([FIN | CLOSE, FIN]) + NO_MASK)
        self._socket.close()

    def _take(self, size: int) -> bytes:
        if len(self._data) - self._at >= size:
            begin = self._at
            self._at += size
            return self._data[begin : self._at]
        if size > CHUNK:
            return self._take_large(size)
        while len(self._data) - self._at < size:
            self._more()
        return self._take(size)

    def _take_large(self, size: int) -> bytes:
        """Read into one piece of memory: nothing is copied twice but what was read already."""
        whole = bytearray(size)
        view = memoryview(whole)
        have = len(self._data) - self._at
        view[:have] = self._data[self._at :]
        self._data, self._at = b"", 0
        while have < size:
            count = self._socket.recv_into(view[have:])
            if not count:
                raise ConnectionError("the server closed the connection")
            have += count
        return whole  # type: ignore[return-value]  # a bytearray does what bytes does here

    def _more(self) -> None:
        chunk = self._socket.recv(CHUNK)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        self._data = self._data[self._at :] + chunk
        self._at = 0


def retry_connect(port: int, timeout_s: float) -> RawWebSocket:
    """Connect to a server that may not listen yet."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            return RawWebSocket(port)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)  # nothing tells; a refused connection returns at once
