"""Who gets the next message of one comm, and when."""

from __future__ import annotations

import pytest

from tsushin.delivery import Delivery
from tsushin.errors import CommClosed
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header
from tsushin.testing import Gate, StepRuntime


def message(number, msg_type="comm_msg"):
    header = new_header(msg_type, msg_id=f"m{number}", session="s", now=0.0)
    return Message("shell", header, content={"comm_id": "c1", "data": {"n": number}})


class One:
    """One delivery, its runtime, and what its handlers saw."""

    def __init__(self, **limits):
        self.runtime = StepRuntime()
        self.delivery = Delivery(self.runtime, Limits(**limits), "comm x")
        self.seen = []

    def note(self, msg):
        self.seen.append(msg["content"]["data"]["n"])

    def put(self, *numbers):
        for number in numbers:
            self.delivery.put(message(number))

    def close(self, number=99):
        self.delivery.close(message(number, "comm_close"), CommClosed("x", closed_by="there"))

    def run(self):
        while self.runtime.is_due() or self.runtime.resume():
            if self.runtime.is_due():
                self.runtime.step()


@pytest.fixture
def one():
    return One()


def test_a_message_runs_the_handler_at_once(one):
    one.delivery.set_on_msg(one.note)
    one.put(1)
    assert one.seen == [1]


def test_early_messages_are_kept_and_never_delivered_inside_the_registering_call(one):
    one.put(1, 2)
    one.delivery.set_on_msg(one.note)
    assert one.seen == []
    one.run()
    assert one.seen == [1, 2]


def test_a_message_behind_kept_ones_waits_for_them(one):
    one.put(1)
    one.delivery.set_on_msg(one.note)
    one.put(2)
    assert one.seen == [1, 2]


def test_a_second_handler_replaces_the_first(one):
    one.delivery.set_on_msg(lambda _: pytest.fail("replaced"))
    one.delivery.set_on_msg(one.note)
    one.put(1)
    assert one.seen == [1]


def test_without_a_handler_messages_are_kept_again(one):
    one.delivery.set_on_msg(one.note)
    one.delivery.set_on_msg(None)
    one.put(1)
    one.run()
    assert one.seen == []
    assert one.delivery.expect("next").result(0)["content"]["data"] == {"n": 1}


def test_a_handler_that_registers_another_hands_over_to_it(one):
    later = []

    def first(msg):
        one.note(msg)
        one.delivery.set_on_msg(lambda m: later.append(m["content"]["data"]["n"]))

    one.put(1, 2, 3)
    one.delivery.set_on_msg(first)
    one.run()
    assert (one.seen, later) == ([1], [2, 3])


def test_a_message_that_arrives_inside_a_handler_waits_for_its_end(one):
    def handler(msg):
        number = msg["content"]["data"]["n"]
        if number == 1:
            one.put(2)
        one.note(msg)

    one.delivery.set_on_msg(handler)
    one.put(1)
    assert one.seen == [1, 2]


def test_async_handlers_are_awaited_in_order(one):
    gate = Gate()

    async def handler(msg):
        await gate
        one.note(msg)

    one.delivery.set_on_msg(handler)
    one.put(1, 2, 3)
    one.run()
    assert one.seen == []
    gate.open()
    one.run()
    assert one.seen == [1, 2, 3]


def test_a_handler_that_raises_is_reported_and_the_next_message_runs(one):
    def handler(msg):
        one.note(msg)
        raise KeyError("mine")

    one.delivery.set_on_msg(handler)
    one.put(1, 2)
    assert one.seen == [1, 2]
    assert [(type(e), about) for e, about in one.runtime.reports] == [
        (KeyError, "on_msg of comm x")
    ] * 2


def test_an_async_handler_that_raises_is_reported_and_the_next_message_runs(one):
    async def handler(msg):
        one.note(msg)
        raise KeyError("mine")

    one.delivery.set_on_msg(handler)
    one.put(1, 2)
    one.run()
    assert (one.seen, len(one.runtime.reports)) == ([1, 2], 2)


def test_system_exit_in_a_handler_is_reported(one):
    def handler(_msg):
        raise SystemExit(1)

    one.delivery.set_on_msg(handler)
    one.put(1)
    assert isinstance(one.runtime.reports[0][0], SystemExit)


