"""The JavaScript frontend, in Node, over a link to a real Jupyter Server that breaks."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interop.test_no_loss import OPEN
from node import TEST_FOLDER as FOLDER
from processes import free_port, jupyter_server
from proxies import Proxy
from tsushin import connect
from tsushin.frontend.rest import Server

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

INDEX = Path(__file__).parents[2] / "js" / "packages" / "core" / "dist" / "index.js"
TIMEOUT_S = 30


class Page:
    """A running link.mjs: ``do`` tells it to do something, ``hears`` reads what it heard."""

    def __init__(self, process):
        self._process = process
        self.heard = []

    def do(self, name, argument=None):
        self._process.stdin.write(json.dumps([name, argument]).encode() + b"\n")

    async def hears(self, *keys, seconds=TIMEOUT_S):
        """Return the next thing heard that has one of these keys."""
        async with asyncio.timeout(seconds):
            while True:
                line = await self._process.stdout.readline()
                assert line, (await self._process.stderr.read()).decode()
                self.heard.append(json.loads(line))
                if any(key in self.heard[-1] for key in keys):
                    return self.heard[-1]

    def all(self, key):
        """Return what was heard under a key so far, in order."""
        return [heard[key] for heard in self.heard if key in heard]


@asynccontextmanager
async def running_page(node, url, token, kernel_id, *options):
    """Run a page that has one comm of the kernel, and knows its end; the option "lane" lets it have one."""
    process = await asyncio.create_subprocess_exec(
        *(node, FOLDER / "link.mjs", INDEX.as_uri(), url, token, kernel_id, *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        page = Page(process)
        page.do("execute", f"heard = []\n{OPEN}\n{HEAR}\n{HANDLE}")
        await page.hears("opened")
        page.do("join")
        await page.hears("joined")
        yield page
        page.do("close")
        async with asyncio.timeout(TIMEOUT_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def page(node, server, kernel_id):
    """A page behind a proxy; yields both."""
    async with (
        Proxy(server.url) as proxy,
        running_page(node, proxy.url, server.token, kernel_id) as page,
    ):
        yield page, proxy


HEAR = "f = c.on_msg(lambda m: heard.append(m['content']['data']['n']))"
HANDLE = "g = c.handle('double', lambda m: 2 * m['content']['data']['n'])"


async def cut(page, proxy):
    """Break the link, keep it so, and wait until the page has noticed."""
    page.do("execute", "import time; time.sleep(1)")
    proxy.is_down = True
    proxy.cut()
    assert (await page.hears("error"))["error"] == "transport_lost"


async def heard_by_kernel(other, numbers):
    async with asyncio.timeout(TIMEOUT_S):
        while (await other.execute("heard == " + repr(numbers))).result != "True":  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_what_was_sent_while_the_link_was_away_arrives_at_both_ends(page, server, kernel_id):
    page, proxy = page
    numbers = list(range(50))
    async with connect(server.url, token=server.token, kernel_id=kernel_id) as other:
        page.do("send", [0])
        await other.execute("c.send({'n': 0})")
        await page.hears("got")
        await heard_by_kernel(other, [0])
        await cut(page, proxy)
        page.do("request")
        page.do("send", numbers[1:])
        await other.execute("for n in range(1, 50): c.send({'n': n})")
        page.do("state")
        assert await page.hears("closed") == {"closed": False, "comm_closed": False}
        page.do("execute", "1")
        assert (await page.hears("error", "result"))["error"] == "transport_lost"
        proxy.is_down = False
        while len(page.all("got")) < len(numbers):
            await page.hears("got")
        await heard_by_kernel(other, numbers)
        page.do("execute", "2")
        assert (await page.hears("result"))["result"] == "2"
    assert page.all("got") == numbers
    assert page.all("answer") == [42]
    assert page.all("gap") == page.all("closed_by") == page.all("status") == []


async def test_a_kernel_that_was_restarted_while_the_link_was_away_loses_the_comms(
    page,
    server,
    kernel_id,
):
    page, proxy = page
    await cut(page, proxy)
    await Server(server.url, token=server.token).restart(kernel_id)
    proxy.is_down = False
    closed = await page.hears("closed_by")
    # Its last words may have waited at the server.
    assert closed["closed_by"] in ("lost", "there")
    if closed["closed_by"] == "lost":
        assert closed["tsushin"] == {"lost": "the kernel was restarted"}
    page.do("execute", "2")
    assert (await page.hears("result", "error")) == {"result": "2"}
    assert page.all("status") == []


async def test_a_kernel_that_was_ended_while_the_link_was_away_loses_the_comms(page, server):
    page, proxy = page
    await cut(page, proxy)
    rest = Server(server.url, token=server.token)
    for running in await rest.kernel_ids():
        await rest.shutdown(running)
    proxy.is_down = False
    closed = await page.hears("closed_by")
    assert closed == {"closed_by": "lost", "tsushin": {"lost": "the kernel was shut down"}}
    page.do("execute", "2")
    assert (await page.hears("error"))["error"] == "kernel_gone"


async def test_a_server_that_is_killed_takes_the_kernel_with_it_and_the_next_one_tells(
    node,
    tmp_path,
):
    port = free_port()
    with jupyter_server(tmp_path, port=port) as server:
        kernel_id = await Server(server.url, token=server.token).start("python3")
        async with running_page(node, server.url, server.token, kernel_id) as page:
            page.do("execute", "import time; time.sleep(100)")
            page.do("request")
            server.process.kill()
            assert (await page.hears("error"))["error"] == "transport_lost"
            page.do("state")
            assert await page.hears("closed") == {"closed": False, "comm_closed": False}
            with jupyter_server(tmp_path, port=port):
                closed = await page.hears("closed_by")
                why = {"lost": "the kernel was shut down"}
                assert closed == {"closed_by": "lost", "tsushin": why}
                await page.hears("request_error")
                page.do("execute", "2")
                assert (await page.hears("error"))["error"] == "kernel_gone"
                assert page.all("request_error") == ["kernel_gone"]


@pytest.mark.matrix
@pytest.mark.timeout(180)
async def test_a_server_that_is_killed_and_stays_away_ends_everything_after_60_s(node, tmp_path):
    with jupyter_server(tmp_path) as server:
        kernel_id = await Server(server.url, token=server.token).start("python3")
        async with running_page(node, server.url, server.token, kernel_id) as page:
            page.do("execute", "import time; time.sleep(100)")
            server.process.kill()
            killed_at = time.monotonic()
            assert (await page.hears("error"))["error"] == "transport_lost"
            page.do("request")
            closed = await page.hears("closed_by", seconds=90)
            assert 59 < time.monotonic() - killed_at < 70
            assert closed == {"closed_by": "lost", "tsushin": {"lost": "the link was lost"}}
            await page.hears("status")
            page.do("execute", "2")
            assert (await page.hears("error"))["error"] == "transport_lost"
            assert page.all("request_error") == ["transport_lost"]
