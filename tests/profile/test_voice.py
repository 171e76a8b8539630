"""What one end says on control comms, and which way it goes."""

from __future__ import annotations

import pytest

from tsushin.profile.control import Control, LaneAsk, control_id
from tsushin.profile.peer import Peer
from tsushin.profile.routes import Routes
from tsushin.profile.voice import Voice
from tsushin.protocol.messages import SessionId


@pytest.fixture
def said():
    """What leaves: each with the session by whose lane it goes."""
    return []


@pytest.fixture
def voice(said):
    """The voice of a kernel end with two peers, the first of which has a lane."""
    peers = {
        name: Peer(SessionId(name), control_id(name), (), "epoch", {}, {})
        for name in ("laned", "plain")
    }
    peers["laned"].has_lane = True
    routes = Routes(peers, is_kernel=True, emit=lambda m, lane: said.append((m, lane)))

    def new_header(msg_type, now):
        return {"msg_type": msg_type, "msg_id": str(now), "session": "kernel"}

    return Voice("iopub", new_header, peers, routes)


def test_it_speaks_by_the_lane_of_whom_it_speaks_to(voice, said):
    for name in ("laned", "plain", "nobody"):
        voice.say(control_id(name), {"mark": 1}, 2.0)
    assert [lane for _, lane in said] == ["laned", None, None]
    message, _ = said[0]
    assert message.content == {"comm_id": control_id("laned"), "data": {"mark": 1}}
    assert message.header == {"msg_type": "comm_msg", "msg_id": "2.0", "session": "kernel"}


def test_a_hello_goes_beside_lanes_and_names_the_target_where_it_opens(voice, said):
    ask = Control(lane_ask=LaneAsk("here"))
    voice.say_beside_lanes(control_id("laned"), ask, 0.0)
    voice.say_beside_lanes(control_id("laned"), ask, 0.0, msg_type="comm_open")
    assert [lane for _, lane in said] == [None, None]
    assert [m.content.get("target_name") for m, _ in said] == [None, "tsushin.session"]
    assert said[0][0].content["data"] == {"lane_ask": {"origin": "here"}}


def test_a_goodbye_closes_the_control_comm_and_says_no_more(voice, said):
    voice.say_goodbye(control_id("laned"), 0.0)
    [(message, lane)] = said
    assert (message.msg_type, lane) == ("comm_close", "laned")
    assert message.content == {"comm_id": control_id("laned"), "data": {}}


def test_buffers_go_as_they_are(voice, said):
    view = memoryview(b"abc")
    voice.say(control_id("plain"), {}, 0.0, buffers=(view,))
    assert said[0][0].buffers == (view,)
