"""A page's way to a kernel's lane, through a real Jupyter Server beside a real kernel."""

from __future__ import annotations

import asyncio
import os
import socket

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from processes import EXTENDED, free_port
from server.jupyter.lanes import SECRET, echo, lane_file_of, laned, listening, through
from server.jupyter.pages import SUBPROTOCOL, observed, running, until
from tsushin.frontend.rest import Server
from tsushin.protocol.limits import MIB
from tsushin.server.jupyter.lane_route import MAX_FRAME_BYTES

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

NOBODY = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture(scope="module")
def kernel_id(server):
    """A kernel of that server, for all tests here: nothing is executed in it."""
    kernels = Server(server.url, token=server.token)
    kernel_id = asyncio.run(kernels.start("python3"))
    yield kernel_id
    asyncio.run(kernels.shutdown(kernel_id))


async def refused(connecting):
    """Return the status that a connection is refused with."""
    with pytest.raises(InvalidStatus) as caught:
        async with connecting:
            pass
    return caught.value.response.status_code


# ------------------------------------------------------------------ what passes


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 5 * MIB])
async def test_frames_pass_both_ways_unchanged(server, kernel_id, size):
    frame = os.urandom(size)
    async with laned(kernel_id), through(server, kernel_id) as page:
        await page.send(frame)
        assert await page.recv() == frame


async def test_many_frames_keep_their_order(server, kernel_id):
    async def send(page):
        for n in range(2000):
            await page.send(n.to_bytes(4))

    async with laned(kernel_id), through(server, kernel_id) as page:
        sending = asyncio.create_task(send(page))
        got = [int.from_bytes(await page.recv()) for _ in range(2000)]
        await sending
    assert got == [*range(2000)]


async def test_the_kernel_is_asked_for_the_session_with_its_secret_and_no_origin(server, kernel_id):
    origin = server.url.rstrip("/")
    async with (
        laned(kernel_id) as lane,
        through(server, kernel_id, "session=a%20%26b", origin=origin) as page,
    ):
        [asked] = lane.requests
        assert page.subprotocol == lane.sockets[0].subprotocol == SUBPROTOCOL
    assert asked.path == "/lane?session=a%20%26b"
    assert asked.headers["Authorization"] == f"token {SECRET}"
    assert asked.headers["Host"] == f"127.0.0.1:{lane.port}"
    assert "Origin" not in asked.headers
    assert "Cookie" not in asked.headers
    assert server.token not in str(asked.headers)


async def test_small_frames_are_not_delayed_on_either_side(server, kernel_id):
    async with laned(kernel_id), through(server, kernel_id) as page:
        await page.send(b"is open")
        await page.recv()
        assert observed(server)["lanes"] == [{"page": True, "kernel": True}]


async def test_how_the_kernel_ends_a_lane_reaches_the_page(server, kernel_id):
    async def end(connection):
        await connection.send(b"last words")
        await connection.close(4009, "a newer lane")

    async with laned(kernel_id, end), through(server, kernel_id) as page:
        assert await page.recv() == b"last words"
        with pytest.raises(ConnectionClosed):
            await page.recv()
        assert (page.close_code, page.close_reason) == (4009, "a newer lane")


async def test_a_lane_that_breaks_off_ends_the_page_with_a_reason(server, kernel_id):
    async def break_off(connection):
        connection.transport.abort()

    async with laned(kernel_id, break_off), through(server, kernel_id) as page:
        with pytest.raises(ConnectionClosed):
            await page.recv()
        assert (page.close_code, page.close_reason) == (1011, "the lane broke off")


async def test_how_the_page_ends_a_lane_reaches_the_kernel(server, kernel_id):
    async with laned(kernel_id) as lane:
        async with through(server, kernel_id) as page:
            await page.close(4000, "done")
        await lane.sockets[0].wait_closed()
        assert (lane.sockets[0].close_code, lane.sockets[0].close_reason) == (4000, "done")


