"""Notice that a kernel has died when nobody watches its process: ping the ``hb`` port of its connection file.

A kernel echoes pings from a thread of its own, also while a cell runs, so silence means that its process
has ended, is stopped, or cannot be reached.

Spec: Jupyter messaging, "Heartbeat for kernels".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import zmq
import zmq.asyncio

from tsushin.transports.connection_info import ConnectionInfo

PING_TIMEOUT_S: Final = 1.0
MAX_MISSED: Final = 3  # pings in a row; a loaded machine misses one now and then


async def wait_silent(
    info: Mapping[str, object],
    *,
    ping_timeout_s: float = PING_TIMEOUT_S,
    max_missed: int = MAX_MISSED,
) -> None:
    """Ping until ``max_missed`` pings in a row went unanswered, then return. Cancel to stop.

    A kernel that never answered a ping is not judged by it: some have no heartbeat.
    """
    parsed = ConnectionInfo.parse(info)
    with zmq.asyncio.Context() as context, context.socket(zmq.REQ) as socket:
        socket.linger = 0
        # Relaxed: ask again without an answer. Correlate: an answer to an earlier ping does not count.
        socket.req_relaxed = socket.req_correlate = True
        parsed.secure(socket)
        socket.connect(parsed.url("hb"))
        while not await _ping(socket, ping_timeout_s):
            pass
        missed = 0
        while missed < max_missed:
            missed = 0 if await _ping(socket, ping_timeout_s) else missed + 1


async def _ping(socket: zmq.asyncio.Socket, timeout_s: float) -> bool:
    await socket.send(b"ping")
    if not await socket.poll(int(timeout_s * 1000)):
        return False
    await socket.recv()
    await asyncio.sleep(timeout_s)  # the kernel lives: the next ping is not urgent
    return True
