"""A round trip between a Python frontend and a kernel over ZMQ: the kernel's target sends each message back.

The kernel end is stock ipykernel or tsushin in ipykernel, the frontend end jupyter_client or tsushin; the
limit is one frame there and back between two pyzmq sockets of two processes.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import zmq
from jupyter_client.blocking.client import BlockingKernelClient

import tsushin
from bench.our_frontend import our_frontend
from bench.row import Batch, Row, Setup, Target
from bench.stock_kernel import run_cell, send, stock_kernel
from bench.targets import MAIN_ECHO, STOCK_ECHO, THREAD_ECHO

TRIPS = 100  # per batch
ANSWER_TIMEOUT_S = 10
MICRO = 1e6
STOCK = "jupyter_client + ipykernel"


def stock_client(echo: str) -> Setup:
    """jupyter_client against a kernel prepared by ``echo``."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with stock_kernel() as client:
            run_cell(client, echo)
            send(client, "comm_open", {"comm_id": "c", "target_name": "echo", "data": {}})
            yield lambda: [stock_trip(client, n) for n in range(TRIPS)]

    return setup


def stock_trip(client: BlockingKernelClient, number: int) -> float:
    start = time.perf_counter()
    send(client, "comm_msg", {"comm_id": "c", "data": {"n": number}})
    while (msg := client.get_iopub_msg(timeout=ANSWER_TIMEOUT_S))["msg_type"] != "comm_msg":
        pass
    taken = (time.perf_counter() - start) * MICRO
    check(msg["content"]["data"], number)
    return taken


def check(data: object, number: int) -> None:
    """Raise if this is not the answer to that message."""
    if data != {"n": number}:
        raise RuntimeError(f"echo: expected number {number}, got {data}")


async def our_trips(comm: tsushin.Comm) -> list[float]:
    """Round trips at Tsushin's frontend."""
    taken = []
    for number in range(TRIPS):
        start = time.perf_counter()
        comm.send({"n": number})
        msg = await comm.expect_msg(ANSWER_TIMEOUT_S)
        taken.append((time.perf_counter() - start) * MICRO)
        check(msg["content"]["data"], number)
    return taken


def our_client(echo: str, *, is_stock: bool = False, lane: bool = False) -> Setup:
    """Tsushin's frontend against a kernel prepared by ``echo``."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with our_frontend(prepare="" if is_stock else echo, lane=lane) as end:
            if is_stock:
                end.cell(echo)
            comm = end.fe.comm_manager.new_comm("echo")
            yield lambda: end.run(our_trips(comm))

    return setup


def echo_frames(port: int) -> None:
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.connect(f"tcp://127.0.0.1:{port}")
    while (frames := socket.recv_multipart())[-1] != b"end":
        socket.send_multipart(frames)


@contextmanager
def raw_pyzmq() -> Iterator[Batch]:
    """One frame there and back: what ZMQ itself costs between two processes."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        process = multiprocessing.get_context("spawn").Process(target=echo_frames, args=(port,))
        process.start()
        try:
            yield lambda: [raw_trip(socket) for _ in range(TRIPS)]
        finally:
            socket.send(b"end")
            process.join(ANSWER_TIMEOUT_S)


def raw_trip(socket: zmq.Socket[bytes]) -> float:
    start = time.perf_counter()
    socket.send(b"x" * 400)
    socket.recv()
    return (time.perf_counter() - start) * MICRO


VARIANTS: dict[str, Callable[[], AbstractContextManager[Batch]]] = {
    STOCK: stock_client(STOCK_ECHO),
    "jupyter_client + tsushin kernel": stock_client(THREAD_ECHO),
    "tsushin frontend + ipykernel": our_client(STOCK_ECHO, is_stock=True),
    'tsushin, run="thread"': our_client(THREAD_ECHO),
    'tsushin, run="main"': our_client(MAIN_ECHO),
    'tsushin, lane, run="thread"': our_client(THREAD_ECHO, lane=True),
    'tsushin, lane, run="main"': our_client(MAIN_ECHO, lane=True),
    "raw pyzmq, one frame": raw_pyzmq,
}
ROWS = {
    "echo": Row(
        question="Python frontend, idle kernel, ZMQ (lane: beside it): send to answer",
        unit="µs",
        baseline=STOCK,
        limit="raw pyzmq, one frame",
        targets=(Target('tsushin, run="thread"', 0.5, of=STOCK),),
        variants=VARIANTS,
    )
}
