"""Two ends of a WebSocket over a real connection, for what reads and writes it on threads of its own."""

from __future__ import annotations

import queue
import socket
import threading

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import Event
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.protocol.messages import Message, new_header
from tsushin.transports.threaded import ThreadedWebSocket

WAIT_S = 10


def tcp_pair(send_buffer=None):
    """Return two connected sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if send_buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, send_buffer)
        here = socket.create_connection(listener.getsockname())
        there, _ = listener.accept()
    if send_buffer is not None:
        for sock in (here, there):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    return here, there


def shaken_hands(max_size=None):
    """Return a client's and a server's protocol, after the handshake."""
    client = ClientProtocol(parse_uri("ws://127.0.0.1/"), max_size=max_size)
    server = ServerProtocol(max_size=max_size)
    client.send_request(client.connect())
    server.receive_data(b"".join(client.data_to_send()))
    [request] = server.events_received()
    server.send_response(server.accept(request))
    client.receive_data(b"".join(server.data_to_send()))
    client.events_received()
    return client, server


_visitors = []


def close_visitors():
    """Close what visitors of a test have not closed."""
    while _visitors:
        _visitors.pop().socket.close()


class Side:
    """One end of a WebSocket: what came, in order, and its end."""

    def __init__(self, sock, protocol, limits=DEFAULT_LIMITS, **options):
        self.socket = sock
        self.websocket = ThreadedWebSocket(sock, protocol, limits=limits, **options)
        self.arrived, self.ends = queue.SimpleQueue(), []
        self.has_ended = threading.Event()

    def start(self):
        self.websocket.start(self._take, self._end)
        return self

    def _take(self, messages):
        for message in messages:
            self.arrived.put(message)

    def _end(self, fault):
        self.ends.append(fault)
        self.has_ended.set()

    def take(self, count=1):
        return [self.arrived.get(timeout=WAIT_S) for _ in range(count)]

    def numbers(self, count):
        return [message.content["n"] for message in self.take(count)]

    def end(self):
        """Wait for the end; return what the peer did wrong."""
        assert self.has_ended.wait(WAIT_S)
        [fault] = self.ends
        return fault


class Visitor:
    """A client that writes what it likes, frame by frame, and reads frames."""

    def __init__(self, sock, protocol):
        self.socket = sock
        self.protocol = protocol
        self.frames = []
        sock.settimeout(WAIT_S)
        _visitors.append(self)

    def write(self, opcode, payload, *, fin=True):
        self.socket.sendall(Frame(opcode, payload, fin).serialize(mask=True))

    def read(self, opcode):
        """Return the payload of the next frame of a kind; others are passed over."""
        while True:
            while self.frames:
                event = self.frames.pop(0)
                if event.opcode is opcode:
                    return bytes(event.data)
            data = self.socket.recv(1 << 16)
            assert data, f"the end came before {opcode}"
            self.protocol.receive_data(data)
            self.frames += [e for e in self.protocol.events_received() if is_frame(e)]

    def close_code(self):
        """Return why the other end closes."""
        return int.from_bytes(self.read(Opcode.CLOSE)[:2], "big")

    def rest(self):
        """Read to the end of the connection."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass


def is_frame(event: Event) -> bool:
    return isinstance(event, Frame)


def message(n, buffers=(), msg_type="comm_msg", session="s", comm_id="c"):
    """Return a comm message with a number."""
    header = new_header(msg_type, msg_id=f"m{n}", session=session, now=0)
    views = tuple(memoryview(buffer).toreadonly() for buffer in buffers)
    return Message("shell", header, {}, {}, {"comm_id": comm_id, "data": {}, "n": n}, views)