async def test_a_page_that_breaks_off_ends_the_lane(server, kernel_id):
    async with laned(kernel_id) as lane:
        async with through(server, kernel_id) as page:
            page.transport.abort()
        await lane.sockets[0].wait_closed()
        assert (lane.sockets[0].close_code, lane.sockets[0].close_reason) == (
            1011,
            "the page is gone",
        )


# ------------------------------------------------------------------ who may


async def test_without_a_token_nobody_gets_in(server, kernel_id):
    async with laned(kernel_id) as lane:
        assert await refused(through(server, kernel_id, token=False)) == 403
        assert await refused(through(server, kernel_id, "session=s&token=x", token=False)) == 403
    assert lane.requests == []


def log_in(server):
    """Return the cookie of a browser that has opened the server's page."""
    answer = httpx.get(f"{server.url}api/me?token={server.token}")
    assert answer.status_code == 200
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


async def test_a_page_of_another_site_is_refused_though_it_has_the_cookie(server, kernel_id):
    cookie = log_in(server)
    async with laned(kernel_id) as lane:
        evil = through(server, kernel_id, token=False, cookie=cookie, origin="http://evil.example")
        assert await refused(evil) == 403
        assert lane.requests == []
        own = server.url.rstrip("/")
        async with through(server, kernel_id, token=False, cookie=cookie, origin=own):
            assert len(lane.requests) == 1


async def test_origins_that_the_server_allows_are_allowed(run_server):
    with run_server(settings={"ServerApp.allow_origin": "http://good.example"}) as server:
        cookie = log_in(server)
        async with running(server) as kernel_id, laned(kernel_id) as lane:
            how = {"token": False, "cookie": cookie}
            evil = through(server, kernel_id, origin="http://evil.example", **how)
            assert await refused(evil) == 403
            async with through(server, kernel_id, origin="http://good.example", **how):
                assert len(lane.requests) == 1


async def test_who_may_not_execute_in_kernels_is_refused(run_server):
    settings = {"ServerApp.authorizer_class": "observer.NoExecution"}
    with run_server(settings=settings) as server:
        async with running(server) as kernel_id, laned(kernel_id) as lane:
            assert await refused(through(server, kernel_id)) == 403
    assert lane.requests == []


async def test_what_is_no_websocket_opens_no_lane(server, kernel_id):
    async with laned(kernel_id) as lane:
        headers = {"Authorization": f"token {server.token}"}
        url = f"{server.url}tsushin/lane/{kernel_id}?session=s"
        async with httpx.AsyncClient() as client:
            answer = await client.get(url, headers=headers)
    assert answer.status_code == 400
    assert lane.requests == []


# ------------------------------------------------------------------ where it leads


@pytest.mark.parametrize("wrong", [NOBODY, "tsushin-lanes", "..%2F..%2Fetc-a-b-c-d", "a-b-c-d-e"])
async def test_a_kernel_that_is_none_of_the_servers_is_not_found(server, wrong):
    assert await refused(through(server, wrong)) == 404


async def test_a_kernel_without_a_lane_is_told_so(server, kernel_id):
    assert await refused(through(server, kernel_id)) == 404


@pytest.mark.parametrize("query", ["", "session=", f"session={'s' * 257}"])
async def test_a_session_is_needed(server, kernel_id, query):
    async with laned(kernel_id) as lane:
        assert await refused(through(server, kernel_id, query)) == 400
    assert lane.requests == []


async def test_an_address_that_the_page_chose_is_ignored(server, kernel_id):
    async with laned(kernel_id) as lane, listening() as chosen:
        at = f"127.0.0.1:{chosen.port}"
        query = (
            f"port={chosen.port}&host={at}&address={at}&url=ws://{at}/&lane=ws://{at}/"
            f"&connection_file=kernel.json&kernel_id={NOBODY}&session=@{at}/%23"
        )
        async with through(server, kernel_id, query) as page:
            await page.send(b"hello")
            await page.recv()
        [asked] = lane.requests
    assert chosen.requests == []
    assert asked.path == f"/lane?session=%40127.0.0.1%3A{chosen.port}%2F%23"


