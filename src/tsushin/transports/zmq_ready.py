"""Connect to a kernel over ZMQ and return once its iopub is really heard.

A SUB socket that has just connected misses what is published before the subscription reaches the kernel. A
kernel with an XPUB socket says when it has (``iopub_welcome``); any other is asked for its ``kernel_info``
until the status it publishes about that arrives. Both shell and control are asked: one may be busy with a
cell, the other may be one that a kernel ignores.

What arrives meanwhile and is no answer to that belongs to the user and is kept. An answer that comes later
is for nobody: its parent is of a session that no longer exists.

Spec: Jupyter messaging, "Welcome message" and "Kernel info".
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from tsushin.errors import ConnectFailed
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Channel, Message, new_header
from tsushin.transports.zmq import ZmqTransport

CONNECT_TIMEOUT_S: Final = 30.0
_ASK_AGAIN_S: Final = 0.1  # from an answer whose status was not heard to the next question


async def connect_zmq(
    info: Mapping[str, object],
    *,
    limits: Limits = DEFAULT_LIMITS,
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> ZmqTransport:
    """Connect to the kernel of a connection file; its iopub is heard when this returns.

    Raises:
        ConnectFailed: nothing was heard within ``timeout_s`` seconds.
        ValueError: ``info`` is not the contents of a connection file.
    """
    transport = ZmqTransport(info, limits=limits)
    try:
        async with asyncio.timeout(timeout_s):
            await _hear_iopub(transport)
    except TimeoutError:
        await transport.aclose()
        raise ConnectFailed(
            f"kernel at {transport.info.url('shell')}: nothing heard on iopub within {timeout_s:g} s"
        ) from None
    except BaseException:
        await transport.aclose()
        raise
    return transport


async def _hear_iopub(transport: ZmqTransport) -> None:
    session = uuid4().hex
    numbers = itertools.count(1)
    kept: list[Message] = []

    def ask(channel: Channel) -> None:
        msg_id = f"{session}_{next(numbers)}"
        header = new_header("kernel_info_request", msg_id=msg_id, session=session, now=time.time())
        transport.send(Message(channel, header))

    ask("shell")
    ask("control")
    while True:
        message = await transport.receive()
        is_answer = message.parent_header.get("session") == session
        if not is_answer and message.msg_type != "iopub_welcome":
            kept.append(message)
        if message.channel == "iopub":
            transport.unread(kept)
            return
        if is_answer:
            await asyncio.sleep(_ASK_AGAIN_S)
            ask(message.channel)
