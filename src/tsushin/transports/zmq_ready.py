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
_FIRST_PAUSE_S: Final = 0.1  # until the question is asked again; doubles
_LONGEST_PAUSE_S: Final = 5.0
_ASKED: Final[tuple[Channel, ...]] = ("shell", "control")


async def connect_zmq(
    info: Mapping[str, object],
    *,
    limits: Limits = DEFAULT_LIMITS,
    timeout_s: float = CONNECT_TIMEOUT_S,
    after: str | None = None,
) -> ZmqTransport:
    """Connect to the kernel of a connection file; its iopub is heard when this returns.

    Args:
        after: session of a process that is about to end here, or None: another one must be heard.

    Raises:
        ConnectFailed: nothing was heard within ``timeout_s`` seconds.
        ValueError: ``info`` is not the contents of a connection file.
    """
    transport = ZmqTransport(info, limits=limits)
    try:
        async with asyncio.timeout(timeout_s):
            await _hear_iopub(transport, after)
    except TimeoutError:
        await transport.aclose()
        raise ConnectFailed(
            f"kernel at {transport.info.url('shell')}: nothing heard on iopub within {timeout_s:g} s"
        ) from None
    except BaseException:
        await transport.aclose()
        raise
    return transport


async def _hear_iopub(transport: ZmqTransport, after: str | None) -> None:
    kept: list[Message] = []
    asking = asyncio.ensure_future(_ask_again_and_again(transport, session := uuid4().hex))
    try:
        while True:
            message = await transport.receive()
            if message.session == after and after is not None:
                continue
            is_answer = message.parent_header.get("session") == session
            if not is_answer and message.msg_type != "iopub_welcome":
                kept.append(message)
            if message.channel == "iopub":
                transport.unread(kept)
                return
    finally:
        asking.cancel()


async def _ask_again_and_again(transport: ZmqTransport, session: str) -> None:
    """Ask for ``kernel_info`` until cancelled: an answer may be missed, a question die with a process."""
    for number in itertools.count():
        for channel in _ASKED:
            msg_id = f"{session}_{channel}_{number}"
            header = new_header(
                "kernel_info_request", msg_id=msg_id, session=session, now=time.time()
            )
            transport.send(Message(channel, header))
        await asyncio.sleep(min(_FIRST_PAUSE_S * 2**number, _LONGEST_PAUSE_S))
