from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from websockets.exceptions import ConnectionClosed

from endpoint_client import TIMEOUT_S, Client
from tsushin.server.app import Endpoint
from tsushin.server.security import Guard
from tsushin.server.serving import Serving, is_loopback


@pytest.fixture
def endpoint(kernel):
    return Endpoint(kernel, Guard(token="a/b"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("192.168.0.1", False), ("::", False), ("x.example", False)],
)  # fmt: skip
def test_what_only_this_machine_can_reach(host, expected):
    assert is_loopback(host) is expected


def test_the_address_of_the_page_holds_the_token_and_the_repr_does_not(endpoint):
    with Serving(endpoint, host="127.0.0.1", port=0) as serving:
        assert serving.page_url == f"{serving.url}?token=a%2Fb"
        assert "a/b" not in repr(serving)


def test_a_taken_port_is_said_at_once(endpoint):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Serving(endpoint, host="127.0.0.1", port=taken.getsockname()[1])


def test_it_listens_when_start_returns_and_not_after_close(endpoint):
    with Serving(endpoint, host="127.0.0.1", port=0) as serving:
        serving.start()
        assert Client.of(serving).ask("api")[0] == 200
        port = int(serving.url.split(":")[-1].rstrip("/"))
    serving.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S)


def test_closing_leaves_no_thread(endpoint):
    before = set(threading.enumerate())
    with Serving(endpoint, host="127.0.0.1", port=0) as serving:
        serving.start()
    assert set(threading.enumerate()) == before


def test_pages_get_what_is_queued_and_are_told_to_go(kernel, endpoint):
    with Serving(endpoint, host="127.0.0.1", port=0) as serving:
        serving.start()
        with Client.of(serving).socket() as page:
            page.ask("kernel_info_request")
            for i in range(100):
                kernel.manager.new_comm("page", {"i": i})
            serving.stop()
            received = []
            with contextlib.suppress(ConnectionClosed):
                while True:
                    received.append(page.receive().content["data"]["i"])
            assert received == list(range(100))
            assert page.websocket.close_code == 1001


def test_a_page_that_does_not_read_delays_closing_by_seconds_at_most(kernel, endpoint):
    with Serving(endpoint, host="127.0.0.1", port=0) as serving:
        serving.start()
        with Client.of(serving).socket() as page:
            page.ask("kernel_info_request")
            comm = kernel.manager.new_comm("page")
            for _ in range(200):
                comm.send({}, buffers=[bytes(100_000)])
            serving.close()
            assert not serving._thread.is_alive()


def test_small_messages_are_sent_at_once(kernel, endpoint):
    """TCP_NODELAY is set on what the server accepts, or answers would wait for acknowledgements."""
    seen = []
    with Serving(endpoint, host="127.0.0.1", port=0) as serving:
        serving.start()
        with Client.of(serving).socket() as page:
            page.ask("kernel_info_request")
            for protocol in serving._server.server_state.connections:
                accepted = protocol.transport.get_extra_info("socket")
                seen.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    assert len(seen) == 1
    assert all(seen)
