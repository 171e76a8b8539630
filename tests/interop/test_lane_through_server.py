"""Lanes through a Jupyter Server with our extension, of frontends that cannot reach the kernel itself.

The server is asked for by an address that leads to this machine and does not name it: so both frontends take
it for another one, and there is only the server's way to a lane.

Spec: spec/profile.md, "Lane", "Getting one", 2.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from interop.test_javascript_lane import END_LANES, HAS_LANE, all_got
from interop.test_javascript_link import heard_by_kernel, running_page
from laning import KERNEL, WAIT_S, Talk, ended, laned, opened, until, value
from processes import EXTENDED, environment, free_port, jupyter_server, running_kernel
from proxies import Proxy
from server.jupyter.lanes import through
from server.jupyter.pages import observed
from tsushin import connect
from tsushin.frontend.rest import Server
from tsushin.server.jupyter.lane_route import MAX_FRAME_BYTES

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

FAR = "0.0.0.0"  # connected to, it is this machine; nobody listens there
BASE = "hub/user/"
OBSERVER = Path(__file__).parents[1] / "server" / "jupyter"
MANY = 5000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with our extension, and a base URL; its kernels are here by its address."""
    env = environment()
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], str(OBSERVER)])
    settings = {"ServerApp.base_url": f"/{BASE}", "ServerApp.allow_remote_access": True}
    folder, extensions = tmp_path_factory.mktemp("server"), {**EXTENDED, "observer": True}
    with jupyter_server(folder, extensions=extensions, env=env, settings=settings) as server:
        yield replace(server, url=f"{server.url}{BASE}")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    """Whoever runs the tests may have to reach other machines by a proxy."""
    monkeypatch.setenv("no_proxy", f"{os.environ.get('no_proxy', '')},{FAR}")


