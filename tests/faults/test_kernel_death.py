"""A kernel that is killed: everything that waits ends with ``KernelGone``, however it was connected to."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from flows import value
from processes import jupyter_server, running_kernel
from tsushin import KernelGone, connect
from tsushin.frontend.rest import Server

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

NOTICE_S = 10  # a heartbeat, or Jupyter Server's look at its kernels


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with jupyter_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(params=["started", "file", "http", "ws"])
async def fe(request, server):
    """A frontend with a kernel that no other test has, connected in one of the four ways."""
    match request.param:
        case "started":
            async with connect("python3") as fe:
                yield fe
        case "file":
            with running_kernel() as manager:
                async with connect(connection_file=manager.connection_file) as fe:
                    yield fe
        case "http":
            async with connect(server.url, token=server.token, kernel_name="python3") as fe:
                yield fe
        case "ws":
            rest = Server(server.url, token=server.token)
            kernel_id = await rest.start("python3")
            async with connect(rest.channels_url(kernel_id), token=server.token) as fe:
                yield fe
            await rest.shutdown(kernel_id)


async def test_killed_kernel_ends_every_wait(fe):
    pid = await value(fe, "__import__('os').getpid()")
    opened = fe.expect_open("a comm", timeout=NOTICE_S)
    await fe.execute("from tsushin import Comm; c = Comm('a comm')")
    comm, closes = await opened, []
    comm.on_close(closes.append)
    waits = [
        asyncio.ensure_future(fe.execute("import time; time.sleep(60)")),
        asyncio.ensure_future(fe.comms()),
        fe.expect_open("never"),
        comm.expect_msg(),
    ]
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    for wait in waits:
        async with asyncio.timeout(NOTICE_S):
            with pytest.raises(KernelGone) as raised:
                await wait
        assert raised.value.why in ("died", "restarted")  # Jupyter Server starts it again
    assert (len(closes), comm.closed_by) == (1, "lost")
    if raised.value.why == "restarted":  # the link serves the next process
        assert (await fe.execute("6 * 7")).result == "42"
