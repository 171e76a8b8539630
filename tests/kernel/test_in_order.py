from __future__ import annotations

import itertools

import pytest

from tsushin.errors import RemoteProtocolError
from tsushin.kernel.in_order import InOrder


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(4))))
def test_whatever_the_arrival_the_order_is_that_of_the_numbers(arrival):
    order = InOrder()
    assert [item for n in arrival for item in order.put(n, n)] == [0, 1, 2, 3]
    assert not order.is_waiting


def test_an_item_that_came_twice_is_given_once():
    order = InOrder()
    assert [order.put(0, "a"), order.put(0, "a"), order.put(2, "c"), order.put(2, "c")] == [
        ["a"], [], [], [],
    ]  # fmt: skip
    assert order.put(1, "b") == ["b", "c"]


@pytest.mark.parametrize("bounds", [{"max_held": 2}, {"max_held_bytes": 20}])
def test_a_gap_that_never_closes_ends_with_a_fault_that_names_it(bounds):
    order = InOrder(**bounds)
    order.put(1, "b", 10)
    order.put(2, "c", 10)
    with pytest.raises(RemoteProtocolError, match="message 0 of the page never came"):
        order.put(3, "d", 10)


def test_what_fills_the_gap_is_no_overflow():
    order = InOrder(max_held=2)
    order.put(1, "b")
    order.put(2, "c")
    assert order.put(0, "a") == ["a", "b", "c"]


def test_going_on_at_a_number_gives_what_is_there_and_counts_what_is_missing():
    order = InOrder()
    order.put(1, "b")
    order.put(4, "e")
    assert order.start_at(4) == (3 - 0, ["b", "e"])  # 0, 2 and 3 are missing
    assert order.put(5, "f") == ["f"]
