"""Handlers on an asyncio loop: errors reach the loop's exception handler, nothing ends the loop."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tsushin.errors import RemoteProtocolError
from tsushin.loop_runtime import LoopRuntime
from tsushin.protocol.messages import Message

MESSAGE = Message("shell", {"msg_id": "m"})


@pytest.fixture
async def runtime():
    return LoopRuntime(asyncio.get_running_loop())


async def spawned(runtime, awaitable):
    """Return what ``done`` was given."""
    finished = asyncio.get_running_loop().create_future()
    runtime.spawn(awaitable, finished.set_result)
    return await asyncio.wait_for(finished, 10)


async def test_a_handler_runs_in_place(runtime):
    assert runtime.run(lambda: 7, MESSAGE) == 7


async def test_what_a_handler_raises_passes(runtime):
    with pytest.raises(KeyError):
        runtime.run(lambda: {}["a"], MESSAGE)


async def test_soon_is_after_the_caller_has_returned(runtime):
    order, ran = [], asyncio.Event()
    runtime.soon(lambda: (order.append("callback"), ran.set()))
    order.append("caller")
    await asyncio.wait_for(ran.wait(), 10)
    assert order == ["caller", "callback"]


async def test_soon_may_be_asked_by_any_thread(runtime):
    ran = asyncio.Event()
    await asyncio.to_thread(runtime.soon, ran.set)
    await asyncio.wait_for(ran.wait(), 10)


def test_soon_on_a_closed_loop_does_nothing():
    loop = asyncio.new_event_loop()
    loop.close()
    LoopRuntime(loop).soon(lambda: pytest.fail("nobody runs it"))


async def test_done_follows_a_handler_that_finished(runtime):
    assert await spawned(runtime, asyncio.sleep(0)) is None


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
async def test_done_gets_what_the_handler_raised(runtime, kind):
    async def handler():
        raise kind("mine")

    error = await spawned(runtime, handler())
    assert (type(error), str(error)) == (kind, "mine")


async def test_a_cancelled_handler_counts_as_finished(runtime):
    async def handler():
        raise asyncio.CancelledError

    assert await spawned(runtime, handler()) is None


async def test_any_awaitable_will_do(runtime):
    future = asyncio.get_running_loop().create_future()
    future.set_exception(KeyError("a"))
    assert isinstance(await spawned(runtime, future), KeyError)


async def test_a_running_handler_is_not_collected(runtime):
    gate, finished = asyncio.Event(), asyncio.Event()
    runtime.spawn(gate.wait(), lambda _: finished.set())
    assert len(runtime._tasks) == 1
    gate.set()
    await asyncio.wait_for(finished.wait(), 10)
    assert runtime._tasks == set()


async def test_reports_go_to_the_loops_exception_handler(runtime):
    contexts = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    error = ValueError("mine")
    runtime.report(error, "on_msg of comm x", None)
    assert contexts == [{"message": "tsushin: on_msg of comm x raised", "exception": error}]


async def test_a_fault_is_a_warning_of_the_logger(runtime, caplog):
    with caplog.at_level(logging.WARNING, "tsushin"):
        runtime.fault(RemoteProtocolError("comm_open content.comm_id: expected string"))
    assert caplog.messages == ["comm_open content.comm_id: expected string"]


async def test_a_frontends_messages_have_no_parent(runtime):
    assert runtime.parent() == {}
