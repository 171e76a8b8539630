"""Ending tasks, and cleaning up, for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


async def stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def finish(cleanup: Coroutine[object, object, None]) -> None:
    """Await ``cleanup`` to its end also when cancelled meanwhile, so that no process stays behind."""
    task = asyncio.ensure_future(cleanup)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
