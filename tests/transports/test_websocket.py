"""``WebSocketTransport`` against a small real server; the server's end is the same class."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from functools import partial

import pytest
import websockets
from websockets.asyncio.server import serve

from proxies import Proxy
from tsushin.errors import ConnectFailed, LimitExceeded, TransportLost, WireError
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header
from tsushin.testing.check_transport import CLAIMS, TransportPair, check_claim
from tsushin.transports import websocket
from tsushin.transports.websocket import WebSocketTransport, connect_websocket, is_loopback
from tsushin.wire import ws_v1

SUBPROTOCOLS = ["v1", "default"]


class Server:
    """Accepts connections and hands them out; serves every path."""

    def __init__(self):
        self.accepted = asyncio.Queue()
        self.is_over = asyncio.Event()

    async def handle(self, connection):
        self.accepted.put_nowait(connection)
        await self.is_over.wait()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/api/kernels/x/channels"


@asynccontextmanager
async def serve_picking(pick, **options):
    """Serve; ``pick`` is the subprotocol to answer with, given what the client offers."""
    own = Server()

    def select(connection, offered):
        return pick(offered)

    async with serve(
        own.handle, "127.0.0.1", 0, select_subprotocol=select, max_size=None, **options
    ) as running:
        own.port = running.sockets[0].getsockname()[1]
        yield own
        own.is_over.set()


def server():
    """Serve as Jupyter Server does: v1 for who offers it."""
    return serve_picking(lambda offered: ws_v1.SUBPROTOCOL if offered else None)


def no_subprotocol(offered):
    return None


def maker(own, subprotocol, limits=Limits()):  # noqa: B008 (frozen)
    async def make():
        frontend = await connect_websocket(own.url, subprotocol=subprotocol, limits=limits)
        connection = await own.accepted.get()

        async def cut():
            connection.transport.abort()

        kernel = WebSocketTransport(connection, subprotocol)
        return TransportPair(frontend=frontend, kernel=kernel, cut=cut)

    return make


@pytest.fixture(params=SUBPROTOCOLS)
async def make_pair(request):
    async with server() as own:
        yield maker(own, request.param)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
async def test_keeps_what_a_transport_promises(make_pair, claim):
    await check_claim(claim, make_pair)


async def test_v1_is_spoken_where_the_server_picks_it():
    async with server() as own:
        transport = await connect_websocket(own.url)
        assert transport.subprotocol == "v1"
        await transport.aclose()


async def test_default_is_spoken_where_the_server_picks_none():
    async with serve_picking(no_subprotocol) as own:
        transport = await connect_websocket(own.url)
        assert transport.subprotocol == "default"
        await transport.aclose()


async def test_forced_v1_is_refused_where_the_server_does_not_speak_it():
    async with serve_picking(no_subprotocol) as own:
        with pytest.raises(ConnectFailed, match="expected subprotocol v1, the server picked none"):
            await connect_websocket(own.url, subprotocol="v1")


async def test_token_travels_in_a_header_and_not_in_the_url():
    async with serve_picking(no_subprotocol) as own:
        transport = await connect_websocket(own.url, token="s3cret")
        request = (await own.accepted.get()).request
        assert request.headers["Authorization"] == "token s3cret"
        assert "s3cret" not in request.path
        await transport.aclose()


async def test_link_is_uncompressed_and_without_delay():
    async with serve_picking(no_subprotocol) as own:
        transport = await connect_websocket(own.url)
        connection = transport._connection
        assert connection.protocol.extensions == []
        raw = connection.transport.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await transport.aclose()


async def test_refused_handshake_is_a_connect_failure_without_the_query():
    def refuse(connection, request):
        return connection.respond(403, "no")

    async with serve_picking(no_subprotocol, process_request=refuse) as own:
        with pytest.raises(ConnectFailed, match="HTTP 403") as raised:
            await connect_websocket(own.url + "?token=s3cret")
        assert "s3cret" not in str(raised.value)


async def test_no_server_is_a_connect_failure():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port}"):
        await connect_websocket(f"ws://127.0.0.1:{port}/api/kernels/x/channels")


def message(number):
    header = new_header("comm_msg", msg_id=str(number), session="s", now=0)
    return Message("iopub", header, content={"number": number})


@pytest.mark.parametrize(
    ("subprotocol", "frame"),
    [
        ("v1", "{}"),
        ("v1", b"\x00" * 8),
        ("v1", (10**7).to_bytes(8, "little")),
        ("default", "nonsense"),
        ("default", b"\xff\xff\xff\xff"),
    ],
)
async def test_malformed_frame_is_reported_and_the_next_one_arrives(subprotocol, frame):
    async with server() as own:
        pair = await maker(own, subprotocol)()
        faults = []
        pair.frontend.on_fault = faults.append
        await pair.kernel._connection.send(frame)
        pair.kernel.send(message(2))
        assert (await pair.frontend.receive()).content == {"number": 2}
        assert [type(fault) for fault in faults] == [WireError]
        await pair.frontend.aclose()
        await pair.kernel.aclose()


async def test_message_above_a_limit_is_reported_and_the_link_goes_on():
    async with server() as own:
        pair = await maker(own, "v1", Limits(max_json_bytes=500))()
        faults = []
        pair.frontend.on_fault = faults.append
        pair.kernel.send(message("x" * 600))
        pair.kernel.send(message(2))
        assert (await pair.frontend.receive()).content == {"number": 2}
        assert [type(fault) for fault in faults] == [LimitExceeded]
        await pair.frontend.aclose()
        await pair.kernel.aclose()


async def test_frame_far_above_the_limit_ends_the_link_unread():
    async with server() as own:
        pair = await maker(own, "v1", Limits(max_message_bytes=1000))()
        await pair.kernel._connection.send(bytes(200_000))
        with pytest.raises(TransportLost) as raised:
            await pair.frontend.receive()
        assert isinstance(raised.value.__cause__, websockets.ConnectionClosedError)
        await pair.frontend.aclose()
        await pair.kernel.aclose()


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:8888/", True),
        ("ws://[::1]/", True),
        ("http://localhost/lab", True),
        ("http://127.0.0.1.example.org/", False),
        ("https://hub.example.org/user/x", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_rest(url, is_local):
    assert is_loopback(url) is is_local


@pytest.mark.parametrize("end", ["frozen", "closed", "aborted"])
async def test_only_a_link_on_which_nothing_came_any_more_went_silent(monkeypatch, end):
    impatient = partial(websocket.connect, ping_interval=0.2, ping_timeout=0.2)
    monkeypatch.setattr(websocket, "connect", impatient)
    async with server() as own, Proxy(own.url) as proxy:
        link = await connect_websocket(proxy.url)
        there = await own.accepted.get()
        assert not link.went_silent
        if end == "frozen":
            proxy.freeze()
        elif end == "closed":
            await there.close(1011)  # as an endpoint that failed
        else:
            proxy.cut()
        with pytest.raises(TransportLost):
            await link.receive()
        assert link.went_silent == (end == "frozen")
        proxy.thaw()
        await link.aclose()
