"""Kernels of a real Jupyter Server: found, started, ended, restarted, lost."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from flows import value
from tsushin import ConnectFailed, KernelGone, TransportError, connect
from tsushin.frontend.rest import Server

pytestmark = pytest.mark.interop


@pytest.fixture
def server(shared_server):
    return Server(shared_server.url, token=shared_server.token)


@pytest.fixture
async def kernel_id(server):
    kernel_id = await server.start("python3")
    yield kernel_id
    await server.shutdown(kernel_id)


@pytest.fixture
def to_server(shared_server):
    """Connect with the arguments given, to the server, authorised."""

    def to_server(**options):
        return connect(shared_server.url, token=shared_server.token, **options)

    return to_server


async def test_kernel_that_was_started_here_ends_at_close(server, to_server):
    async with to_server(kernel_name="python3") as fe:
        (started,) = await server.kernel_ids()
        assert (await fe.execute("6 * 7")).result == "42"
    assert started not in await server.kernel_ids()


async def test_kernel_that_was_found_stays(server, to_server, kernel_id):
    async with to_server(kernel_id=kernel_id) as fe:
        assert (await fe.execute("1")).result == "1"
    assert await server.kernel_ids() == [kernel_id]


async def test_oldest_kernel_is_taken_where_none_is_named(to_server, kernel_id):
    async with to_server() as fe:
        assert fe._kernel._id == kernel_id
        assert not fe._kernel.is_ours


async def test_default_kernel_is_started_where_none_runs(server, to_server):
    assert await server.kernel_ids() == []
    async with to_server() as fe:
        assert (await fe.execute("1")).result == "1"
    assert await server.kernel_ids() == []


async def test_token_in_the_url_as_jupyter_prints_it(shared_server, kernel_id):
    async with connect(f"{shared_server.url}?token={shared_server.token}") as fe:
        assert (await fe.execute("1")).result == "1"


async def test_channels_url_needs_no_rest(shared_server, server, kernel_id):
    async with connect(server.channels_url(kernel_id), token=shared_server.token) as fe:
        assert (await fe.execute("1")).result == "1"


async def test_unknown_kernel_and_wrong_token_are_told_apart(shared_server, to_server):
    with pytest.raises(ConnectFailed, match="no kernel nonesuch"):
        await to_server(kernel_id="nonesuch")
    with pytest.raises(ConnectFailed, match="403") as raised:
        await connect(shared_server.url, token="wr0ng")
    assert "wr0ng" not in str(raised.value)


async def test_restart_and_interrupt(to_server):
    async with to_server(kernel_name="python3") as fe:
        started = asyncio.Event()
        running = asyncio.ensure_future(
            fe.execute(
                "x = 1; print(x, flush=True); import time; time.sleep(60)",
                on_output=lambda _: started.set(),
                raise_on_error=False,
            )
        )
        await started.wait()
        await fe.interrupt()
        assert (await running).error.name == "KeyboardInterrupt"
        waiting = fe.expect_open("never")
        await fe.restart()
        with pytest.raises(KernelGone) as raised:
            await waiting
        assert raised.value.why == "restarted"
        assert await value(fe, "'x' in dir()") is False


async def test_killed_kernel_is_restarted_by_the_server_and_told(to_server):
    async with to_server(kernel_name="python3") as fe:
        pid = await value(fe, "__import__('os').getpid()")
        waiting = asyncio.ensure_future(fe.execute("import time; time.sleep(60)"))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            with pytest.raises(KernelGone) as raised:
                await waiting
        assert raised.value.why == "restarted"
        assert await value(fe, "__import__('os').getpid()") != pid


async def test_kernel_ended_by_somebody_else_is_told(server, to_server):
    kernel_id = await server.start("python3")
    async with to_server(kernel_id=kernel_id) as fe:
        waiting = fe.expect_open("never")
        await server.shutdown(kernel_id)
        async with asyncio.timeout(10):
            with pytest.raises(KernelGone) as raised:
                await waiting
        assert raised.value.why == "shut down"


async def test_lost_link_ends_waits_and_comms(to_server, kernel_id):
    async with to_server(kernel_id=kernel_id) as fe:
        opened = fe.expect_open("a comm", timeout=10)
        await fe.execute("from ipykernel.comm import Comm; c = Comm(target_name='a comm')")
        comm = await opened
        closes = []
        comm.on_close(closes.append)
        waiting = asyncio.ensure_future(fe.execute("import time; time.sleep(60)"))
        await asyncio.sleep(0)
        fe._transport._connection.transport.abort()
        with pytest.raises(TransportError):
            await waiting
        assert (comm.closed_by, len(closes), fe.is_alive) == ("lost", 1, False)
        with pytest.raises(TransportError):
            await fe.execute("1")
