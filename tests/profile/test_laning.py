"""Lanes, as far as peers speak of them."""

from __future__ import annotations

import pytest

from lanes import Lanes, MemoryLane, pass_time, run
from listening import lose
from tsushin.profile.control import control_id


def test_a_lane_is_wanted_where_both_ends_can_have_one(pair):
    able = pair.frontends[0]
    pair.kernel.sessions.use_lanes(Lanes())
    able.sessions.use_lanes(Lanes())
    pair.join()
    assert able.sessions._lanes.wants == 1
    assert pair.kernel.sessions._lanes.wants == 0
    assert ["lane" in p.features for p in pair.kernel.peers] == [True, False]
    able.sessions.join()
    pair.run()
    assert able.sessions._lanes.wants == 2  # whoever has one asks for no other


def test_no_lane_is_wanted_of_a_kernel_end_that_has_none(pair):
    pair.frontends[0].sessions.use_lanes(Lanes())
    pair.join()
    assert pair.frontends[0].sessions._lanes.wants == 0


def test_a_lane_of_who_is_not_there_is_none(pair):
    pair.kernel.sessions.use_lanes(Lanes())
    assert not pair.kernel.sessions.lane_up("nobody", lambda message: None)
    assert not pair.kernel.sessions.has_lane()
    pair.kernel.sessions.offer_lane("nobody", 1, "token")
    pair.run()
    assert pair.sent == []


def test_only_a_kernel_end_is_asked_and_only_a_frontend_gets_offers(laned):
    profile = laned.frontends[0].sessions._profile
    profile._voice.say(control_id("frontend 0"), {"lane_offer": {"port": 1, "token": "t"}}, 0)
    kernels = laned.kernel.sessions._profile
    kernels._voice.say(control_id("frontend 0"), {"lane_ask": {"origin": ""}}, 0)
    for end in laned.ends:
        end.sessions._push()
    run(laned, laned.lane)
    assert (laned.kernel.sessions._lanes.offers, laned.frontends[0].sessions._lanes.asks) == (
        [],
        [],
    )


@pytest.mark.parametrize("end", ["kernel", "frontend"])
def test_a_lane_that_brings_no_confirmation_for_seven_seconds_is_ended(laned, end):
    at_kernel = end == "kernel"
    talks = laned.kernel if at_kernel else laned.frontends[0]
    comm = laned.kernel.new_comm("t")
    run(laned, laned.lane)
    pass_time(laned, 1, laned.lane)
    (comm if at_kernel else laned.frontends[0].get_comm(comm.comm_id)).send({"n": 1})
    laned.lane.is_up = dict.fromkeys(laned.lane.is_up, False)  # nothing arrives by it
    peer = "frontend 0" if at_kernel else "kernel"
    pass_time(laned, 6.9)
    assert talks.sessions._lanes.ended == []
    pass_time(laned, 0.2)
    assert talks.sessions._lanes.ended == [peer]
    talks.sessions.lane_down(peer, laned.lane.sends["kernel" if at_kernel else "front"])
    laned.run()
    assert not talks.sessions.has_lane()
    if at_kernel:
        assert laned.frontends[0].got == [1]


def test_who_is_gone_has_no_lane_any_more(laned):
    laned.frontends[0].sessions.leave()
    run(laned, laned.lane)
    assert laned.kernel.sessions._lanes.ended == ["frontend 0"]
    assert laned.frontends[0].sessions._lanes.ended == ["kernel"]
    assert not laned.kernel.sessions.has_lane()
    assert laned.kernel.sessions._profile._routes.laned == ()
    assert [p.session for p in laned.kernel.peers] == ["frontend 1"]  # the goodbye went by the lane


def test_a_second_lane_replaces_the_first_and_its_end_means_nothing(laned):
    comm = laned.kernel.new_comm("t")
    run(laned, laned.lane)
    second = MemoryLane(laned.kernel, laned.frontends[0])
    second.begin()
    comm.send({"n": 1})
    laned.lane.end()
    comm.send({"n": 2})
    assert laned.kernel.sessions.has_lane("frontend 0")
    run(laned, second)
    assert laned.frontends[0].got == [1, 2]


def test_while_there_is_a_lane_what_is_missing_is_asked_for_after_a_second(laned):
    comm = laned.kernel.new_comm("t")
    comm.send({"n": 1})
    lose(laned.frontends[0])  # the open
    while "front" in laned.lane.choices():
        laned.lane.step("front")
    assert laned.frontends[0].got == []
    pass_time(laned, 0.9, laned.lane)
    assert laned.frontends[0].got == []
    pass_time(laned, 0.2, laned.lane)
    assert laned.frontends[0].got == [1]
