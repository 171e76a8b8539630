"""The receiving half alone: a peer, numbered messages, and what it says about them."""

from __future__ import annotations

import pytest

from tsushin.errors import RemoteProtocolError
from tsushin.profile.arrivals import ACK_EVERY, ACK_LATE_S, ASK_S, MAX_ASKS, MAX_HELD, Arrivals
from tsushin.profile.control import control_id, with_entry
from tsushin.profile.events import Gap, Malformed
from tsushin.profile.peer import Peer
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header


class World:
    """One peer, and what was said to it."""

    def __init__(self):
        self.peer = Peer("s", control_id("s"), (), "e", has={}, began={})
        self.said, self.told, self.events, self.read = [], [], [], []
        self.arrivals = Arrivals(
            "me",
            {"s": self.peer},
            limits=Limits(),
            say=lambda comm_id, data, now, buffers=(): self.said.append(data),
            tell=lambda peer, data, now, buffers=(): self.told.append(data),
            event=self.events.append,
            take_in=self.take_in,
        )

    def take_in(self, peer, message, now):
        if message.content["data"].get("bad"):
            raise RemoteProtocolError("bad")
        self.read.append(message.content["data"])
        return []

    def send(self, n, now=0.0, comm_id="c", data=None, **ours):
        header = new_header("comm_msg", msg_id=str(n), session="s", now=0)
        content = {"comm_id": comm_id, "data": {"n": n} if data is None else data}
        message = with_entry(Message("shell", header, content=content), {"n": n, **ours})
        handed_on = self.arrivals.receive(message, now)
        return [one.content["data"]["n"] for one in handed_on]


@pytest.fixture
def world():
    return World()


def test_messages_come_in_order_each_once_without_their_number(world):
    assert world.send(1) == [1]
    assert world.send(3) == []
    assert world.send(1) == []
    assert world.send(2) == [2, 3]


def test_a_hole_is_asked_for_at_once_and_again_and_then_given_up(world):
    world.send(1)
    world.send(3)
    assert world.said == [{"want": {"c": (2, 2)}}]
    now = 0.0
    for asked in range(1, MAX_ASKS):
        now += ASK_S * 2 ** (asked - 1)
        world.arrivals.ask_again(world.peer, now)
        assert world.said[-1] == {"want": {"c": (2, 2)}}
    world.arrivals.ask_again(world.peer, now + ASK_S * 2 ** (MAX_ASKS - 1))
    assert world.events == [Gap("c", 1)]
    assert [m.content["data"]["n"] for m in world.arrivals.released()] == [3]


def test_what_was_asked_for_is_not_asked_for_again_before_its_time(world):
    world.send(1)
    world.send(10)
    for n in (2, 3, 4, 9):  # the answer comes, out of order and with pieces of it missing
        world.send(n)
    assert world.said == [{"want": {"c": (2, 9)}}]
    world.send(15)
    assert world.said[1:] == []  # that is behind the first hole
    for n in (5, 6, 7, 8):
        world.send(n)
    assert world.said[1:] == [{"want": {"c": (11, 14)}}]


def test_what_comes_again_is_told_once_however_often(world):
    for n in range(1, 11):
        world.send(n)
    for _ in range(300):
        world.send(5)
    assert world.said == []
    assert world.peer.pending == 10


def test_what_arrived_is_told_late_or_after_many(world):
    world.send(1, now=10.0)
    assert (world.said, world.peer.ack_at) == ([], 10.0 + ACK_LATE_S)
    for n in range(2, ACK_EVERY + 1):
        world.send(n)
    assert world.said == [{"seen": {"c": ACK_EVERY}}]


def test_what_became_of_comms_has_to_arrive(world):
    world.peer.accepted, world.peer.refused = ["a"], ["b"]
    world.arrivals.acknowledge(world.peer, 0.0)
    assert (world.said, world.told) == ([], [{"accepted": ["a"], "refused": ["b"]}])


def test_what_is_for_another_session_only_counts(world):
    assert world.send(1, to="somebody else") == []
    assert world.send(2, to="me") == [2]
    assert world.said == []


def test_control_comms_are_read_in_order_and_no_gap_is_told(world):
    control = world.peer.control
    world.send(2, comm_id=control, data={"second": 1})
    assert world.read == []
    world.send(1, comm_id=control, data={"first": 1})
    assert world.read == [{"first": 1}, {"second": 1}]
    world.send(3, comm_id=control, data={"bad": 1})
    assert [type(event) for event in world.events] == [Malformed]
    world.arrivals.give_up(world.peer, control, 9, 0.0)
    assert len(world.events) == 1


def test_what_is_behind_a_hole_is_bounded(world):
    for n in range(2, MAX_HELD + 3):
        world.send(n)
    assert world.events == [Gap("c", 1)]
    assert len(world.arrivals.released()) == MAX_HELD + 1


def test_after_a_restart_what_was_before_is_not_handed_on(world):
    world.send(3)
    world.send(5)
    handed_on = world.arrivals.restart(world.peer, "c", 4, 0.0)
    assert [m.content["data"]["n"] for m in handed_on] == [5]


def test_a_message_of_nobody_that_is_known_passes(world):
    header = new_header("comm_msg", msg_id="1", session="stranger", now=0)
    message = Message("shell", header, content={"comm_id": "c", "data": {}})
    assert world.arrivals.receive(message, 0.0) == [message]


def test_with_a_lane_a_hole_is_asked_for_after_a_second_and_then_as_ever(world):
    world.peer.has_lane = True
    world.send(1)
    world.send(3)
    assert world.said == []
    assert world.peer.ask_at == ASK_S
    assert world.send(2, now=0.5) == [2, 3]  # it came by the other route
    world.send(5, now=1.0)
    world.arrivals.ask_again(world.peer, 1.0)  # the time of the hole before
    assert (world.said, world.peer.ask_at) == ([], 2.0)
    world.arrivals.ask_again(world.peer, 2.0)
    assert world.said == [{"want": {"c": (4, 4)}}]
    assert world.peer.ask_at == 3.0


def test_what_opens_a_comm_is_open_there_until_it_is_closed(world):
    for n, msg_type in enumerate(("comm_open", "comm_msg", "comm_close"), 1):
        header = new_header(msg_type, msg_id=str(n), session="s", now=0)
        content = {"comm_id": "c", "data": {}}
        message = with_entry(Message("shell", header, content=content), {"n": n})
        world.arrivals.receive(message, 0.0)
        assert world.peer.open == ({"c"} if n < 3 else set())
