"""Sixteen MiB of binary, from a kernel and to one: from the first byte asked for, or sent, to the last.

Out: a small message asks, the answer has the buffer. In: a message has the buffer, a small answer says
how many bytes came. The raw WebSocket does the same, with no Jupyter around it.

A kernel that Tsushin starts has its ZMQ link encrypted, the stock one has not: much of what they differ by.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tsushin
from bench.jupyter_server import TOKEN, jupyter_server, kernel_channels
from bench.lane import lane_end
from bench.our_frontend import OurEnd, our_frontend
from bench.raw_servers import raw_server
from bench.raw_websocket import RawWebSocket, client_frame
from bench.row import Batch, NotAvailable, Row, Setup, Target
from bench.stock_kernel import run_cell, send, stock_kernel
from bench.targets import ours, stock
from bench.wire_end import WireEnd
from tsushin.wire import ws_v1

SIZE = 16 << 20
TRIPS = 3  # per batch
TIMEOUT_S = 60
MILLI = 1e3
BLOCK = bytes(SIZE)

TARGET = """
{prepare}
BLOCK = bytes(16 << 20)
def block(comm, msg):
    @comm.on_msg
    def on_msg(msg):
        if msg["content"]["data"]["way"] == "out":
            comm.send({{"way": "out"}}, buffers=[BLOCK])
        else:
            comm.send({{"size": memoryview(msg["buffers"][0]).nbytes}})
{register}
"""
STOCK_TARGET = stock(TARGET, "block")
OUR_TARGET = ours(TARGET, "block", "thread")
STOCK_ZMQ, OUR_ZMQ = "ZMQ: jupyter_client + ipykernel", "ZMQ: tsushin"
STOCK_SERVER, RAISED = "Jupyter Server as installed", "Jupyter Server, limit raised"
OUR_SERVER = "Jupyter Server with extension: tsushin"
LANE, RAW_LANE = "lane: tsushin", "lane: the least of clients"
LIMIT, FASTEST = "raw WebSocket, websockets sans-IO", "raw WebSocket, picows"


def check(size: object) -> None:
    """Raise unless the whole block came."""
    if size != SIZE:
        raise RuntimeError(f"expected {SIZE} bytes, got {size}")


def received(way: str, content: dict[str, Any], buffers: Any) -> None:  # Any: of bytes-like
    """Check an answer."""
    check(memoryview(buffers[0]).nbytes if way == "out" else content["data"]["size"])


def outgoing(way: str) -> list[bytes]:
    """Return the buffers of what is sent."""
    return [] if way == "out" else [BLOCK]


def zmq(way: str) -> Setup:
    """jupyter_client and stock ipykernel."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with stock_kernel() as client:
            run_cell(client, STOCK_TARGET)
            send(client, "comm_open", {"comm_id": "c", "target_name": "block", "data": {}})

            def trip() -> float:
                begun = time.perf_counter()
                content = {"comm_id": "c", "data": {"way": way}}
                msg = client.session.msg("comm_msg", content)
                session, socket = client.session, client.shell_channel.socket
                session.send(socket, msg, buffers=outgoing(way))
                while (msg := client.get_iopub_msg(timeout=TIMEOUT_S))["msg_type"] != "comm_msg":
                    pass
                taken = (time.perf_counter() - begun) * MILLI
                received(way, msg["content"], msg["buffers"])
                return taken

            yield lambda: [trip() for _ in range(TRIPS)]

    return setup


