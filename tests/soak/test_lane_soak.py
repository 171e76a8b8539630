"""A long time of traffic by a lane: nothing is lost or out of order, nothing grows; `make soak`.

Both ends send at half of ``RATE`` each; the memory of both processes is sampled once a second. *Flat* means:
the median of the last tenth of the samples is at most ``GROWTH`` times the median of the tenth after the
first fifth, by when everything is imported and cached.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from laning import KERNEL, laned, until, value
from tsushin import connect

SECONDS = float(os.environ.get("SOAK_S", "1800"))
RATE = 5000  # messages per second, both ways together
TICK_S = 0.02
BEHIND_S = 1.0  # what was late is made up for, up to so much
QUEUED = 1 << 18  # bytes: a slow machine sends less, and nothing piles up that is no leak
GROWTH = 1.10  # allocators are not exact
RESULTS = Path(__file__).parents[2] / "docs" / "results"

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 300)]

# Only counts are kept: lists of so many numbers would be what grows.
COUNT = f"""
count, wrong, run = [0], [], "thread"
def use(comm, msg=None):
    global c
    c = comm
    @c.on_msg
    def on_msg(m):
        n = m["content"]["data"]["n"]
        if n != count[0]:
            wrong.append((n, count[0]))
        count[0] = n + 1
    c.on_gap(gaps.append)
manager.register_target("front", use, run="thread")
def talk():
    global talking
    def work():
        due = time.monotonic()
        while not stop.is_set():
            for _ in range({int(RATE / 2 * TICK_S)}):
                c.send({{"n": sent[0], "pad": "x" * 100}})
                sent[0] += 1
            due = max(due + {TICK_S}, time.monotonic() - {BEHIND_S})
            while manager.sessions._profile.queued_bytes() > {QUEUED} and not stop.is_set():
                time.sleep(0.001)
            time.sleep(max(0, due - time.monotonic()))
    talking = threading.Thread(target=work, daemon=True)
    talking.start()
"""


async def send_all(comm, stopped):
    due, sent = time.monotonic(), 0
    while not stopped.is_set():
        for _ in range(int(RATE / 2 * TICK_S)):
            comm.send({"n": sent, "pad": "x" * 100})
            sent += 1
        due = max(due + TICK_S, time.monotonic() - BEHIND_S)
        if comm._manager.sessions._profile.queued_bytes() > QUEUED:
            await comm.drain(timeout=60)
        await asyncio.sleep(max(0, due - time.monotonic()))
    return sent


def levels(samples):
    """Return the memory after the first fifth and at the end, in MiB, and threads likewise."""
    tenth = max(1, len(samples) // 10)
    begin, end = samples[2 * tenth : 3 * tenth], samples[-tenth:]
    return {
        "settled_mib": round(statistics.median(rss for rss, _ in begin) / 2**20, 1),
        "end_mib": round(statistics.median(rss for rss, _ in end) / 2**20, 1),
        "threads_settled": max(threads for _, threads in begin),
        "threads_end": end[-1][1],
    }


async def test_a_lane_at_five_thousand_a_second_loses_nothing_and_grows_nothing():
    async with connect("python3") as fe:
        await fe.execute(KERNEL.format(run="thread") + COUNT)
        await laned(fe)
        comm, heard, wrong, gaps = fe.comm_manager.new_comm("front"), [0], [], []

        @comm.on_msg
        def on_msg(msg):
            n = msg["content"]["data"]["n"]
            if n != heard[0]:
                wrong.append((n, heard[0]))
            heard[0] = n + 1

        comm.on_gap(gaps.append)
        await comm.ready(30)
        link = fe._lane._link
        processes = {
            "kernel": psutil.Process(await value(fe, "__import__('os').getpid()")),
            "frontend": psutil.Process(),
        }
        seen = {name: [] for name in processes}
        await fe.execute("talk()")
        stopped, began = asyncio.Event(), time.monotonic()
        sending = asyncio.ensure_future(send_all(comm, stopped))
        while time.monotonic() - began < SECONDS:
            await asyncio.sleep(1)
            for name, process in processes.items():
                seen[name].append((process.memory_info().rss, process.num_threads()))
        stopped.set()
        sent, seconds = await sending, time.monotonic() - began
        to_page = await value(fe, "hush()")
        await comm.drain(timeout=60)
        await until(lambda: heard[0] >= to_page, 60)
        report = {name: levels(samples) for name, samples in seen.items()}
        write(report, {"to_kernel": sent, "to_page": to_page}, round((sent + to_page) / seconds))
        assert (heard[0], wrong[:5], gaps) == (to_page, [], [])
        assert await value(fe, "(count[0], wrong[:5], gaps)") == (sent, [], [])
        assert fe._lane._link is link
        for name, levels_ in report.items():
            assert levels_["end_mib"] <= levels_["settled_mib"] * GROWTH, (name, levels_)
            # The loop's pool of threads for what blocks grows by one now and then, to a bound.
            assert levels_["threads_end"] <= levels_["threads_settled"] + 2, (name, levels_)


def write(report, counts, rate):
    """Keep what was seen, with versions."""
    now = datetime.now(UTC)
    facts = {
        "date": now.strftime("%Y-%m-%d %H:%M"),
        "seconds": SECONDS,
        "rate_asked": RATE,
        "rate": rate,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("ipykernel", "pyzmq", "websockets")},
        "messages": counts,
        **report,
    }
    path = RESULTS / f"{now:%Y-%m-%d}-lane-soak.json"
    path.write_text(json.dumps(facts, indent=2) + "\n")
    print(f"\nwritten: {path}")  # noqa: T201
