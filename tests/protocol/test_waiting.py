from __future__ import annotations

from dataclasses import replace

import pytest

from tsushin.protocol.inbox import kept_bytes
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.protocol.messages import Message, new_header
from tsushin.protocol.waiting import WaitingRoom


def message(msg_type, n=0):
    header = new_header(msg_type, msg_id="", session="s", now=0.0)
    return Message("iopub", header, {}, {}, {"data": {"n": n}})


def numbers(messages):
    return [(m.msg_type, m.content["data"]["n"]) for m in messages]


@pytest.fixture
def small_room():
    return WaitingRoom(replace(DEFAULT_LIMITS, max_kept_messages=3))


def test_take_gives_each_comm_of_the_target_whole_and_in_order():
    room = WaitingRoom()
    room.open("c1", "t", message("comm_open", 1))
    room.open("c2", "t", message("comm_open", 2))
    room.open("c3", "other", message("comm_open", 3))
    room.put("c1", message("comm_msg", 4))
    assert numbers(room.take("t")) == [("comm_open", 1), ("comm_msg", 4), ("comm_open", 2)]
    assert "c1" not in room
    assert "c3" in room
    assert room.take("t") == []


def test_the_comm_that_waited_longest_goes_whole(small_room):
    small_room.open("c1", "t", message("comm_open", 1))
    small_room.put("c1", message("comm_msg", 2))
    small_room.open("c2", "t", message("comm_open", 3))
    small_room.put("c2", message("comm_msg", 4))
    assert numbers(small_room.take("t")) == [("comm_open", 3), ("comm_msg", 4)]
    assert small_room.dropped == 2


def test_a_single_comm_keeps_its_open_and_its_newest_messages(small_room):
    small_room.open("c1", "t", message("comm_open", 0))
    for n in range(1, 6):
        small_room.put("c1", message("comm_msg", n))
    assert numbers(small_room.take("t")) == [("comm_open", 0), ("comm_msg", 4), ("comm_msg", 5)]
    assert small_room.dropped == 3


def test_bytes_are_bounded_too():
    one = kept_bytes(message("comm_open"))
    room = WaitingRoom(replace(DEFAULT_LIMITS, max_kept_bytes=2 * one))
    for comm_id in ("c1", "c2", "c3"):
        room.open(comm_id, "t", message("comm_open"))
    assert "c1" not in room
    assert room.dropped == 1


def test_one_comm_larger_than_the_bound_stays_with_its_newest_message():
    room = WaitingRoom(replace(DEFAULT_LIMITS, max_kept_bytes=1))
    room.open("c1", "t", message("comm_open", 0))
    room.put("c1", message("comm_msg", 1))
    assert numbers(room.take("t")) == [("comm_open", 0), ("comm_msg", 1)]


def test_what_was_forgotten_or_taken_makes_room(small_room):
    for _ in range(3):
        small_room.open("c1", "t", message("comm_open"))
        small_room.put("c1", message("comm_msg"))
        small_room.forget("c1")
        small_room.open("c2", "t", message("comm_open"))
        small_room.take("t")
        small_room.open("c3", "t", message("comm_open"))
        small_room.clear()
    assert small_room.dropped == 0
