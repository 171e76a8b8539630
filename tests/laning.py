"""A real kernel and frontends with lanes: what both ends of these tests do, and how a lane is broken."""

from __future__ import annotations

import ast
import asyncio

WAIT_S = 30

# What the kernel has: two-way numbered talk on one comm, ``c``, and what it heard.
KERNEL = """
import asyncio, threading, time, tsushin, tsushin.kernel
from tsushin import Comm
manager = tsushin.kernel.attach()
heard, gaps, sent, stop, run = [], [], [0], threading.Event(), "{run}"
def use(comm, msg=None):
    global c
    c = comm
    c.on_msg(lambda m: heard.append(m["content"]["data"]["n"]))
    c.on_gap(gaps.append)
manager.register_target("front", use, run=run)
def talk(pause):
    global talking
    def work():
        while not stop.is_set():
            c.send({{"n": sent[0]}})
            sent[0] += 1
            if pause:
                time.sleep(pause)
            while manager.sessions._profile.queued_bytes() > 1 << 18 and not stop.is_set():
                time.sleep(0.001)  # not faster than the other end takes it
    stop.clear()
    talking = threading.Thread(target=work, daemon=True)
    talking.start()
def hush():
    stop.set()
    talking.join()
    return sent[0]
def cut():
    for session in list(manager.lanes._lanes):
        manager.lanes.end(session)
"""


async def until(condition, seconds=WAIT_S):
    """Wait for what tells no events."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def laned(fe, *, is_up=True):
    await until(lambda: fe.has_lane is is_up)


async def ended(fe, link):
    """Wait until a lane is not in use any more; the next one may be there already."""
    await until(lambda: fe._lane._link is not link)


async def value(fe, expression):
    """Return the value of an expression in the kernel."""
    return ast.literal_eval((await fe.execute(expression)).result)


async def until_value(fe, expression, expected):
    """Wait until an expression in the kernel has a value."""
    async with asyncio.timeout(WAIT_S):
        while (found := await value(fe, expression)) != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert found == expected


class Talk:
    """One comm between a frontend and its kernel, on which both talk all the time."""

    def __init__(self, fe, comm):
        self.fe, self.comm = fe, comm
        self.heard, self.gaps, self.sent = [], [], 0
        comm.on_msg(lambda msg: self.heard.append(msg["content"]["data"]["n"]))
        comm.on_gap(self.gaps.append)
        self._talking = None

    def begin(self, pause_s=0.001, burst=1):
        self._talking = asyncio.ensure_future(self._talk(pause_s, burst))

    async def _talk(self, pause_s, burst):
        while True:
            for _ in range(burst):
                self.comm.send({"n": self.sent})
                self.sent += 1
            if self.fe.comm_manager.sessions._profile.queued_bytes() > 1 << 18:
                await self.comm.drain(timeout=WAIT_S)
            await asyncio.sleep(pause_s)

    async def burst(self, count):
        """Send so many each way at once; all of them are there in the end, in order."""
        code = f"for n in range({count}): c.send({{'n': n}})"
        burst = asyncio.ensure_future(self.fe.execute(code, timeout=60))
        for n in range(count):
            self.comm.send({"n": n})
        await burst
        await until(lambda: len(self.heard) == count, 60)
        await self.comm.drain(timeout=60)
        assert self.heard == list(range(count))
        assert await value(self.fe, f"heard == list(range({count}))")

    async def end(self):
        """Stop both, and hold them to what was promised: all there, in order, each once."""
        self._talking.cancel()
        await asyncio.wait([self._talking])
        if not self._talking.cancelled():
            self._talking.result()
        sent = await value(self.fe, "hush()")
        await self.comm.drain(timeout=WAIT_S)
        await until(lambda: len(self.heard) >= sent)
        assert self.heard == list(range(sent))
        await until_value(self.fe, "len(heard)", self.sent)
        assert await value(self.fe, f"heard == list(range({self.sent}))")
        assert self.gaps == []
        assert await value(self.fe, "gaps") == []


async def opened(fe, opener, run="main"):
    """Open a comm from one end, "kernel" or "frontend"; return the talk on it."""
    await fe.execute(KERNEL.format(run=run))
    if opener == "kernel":
        opening = fe.expect_open("kernels")
        await fe.execute("use(Comm('kernels', run=run))")
        comm = await opening
    else:
        comm = fe.comm_manager.new_comm("front")
        await comm.ready(WAIT_S)
    return Talk(fe, comm)
