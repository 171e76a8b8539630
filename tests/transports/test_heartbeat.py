from __future__ import annotations

import asyncio

import pytest

from transports.zmq_kernel import ZmqKernel
from tsushin.transports.heartbeat import wait_silent


@pytest.fixture
async def kernel():
    kernel = ZmqKernel()
    yield kernel
    await kernel.aclose()


async def test_beating_kernel_is_never_silent(kernel):
    watching = asyncio.ensure_future(wait_silent(kernel.info, ping_timeout_s=0.02))
    done, _ = await asyncio.wait({watching}, timeout=0.5)
    assert not done
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_kernel_that_stops_beating_is_silent_after_the_missed_pings(kernel):
    watching = asyncio.ensure_future(wait_silent(kernel.info, ping_timeout_s=0.1, max_missed=2))
    await asyncio.wait({watching}, timeout=0.3)
    assert not watching.done()
    kernel.stop_beating()
    async with asyncio.timeout(5):
        await watching


async def test_kernel_that_never_beat_is_not_judged(kernel):
    kernel.stop_beating()
    watching = asyncio.ensure_future(wait_silent(kernel.info, ping_timeout_s=0.02, max_missed=2))
    done, _ = await asyncio.wait({watching}, timeout=0.3)
    assert not done
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
