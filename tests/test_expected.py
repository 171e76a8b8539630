"""Something that has not arrived: it always ends, and no value is lost between two waiters."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tsushin.errors import CommClosed
from tsushin.expected import Expected

MS = 0.001


def expected(timeout_s=10.0):
    return Expected("comm_msg on comm 'x'", timeout_s=timeout_s)


def test_a_value_given_before_is_there_at_once():
    one = expected()
    assert one.settle(7)
    assert one.result() == 7


async def test_a_value_given_before_is_awaited_at_once():
    one = expected()
    one.settle(7)
    assert await one == 7


async def test_a_value_given_later_wakes_the_awaiting_task():
    one = expected()
    waiting = asyncio.ensure_future(one)
    await asyncio.sleep(0)
    one.settle(7)
    assert await waiting == 7


def test_a_value_given_by_another_thread_wakes_the_blocked_one():
    one = expected()
    threading.Thread(target=one.settle, args=(7,)).start()
    assert one.result(timeout=10) == 7


def test_blocking_ends_when_time_is_up():
    with pytest.raises(TimeoutError, match=r"^comm_msg on comm 'x': not within 0\.001 s$"):
        expected(MS).result()


def test_blocking_ends_at_the_shorter_time_given():
    with pytest.raises(TimeoutError, match=r"not within 0\.001 s"):
        expected().result(timeout=MS)


async def test_awaiting_ends_when_time_is_up():
    with pytest.raises(TimeoutError, match=r"^comm_msg on comm 'x': not within 0\.001 s$"):
        await expected(MS)


def test_when_time_is_up_nothing_is_waited_for_though_nobody_looked():
    one = expected(0.0)
    assert not one.is_waiting()


def test_a_longer_time_at_the_asking_keeps_the_wait_open():
    one = expected(0.0)
    thread = threading.Thread(target=one.settle, args=(7,))
    started = threading.Event()

    def ask():
        started.set()
        return one.result(timeout=10)

    thread.start()
    assert ask() == 7
    thread.join(10)


def test_a_value_of_the_last_moment_is_returned_not_lost():
    one = expected(0.0)
    one.settle(7)
    assert one.result() == 7


async def test_a_value_of_the_last_moment_is_awaited_not_lost():
    one = expected(0.0)
    one.settle(7)
    assert await one == 7


def test_after_the_time_a_value_is_not_taken():
    one = expected(0.0)
    with pytest.raises(TimeoutError):
        one.result()
    assert not one.settle(7)


def test_failing_raises_what_ended_the_wait():
    one = expected()
    one.fail(CommClosed("gone", closed_by="there", data={"why": 1}))
    with pytest.raises(CommClosed) as caught:
        one.result()
    assert caught.value.data == {"why": 1}


async def test_failing_raises_in_the_awaiting_task():
    one = expected()
    waiting = asyncio.ensure_future(one)
    await asyncio.sleep(0)
    one.fail(CommClosed("gone"))
    with pytest.raises(CommClosed):
        await waiting


def test_a_timeout_error_that_ended_the_wait_is_passed_on():
    one = expected()
    one.fail(TimeoutError("their own"))
    with pytest.raises(TimeoutError, match="their own"):
        one.result()


@pytest.mark.parametrize("first", ["settle", "fail", "cancel"])
def test_only_the_first_end_counts(first):
    one = expected()
    {"settle": lambda: one.settle(1), "fail": lambda: one.fail(OSError()), "cancel": one.cancel}[
        first
    ]()
    one.fail(CommClosed("second"))
    assert not one.settle(2)
    assert not one.is_waiting()


async def test_cancelling_the_awaiting_task_leaves_the_value_to_others():
    one = expected()
    waiting = asyncio.ensure_future(one)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not one.settle(7)


def test_each_of_many_threads_that_settle_and_time_out_agrees():
    for _ in range(300):
        one, taken = expected(), []
        thread = threading.Thread(target=lambda o=one, t=taken: t.append(o.settle(7)))
        thread.start()
        try:
            got = one.result(timeout=0)
        except TimeoutError:
            got = None
        thread.join(10)
        assert (got == 7) is taken[0]


def test_it_says_what_it_waits_for():
    one = expected()
    assert repr(one) == "<Expected comm_msg on comm 'x': waiting>"
    one.settle(1)
    assert "settled" in repr(one)
