"""The least of clients against each bare server there is."""

from __future__ import annotations

import pytest
from bench.raw_servers import raw_server
from bench.raw_websocket import RawWebSocket, client_frame

SERVERS = ("websockets sans-IO, thread", "uvicorn websockets-sansio", "websockets.asyncio")
SIZES = (0, 1, 125, 126, 65_535, 65_536, 3_000_000)


@pytest.mark.parametrize("name", SERVERS)
def test_messages_of_every_frame_length_come_back(name):
    with raw_server(name) as port:
        socket = RawWebSocket(port)
        for size in SIZES:
            socket.send(client_frame(b"x" * size))
            assert socket.receive() == b"x" * size
        socket.close()


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_does_the_same_of_what_it_is_asked(name):
    with raw_server(name) as port:
        socket = RawWebSocket(port)
        socket.send(client_frame(b"out1000000") + client_frame(b"in" + b"x" * 1_000_000))
        assert socket.receive() == bytes(1_000_000)
        assert socket.receive() == b"ok"
        assert not socket.has_data(0)
        socket.close()


def test_messages_that_come_together_are_kept_apart():
    with raw_server(SERVERS[0]) as port:
        socket = RawWebSocket(port)
        socket.send(b"".join(client_frame(b"%d" % number) for number in range(1000)))
        assert [int(socket.receive()) for _ in range(1000)] == list(range(1000))
        socket.close()


def test_a_server_that_refuses_is_an_error_with_its_answer():
    with raw_server(SERVERS[1]) as port, pytest.raises(ConnectionError, match=r"HTTP/1\.1 4"):
        RawWebSocket(port, "/", {"Sec-WebSocket-Version": "1"})