def test_keyboard_interrupt_passes_and_the_next_message_still_runs(one):
    def handler(msg):
        one.note(msg)
        if one.seen == [1]:
            raise KeyboardInterrupt

    one.delivery.set_on_msg(handler)
    with pytest.raises(KeyboardInterrupt):
        one.put(1)
    one.put(2)
    assert one.seen == [1, 2]


def test_the_close_comes_after_the_messages_before_it(one):
    gate, order = Gate(), []

    async def on_msg(msg):
        await gate
        order.append(msg["content"]["data"]["n"])

    one.delivery.set_on_msg(on_msg)
    one.delivery.set_on_close(lambda msg: order.append(msg["msg_type"]))
    one.put(1, 2)
    one.close()
    gate.open()
    one.run()
    assert order == [1, 2, "comm_close"]


def test_on_close_gets_the_whole_message_once(one):
    closes = []
    one.delivery.set_on_close(closes.append)
    one.close(5)
    one.delivery.set_on_close(closes.append)
    one.run()
    assert [c["content"]["data"] for c in closes] == [{"n": 5}]


def test_a_close_that_came_early_is_delivered_after_registering(one):
    one.close(5)
    one.delivery.set_on_close(one.note)
    assert one.seen == []
    one.run()
    assert one.seen == [5]


def test_on_close_that_raises_is_reported(one):
    def handler(_msg):
        raise ValueError

    one.delivery.set_on_close(handler)
    one.close()
    assert one.runtime.reports[0][1] == "on_close of comm x"


def test_expect_takes_a_kept_message_first(one):
    one.put(1, 2)
    assert one.delivery.expect("next").result(0)["content"]["data"] == {"n": 1}
    assert one.delivery.expect("next").result(0)["content"]["data"] == {"n": 2}


def test_a_kept_message_is_there_even_without_any_time(one):
    one.put(1)
    assert one.delivery.expect("next", 0.0).result()["content"]["data"] == {"n": 1}


def test_expect_made_before_goes_before_the_handler(one):
    one.delivery.set_on_msg(one.note)
    expected = one.delivery.expect("next")
    one.put(1, 2)
    assert expected.result(0)["content"]["data"] == {"n": 1}
    assert one.seen == [2]


def test_several_expected_are_served_in_order(one):
    first, second = one.delivery.expect("1"), one.delivery.expect("2")
    one.put(1, 2)
    assert [e.result(0)["content"]["data"]["n"] for e in (first, second)] == [1, 2]


@pytest.mark.parametrize("how", ["cancel", "time out", "run out unseen"])
def test_one_that_waits_no_longer_takes_nothing(one, how):
    expected = one.delivery.expect("gone", 0.0 if how == "run out unseen" else 10.0)
    if how == "cancel":
        expected.cancel()
    elif how == "time out":
        with pytest.raises(TimeoutError):
            expected.result(timeout=0)
    one.delivery.set_on_msg(one.note)
    one.put(1)
    assert one.seen == [1]


def test_the_close_ends_every_wait(one):
    expected = one.delivery.expect("next")
    one.close()
    with pytest.raises(CommClosed):
        expected.result()


def test_kept_messages_can_be_read_after_the_close_and_then_it_raises(one):
    one.put(1)
    one.close()
    assert one.delivery.expect("next").result(0)["content"]["data"] == {"n": 1}
    with pytest.raises(CommClosed):
        one.delivery.expect("next").result(0)


def test_after_ones_own_close_nothing_is_delivered(one):
    one.put(1)
    one.delivery.set_on_msg(one.note)
    one.delivery.set_on_close(one.note)
    one.delivery.end(CommClosed("x", closed_by="here"))
    one.put(2)
    one.run()
    assert one.seen == []
    with pytest.raises(CommClosed):
        one.delivery.expect("next").result(0)


def test_what_nobody_reads_is_bounded_and_counted():
    one = One(max_kept_messages=2)
    one.put(1, 2, 3)
    one.delivery.set_on_msg(one.note)
    one.run()
    assert (one.delivery.dropped, one.seen) == (1, [2, 3])
