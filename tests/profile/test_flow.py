"""What is under way, and what waits."""

from __future__ import annotations

import pytest

from tsushin.errors import QueueFull
from tsushin.profile.flow import (
    FIRST_WINDOW,
    HALVE_EVERY_S,
    LANE_WINDOW,
    MAX_WINDOW,
    MIN_WINDOW,
    WINDOW_BYTES,
    Flight,
    Queue,
    Waiting,
)
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.protocol.messages import Message


def waiting(n, comm_id="c", nbytes=10, key=None):
    message = Message("shell", {}, content={"comm_id": comm_id, "n": n})
    return Waiting(message, nbytes, key)


def taken(queue):
    found = []
    while queue:
        found.append(queue.take().message.content["n"])
    return found


def test_a_flight_is_full_until_something_arrives():
    flight = Flight()
    sent = 0
    while flight.has_room():
        sent += 1
        flight.left("c", sent, 1)
    assert sent == flight.window
    flight.arrived("c", 10)
    assert flight.has_room()
    assert (flight.count, flight.nbytes) == (sent - 10, sent - 10)


def test_with_a_window_of_bytes_under_way_nothing_more_is_sent():
    flight = Flight()
    flight.left("c", 1, WINDOW_BYTES - 1)
    assert flight.has_room()
    flight.left("c", 2, 100 * WINDOW_BYTES)
    assert not flight.has_room()
    flight.arrived("c", 2)
    assert flight.has_room()


def test_the_window_is_halved_once_for_losses_at_one_time_and_grows_with_arrivals():
    flight = Flight()
    before = flight.window
    flight.lost(1.0)
    flight.lost(1.0 + HALVE_EVERY_S / 2)
    assert flight.window == before / 2
    for at in range(2, 20):
        flight.lost(float(at))
    assert flight.window == MIN_WINDOW
    for number in range(1, 200_000):
        flight.left("c", number, 1)
        flight.arrived("c", number)
    assert flight.window == MAX_WINDOW


def test_a_queue_keeps_its_order_and_counts():
    queue = Queue()
    for n in range(3):
        queue.put(waiting(n, comm_id=f"c{n % 2}"), 1000)
    assert (len(queue), queue.nbytes, queue.has("c1"), queue.has("c2")) == (3, 30, True, False)
    assert queue.first.message.content["n"] == 0
    assert taken(queue) == [0, 1, 2]
    assert (queue.nbytes, queue.has("c0")) == (0, False)


def test_of_one_key_and_comm_the_newest_stays_at_its_own_place():
    queue = Queue()
    for n, (comm_id, key) in enumerate(
        [("a", "k"), ("a", None), ("b", "k"), ("a", "k"), ("a", "l")]
    ):
        queue.put(waiting(n, comm_id=comm_id, key=key), 1000)
    assert taken(queue) == [1, 2, 3, 4]
    queue.put(waiting(5, key="k"), 1000)  # what was sent is replaced by nothing
    assert taken(queue) == [5]


def test_a_full_queue_takes_nothing_more_but_what_has_to_be():
    queue = Queue()
    queue.put(waiting(0, nbytes=50), 10)  # alone
    with pytest.raises(QueueFull) as caught:
        queue.put(waiting(1), 10)
    assert (caught.value.queued, caught.value.limit) == (50, 10)
    queue.put(waiting(2), None)
    assert taken(queue) == [0, 2]


def test_replacing_is_possible_in_a_full_queue():
    queue = Queue()
    queue.put(waiting(0, nbytes=50, key="k"), 10)
    queue.put(waiting(1, nbytes=60, key="k"), 10)
    assert (taken(queue), queue.nbytes) == ([1], 0)


def test_what_waited_at_a_moment_has_left_though_more_waits():
    queue = Queue()
    assert queue.has_left(queue.last)
    queue.put(waiting(0), 1000)
    queue.put(waiting(1, key="k"), 1000)
    before = queue.last
    queue.put(waiting(2, key="k"), 1000)  # what it replaces is sent by nobody any more
    queue.put(waiting(3), 1000)
    assert not queue.has_left(before)
    queue.take()
    assert queue.has_left(before)
    assert not queue.has_left(queue.last)


def test_what_was_forgotten_has_left_and_what_comes_later_is_no_part_of_it():
    queue = Queue()
    for n in range(3):
        queue.put(waiting(n, key=f"k{n}"), 1000)
    before = queue.last
    queue.clear()
    assert (len(queue), queue.nbytes, queue.has("c"), queue.has_left(before)) == (0, 0, False, True)
    queue.put(waiting(3, key="k0"), 1000)
    assert queue.has_left(before)
    assert taken(queue) == [3]


def test_on_a_lane_the_window_is_wide_and_stays_as_it_is():
    flight = Flight()
    flight.change_route(is_safe=True)
    assert flight.window == LANE_WINDOW
    flight.lost(100.0)
    for n in range(10):
        flight.left("c", n + 1, 1)
    flight.arrived("c", 10)
    assert flight.window == LANE_WINDOW
    flight.change_route(is_safe=False)
    assert flight.window == FIRST_WINDOW


def test_what_is_under_way_counts_whichever_way_it_went():
    flight = Flight()
    flight.left("c", 1, 10)
    flight.change_route(is_safe=True)
    assert (flight.count, flight.nbytes) == (1, 10)
    flight.arrived("c", 1)
    assert (flight.count, flight.nbytes) == (0, 0)


def test_no_more_is_under_way_on_a_lane_than_is_kept_of_one_comm():
    assert DEFAULT_LIMITS.max_history_messages >= LANE_WINDOW
    assert DEFAULT_LIMITS.max_history_bytes >= WINDOW_BYTES
