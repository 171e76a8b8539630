"""A kernel whose cell computes: how long a message waits for the interpreter, and what that costs the cell.

While messages meet a running cell Tsushin shortens the interpreter's switch interval from 5 ms to 0.5 ms. The
baseline is Tsushin with that turned off; the stock stack handles such a message after the cell, or never.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress

import tsushin
from bench.row import Batch, Row
from tsushin.frontend.frontend import Frontend

SETTING = "TSUSHIN_SWITCH_INTERVAL"
TRIPS = 50  # per batch
RATE = 200  # messages per second beside the work
WORK = 60_000  # sums of 1,000 numbers: one to two seconds
TIMEOUT_S = 30
MILLI = 1e3

PREPARE = """
import time, tsushin
over = []
def target(comm, msg):
    @comm.on_msg
    def on_msg(msg):
        comm.send(msg["content"]["data"])
        over.extend([1] * ("over" in msg["content"]["data"]))
tsushin.comm_manager().register_target("busy", target, run="thread")
"""
COMPUTE = "over.clear()\nwhile not over: sum(range(1000))"
TIMED = f"""
begun = time.perf_counter()
for _ in range({WORK}): sum(range(1000))
time.perf_counter() - begun
"""

Measure = Callable[[Frontend, tsushin.Comm], Coroutine[object, None, list[float]]]


def variant(interval_s: float, measure: Measure) -> Callable[[], AbstractContextManager[Batch]]:
    """Measure with a switch interval while messages come; 0 leaves the interpreter alone."""

    @asynccontextmanager
    async def connected() -> AsyncIterator[tuple[Frontend, tsushin.Comm]]:
        os.environ[SETTING] = str(interval_s)
        try:
            async with tsushin.connect("python3") as fe:
                await fe.execute(PREPARE)
                yield fe, fe.comm_manager.new_comm("busy")
        finally:
            del os.environ[SETTING]

    @contextmanager
    def setup() -> Iterator[Batch]:
        with asyncio.Runner() as runner:
            link = connected()
            ends = runner.run(link.__aenter__())
            try:
                yield lambda: runner.run(measure(*ends))
            finally:
                runner.run(link.__aexit__(None, None, None))

    return setup


async def trips(fe: Frontend, comm: tsushin.Comm) -> list[float]:
    """Round trips while a cell computes, in milliseconds."""
    cell = asyncio.ensure_future(fe.execute(COMPUTE))
    await asyncio.sleep(0.2)  # until it runs
    taken = []
    for number in range(TRIPS):
        begun = time.perf_counter()
        comm.send({"n": number})
        await comm.expect_msg(TIMEOUT_S)
        taken.append((time.perf_counter() - begun) * MILLI)
    comm.send({"over": 1})
    await comm.expect_msg(TIMEOUT_S)
    await cell
    return taken


async def work(fe: Frontend, comm: tsushin.Comm) -> list[float]:
    """The time of a cell's own work while messages come, in milliseconds."""
    sending = asyncio.ensure_future(send(comm))
    took = float((await fe.execute(TIMED)).result or 0)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    return [took * MILLI]


async def quiet(fe: Frontend, comm: tsushin.Comm) -> list[float]:
    """The same without messages."""
    del comm
    return [float((await fe.execute(TIMED)).result or 0) * MILLI]


async def send(comm: tsushin.Comm) -> None:
    while True:
        comm.send({"n": 0})
        comm.poll()
        await asyncio.sleep(1 / RATE)


ROWS = {
    "round trip": Row(
        question="How long does a round trip take while a cell computes (handler on the thread)?",
        unit="ms",
        baseline="interval 5 ms",
        variants={"interval 5 ms": variant(0, trips), "interval 0.5 ms": variant(0.0005, trips)},
    ),
    "the cell": Row(
        question=f"How long does a computing cell take at {RATE} messages a second?",
        unit="ms",
        baseline="interval 5 ms",
        variants={
            "interval 5 ms": variant(0, work),
            "interval 0.5 ms": variant(0.0005, work),
            "no messages": variant(0, quiet),
        },
        limit="no messages",
    ),
}
