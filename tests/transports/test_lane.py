"""A frontend's end of a lane, over real connections; the other end is the same class, or a real listener."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from sockets import message, shaken_hands, tcp_pair
from tsushin.errors import ConnectFailed, TransportClosed, TransportLost
from tsushin.protocol.limits import Limits
from tsushin.testing.check_transport import CLAIMS, TransportPair, check_claim
from tsushin.transports.lane import LaneTransport, connect_lane
from tsushin.transports.threaded import ThreadedWebSocket
from tsushin.wire import ws_v1

WAIT_S = 10


async def make_pair():
    here, there = tcp_pair()
    client, server = shaken_hands()

    async def cut():
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        there.shutdown(socket.SHUT_RD)  # wakes its reader; closing it then breaks the link

    return TransportPair(
        frontend=LaneTransport(ThreadedWebSocket(here, client)),
        kernel=LaneTransport(ThreadedWebSocket(there, server)),
        cut=cut,
    )


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
async def test_it_is_a_transport(claim):
    await check_claim(claim, make_pair)


async def test_what_is_no_message_is_told_and_ends_it():
    here, there = tcp_pair()
    client, _ = shaken_hands()
    lane, faults = LaneTransport(ThreadedWebSocket(here, client)), []
    lane.on_fault = faults.append
    there.sendall(Frame(Opcode.BINARY, b"garbage").serialize(mask=False))
    with pytest.raises(TransportLost):
        await lane.receive()
    assert len(faults) == 1
    await lane.aclose()
    there.close()


# ------------------------------------------------------------------ connecting


@contextmanager
def listening(serve):
    """Serve one visitor on a thread; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WAIT_S)

        def accept():
            visitor, _ = listener.accept()
            visitor.settimeout(WAIT_S)
            with visitor:
                serve(visitor)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def welcome(visitor, requests=None, early=b""):
    """Accept a visitor as a kernel does, with something right behind the handshake."""
    server = ServerProtocol(subprotocols=[ws_v1.SUBPROTOCOL])
    events = []
    while not events:
        server.receive_data(visitor.recv(1 << 16))
        events = server.events_received()
    [request] = events
    if requests is not None:
        requests.append(request)
    server.send_response(server.accept(request))
    visitor.sendall(b"".join(server.data_to_send()) + early)


async def test_it_shows_its_token_and_no_origin_and_takes_what_came_at_once():
    requests = []
    data = Frame(Opcode.BINARY, bytes(ws_v1.encode(message(1)))).serialize(mask=False)
    with listening(lambda visitor: welcome(visitor, requests, early=data)) as port:
        lane = await connect_lane(port, "a session?", "the-token", timeout_s=WAIT_S)
        assert (await lane.receive()).content["n"] == 1
        await lane.aclose()
    [request] = requests
    assert request.path == "/lane?session=a%20session%3F"
    assert request.headers["Host"] == f"127.0.0.1:{port}"
    assert request.headers["Authorization"] == "token the-token"
    assert request.headers["Sec-WebSocket-Protocol"] == ws_v1.SUBPROTOCOL
    assert "Origin" not in request.headers


async def test_nobody_there_is_a_failure_to_connect():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectFailed, match=f"lane at port {port}"):
        await connect_lane(port, "s", "t", timeout_s=WAIT_S)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "403"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP"),
        (b"", "closed during the handshake"),
    ],
    ids=["refused", "another service", "closes"],
)
async def test_who_does_not_let_it_in_is_a_failure_to_connect(answer, says):
    def refuse(visitor):
        visitor.recv(1 << 16)
        visitor.sendall(answer)

    with listening(refuse) as port, pytest.raises(ConnectFailed, match=says):
        await connect_lane(port, "s", "t", timeout_s=WAIT_S)


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 101 Switching Protocols\r\n"])
async def test_who_does_not_answer_in_time_is_a_failure_to_connect(drip):
    is_over = threading.Event()

    def say_little(visitor):
        for byte in drip * 100:
            try:
                visitor.sendall(bytes([byte]))
            except OSError:
                break
            if is_over.wait(0.05):
                break
        is_over.wait(WAIT_S)

    with listening(say_little) as port:
        began = time.monotonic()
        with pytest.raises(ConnectFailed):
            await connect_lane(port, "s", "t", timeout_s=0.3)
        took = time.monotonic() - began
        is_over.set()
    assert took < 2


async def test_a_message_above_the_limit_ends_it():
    data = Frame(Opcode.BINARY, bytes(1 << 20)).serialize(mask=False)
    limits = Limits(max_message_bytes=1 << 16)
    with listening(lambda visitor: welcome(visitor, early=data)) as port:
        lane = await connect_lane(port, "s", "t", limits=limits, timeout_s=WAIT_S)
        with pytest.raises(TransportLost):
            await lane.receive()
        await lane.aclose()


async def test_closing_twice_at_the_same_time_does_nothing_more():
    pair = await make_pair()
    await asyncio.gather(pair.frontend.aclose(), pair.frontend.aclose())
    with pytest.raises(TransportClosed):
        await pair.frontend.receive()
    await pair.kernel.aclose()


async def test_a_connection_that_nobody_waits_for_any_more_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        connecting = asyncio.ensure_future(connect_lane(port, "s", "t", timeout_s=10))
        visitor, _ = await asyncio.to_thread(listening.accept)
        with visitor:
            request = ServerProtocol(subprotocols=[ws_v1.SUBPROTOCOL])
            visitor.settimeout(10)
            request.receive_data(await asyncio.to_thread(visitor.recv, 4096))
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            [asked] = request.events_received()
            request.send_response(request.accept(asked))
            visitor.sendall(b"".join(request.data_to_send()))
            assert await asyncio.to_thread(visitor.recv, 4096) == b""
