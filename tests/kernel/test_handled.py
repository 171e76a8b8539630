from __future__ import annotations

import asyncio

from tsushin.kernel.handled import handled, handling
from tsushin.protocol.messages import Message, new_header

MESSAGE = Message("shell", new_header("comm_msg", msg_id="m1", session="s", now=0))


def test_a_message_is_handled_inside_the_block_only():
    with handling(MESSAGE):
        assert handled()["msg_id"] == "m1"
    assert handled() is None


async def test_tasks_started_inside_inherit_it():
    async def later():
        return handled()["msg_id"]

    with handling(MESSAGE):
        task = asyncio.get_running_loop().create_task(later())
    assert await task == "m1"
