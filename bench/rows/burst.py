"""Twenty thousand small messages at once: how long one takes, and how many never arrive.

The time is that from the beginning to the last that arrived, divided by those that arrived. An end that
loses messages is not made slower by them, so the share that is lost belongs to every figure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty
from typing import Any

import tsushin
from bench.jupyter_server import TOKEN, jupyter_server, kernel_channels
from bench.lane import CONFIRM_EVERY, LaneEnd, lane_end
from bench.our_frontend import OurEnd, our_frontend
from bench.raw_websocket import client_frame
from bench.row import Batch, Row, Sample, Setup, Target
from bench.stock_kernel import run_cell, send, stock_kernel
from bench.targets import ours, stock
from bench.wire_end import WireEnd, execute_content
from tsushin.wire import ws_v1

BURST = 20_000
QUIET_S = 5.0  # nothing has come for so long: nothing comes any more
ALL_S = 110.0
MICRO = 1e6
STOCK_ZMQ, STOCK_SERVER = (
    "ZMQ: jupyter_client + ipykernel",
    "Jupyter Server as installed: stock client",
)
OUR_ZMQ, LANE = "ZMQ: tsushin", "lane: tsushin"
PLAIN_SERVER = "Jupyter Server as installed: tsushin"
OUR_SERVER = "Jupyter Server with extension: tsushin"
RAW_LANE = "lane: the least of clients"

# The comm is opened by the frontend, so that both stacks and all routes have the same one. Asked by a
# message, it sends a burst; what else comes it counts, and says when it has them all.
TARGET = """
{prepare}
import threading
class burst:
    count = 0
    def __init__(self, comm, msg):
        burst.comm = comm
        comm.on_msg(self.on_msg)
    def on_msg(self, msg):
        burst.count += 1
        if "last" in msg["content"]["data"]:
            burst.comm.send({{"arrived": burst.count}})
            burst.count = 0
def begin(count):
    send = burst.comm.send
    for number in range(count):
        send({{"n": number}})
{register}
"""
STOCK_TARGET = stock(TARGET, "burst")
OUR_TARGET = ours(TARGET, "burst", "thread")
CELL = f"begin({BURST})"


def sample(begun: float, last: float, arrived: int) -> Sample:
    """Return one burst: the time that each message took which arrived."""
    values = [(last - begun) * MICRO / arrived] if arrived else []
    return Sample(values, BURST, arrived)


# -------------------------------------------------------------------------------- kernel to frontend


@contextmanager
def stock_zmq_out() -> Iterator[Batch]:
    with stock_kernel() as client:
        run_cell(client, STOCK_TARGET)
        send(client, "comm_open", {"comm_id": "c", "target_name": "burst", "data": {}})

        def batch() -> Sample:
            begun = last = time.perf_counter()
            msg_id = client.execute(CELL, store_history=False)
            arrived = set()
            while True:
                try:
                    msg = client.get_iopub_msg(timeout=QUIET_S)
                except Empty:  # the end of the cell was lost too
                    break
                if msg["msg_type"] == "comm_msg":
                    arrived.add(msg["content"]["data"]["n"])
                    last = time.perf_counter()
                elif (
                    is_idle(msg["msg_type"], msg["content"])
                    and msg["parent_header"]["msg_id"] == msg_id
                ):
                    break
            client.get_shell_msg(timeout=ALL_S)
            return sample(begun, last, len(arrived))

        yield batch


def is_idle(msg_type: str, content: dict[str, Any]) -> bool:
    return msg_type == "status" and content["execution_state"] == "idle"


@contextmanager
def stock_server_out() -> Iterator[Batch]:
    with kernel_channels() as end:
        end.execute(STOCK_TARGET)
        end.open("c", "burst")
        yield lambda: server_burst(end)


def server_burst(end: WireEnd) -> Sample:
    """Run the cell, and read until the kernel is idle again: that comes last, and is not limited."""
    message = end.message("execute_request", execute_content(CELL))
    msg_id = message.header["msg_id"]
    begun = last = time.perf_counter()
    end.socket.send(client_frame(ws_v1.encode(message)))
    arrived, ended = set(), set()
    # The idle is lost too where the server's own queue was full: then nothing follows the reply.
    while len(ended) < 2 and end.socket.has_data(QUIET_S if ended else ALL_S):  # noqa: PLR2004 (reply, idle)
        answer = ws_v1.decode(end.socket.receive())
        if answer.msg_type == "comm_msg":
            arrived.add(answer.content["data"]["n"])
            last = time.perf_counter()
        elif answer.parent_header.get("msg_id") == msg_id and (
            answer.msg_type == "execute_reply" or is_idle(answer.msg_type, answer.content)
        ):
            ended.add(answer.msg_type)
    return sample(begun, last, len(arrived))


def our_out(**options: Any) -> Setup:  # Any: of ``our_frontend``
    """Between Tsushin's ends, by one route."""
    return lambda: with_our_end(out_batch, **options)


@contextmanager
def with_our_end(
    batch: Callable[[OurEnd, tsushin.Comm], Any],  # Any: coroutine of a Sample
    *,
    server: bool = False,
    extension: bool = False,
    lane: bool = False,
) -> Iterator[Batch]:
    if not server:
        with our_frontend(prepare=OUR_TARGET, lane=lane) as end:
            comm = end.fe.comm_manager.new_comm("burst")
            yield lambda: end.run(batch(end, comm))
        return
    with jupyter_server(extension=extension) as running:
        options = {"token": TOKEN, "kernel_name": "python3"}
        with our_frontend(running.url, prepare=OUR_TARGET, lane=lane, **options) as end:
            comm = end.fe.comm_manager.new_comm("burst")
            yield lambda: end.run(batch(end, comm))


