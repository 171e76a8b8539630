"""Which WebSocket library a lane is best built on: an echo on a thread beside the main thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from bench.raw_servers import SERVERS, raw_server
from bench.raw_websocket import RawWebSocket, client_frame
from bench.row import Batch, Row, Setup

TRIPS = {False: 500, True: 150}  # per batch; one beside a computing thread takes milliseconds
BYTES = 400  # about a comm message
MICRO = 1e6


def variant(name: str, *, busy: bool) -> Setup:
    """Return a setup that measures one library's echo."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with raw_server(name, busy=busy) as port:
            socket = RawWebSocket(port)
            frame = client_frame(b"x" * BYTES)
            yield lambda: [trip(socket, frame) for _ in range(TRIPS[busy])]
            socket.close()

    def make() -> AbstractContextManager[Batch]:
        return setup()

    return make


def trip(socket: RawWebSocket, frame: bytes) -> float:
    begun = time.perf_counter()
    socket.send(frame)
    back = socket.receive()
    taken = (time.perf_counter() - begun) * MICRO
    if len(back) != BYTES:
        raise RuntimeError(f"echo: expected {BYTES} bytes, got {len(back)}")
    return taken


def row(state: str, *, busy: bool) -> Row:
    """Return the row for one state of the main thread."""
    return Row(
        question=f"WebSocket echo of {BYTES} bytes by a thread, main thread {state}",
        unit="µs",
        baseline="uvicorn websockets-sansio",
        limit="picows",
        variants={name: variant(name, busy=busy) for name in SERVERS},
    )


ROWS = {"idle": row("idle", busy=False), "computing": row("computing", busy=True)}