def far(url):
    """Return the same address, of another machine by its looks."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{FAR}:{parts.port}").geturl()


async def passes_lanes(server, count):
    """Wait until so many lanes go through the server."""
    await until(lambda: len(observed(server)["lanes"]) == count)


@asynccontextmanager
async def far_from(server, kernel_id, **options):
    """Connect to a kernel as from another machine; gives the frontend, and what lanes go through."""
    async with (
        Proxy(server.url, path="/tsushin/lane/") as proxy,
        connect(far(proxy.url), token=server.token, kernel_id=kernel_id, **options) as fe,
    ):
        yield fe, proxy


async def hears_on(talk, count=100):
    """Wait until both ends have heard so much more."""
    before = len(talk.heard)
    there = await value(talk.fe, "len(heard)")
    await until(lambda: len(talk.heard) >= before + count)
    while await value(talk.fe, "len(heard)") < there + count:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


@pytest.fixture
async def other(server, kernel_id):
    """Somebody else at the same kernel, by the standard route."""
    async with connect(server.url, token=server.token, kernel_id=kernel_id, lane=False) as other:
        yield other


# ------------------------------------------------------------------ Python: it comes, and all goes by it


@pytest.mark.parametrize("opener", ["kernel", "frontend"])
@pytest.mark.parametrize("run", ["main", "thread"])
async def test_far_from_the_kernel_a_lane_comes_through_the_server(server, kernel_id, opener, run):
    async with far_from(server, kernel_id) as (fe, proxy):
        talk = await opened(fe, opener, run)
        await fe.execute("talk(0.001)")
        talk.begin()
        await laned(fe)
        await passes_lanes(server, 1)
        await hears_on(talk)
        await talk.end()
        assert proxy.accepted == 1
    await passes_lanes(server, 0)


async def test_thousands_each_way_arrive_by_it_and_nothing_beside_it(server, kernel_id):
    async with far_from(server, kernel_id) as (fe, _):
        talk = await opened(fe, "frontend", "thread")
        await laned(fe)
        sent, stock = [], fe._send
        fe._send = lambda message: (sent.append(message.msg_type), stock(message))
        await talk.burst(MANY)
        assert set(sent) == {"execute_request"}
        assert len(observed(server)["lanes"]) == 1


async def test_its_order_with_code_is_kept(server, kernel_id):
    async with far_from(server, kernel_id) as (fe, _):
        talk = await opened(fe, "kernel")
        await laned(fe)
        for n in range(30):
            talk.comm.send({"n": n})
            assert await value(fe, f"c.send({{'n': {n}}}), heard[-1]") == (None, n)
            assert talk.heard == list(range(n + 1))


async def test_of_two_frontends_one_goes_through_the_server_and_one_does_not(server, kernel_id):
    async with (
        far_from(server, kernel_id) as (fe, _),
        connect(server.url, token=server.token, kernel_id=kernel_id) as near,
    ):
        await fe.execute(KERNEL.format(run="main"))
        await laned(fe)
        await laned(near)
        opening = [one.expect_open("kernels") for one in (fe, near)]
        await fe.execute("use(Comm('kernels', run=run))")
        talks = [Talk(one, await comm) for one, comm in zip((fe, near), opening, strict=True)]
        assert len(observed(server)["lanes"]) == 1
        await fe.execute("for n in range(500): c.send({'n': n})")
        for i, talk in enumerate(talks):
            await until(lambda talk=talk: len(talk.heard) == 500)
            assert talk.heard == list(range(500))
            talk.comm.send({"n": i})
            await talk.comm.drain(timeout=WAIT_S)
        assert await value(fe, "heard") == [0, 1]


async def test_what_is_larger_than_the_server_passes_arrives_all_the_same(server, kernel_id):
    async with far_from(server, kernel_id) as (fe, _):
        talk = await opened(fe, "kernel", "main")
        await laned(fe)
        got = []
        talk.comm.on_msg(lambda msg: got.append([len(buffer) for buffer in msg["buffers"]]))
        code = "for n in range(3): c.send({'n': n}, buffers=[bytes(size)] if n == 1 else None)"
        await fe.execute(f"size = {MAX_FRAME_BYTES + 1}\n{code}")
        await until(lambda: len(got) == 3, 60)
        assert got == [[], [MAX_FRAME_BYTES + 1], []]
        talk.comm.send({"n": 0}, buffers=[bytes(MAX_FRAME_BYTES + 1)])
        await talk.comm.drain(timeout=60)
        assert await value(fe, "heard") == [0]
        await laned(fe)


# ------------------------------------------------------------------ Python: it ends


@pytest.mark.parametrize("opener", ["kernel", "frontend"])
async def test_broken_at_either_side_of_the_server_it_comes_again(server, kernel_id, opener):
    async with far_from(server, kernel_id) as (fe, proxy):
        talk = await opened(fe, opener, "thread")
        await fe.execute("talk(0.0005)")
        talk.begin()
        for broken_by in ("the network", "the kernel", "its socket", "the frontend"):
            await laned(fe)
            await hears_on(talk)
            link = fe._lane._link
            if broken_by == "the network":
                proxy.cut()
            elif broken_by == "the kernel":
                await fe.execute("cut()")
            elif broken_by == "its socket":
                await fe.execute(
                    "for one in list(manager.lanes._lanes.values()): one._socket.shutdown(2)"
                )
            else:
                fe._lane._hang_up()
            await ended(fe, link)
        await laned(fe)
        await hears_on(talk)
        await talk.end()
        assert proxy.accepted == 5
        await passes_lanes(server, 1)


async def test_while_the_server_lets_no_lane_through_all_goes_by_the_standard_route(
    server, kernel_id
):
    async with far_from(server, kernel_id) as (fe, proxy):
        talk = await opened(fe, "kernel", "thread")
        await fe.execute("talk(0.001)")
        talk.begin()
        await laned(fe)
        await hears_on(talk)
        proxy.is_down = True
        proxy.cut()
        await laned(fe, is_up=False)
        await until(lambda: proxy.accepted > 2)  # it has tried
        await hears_on(talk)
        assert not fe.has_lane
        proxy.is_down = False
        await laned(fe)
        await hears_on(talk)
        await talk.end()


@pytest.mark.matrix
async def test_one_that_falls_silent_is_left_and_nothing_is_lost(server, kernel_id):
    async with far_from(server, kernel_id) as (fe, proxy):
        talk = await opened(fe, "kernel", "thread")
        await fe.execute("talk(0.005)")
        talk.begin(pause_s=0.005)
        await laned(fe)
        await hears_on(talk)
        link = fe._lane._link
        proxy.freeze()
        await ended(fe, link)
        await hears_on(talk)
        proxy.thaw()
        await laned(fe)
        await talk.end()


@pytest.mark.parametrize("how", ["restarted", pytest.param("killed", marks=pytest.mark.matrix)])
async def test_a_kernel_begun_anew_gives_another_one(server, kernel_id, how):
    async with far_from(server, kernel_id) as (fe, proxy):
        talk = await opened(fe, "kernel")
        closed = asyncio.Event()
        talk.comm.on_close(lambda _: closed.set())
        await laned(fe)
        port = await value(fe, "manager.lanes.port")
        pid = await value(fe, "__import__('os').getpid()")
        if how == "restarted":
            await Server(server.url, token=server.token).restart(kernel_id)
        else:
            os.kill(pid, signal.SIGKILL)  # its lane's file stays; the server starts another kernel
        async with asyncio.timeout(WAIT_S):
            await closed.wait()
        await laned(fe, is_up=False)
        await until(lambda: fe.is_alive)
        talk = await opened(fe, "kernel")
        await fe.execute("talk(0.001)")
        talk.begin()
        await laned(fe)
        await hears_on(talk)
        await talk.end()
        assert proxy.accepted == 2
        assert await value(fe, "manager.lanes.port") != port


# ------------------------------------------------------------------ Python: the direct way leads nowhere

ELSEWHERE = """
offer = manager.sessions.offer_lane
manager.sessions.offer_lane = lambda session, port, token: offer(session, {port}, token)
"""


@asynccontextmanager
async def nobody():
    yield free_port()


@asynccontextmanager
async def who_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


@asynccontextmanager
async def another_kernel():
    with running_kernel() as manager:
        async with connect(connection_file=manager.connection_file) as fe:
            await fe.execute(KERNEL.format(run="main"))
            await laned(fe)
            yield await value(fe, "manager.lanes.port")


AT_THAT_PORT = [
    pytest.param(nobody, marks=pytest.mark.matrix),
    who_says_nothing,
    another_kernel,
]


@pytest.mark.parametrize("at_that_port", AT_THAT_PORT)
async def test_behind_a_tunnel_it_goes_through_the_server(server, kernel_id, other, at_that_port):
    await other.execute(KERNEL.format(run="main"))
    async with at_that_port() as port:
        await other.execute(ELSEWHERE.format(port=port))
        async with connect(server.url, token=server.token, kernel_id=kernel_id) as fe:
            talk = await opened(fe, "frontend")
            await fe.execute("talk(0.001)")
            talk.begin()
            await laned(fe)
            assert len(observed(server)["lanes"]) == 1
            await hears_on(talk)
            await talk.end()


# ------------------------------------------------------------------ who may not


async def refused(connecting):
    with pytest.raises(InvalidStatus) as caught:
        async with connecting:
            pass
    return caught.value.response.status_code


async def test_who_is_refused_does_not_end_the_lane_that_is_there(server, kernel_id):
    async with far_from(server, kernel_id) as (fe, _):
        talk = await opened(fe, "kernel")
        await laned(fe)
        link, session = fe._lane._link, f"session={fe.comm_manager.session}"
        assert await refused(through(server, kernel_id, session, token=False)) == 403
        wrong = replace(server, token="wrong")
        assert await refused(through(wrong, kernel_id, session)) == 403
        assert await refused(through(server, kernel_id, "session=stranger")) == 502
        await fe.execute("talk(0.001)")
        talk.begin()
        await hears_on(talk)
        await talk.end()
        assert fe._lane._link is link


async def test_without_the_extension_all_goes_by_the_standard_route(tmp_path, node):
    settings = {"ServerApp.allow_remote_access": True}
    with jupyter_server(tmp_path, settings=settings) as server:
        kernel_id = await Server(server.url, token=server.token).start("python3")
        async with far_from(server, kernel_id) as (fe, proxy):
            talk = await opened(fe, "kernel")
            await fe.execute("talk(0.001)")
            talk.begin()
            await until(lambda: proxy.accepted > 1)
            await hears_on(talk)
            await talk.end()
            assert not fe.has_lane
        async with (
            Proxy(server.url, path="/tsushin/lane/") as proxy,
            running_page(node, far(proxy.url), server.token, kernel_id, "lane") as page,
            connect(server.url, token=server.token, kernel_id=kernel_id, lane=False) as other,
        ):
            await until(lambda: proxy.accepted > 1)
            page.do("send", list(range(100)))
            await other.execute("for n in range(100): c.send({'n': n})")
            await all_got(page, list(range(100)))
            await heard_by_kernel(other, list(range(100)))
            assert (await other.execute(HAS_LANE)).result == "False"


# ------------------------------------------------------------------ TypeScript


@asynccontextmanager
async def far_page(node, server, kernel_id):
    """Run a page as on another machine; gives it, with a lane, and what lanes go through."""
    async with (
        Proxy(server.url, path="/tsushin/lane/") as proxy,
        running_page(node, far(proxy.url), server.token, kernel_id, "lane") as page,
    ):
        await has_lane(page)
        yield page, proxy


async def has_lane(page, state="up"):
    page.do("lane", state)
    await page.hears("has_lane")


def talk_both(page, other, numbers, more=""):
    """Send from both ends; returns what runs in the kernel."""
    page.do("send", numbers)
    code = f"for n in range({numbers[0]}, {numbers[-1] + 1}): c.send({{'n': n}})"
    return other.execute(f"import tsushin\n{code}\n{more}")


async def test_a_far_page_has_one_and_a_thousand_each_way_come_in_order(
    node, server, kernel_id, other
):
    numbers = list(range(1000))
    async with far_page(node, server, kernel_id) as (page, proxy):
        assert (await other.execute(HAS_LANE)).result == "True"
        await talk_both(page, other, numbers)
        await all_got(page, numbers)
        await heard_by_kernel(other, numbers)
        assert proxy.accepted == 1
        assert len(observed(server)["lanes"]) == 1
    await passes_lanes(server, 0)


async def test_a_far_pages_order_with_code_is_kept(node, server, kernel_id, other):
    await other.execute(
        "import tsushin\n"
        "def late(c, m): c.handle('echo', lambda m: m['content']['data']['n'])\n"
        "def register(): tsushin.comm_manager().register_target('late', late)"
    )
    async with far_page(node, server, kernel_id) as (page, _):
        for n in range(20):
            page.do("order", n)
            assert await page.hears("order") == {"order": f"({n}, None)", "late": n}
        for _ in range(10):
            page.do("bursts", "for n in range(200): c.send({'n': n})")
            assert (await page.hears("during"))["during"] == 200


async def test_a_far_pages_lane_that_breaks_comes_again_and_nothing_is_lost(
    node, server, kernel_id, other
):
    numbers = list(range(1200))
    async with far_page(node, server, kernel_id) as (page, proxy):
        for first in range(0, 1200, 400):
            await talk_both(page, other, numbers[first : first + 200], END_LANES)
            running = asyncio.ensure_future(
                talk_both(page, other, numbers[first + 200 : first + 400])
            )
            proxy.cut()
            await running
        await all_got(page, numbers)
        await heard_by_kernel(other, numbers)
        await has_lane(page)
        assert proxy.accepted > 1


async def test_a_far_page_without_a_way_any_more_goes_on_by_the_standard_route(
    node, server, kernel_id, other
):
    numbers = list(range(600))
    async with far_page(node, server, kernel_id) as (page, proxy):
        await talk_both(page, other, numbers[:200])
        proxy.is_down = True
        proxy.cut()
        await has_lane(page, "down")
        await talk_both(page, other, numbers[200:400])
        await all_got(page, numbers[:400])
        await heard_by_kernel(other, numbers[:400])
        proxy.is_down = False
        await has_lane(page)
        await talk_both(page, other, numbers[400:])
        await all_got(page, numbers)
        await heard_by_kernel(other, numbers)


@pytest.mark.matrix
async def test_a_far_pages_silent_lane_is_left_and_nothing_is_lost(node, server, kernel_id, other):
    numbers = list(range(200))
    async with far_page(node, server, kernel_id) as (page, proxy):
        proxy.freeze()
        await talk_both(page, other, numbers)
        await all_got(page, numbers)
        await heard_by_kernel(other, numbers)
        proxy.thaw()
        await has_lane(page)


async def test_a_far_page_has_one_to_a_restarted_kernel(node, server, kernel_id, other):
    async with far_page(node, server, kernel_id) as (page, proxy):
        await other.restart()
        await has_lane(page, "down")
        page.do("execute", "from tsushin import Comm; heard = []; c = Comm('burst')")
        await page.hears("opened")
        await has_lane(page)
        await other.execute("c.send({'n': 'new'})")
        assert (await page.hears("got"))["got"] == "new"
        assert proxy.accepted == 2


@pytest.mark.parametrize("at_that_port", AT_THAT_PORT)
async def test_a_page_behind_a_tunnel_goes_through_the_server(
    node, server, kernel_id, other, at_that_port
):
    await other.execute(KERNEL.format(run="main"))
    numbers = list(range(200))
    async with at_that_port() as port:
        await other.execute(ELSEWHERE.format(port=port))
        async with running_page(node, server.url, server.token, kernel_id, "lane") as page:
            await has_lane(page)
            assert len(observed(server)["lanes"]) == 1
            await talk_both(page, other, numbers)
            await all_got(page, numbers)
            await heard_by_kernel(other, numbers)