async def test_a_lane_that_nobody_listens_at_is_refused(server, kernel_id):
    with lane_file_of(kernel_id, free_port()):
        assert await refused(through(server, kernel_id)) == 502


async def test_a_lane_that_refuses_is_refused(server, kernel_id):
    async with listening() as lane:
        with lane_file_of(kernel_id, lane.port, secret="another-secret" * 3):
            assert await refused(through(server, kernel_id)) == 502
    assert lane.sockets == []


async def test_a_lane_that_never_answers_is_refused_in_time(server, kernel_id):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with lane_file_of(kernel_id, port):
            async with asyncio.timeout(30):
                assert await refused(through(server, kernel_id)) == 502


async def test_what_answers_nonsense_is_refused(server, kernel_id):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade)
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as nonsense:
        with lane_file_of(kernel_id, nonsense.sockets[0].getsockname()[1]):
            async with asyncio.timeout(30):
                assert await refused(through(server, kernel_id)) == 502


# ------------------------------------------------------------------ bounds

ONE = MIB
MANY = 200


def memory(server):
    return psutil.Process(server.process.pid).memory_info().rss


async def stalled(sent):
    """Wait until nothing more could be sent for a second."""
    seen = -1
    while seen != len(sent):
        seen = len(sent)
        await asyncio.sleep(1)


async def send_all(connection, sent):
    for n in range(MANY):
        await connection.send(bytes([n]) * ONE)
        sent.append(n)


async def test_a_page_that_does_not_read_stops_the_kernel_not_the_server(server, kernel_id):
    sent = []

    async def flood(connection):
        await send_all(connection, sent)
        await connection.wait_closed()

    before = memory(server)
    async with laned(kernel_id, flood), through(server, kernel_id) as page:
        await until(lambda: sent)
        await stalled(sent)
        assert len(sent) < MANY // 2
        assert memory(server) - before < 40 * MIB
        got = [(await page.recv())[0] for _ in range(MANY)]
    assert got == [*range(MANY)]


async def test_a_kernel_that_does_not_read_stops_the_page_not_the_server(server, kernel_id):
    reads, sent = asyncio.Event(), []

    async def wait(connection):
        await reads.wait()
        await echo(connection)

    before = memory(server)
    async with laned(kernel_id, wait), through(server, kernel_id) as page:
        sending = asyncio.create_task(send_all(page, sent))
        await until(lambda: sent)
        await stalled(sent)
        assert len(sent) < MANY // 2
        assert memory(server) - before < 40 * MIB
        reads.set()
        got = [(await page.recv())[0] for _ in range(MANY)]
        await sending
    assert got == [*range(MANY)]


async def test_a_page_that_goes_while_much_is_under_way_leaves_nothing_behind(server, kernel_id):
    sent = []

    async def flood(connection):
        with pytest.raises(ConnectionClosed):
            await send_all(connection, sent)

    async with laned(kernel_id, flood) as lane:
        async with through(server, kernel_id) as page:
            await page.recv()
            page.transport.abort()
        await lane.sockets[0].wait_closed()
        await until(lambda: observed(server)["lanes"] == [])
    assert not [line for line in server.log if "never retrieved" in line or "destroyed" in line]


async def test_a_frame_above_the_bound_ends_the_lane(server, kernel_id):
    async def send_too_much(connection):
        await connection.send(bytes(MAX_FRAME_BYTES + 1))
        await connection.wait_closed()

    async with laned(kernel_id, send_too_much), through(server, kernel_id) as page:
        with pytest.raises(ConnectionClosed):
            await page.recv()
        assert page.close_code == 1011


async def test_without_the_extension_there_is_no_such_address(run_server):
    with run_server(extensions={**EXTENDED, "tsushin": False}) as server:
        assert await refused(through(server, NOBODY)) == 404
