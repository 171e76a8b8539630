from __future__ import annotations

import asyncio

import pytest

from tsushin.frontend.tasks import finish, stop


async def test_cleaning_up_is_finished_though_cancelled():
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), []

    async def cleanup():
        begun.set()
        await may_end.wait()
        ended.append(True)

    finishing = asyncio.ensure_future(finish(cleanup()))
    await begun.wait()
    finishing.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    assert ended == [True]


async def test_stopped_tasks_have_ended():
    ended = []

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    tasks = [asyncio.create_task(wait()) for _ in range(2)]
    await asyncio.sleep(0)
    await stop(*tasks)
    assert ended == [True, True]
