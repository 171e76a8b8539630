from __future__ import annotations

import asyncio

import pytest
import zmq

from transports.zmq_kernel import ZmqKernel
from tsushin.errors import ConnectFailed
from tsushin.protocol.messages import Message
from tsushin.transports.zmq_ready import connect_zmq


@pytest.fixture(params=[zmq.PUB, zmq.XPUB], ids=["PUB", "XPUB"])
async def kernel(request):
    kernel = ZmqKernel(iopub=request.param)
    yield kernel
    await kernel.aclose()


async def test_what_is_published_after_connecting_is_heard(kernel):
    frontend = await connect_zmq(kernel.info, timeout_s=10)
    kernel.send(Message("iopub", kernel.header("comm_msg"), content={"first": True}))
    while (message := await frontend.receive()).msg_type != "comm_msg":
        assert message.msg_type in ("status", "kernel_info_reply", "iopub_welcome")
    assert message.content == {"first": True}
    await frontend.aclose()


async def test_welcome_is_enough_where_the_kernel_is_too_busy_to_answer():
    kernel = ZmqKernel(iopub=zmq.XPUB, answers=False)
    frontend = await connect_zmq(kernel.info, timeout_s=10)
    await frontend.aclose()
    await kernel.aclose()


async def test_kernel_that_never_answers_is_a_connect_failure():
    kernel = ZmqKernel(answers=False)
    with pytest.raises(ConnectFailed, match=r"nothing heard on iopub within 0\.2 s"):
        await connect_zmq(kernel.info, timeout_s=0.2)
    await kernel.aclose()


async def test_cancelling_closes_the_sockets():
    kernel = ZmqKernel(answers=False)
    connecting = asyncio.ensure_future(connect_zmq(kernel.info, timeout_s=10))
    await kernel.questions.get()
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    await kernel.aclose()


async def test_messages_met_while_connecting_are_kept(kernel):
    connecting = asyncio.ensure_future(connect_zmq(kernel.info, timeout_s=10))
    await kernel.questions.get()
    kernel.send(Message("shell", kernel.header("comm_close"), content={"early": True}))
    frontend = await connecting
    while (message := await frontend.receive()).msg_type != "comm_close":
        pass
    assert message.content == {"early": True}
    await frontend.aclose()
