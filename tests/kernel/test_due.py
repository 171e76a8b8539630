"""Who may take which message, and when: order, safe points and turns, without a kernel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsushin.kernel.due import Due, comm_id_of
from tsushin.protocol.messages import Message


def message(comm_id, n=0):
    return Message("shell", {}, content={"comm_id": comm_id, "data": {"n": n}})


def always(_):
    return True


@pytest.fixture
def due():
    return Due()


@pytest.fixture
def taken():
    """What was handled: ``taken.append`` handles."""
    return []


def named(messages):
    return [(comm_id_of(m), m.content["data"]["n"]) for m in messages]


def test_a_safe_point_takes_everything_in_order_of_arrival(due, taken):
    for n, comm_id in enumerate("aba"):
        due.put(message(comm_id, n), 1)
    assert due.claim(always, taken.append) == 3
    assert named(taken) == [("a", 0), ("b", 1), ("a", 2)]
    assert due.claim(always, taken.append) == 0


def test_a_turn_is_asked_for_once_between_two_requests(due):
    assert [due.put(message("a"), 1) for _ in range(3)] == [0, None, None]
    due.pass_by()
    assert [due.put(message("a"), 1) for _ in range(2)] == [1, None]


def test_after_its_turn_the_next_message_asks_again(due, taken):
    due.put(message("a"), 1)
    due.turn(0, taken.append)
    assert due.put(message("a"), 1) == 0


def test_a_turn_leaves_what_came_after_a_later_request(due, taken):
    due.put(message("a", 1), 1)
    due.pass_by()
    due.put(message("a", 2), 1)
    assert due.turn(0, taken.append) == 1
    assert named(taken) == [("a", 1)]


def test_what_may_not_be_claimed_keeps_back_the_rest_of_its_comm_only(due, taken):
    for n, comm_id in enumerate("aab"):
        due.put(message(comm_id, n), 1)
    due.claim(lambda m: m.content["data"]["n"] != 0, taken.append)
    assert named(taken) == [("b", 2)]
    due.turn(0, taken.append)
    assert named(taken) == [("b", 2), ("a", 0), ("a", 1)]


def test_a_claim_for_one_comm_leaves_the_others(due, taken):
    for comm_id in "ab":
        due.put(message(comm_id), 1)
    due.claim(always, taken.append, {"b"})
    assert named(taken) == [("b", 0)]


def test_held_comms_wait_for_the_first_turn(due, taken):
    assert due.hold(["a"]) == 0
    due.put(message("a"), 1)
    assert (due.claim(always, taken.append), due.has("a")) == (0, True)
    due.turn(0, taken.append)
    assert (named(taken), due.has("a")) == ([("a", 0)], False)


def test_a_message_counts_as_waiting_until_it_is_handled(due):
    due.put(message("a"), 5)
    seen = []
    due.claim(always, lambda _: seen.append((due.has("a"), due.nbytes, len(due))))
    assert seen == [(True, 5, 0)]
    assert (due.has("a"), due.nbytes) == (False, 0)


def test_a_handler_that_raises_leaves_the_rest_for_later(due, taken):
    due.put(message("a", 1), 1)
    due.put(message("a", 2), 1)
    with pytest.raises(KeyboardInterrupt):
        due.claim(always, interrupt)
    due.claim(always, taken.append)
    assert (named(taken), due.nbytes) == ([("a", 2)], 0)


def interrupt(_):
    raise KeyboardInterrupt


def test_a_handler_that_asks_takes_what_is_left_and_nobody_takes_it_twice(due, taken):
    for n in range(4):
        due.put(message("a", n), 1)

    def handle(one):
        taken.append(one)
        if len(taken) == 2:
            due.claim(always, handle)

    due.claim(always, handle)
    assert named(taken) == [("a", n) for n in range(4)]


@pytest.mark.parametrize("content", [{}, {"comm_id": 3}, {"comm_id": None}])
def test_a_message_without_an_id_has_its_turn(due, taken, content):
    due.put(Message("shell", {}, content=content), 1)
    assert due.turn(0, taken.append) == 1


STEPS = st.lists(
    st.sampled_from(["put a", "put b", "pass", "claim", "claim a", "turn"]), max_size=40
)


@given(STEPS)
def test_whatever_happens_each_comm_keeps_its_order_and_nothing_is_left(steps):
    due, taken, asked, number = Due(), [], [], 0
    for step in steps:
        match step.split():
            case ["put", comm_id]:
                asked.append(due.put(message(comm_id, number), 1))
                number += 1
            case ["pass"]:
                due.pass_by()
            case ["claim", *only]:
                due.claim(lambda m: m.content["data"]["n"] % 3 != 0, taken.append, only or None)
            case ["turn"] if turns := [a for a in asked if a is not None]:
                asked.remove(turns[0])
                due.turn(turns[0], taken.append)
    for turn in [a for a in asked if a is not None]:
        due.turn(turn, taken.append)
    for comm_id in "ab":
        numbers = [n for i, n in named(taken) if i == comm_id]
        assert numbers == sorted(numbers)
    assert (len(taken), len(due), due.nbytes) == (number, 0, 0)


def test_what_came_another_way_needs_no_turn_and_keeps_its_place(due, taken):
    due.add(message("a", 1), 1)
    assert due.put(message("a", 2), 1) == 0
    due.add(message("b", 3), 1)
    assert due.nbytes == 3
    assert due.claim(always, taken.append) == 3
    assert named(taken) == [("a", 1), ("a", 2), ("b", 3)]
    assert (len(due), due.nbytes, due.has("a")) == (0, 0, False)


def test_what_came_another_way_is_taken_by_a_turn_that_comes(due, taken):
    due.add(message("a", 1), 1)
    due.turn(0, taken.append)
    assert named(taken) == [("a", 1)]
