"""The endpoint in front of a real ipykernel."""

from __future__ import annotations

import asyncio
import os

import pytest

import tsushin
from tsushin.errors import ConnectFailed, ExecutionError
from tsushin.frontend.launch import LaunchedKernel
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.server.app import Endpoint
from tsushin.server.relay import RelayKernel
from tsushin.server.security import Guard
from tsushin.server.serving import Serving

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

TIMEOUT_S = 20
BUFFERS = [b"", bytes(range(256)) * 256, os.urandom(5 << 20)]
ECHO = """
from comm import get_comm_manager
def echo(comm, msg):
    def back(m):
        comm.send(m["content"]["data"], m["metadata"], m["buffers"])
    comm.on_msg(back)
get_comm_manager().register_target("echo", echo)
"""


class FailingKernel:
    """A kernel that is there but cannot be reached any more."""

    def __init__(self, kernel):
        self._kernel = kernel
        self.is_failing = False

    def __getattr__(self, name):
        return getattr(self._kernel, name)

    async def connect(self):
        if self.is_failing:
            raise ConnectFailed("no answer")
        return await self._kernel.connect()


@pytest.fixture
async def launched():
    kernel = LaunchedKernel("python3", limits=DEFAULT_LIMITS, timeout_s=TIMEOUT_S)
    yield FailingKernel(kernel)
    await kernel.aclose()


@pytest.fixture
async def relay(launched):
    relay = RelayKernel(launched, name="python3", spec={"language": "python"})
    await relay.start()
    return relay


@pytest.fixture
async def serving(relay):
    with Serving(Endpoint(relay, Guard(token="t")), host="127.0.0.1", port=0) as serving:
        running = asyncio.ensure_future(serving.run())
        await asyncio.wait_for(asyncio.wrap_future(serving.listening), TIMEOUT_S)
        yield serving
        serving.stop()
        await running


@pytest.fixture
def connect(serving):
    return lambda: tsushin.connect(serving.url, token="t", kernel_id=serving.kernel_id)


async def test_comms_with_metadata_and_buffers_pass_to_the_kernel_and_back(connect):
    async with connect() as fe:
        await fe.execute(ECHO)
        comm = fe.comm_manager.new_comm("echo")
        answer = comm.expect_msg(TIMEOUT_S)
        comm.send({"é": [1, None]}, {"m": 1}, BUFFERS)
        back = await answer
        assert (back["content"]["data"], back["metadata"]) == ({"é": [1, None]}, {"m": 1})
        assert [bytes(buffer) for buffer in back["buffers"]] == BUFFERS


async def test_a_reply_reaches_only_the_page_that_asked_and_iopub_all(connect):
    async with connect() as one, connect() as two:
        opened = [fe.expect_open("page", TIMEOUT_S) for fe in (one, two)]
        result = await one.execute("from comm import create_comm; c = create_comm('page'); 6 * 7")
        assert result.result == "42"
        assert [(await each).target_name for each in opened] == ["page", "page"]
        with pytest.raises(ExecutionError):
            await two.execute("1 / 0")
        assert (await one.execute("1")).result == "1"


async def test_a_page_that_goes_leaves_the_other_connected(relay, connect):
    async with connect() as stays:
        async with connect() as goes:
            await goes.execute("1")
        assert (await stays.execute("2")).result == "2"
        assert len(relay._links) == 1


async def test_a_restart_keeps_the_pages_and_tells_them(relay, connect):
    async with connect() as fe:
        await fe.execute("x = 1")
        comm = fe.comm_manager.new_comm("nobody-closes-this")
        lost = asyncio.Event()
        comm.on_close(lambda msg: lost.set())
        await relay.restart()
        await asyncio.wait_for(lost.wait(), TIMEOUT_S)
    async with connect() as fe:
        with pytest.raises(ExecutionError, match="NameError"):
            await fe.execute("x")


async def test_an_interrupt_reaches_the_kernel(relay, connect):
    async with connect() as fe:
        opened = fe.expect_open("started", TIMEOUT_S)
        code = (
            "import time\nfrom comm import create_comm\nc = create_comm('started')\ntime.sleep(60)"
        )
        running = asyncio.ensure_future(fe.execute(code))
        await opened
        await relay.interrupt()
        with pytest.raises(ExecutionError, match="KeyboardInterrupt"):
            await asyncio.wait_for(running, TIMEOUT_S)


async def test_a_death_is_told_and_a_dead_kernel_refuses_pages_until_restarted(relay, connect):
    died = asyncio.Event()
    watching = asyncio.ensure_future(relay.watch(died.set))
    async with connect() as fe:
        with pytest.raises(tsushin.KernelGone):
            await asyncio.wait_for(fe.execute("import os; os._exit(3)"), TIMEOUT_S)
    await asyncio.wait_for(died.wait(), TIMEOUT_S)
    assert relay.execution_state == "dead"
    with pytest.raises(ConnectFailed):
        async with connect():
            pass
    await relay.restart()
    async with connect() as fe:
        assert (await fe.execute("6 * 7")).result == "42"
    watching.cancel()


async def test_a_restart_that_fails_leaves_a_dead_kernel_and_can_be_tried_again(
    relay, launched, connect
):
    async with connect():
        launched.is_failing = True
        with pytest.raises(ConnectFailed):
            await relay.restart()
        assert relay.execution_state == "dead"
    launched.is_failing = False
    await relay.restart()
    async with connect() as fe:
        assert (await fe.execute("1")).result == "1"


async def test_a_kernel_that_cannot_be_reached_is_an_answer_to_the_page(launched, connect):
    launched.is_failing = True
    with pytest.raises(ConnectFailed):
        async with connect():
            pass