def server(way: str, *, settings: dict[str, object] | None = None) -> Setup:
    """The least of clients at a Jupyter Server with a stock kernel."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with kernel_channels(settings=settings) as end:
            end.execute(STOCK_TARGET)
            end.open("c", "block")
            try:
                wire_trip(end, way)
            except ConnectionError as error:
                raise NotAvailable(f"a frame of 16 MiB ends the connection ({error})") from error
            yield lambda: [wire_trip(end, way) for _ in range(TRIPS)]

    return setup


def wire_trip(end: WireEnd, way: str) -> float:
    content = {"comm_id": "c", "data": {"way": way}}
    return answered(end, end.frame("comm_msg", content, buffers=outgoing(way)), way)[0]


def answered(end: WireEnd, frame: bytes, way: str) -> tuple[float, bytes]:
    """Send a frame; return the ms until its answer is there, and that."""
    begun = time.perf_counter()
    end.socket.send(frame)
    while b'"comm_msg"' not in (back := end.socket.receive())[:1000]:
        pass
    # A status names it as its parent, and a lane brings the control comm's messages as well.
    while (msg := ws_v1.decode(back)).msg_type != "comm_msg" or msg.content["comm_id"] != "c":
        back = end.socket.receive()
    taken = (time.perf_counter() - begun) * MILLI
    received(way, msg.content, msg.buffers)
    return taken, back


def our(way: str, *, lane: bool = False, extension: bool = False) -> Setup:
    """Tsushin's frontend."""

    @contextmanager
    def connected() -> Iterator[OurEnd]:
        if extension:
            options = {"token": TOKEN, "kernel_name": "python3"}
            with (
                jupyter_server(extension=True) as running,
                our_frontend(running.url, prepare=OUR_TARGET, **options) as end,
            ):
                yield end
        else:
            with our_frontend(prepare=OUR_TARGET, lane=lane) as end:
                yield end

    @contextmanager
    def setup() -> Iterator[Batch]:
        with connected() as end:
            comm = end.fe.comm_manager.new_comm("block")
            yield lambda: [end.run(our_trip(comm, way)) for _ in range(TRIPS)]

    return setup


async def our_trip(comm: tsushin.Comm, way: str) -> float:
    begun = time.perf_counter()
    comm.send({"way": way}, buffers=outgoing(way))
    msg = await comm.expect_msg(TIMEOUT_S)
    taken = (time.perf_counter() - begun) * MILLI
    received(way, msg["content"], msg["buffers"])
    return taken


@contextmanager
def raw_lane_out() -> Iterator[Batch]:
    with lane_end(OUR_TARGET, "block") as end:

        def batch() -> list[float]:
            taken = []
            for _ in range(TRIPS):
                time_ms, back = answered(end, end.numbered({"way": "out"}), "out")
                taken.append(time_ms)
                end.confirm(back)
            return taken

        yield batch


def raw(way: str, name: str) -> Setup:
    """The bare library."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with raw_server(name) as port:
            socket = RawWebSocket(port)
            frame = client_frame(b"out%d" % SIZE if way == "out" else b"in" + BLOCK)

            def trip() -> float:
                begun = time.perf_counter()
                socket.send(frame)
                back = socket.receive()
                taken = (time.perf_counter() - begun) * MILLI
                if way == "out":
                    check(len(back))
                elif back != b"ok":
                    raise RuntimeError(f"expected ok, got {back!r}")
                return taken

            yield lambda: [trip() for _ in range(TRIPS)]
            socket.close()

    return setup


def row(way: str, about: str, extra: dict[str, Setup]) -> Row:
    """Return the row of one direction."""
    raised = {
        "ServerApp.tornado_settings": {
            "websocket_max_message_size": 96 << 20,
            "ws_ping_interval": 0,
        }
    }
    variants = {
        STOCK_ZMQ: zmq(way),
        OUR_ZMQ: our(way),
        STOCK_SERVER: server(way),
        **({RAISED: server(way, settings=raised)} if way == "in" else {}),
        OUR_SERVER: our(way, extension=True),
        LANE: our(way, lane=True),
        **extra,
        LIMIT: raw(way, "websockets sans-IO, thread"),
        FASTEST: raw(way, "picows"),
    }
    return Row(
        question=f"16 MiB in one buffer, {about}",
        unit="ms",
        baseline=STOCK_ZMQ,
        limit=LIMIT,
        targets=(Target(LANE, 1 / 0.7, of=LIMIT),),
        variants=variants,
    )


ROWS = {
    "out": row("out", "kernel to frontend", {RAW_LANE: raw_lane_out}),
    "in": row("in", "frontend to kernel", {}),
}
