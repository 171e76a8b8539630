from __future__ import annotations

import signal
import threading

import pytest

from tsushin.server.signals import stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks(number):
    asked = []
    with stop_on_signals(lambda: asked.append(1)) as caught:
        signal.raise_signal(number)
    assert (asked, caught) == ([1], [number])


def test_the_second_signal_insists():
    asked = []
    with stop_on_signals(lambda: asked.append(1)):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert asked == [1]


def test_the_handlers_before_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_get_no_signals_and_change_nothing():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def elsewhere():
        with stop_on_signals(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]
