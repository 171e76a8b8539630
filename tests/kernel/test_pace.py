from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from tsushin.kernel.pace import BURST, PER_S, Pace


class Time:
    """A clock that moves while somebody sleeps."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def pace(time):
    return Pace(time, time.sleep)


def send(pace, times):
    for _ in range(times):
        pace.sleep(pace.pause())
        pace.count()


def test_a_burst_goes_at_once(pace, time):
    send(pace, int(BURST))
    assert time.now == 100.0


def test_above_it_messages_go_at_the_pace(pace, time):
    send(pace, int(BURST) + 1600)
    assert time.now - 100.0 == pytest.approx(1600 / PER_S)


def test_no_window_of_three_seconds_has_more_than_the_server_takes(pace, time):
    sent = []
    for _ in range(5000):
        pace.sleep(pace.pause())
        pace.count()
        sent.append(time.now)
    most = max(
        sum(at <= other < at + 3 for other in sent[i : i + 3001]) for i, at in enumerate(sent)
    )
    assert most < 3000


def test_what_others_publish_counts_and_is_not_held_up(pace, time):
    for _ in range(10_000):
        pace.count()
    assert time.now == 100.0
    send(pace, 1)
    assert time.now - 100.0 == pytest.approx(1 / PER_S)


def test_a_pause_gives_a_burst_back(pace, time):
    send(pace, int(BURST) + 100)
    time.now += 60
    before = time.now
    send(pace, int(BURST))
    assert time.now == before


def test_it_counts_what_an_iopub_thread_sends_until_it_is_taken_out(pace, time):
    sent = []
    thread = SimpleNamespace(send_multipart=lambda msg, copy=True: sent.append(msg))
    original = thread.send_multipart
    with ExitStack() as undo:
        pace.open(undo, SimpleNamespace(iopub_thread=thread))
        for _ in range(600):
            thread.send_multipart([b"kernel.1.status", b""])
        send(pace, 1)
        assert time.now == 100.0
        for _ in range(600):
            thread.send_multipart([b"stream.stdout", b""], copy=False)
        pace.sleep(pace.pause())
        assert time.now > 100.0
    assert len(sent) == 1200
    assert thread.send_multipart is original


def test_a_kernel_without_such_a_thread_is_left_alone(pace):
    with ExitStack() as undo:
        pace.open(undo, SimpleNamespace())
