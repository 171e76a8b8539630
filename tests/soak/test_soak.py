"""A long time of comm traffic while cells run: nothing is lost, nothing grows; `make soak`.

Two comms, one whose handlers run on the main thread and one on the delivery thread; the page sends to both
and a thread of the kernel to the page, each way at ``RATE``. Cells of every kind follow each other meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from tsushin import connect

SECONDS = float(os.environ.get("SOAK_S", "1200"))
RATE = 200  # messages per second, each way
TICK_S = 0.05
RESULTS = Path(__file__).parents[2] / "docs" / "results"
SETTLED = 0.2  # of the run: what is imported and cached once is there by then
GROWTH = 1.10  # memory at the end against then; allocators are not exact

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 300)]

PREPARE = f"""
import asyncio, threading, time, tsushin
from tsushin import Comm
main, beside = Comm("soak"), Comm("soak", run="thread")
heard = {{"main": 0, "thread": 0}}
wrong = []
def listen(comm, name):
    @comm.on_msg
    def on_msg(msg):
        n = msg["content"]["data"]["n"]
        if n != heard[name]:
            wrong.append((name, n, heard[name]))
        heard[name] = n + 1
listen(main, "main"), listen(beside, "thread")
sent, stopped = [0], threading.Event()
def send():
    due = time.monotonic()
    while not stopped.is_set():
        main.send({{"n": sent[0], "pad": "x" * 100}})
        sent[0] += 1
        due += 1 / {RATE}
        time.sleep(max(0, due - time.monotonic()))
threading.Thread(target=send, daemon=True).start()
"""
# Each takes two seconds.
CELLS = [
    "until = time.monotonic() + 2\nwhile time.monotonic() < until:\n    tsushin.poll(); time.sleep(0.005)",
    "until = time.monotonic() + 2\nwhile time.monotonic() < until:\n    sum(range(1000))",
    "time.sleep(2)",
    "for _ in range(20):\n    await asyncio.sleep(0.1)",
    # IPython keeps what cells print, so they print little.
    "for _ in range(20):\n    main.poll(); print('.'); time.sleep(0.1)",
]


async def send_all(comms, stopped):
    """Send numbered messages to both comms until told to stop; return how many each got."""
    due, count = time.monotonic(), 0
    while not stopped.is_set():
        for _ in range(int(RATE * TICK_S / 2)):
            for comm in comms:
                comm.send({"n": count, "pad": "x" * 100})
            count += 1
        due += TICK_S
        await asyncio.sleep(max(0, due - time.monotonic()))
    return count


class Watch:
    """Memory and threads of kernel and frontend, seen after each cell."""

    def __init__(self, kernel_pid):
        self.processes = {"kernel": psutil.Process(kernel_pid), "frontend": psutil.Process()}
        self.seen = {name: [] for name in self.processes}

    def look(self):
        for name, process in self.processes.items():
            self.seen[name].append((process.memory_info().rss, process.num_threads()))

    def report(self):
        return {
            name: {
                "settled_mib": round(looks[int(len(looks) * SETTLED)][0] / 2**20, 1),
                "end_mib": round(max(rss for rss, _ in looks[-5:]) / 2**20, 1),
                "threads_settled": looks[int(len(looks) * SETTLED)][1],
                "threads_end": looks[-1][1],
            }
            for name, looks in self.seen.items()
        }


async def test_traffic_in_running_cells_loses_nothing_and_grows_nothing():
    async with connect("python3", lane=False) as fe:
        opens = [fe.expect_open("soak") for _ in range(2)]
        await fe.execute(PREPARE)
        comms = [await opened for opened in opens]
        heard, wrong = itertools.count(), []

        @comms[0].on_msg
        def on_msg(msg):
            expected, n = next(heard), msg["content"]["data"]["n"]
            if n != expected:
                wrong.append((n, expected))

        watch = Watch(int((await fe.execute("import os; os.getpid()")).result))
        stopped = asyncio.Event()
        sending = asyncio.ensure_future(send_all(comms, stopped))
        until, cells = time.monotonic() + SECONDS, 0
        for cell in itertools.cycle(CELLS):
            await fe.execute(cell)
            watch.look()
            cells += 1
            if time.monotonic() > until:
                break
        stopped.set()
        sent = await sending
        await fe.execute("stopped.set()")
        to_page = int((await fe.execute("time.sleep(1); sent[0]")).result)
        kernel = (await fe.execute("(heard, wrong[:5])")).result
        report = watch.report()
        write(report, {"to_kernel": 2 * sent, "to_page": to_page, "cells": cells})
        assert kernel == f"({{'main': {sent}, 'thread': {sent}}}, [])"
        assert (next(heard), wrong[:5]) == (to_page, [])
        for name, seen in report.items():
            assert seen["end_mib"] <= seen["settled_mib"] * GROWTH, (name, seen)
            assert seen["threads_end"] <= seen["threads_settled"], (name, seen)


def write(report, counts):
    """Keep what was seen, with versions."""
    now = datetime.now(UTC)
    facts = {
        "date": now.strftime("%Y-%m-%d %H:%M"),
        "seconds": SECONDS,
        "rate_each_way": RATE,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("ipykernel", "pyzmq", "jupyter_client")},
        "messages": counts,
        **report,
    }
    path = RESULTS / f"{now:%Y-%m-%d}-soak.json"
    path.write_text(json.dumps(facts, indent=2) + "\n")
    print(f"\nwritten: {path}")  # noqa: T201
