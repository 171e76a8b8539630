"""Visitors of a kernel's lane: what is let in, and what is refused, byte by byte."""

from __future__ import annotations

import socket

from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from sockets import WAIT_S, Visitor
from tsushin.wire import ws_v1


class Refused(Exception):
    """A visitor was not let in.

    Attributes:
        status: of the answer; 0 where there was none.
        body: of the answer.
    """

    def __init__(self, status, body=b""):
        super().__init__(f"{status}: {body!r}")
        self.status = status
        self.body = body


def knock(port, *, session, token=None, path="/lane", headers=None):
    """Come in as a client of the kernel's own machine does; ``headers`` replace or add.

    Raises:
        Refused: with what was answered.
    """
    sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
    url = f"ws://127.0.0.1:{port}{path}?session={session}"
    protocol = ClientProtocol(parse_uri(url), subprotocols=[ws_v1.SUBPROTOCOL], max_size=None)
    request = protocol.connect()
    if token is not None:
        request.headers["Authorization"] = f"token {token}"
    for name, value in (headers or {}).items():
        request.headers.pop(name, None)
        request.headers[name] = value
    protocol.send_request(request)
    try:
        sock.sendall(b"".join(protocol.data_to_send()))
        behind = _read_response(sock, protocol)
    except BaseException:
        sock.close()
        raise
    visitor = Visitor(sock, protocol)
    visitor.frames += behind
    return visitor


def _read_response(sock, protocol):
    """Return the frames right behind the response. Raises Refused, or OSError."""
    while data := sock.recv(1 << 16):
        protocol.receive_data(data)
        events = protocol.events_received()
        if events and events[0].status_code == 101:
            return events[1:]
        if events or protocol.handshake_exc is not None:
            response = events[0] if events else getattr(protocol.handshake_exc, "response", None)
            raise Refused(getattr(response, "status_code", 0))
    raise Refused(0)


def shout(port, data, timeout_s=WAIT_S):
    """Send any bytes; return what is answered until the other side closes."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as sock:
        try:
            sock.sendall(data)
            while more := sock.recv(1 << 16):
                answer += more
        except ConnectionError:  # it closed with some of ours unread
            pass
    return answer
