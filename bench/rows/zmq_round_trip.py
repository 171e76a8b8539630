"""A round trip between a Python frontend and a kernel over ZMQ: the kernel's target sends each message back.

The kernel end is stock ipykernel or tsushin in ipykernel, the frontend end jupyter_client or tsushin; the
limit is one frame there and back between two pyzmq sockets of two processes.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager

import zmq
from jupyter_client.blocking.client import BlockingKernelClient

import tsushin
from bench.row import Batch, Row
from bench.stock_kernel import run_cell, stock_kernel

TRIPS = 100  # per batch
ANSWER_TIMEOUT_S = 10
MICRO = 1e6

ECHO = """
{prepare}
def echo(comm, msg):
    @comm.on_msg
    def _(msg):
        comm.send(msg["content"]["data"])
get_ipython().kernel.comm_manager.register_target("echo", echo)
"""
STOCK_ECHO = ECHO.format(prepare="")
OUR_ECHO = ECHO.format(prepare="import tsushin; tsushin.comm_manager()")


def stock_client(echo: str) -> Callable[[], AbstractContextManager[Batch]]:
    """jupyter_client against a kernel prepared by ``echo``."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with stock_kernel() as client:
            run_cell(client, echo)
            send(client, "comm_open", {"comm_id": "c", "target_name": "echo", "data": {}})
            yield lambda: [stock_trip(client, n) for n in range(TRIPS)]

    return setup


def send(client: BlockingKernelClient, msg_type: str, content: dict[str, object]) -> None:
    client.shell_channel.send(client.session.msg(msg_type, content))


def stock_trip(client: BlockingKernelClient, number: int) -> float:
    start = time.perf_counter()
    send(client, "comm_msg", {"comm_id": "c", "data": {"n": number}})
    while client.get_iopub_msg(timeout=ANSWER_TIMEOUT_S)["msg_type"] != "comm_msg":
        pass
    return (time.perf_counter() - start) * MICRO


def our_client(echo: str) -> Callable[[], AbstractContextManager[Batch]]:
    """Tsushin's frontend against a kernel prepared by ``echo``."""

    @asynccontextmanager
    async def connected() -> AsyncIterator[tsushin.Comm]:
        async with tsushin.connect("python3") as fe:
            await fe.execute(echo)
            yield fe.comm_manager.new_comm("echo")

    async def trips(comm: tsushin.Comm) -> list[float]:
        taken = []
        for number in range(TRIPS):
            start = time.perf_counter()
            comm.send({"n": number})
            await comm.expect_msg(ANSWER_TIMEOUT_S)
            taken.append((time.perf_counter() - start) * MICRO)
        return taken

    @contextmanager
    def setup() -> Iterator[Batch]:
        with asyncio.Runner() as runner:
            link = connected()
            comm = runner.run(link.__aenter__())
            try:
                yield lambda: runner.run(trips(comm))
            finally:
                runner.run(link.__aexit__(None, None, None))

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
    socket.send(b"x" * 100)
    socket.recv()
    return (time.perf_counter() - start) * MICRO


ROWS = {
    "echo": Row(
        question="ZMQ round trip, idle kernel: send to answer at the frontend",
        unit="µs",
        baseline="jupyter_client + ipykernel",
        limit="raw pyzmq, one frame",
        variants={
            "jupyter_client + ipykernel": stock_client(STOCK_ECHO),
            "jupyter_client + tsushin kernel": stock_client(OUR_ECHO),
            "tsushin frontend + ipykernel": our_client(STOCK_ECHO),
            "tsushin + tsushin": our_client(OUR_ECHO),
            "raw pyzmq, one frame": raw_pyzmq,
        },
    )
}
