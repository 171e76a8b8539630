"""The thread beside the main thread: one, in order, no hindrance to anybody."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tsushin.kernel.delivery_thread import DeliveryThread


@pytest.fixture
def thread():
    thread, before = DeliveryThread(), set(threading.enumerate())
    yield thread
    thread.call(thread.loop.stop)
    for started in set(threading.enumerate()) - before:
        started.join(10)


def done(thread):
    """Wait until everything that was given is done."""
    over = threading.Event()
    thread.call(over.set)
    assert over.wait(10)


def test_callbacks_run_on_one_thread_in_order(thread):
    seen = []
    for n in range(100):
        thread.call(lambda n=n: seen.append((n, threading.get_ident())))
    done(thread)
    assert [n for n, _ in seen] == list(range(100))
    assert {ident for _, ident in seen} != {threading.get_ident()}
    assert len({ident for _, ident in seen}) == 1


def test_it_does_not_keep_the_process_and_debuggers_pass_it_over(thread):
    threads = []
    thread.call(lambda: threads.append(threading.current_thread()))
    done(thread)
    [own] = threads
    assert own.daemon
    assert (own.pydev_do_not_trace, own.is_pydev_daemon_thread) == (True, True)


def test_it_knows_whether_it_is_where_it_is_asked(thread):
    seen = [thread.is_here()]
    thread.call(lambda: seen.append(thread.is_here()))
    done(thread)
    assert seen == [False, True]


def test_tasks_go_on_beside_callbacks(thread):
    order = []

    async def slow():
        order.append("begin")
        await asyncio.sleep(0)
        order.append("end")

    thread.call(lambda: order.append(thread.loop.create_task(slow())))
    thread.call(lambda: order.append("callback"))
    for _ in range(3):
        done(thread)
    assert order[1:] == ["callback", "begin", "end"] or order[1:] == ["begin", "callback", "end"]


def test_nothing_is_started_before_it_is_used():
    before = threading.active_count()
    DeliveryThread()
    assert threading.active_count() == before