async def out_batch(end: OurEnd, comm: tsushin.Comm) -> Sample:
    arrived: set[int] = set()
    last = 0.0
    whole = asyncio.Event()

    @comm.on_msg
    def on_msg(msg: dict[str, Any]) -> None:
        nonlocal last
        arrived.add(msg["content"]["data"]["n"])
        last = time.perf_counter()
        if len(arrived) == BURST:
            whole.set()

    begun = time.perf_counter()
    await end.fe.execute(CELL, timeout=ALL_S)
    with suppress(TimeoutError):  # what is missing is lost
        await asyncio.wait_for(whole.wait(), ALL_S)
    return sample(begun, last, len(arrived))


@contextmanager
def raw_lane_out() -> Iterator[Batch]:
    with lane_end(OUR_TARGET, "burst") as end:
        yield lambda: raw_burst(end)


def raw_burst(end: LaneEnd) -> Sample:
    """Read a burst from a lane, with a confirmation for each 64 messages, as the profile has it."""
    begun = last = time.perf_counter()
    end.client.execute(CELL, store_history=False)
    arrived = 0
    while arrived < BURST and end.socket.has_data(QUIET_S):
        payload = end.socket.receive()
        if b'"n":' not in payload:
            continue
        arrived += 1
        last = time.perf_counter()
        if arrived % CONFIRM_EVERY == 0:
            end.confirm(payload)
    end.client.get_shell_msg(timeout=ALL_S)
    return sample(begun, last, arrived)


# -------------------------------------------------------------------------------- frontend to kernel


@contextmanager
def stock_zmq_in() -> Iterator[Batch]:
    with stock_kernel() as client:
        run_cell(client, STOCK_TARGET)
        send(client, "comm_open", {"comm_id": "c", "target_name": "burst", "data": {}})

        def batch() -> Sample:
            begun = time.perf_counter()
            for number in range(BURST):
                data = {"n": number, **({"last": True} if number == BURST - 1 else {})}
                send(client, "comm_msg", {"comm_id": "c", "data": data})
            until = begun + ALL_S
            while time.perf_counter() < until:
                msg = client.get_iopub_msg(timeout=ALL_S)
                if msg["msg_type"] == "comm_msg":
                    arrived = msg["content"]["data"]["arrived"]
                    return sample(begun, time.perf_counter(), arrived)
            raise TimeoutError(f"the last message did not come within {ALL_S:g} s")

        yield batch


@contextmanager
def stock_server_in() -> Iterator[Batch]:
    with kernel_channels() as end:
        end.execute(STOCK_TARGET)
        end.open("c", "burst")

        def batch() -> Sample:
            frames = end.msg_frames("c", datas())
            begun = time.perf_counter()
            for begin in range(0, BURST, CHUNK):
                end.socket.send(b"".join(frames[begin : begin + CHUNK]))
                while end.socket.has_data(
                    0
                ):  # statuses; a server whose answers nobody reads hangs up
                    end.socket.receive()
            answer = ws_v1.decode(end.socket.receive_until(b'"arrived":'))
            return sample(begun, time.perf_counter(), answer.content["data"]["arrived"])

        yield batch


CHUNK = 100  # frames handed to the system at a time, as a page that sends in a loop does


def datas() -> Iterator[dict[str, Any]]:
    for number in range(BURST):
        yield {"n": number, **({"last": True} if number == BURST - 1 else {})}


async def in_batch(end: OurEnd, comm: tsushin.Comm) -> Sample:
    del end
    begun = time.perf_counter()
    answer = comm.expect_msg(ALL_S)
    for data in datas():
        comm.send(data)
    arrived = (await answer)["content"]["data"]["arrived"]
    return sample(begun, time.perf_counter(), arrived)


def our_in(**options: Any) -> Setup:  # Any: of ``our_frontend``
    """Between Tsushin's ends, by one route."""
    return lambda: with_our_end(in_batch, **options)


def targets(row: dict[str, Setup]) -> tuple[Target, ...]:
    """What DESIGN 11 asks of a burst."""
    lanes = [name for name in row if name.startswith("lane")]
    return (
        *(Target(name, 0, figure="lost") for name in row if not name.endswith(STOCK_ENDS)),
        *(Target(name, MICRO / 100_000) for name in lanes),
    )


STOCK_ENDS = ("ipykernel", "stock client")
OUT: dict[str, Setup] = {
    STOCK_ZMQ: stock_zmq_out,
    OUR_ZMQ: our_out(),
    STOCK_SERVER: stock_server_out,
    PLAIN_SERVER: our_out(server=True),
    OUR_SERVER: our_out(server=True, extension=True),
    LANE: our_out(lane=True),
    RAW_LANE: raw_lane_out,
}
IN: dict[str, Setup] = {
    STOCK_ZMQ: stock_zmq_in,
    OUR_ZMQ: our_in(),
    STOCK_SERVER: stock_server_in,
    PLAIN_SERVER: our_in(server=True),
    LANE: our_in(lane=True),
}
ROWS = {
    "to the frontend": Row(
        question=f"Burst of {BURST:,}, kernel to frontend: time a message that arrives",
        unit="µs",
        baseline=STOCK_SERVER,
        targets=targets(OUT),
        variants=OUT,
        rounds=1,
        warm_up=False,
        per_s=True,
    ),
    "to the kernel": Row(
        question=f"Burst of {BURST:,}, frontend to kernel: time a message that arrives",
        unit="µs",
        baseline=STOCK_SERVER,
        targets=targets(IN),
        variants=IN,
        rounds=1,
        warm_up=False,
        per_s=True,
    ),
}
