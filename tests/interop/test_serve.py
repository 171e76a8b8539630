"""Both flows between the Python frontend and a plain Python process: ``tsushin.serve``, no kernel."""

from __future__ import annotations

import pytest

import tsushin
from flows import buffers, check

WAIT_S = 10


@pytest.fixture
def manager():
    manager = tsushin.comm_manager()
    yield manager
    manager.targets.clear()


@pytest.fixture
def served(manager):
    with tsushin.serve(port=0, block=False) as served:
        yield served


@pytest.fixture(params=["v1", "default"])
async def fe(served, request):
    async with tsushin.connect(served.url, token=served.token, subprotocol=request.param) as fe:
        yield fe


async def test_process_opens(fe, manager):
    opened = fe.expect_open("page", WAIT_S)
    theirs = manager.new_comm("page", {"n": 1}, {"m": "open"}, buffers(1))
    ours = await opened
    check(ours.open_msg, {"n": 1}, "open", 1)
    arrived = theirs.expect_msg(WAIT_S)
    ours.send({"n": 2}, {"m": "msg"}, buffers(2))
    check(await arrived, {"n": 2}, "msg", 2)
    assert await fe.comms("page") == {ours.comm_id: {"target_name": "page"}}
    closes = []
    ours.on_close(closes.append)
    theirs.close({"n": 3}, {"m": "close"}, buffers(3))
    await fe.kernel_info()
    assert await fe.comms() == {}
    (close,) = closes
    check(close, {"n": 3}, "close", 3)


async def test_frontend_opens(fe, manager):
    opened = manager.expect_open("process", WAIT_S)
    ours = fe.comm_manager.new_comm("process", {"n": 1}, {"m": "open"}, buffers(1))
    theirs = await opened
    check(theirs.open_msg, {"n": 1}, "open", 1)
    answer = ours.expect_msg(WAIT_S)
    theirs.send({"n": 2}, {"m": "answer"}, buffers(2))
    check(await answer, {"n": 2}, "answer", 2)
    closes = []
    theirs.on_close(closes.append)
    ours.close({"n": 3}, {"m": "close"}, buffers(3))
    await fe.kernel_info()
    (close,) = closes
    check(close, {"n": 3}, "close", 3)


async def test_code_is_not_run_by_a_process_that_is_no_kernel(fe):
    with pytest.raises(tsushin.ExecutionError, match="NotSupported"):
        await fe.execute("1")


async def test_leaving_frontend_closes_what_it_opened(served, manager):
    opened = manager.expect_open("left", WAIT_S)
    async with tsushin.connect(served.url, token=served.token) as fe:
        fe.comm_manager.new_comm("left")
        theirs = await opened
    with pytest.raises(tsushin.CommClosed):
        await theirs.expect_msg(WAIT_S)


async def test_wrong_token_is_refused(served):
    with pytest.raises(tsushin.ConnectFailed, match=r"40[13]"):
        await tsushin.connect(served.url, token="wrong")


async def test_process_that_goes_ends_every_wait(served):
    async with tsushin.connect(served.url, token=served.token) as fe:
        waiting = fe.expect_open("never", WAIT_S)
        served.close()
        with pytest.raises(tsushin.TsushinError) as raised:
            await waiting
        assert isinstance(raised.value, tsushin.KernelGone | tsushin.TransportError)
