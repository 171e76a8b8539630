"""A kernel whose cell computes: how long a message waits for the interpreter, and what that costs the cell.

While messages meet a running cell Tsushin shortens the interpreter's switch interval from 5 ms to 0.1 ms; one
variant has that turned off. The stock stack handles such a message after the cell: its figure is what
was left of a cell of one second, and would be minutes if the cell took minutes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress

import tsushin
from bench.our_frontend import OurEnd, our_frontend
from bench.row import Batch, Row, Setup, Target
from bench.stock_kernel import run_cell, send, stock_kernel
from bench.targets import STOCK_ECHO, ours
from tsushin.kernel.switch_interval import SETTING, SHORT_S

TRIPS = 60  # per batch
RATE = 200  # messages per second beside the work
WORK = 30_000  # sums of 1,000 numbers: about half a second
STOCK_CELL_S = 1.0
TIMEOUT_S = 30
MILLI = 1e3

TARGET = """
{prepare}
import time
over = []
def busy(comm, msg):
    @comm.on_msg
    def on_msg(msg):
        comm.send(msg["content"]["data"])
        over.extend([1] * ("over" in msg["content"]["data"]))
{register}
"""
PREPARE = ours(TARGET, "busy", "thread")
COMPUTE = """
over.clear()
print("computing", flush=True)
while not over: sum(range(1000))
"""
TIMED = f"""
begun = time.perf_counter()
for _ in range({WORK}): sum(range(1000))
time.perf_counter() - begun
"""
STOCK_COMPUTE = f"""
import time
print("computing", flush=True)
until = time.perf_counter() + {STOCK_CELL_S}
while time.perf_counter() < until: sum(range(1000))
"""
STOCK = "jupyter_client + ipykernel, cell of 1 s"
NOT_SHORTENED, STANDARD = "tsushin, interval left at 5 ms", "tsushin"
LANE, QUIET = "tsushin, lane", "no messages"

Measure = Callable[[OurEnd, tsushin.Comm], Coroutine[object, None, list[float]]]


def variant(measure: Measure, *, interval_s: float = SHORT_S, lane: bool = False) -> Setup:
    """Measure with a switch interval while messages come; 0 leaves the interpreter alone."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        setting = {SETTING: str(interval_s)}
        with our_frontend(prepare=PREPARE, lane=lane, environment=setting) as end:
            comm = end.fe.comm_manager.new_comm("busy")
            yield lambda: end.run(measure(end, comm))

    return setup


async def trips(end: OurEnd, comm: tsushin.Comm) -> list[float]:
    """Round trips while a cell computes, in milliseconds."""
    runs = asyncio.Event()
    cell = asyncio.ensure_future(end.fe.execute(COMPUTE, on_output=lambda _: runs.set()))
    await asyncio.wait_for(runs.wait(), TIMEOUT_S)
    taken = []
    for number in range(TRIPS):
        begun = time.perf_counter()
        comm.send({"n": number})
        await comm.expect_msg(TIMEOUT_S)
        taken.append((time.perf_counter() - begun) * MILLI)
    if cell.done():
        raise RuntimeError("the cell ended while it was measured")
    comm.send({"over": 1})
    await comm.expect_msg(TIMEOUT_S)
    await cell
    return taken


@contextmanager
def stock_trips() -> Iterator[Batch]:
    """One message into a cell of one second, and when its answer comes."""
    with stock_kernel() as client:
        run_cell(client, STOCK_ECHO)
        send(client, "comm_open", {"comm_id": "c", "target_name": "echo", "data": {}})

        def batch() -> list[float]:
            client.execute(STOCK_COMPUTE, store_history=False)
            until("stream")
            begun = time.perf_counter()
            send(client, "comm_msg", {"comm_id": "c", "data": {"n": 0}})
            until("comm_msg")
            taken = (time.perf_counter() - begun) * MILLI
            client.get_shell_msg(timeout=TIMEOUT_S)
            return [taken]

        def until(msg_type: str) -> None:
            while client.get_iopub_msg(timeout=TIMEOUT_S)["msg_type"] != msg_type:
                pass

        yield batch


async def work(end: OurEnd, comm: tsushin.Comm) -> list[float]:
    """The time of a cell's own work while messages come, in milliseconds."""
    sending = asyncio.ensure_future(send_on(comm))
    took = float((await end.fe.execute(TIMED)).result or 0)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    return [took * MILLI]


async def quiet(end: OurEnd, comm: tsushin.Comm) -> list[float]:
    """The same without messages."""
    del comm
    return [float((await end.fe.execute(TIMED)).result or 0) * MILLI]


async def send_on(comm: tsushin.Comm) -> None:
    while True:
        comm.send({"n": 0})
        comm.poll()
        await asyncio.sleep(1 / RATE)


ROWS = {
    "round trip": Row(
        question="Round trip while a pure-Python cell computes (handler on the thread)",
        unit="ms",
        baseline=STOCK,
        targets=(Target(STANDARD, 4), Target(LANE, 1.5)),
        variants={
            STOCK: stock_trips,
            NOT_SHORTENED: variant(trips, interval_s=0),
            STANDARD: variant(trips),
            LANE: variant(trips, lane=True),
        },
    ),
    "the cell": Row(
        question=f"A computing cell's own time at {RATE} messages a second, each answered",
        unit="ms",
        baseline=QUIET,
        targets=(Target(STANDARD, 1.05, of=QUIET), Target(LANE, 1.05, of=QUIET)),
        variants={
            QUIET: variant(quiet),
            NOT_SHORTENED: variant(work, interval_s=0),
            STANDARD: variant(work),
            LANE: variant(work, lane=True),
        },
    ),
}
