"""Timers of a kernel: in order, on one thread, whatever one of them raises."""

from __future__ import annotations

import threading

from tsushin.kernel.alarm import Alarm

WAIT_S = 10


def test_it_calls_in_the_order_of_time_on_one_thread_of_its_own():
    alarm, seen, done = Alarm(), [], threading.Event()

    def note(name):
        seen.append((name, threading.current_thread()))

    alarm.after(0.06, lambda: (note("late"), done.set()))
    alarm.after(0.0, lambda: note("early"))
    alarm.after(0.03, lambda: note("middle"))
    assert done.wait(WAIT_S)
    assert [name for name, _ in seen] == ["early", "middle", "late"]
    [thread] = {thread for _, thread in seen}
    assert thread is not threading.current_thread()
    assert thread.daemon
    assert thread.pydev_do_not_trace


def test_one_that_raises_keeps_no_other_from_being_called(caplog):
    alarm, done = Alarm(), threading.Event()
    alarm.after(0.0, lambda: 1 / 0)
    alarm.after(0.01, done.set)
    assert done.wait(WAIT_S)
    assert "a timer failed" in caplog.text


def test_it_has_no_thread_before_it_is_asked():
    assert Alarm()._thread is None
