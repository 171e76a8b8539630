"""A lane that is killed again and again while both ends talk at full speed: nothing is lost, doubled or late.

It is killed at moments that nobody chose: by the kernel, by the frontend, by the kernel's socket, and by
something between them that breaks the connection, so that either end finds out in its own time.
"""

from __future__ import annotations

import asyncio
import random

import pytest

import tsushin.frontend.lane as frontend_lane
from laning import laned, opened, until
from proxies import Proxy
from tsushin import connect

KILLS = [
    pytest.param(10, marks=pytest.mark.timeout(120)),
    pytest.param(100, marks=[pytest.mark.matrix, pytest.mark.timeout(900)]),
]
HOWS = ("kernel", "frontend", "kernel's socket", "frontend's socket", "between")


class Between:
    """Something between a frontend and its kernel's lane: every lane goes through it."""

    def __init__(self, monkeypatch):
        self.proxies = {}
        stock = frontend_lane.connect_lane

        async def connect_through(port, session, token, **options):
            if port not in self.proxies:
                proxy = Proxy(f"http://127.0.0.1:{port}")
                self.proxies[port] = await proxy.__aenter__()
            proxy = self.proxies[port]
            through = int(proxy.url.rpartition(":")[2])
            return await stock(through, session, token, **options)

        monkeypatch.setattr(frontend_lane, "connect_lane", connect_through)

    def cut(self):
        for proxy in self.proxies.values():
            proxy.cut()

    async def aclose(self):
        for proxy in self.proxies.values():
            await proxy.__aexit__()


async def kill(how, fe, between):
    if how == "kernel":
        await fe.execute("cut()")
    elif how == "kernel's socket":
        await fe.execute("for lane in list(manager.lanes._lanes.values()): break_off(lane)")
    elif how == "between":
        between.cut()
    elif fe._lane._link is not None:
        if how == "frontend":
            fe._lane._hang_up()
        else:
            fe._lane._link._lane._socket.shutdown(2)


@pytest.fixture
async def between(monkeypatch):
    between = Between(monkeypatch)
    yield between
    await between.aclose()


# The guard wants to see its own port; what is between has another one.
ANY_HOST = """
def break_off(lane):
    try:
        lane._socket.shutdown(2)
    except OSError:  # it has ended by itself
        pass
from tsushin.kernel.lane_guard import LaneGuard
stock = LaneGuard.meet
def meet(guard, request):
    del request.headers["Host"]
    request.headers["Host"] = f"127.0.0.1:{guard.port}"
    return stock(guard, request)
LaneGuard.meet = meet
"""


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize(("opener", "run"), [("kernel", "thread"), ("frontend", "main")])
async def test_killed_at_full_speed_nothing_is_lost(kills, opener, run, between):
    chance = random.Random(kills)
    async with connect("python3") as fe:
        await fe.execute(ANY_HOST)
        talk = await opened(fe, opener, run)
        await laned(fe)
        await fe.execute("talk(0)")
        talk.begin(pause_s=0, burst=50)
        for n in range(kills):
            await laned(fe)
            await asyncio.sleep(chance.uniform(0, 0.05))  # at any moment
            link = fe._lane._link
            await kill(HOWS[n % len(HOWS)], fe, between)
            await until(lambda link=link: fe._lane._link is not link)
        await laned(fe)
        await talk.end()
        assert len(talk.heard) > 100 * kills
        assert talk.sent > 100 * kills
        assert fe.comm_manager.sessions._profile.queued_bytes() == 0
