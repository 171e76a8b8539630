"""A frontend's lane alone: real lanes of a kernel that is none, and sessions that a test plays."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

import tsushin.frontend.lane as module
from laning import WAIT_S, until
from sockets import message
from tsushin.errors import RemoteProtocolError
from tsushin.frontend.lane import MAX_FAILURES, MAX_FAILURES_LATER, FrontendLane
from tsushin.kernel.lane import KernelLanes
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.transports.frames import message_frame


class KernelSessions:
    """The sessions of a kernel's manager: one, which hears its offers."""

    def __init__(self):
        self.world, self.sends = None, {}

    def is_live(self, session):
        return session == "s"

    def offer_lane(self, session, port, token):
        self.world.lane.offered(port, token)

    def lane_up(self, session, send):
        self.sends[session] = send
        return True

    def lane_down(self, session, send):
        self.sends.pop(session, None)


class World:
    """A frontend's lane, and the kernel that offers it. Also the sessions of the frontend's manager."""

    def __init__(self):
        self.there, self.refuses, self.asks = KernelSessions(), False, []
        self.there.world = self
        self.arrived = []  # at the kernel
        self.lanes = KernelLanes(self.there, receive=self._take, fault=self.arrived.append)
        self.peer, self.got, self.send = "kernel", [], None
        self.ups, self.downs, self.is_welcome = 0, 0, True
        self.lane = FrontendLane(
            self,
            session="s",
            address=SimpleNamespace(is_local=True, lane_url=lambda: None, token=None),
            peer=lambda: self.peer,
            receive=self.got.append,
            limits=DEFAULT_LIMITS,
        )

    def _take(self, messages, session):
        self.arrived += [one.content["n"] for one in messages]

    def ask_lane(self, origin=""):
        self.asks.append(origin)
        if self.refuses:
            self.lane.offered(0, "")
        else:
            self.lanes.asked("s", origin)

    def lane_up(self, session, send):
        assert session == self.peer
        self.ups += 1
        self.send = send
        return self.is_welcome

    def lane_down(self, session, send):
        assert send is self.send
        self.downs += 1

    async def up(self):
        self.lane.wanted()
        await until(lambda: self.ups > self.downs and "s" in self.there.sends)


@pytest.fixture
async def world(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    world = World()
    yield world
    await world.lane.aclose()
    world.lanes.close()


async def test_wanted_it_is_asked_for_connected_and_used(world):
    await world.up()
    assert world.asks == [""]
    world.send(message(1))
    world.there.sends["s"](message(2))
    await until(lambda: world.arrived == [1] and len(world.got) == 1)
    assert world.got[0].content["n"] == 2


async def test_wanted_again_while_there_is_one_changes_nothing(world):
    await world.up()
    world.lane.wanted()
    world.there.sends["s"](message(1))
    await until(lambda: world.got)
    assert (world.asks, world.ups) == ([""], 1)


async def test_other_message_types_are_passed_over(world):
    await world.up()
    world.there.sends["s"](message(1, msg_type="status"))
    world.there.sends["s"](message(2))
    await until(lambda: world.got)
    assert [one.content["n"] for one in world.got] == [2]


@pytest.mark.parametrize("how", ["kernel", "silent"])
async def test_when_it_ends_another_is_asked_for(world, how):
    await world.up()
    if how == "kernel":
        world.lanes.end("s")
    else:
        world.lane.end("kernel")
    await until(lambda: world.ups == 2)
    assert (world.downs, len(world.asks)) == (1, 2)


async def test_what_is_no_message_ends_it_and_another_is_asked_for(world):
    await world.up()
    lane = world.lanes._lanes["s"]
    lane._write(message_frame([b"garbage"], mask=False))
    await until(lambda: world.ups == 2)


async def test_with_the_kernel_end_gone_none_is_asked_for(world):
    await world.up()
    world.peer = None
    world.lane.end("kernel")
    await until(world.lane._keeping.done)
    assert (world.ups, world.downs, len(world.asks)) == (1, 1, 1)
    world.peer = "kernel"
    await world.up()


async def test_where_there_is_none_it_gives_up_and_a_new_hello_begins_again(world):
    world.refuses = True
    world.lane.wanted()
    await until(lambda: len(world.asks) == MAX_FAILURES and world.lane._keeping.done())
    assert world.ups == 0
    world.refuses = False
    await world.up()


async def test_where_it_has_worked_it_goes_on_for_longer_and_not_for_ever(world, monkeypatch):
    monkeypatch.setattr(module, "LAST_PAUSE_S", 0.01)
    await world.up()
    world.refuses = True
    world.lanes.end("s")
    await until(lambda: len(world.asks) > 1 + MAX_FAILURES)
    await until(world.lane._keeping.done)
    assert len(world.asks) == 1 + MAX_FAILURES_LATER
    world.refuses = False
    world.lane.wanted()
    await until(lambda: world.ups == 2)


async def test_an_offer_that_does_not_come_is_asked_for_again(world, monkeypatch):
    monkeypatch.setattr(module, "OFFER_TIMEOUT_S", 0.05)
    stock, world.ask_lane = world.ask_lane, lambda origin="": world.asks.append("unheard")
    world.lane.wanted()
    await until(lambda: len(world.asks) == 2)
    world.ask_lane = stock
    await until(lambda: world.ups == 1)


async def test_another_kernel_end_is_asked_at_once_whatever_the_one_before_owes(world):
    world.lanes.asked, asked = (lambda session, origin: None), world.lanes.asked  # it is ending
    world.lane.wanted()
    await until(lambda: world.asks == [""])
    world.lane.wanted()  # it says hello again: it was asked
    for _ in range(3):
        await asyncio.sleep(0)  # by then it would have asked
    assert world.asks == [""]
    world.lanes.asked, world.peer = asked, "another"
    await world.up()
    assert (world.asks, world.ups) == (["", ""], 1)


async def test_offers_nobody_waits_for_are_passed_over(world):
    world.lane.offered(1, "token")
    await world.up()
    world.lane.offered(1, "token")
    world.there.sends["s"](message(1))
    await until(lambda: world.got)
    assert world.ups == 1


async def test_a_kernel_end_that_left_meanwhile_gets_no_lane(world):
    world.is_welcome = False
    world.lane.wanted()
    await until(lambda: world.ups >= 1)
    await until(lambda: world.downs >= 1)
    assert world.lane._link is None or world.ups > world.downs


async def test_not_on_this_machine_and_without_a_server_there_is_none(world):
    world.lane._address.is_local = False
    world.lane.wanted()
    await until(lambda: len(world.asks) == MAX_FAILURES and world.lane._keeping.done())
    assert world.ups == 0


async def test_what_is_sent_after_its_end_is_dropped_without_a_word(world):
    await world.up()
    send = world.send
    world.peer = None
    world.lanes.end("s")
    await until(lambda: world.downs == 1)
    send(message(1))


async def test_closed_it_ends_and_nothing_is_left(world):
    await world.up()
    world.send(message(1))
    async with asyncio.timeout(WAIT_S):
        await world.lane.aclose()
        await world.lane.aclose()
    await until(lambda: world.arrived == [1] and "s" not in world.there.sends)
    assert (world.downs, world.lane._link) == (1, None)
    assert not any(isinstance(one, RemoteProtocolError) for one in world.arrived)
